"""AIT dictionaries: what AIT reads from packets is what our own loader reads."""

import math

import pytest
from witness import ask

HEADER = """
    - !Field {name: version, bytes: 0, type: U8, mask: 0xE0}
    - !Field {name: id, bytes: [0, 1], type: MSB_U16}
    - !Field {name: sequence, bytes: [2, 3], type: MSB_U16}
    - !Field {name: length, bytes: [4, 5], type: MSB_U16}
"""
TEXT = f"""
- !Packet
  name: HEALTH
  desc: health of the computer
  ccsds: {{apid: 100}}
  fields:{HEADER}
    - !Field
      name: temperature
      type: MSB_I16
      units: counts
      dntoeu: {{equation: "raw.temperature * 0.25 - 40", units: C}}
    - !Field {{name: voltage, type: LSB_U16, dntoeu: {{equation: "(raw.voltage - 10) / 4"}}}}
    - !Field {{name: mode, type: U8, mask: 0xF0, enum: {{0: IDLE, 1: BUSY, 15: SAFE}}}}
    - !Field {{name: low, bytes: '@prev', type: U8, mask: 0x0F}}
    - !Field {{name: flags, type: MSB_U16, mask: 0x0FF8}}
    - !Field {{name: little, type: LSB_U16, mask: 0x07E0}}
    - !Field {{name: upper, bytes: '@prev', type: LSB_U16, mask: 0xF800}}
    - !Field {{name: real, type: MSB_F32}}
    - !Field {{name: double, type: LSB_D64}}
    - !Field {{name: samples, type: 'MSB_U16[4]'}}
    - !Field {{name: when_busy, type: U8, when: "low == 1"}}
    - !Field {{name: last, bytes: 60, type: LSB_I32}}
- !Packet
  name: OTHER
  ccsds: {{apid: 101}}
  fields:{HEADER}
    - !Field {{name: temperature, type: U8}}
    - !Field {{name: fine, type: TIME8}}
"""


def same(ours, theirs):
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return ours == pytest.approx(theirs) or (math.isnan(ours) and math.isnan(theirs))
    return ours in (theirs, f"UNKNOWN_{theirs}")


@pytest.mark.witness
def test_a_thousand_packets_are_what_ait_reads(carried):
    found = carried("tlm.yaml", TEXT)
    packets = found.packets(1000)
    rows = found.rows(packets)
    named = [(row[0], each.hex()) for row, each in zip(rows, packets, strict=True)]
    answers = ask("ait-core", "ait_reads.py", {"dictionary": str(found.path), "packets": named})
    n = 0
    for (container, calibrated, raw), theirs in zip(rows, answers, strict=True):
        assert set(theirs) == set(calibrated) - {"CCSDS_APID"}
        for name, (their_raw, their_value) in theirs.items():
            if their_value is None:  # `when` does not hold: here the row is flagged
                assert name == "when_busy"
                continue
            assert same(calibrated[name], their_value), (container, name, calibrated[name], their_value)
            assert name == "fine" or same(raw[name], their_raw), (container, name, raw[name], their_raw)
            n += 1
    assert n > 8000


def test_a_mask_is_a_bit_field_and_an_equation_a_calibration(carried):
    found = carried("tlm.yaml", TEXT)
    body = bytes.fromhex("0064 0a01 1f 0ff8 e007 3fc00000 000000000000f83f 0001 0002 0003 0004 07")
    body += bytes(60 - 6 - len(body)) + (-2).to_bytes(4, "little", signed=True)
    ((name, values, _),) = found.rows([bytes.fromhex("0064 c000") + (len(body) - 1).to_bytes(2, "big") + body])
    assert (name, values["temperature"], values["voltage"]) == ("HEALTH", -15.0, 64.0)  # 100, 266
    assert (values["mode"], values["low"], values["flags"], values["little"]) == ("BUSY", 15, 511, 63)
    assert (values["real"], values["double"], values["samples"], values["last"]) == (1.5, 1.5, [1, 2, 3, 4], -2)


def test_what_is_lost_is_listed_with_its_line(carried):
    text = (
        TEXT
        + """
    - !Field {name: code, type: CMD16}
    - !Field {name: holes, type: U8, mask: 0x05}
    - !Field {name: both, type: U8, dntoeu: {equation: "both + temperature"}}
    - !Field {name: stamp, type: TIME64}
  history: [temperature]
"""
    )
    found = carried("tlm.yaml", text)
    lines = text.splitlines()
    told = {(loss.kind, loss.name, lines[loss.line - 1].split()[0]) for loss in found.losses}
    assert told == {
        ("type", "OTHER.code", "-"), ("mask", "OTHER.holes", "-"), ("dntoeu", "OTHER.both", "-"),
        ("type", "OTHER.stamp", "-"), ("history", "OTHER", "history:"),
    }  # fmt: skip
