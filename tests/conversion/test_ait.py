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
  history: [temperature]
"""
    )
    found = carried("tlm.yaml", text)
    lines = text.splitlines()
    told = {(loss.kind, loss.name, lines[loss.line - 1].split()[0]) for loss in found.losses}
    assert told == {
        ("type", "OTHER.code", "-"), ("mask", "OTHER.holes", "-"), ("dntoeu", "OTHER.both", "-"),
        ("history", "OTHER", "history:"),
    }  # fmt: skip


INCLUDING = """
- !Packet
  name: P
  ccsds: {apid: 5}
  constants: {K: 2}
  functions:
    Scaled(dn): (dn - 2) / 4.0
    Both(x, y): Scaled(x) * y
  fields:
    - !include header.yaml
    - !Field {name: a, type: U8, dntoeu: {equation: Scaled(raw.a), units: A}}
    - !Field {name: b, type: U8, dntoeu: {equation: "Both(raw.b, 3) + K"}}
    - !Field {name: t, type: TIME64}
    - !Field {name: z, type: U8}
- !include other.yaml
- !include missing.yaml
- !include ../outside.yaml
"""


@pytest.fixture
def including(carried, tmp_path):
    (tmp_path / "header.yaml").write_text(HEADER)
    (tmp_path / "other.yaml").write_text(
        "- !Packet\n  name: Q\n  ccsds: {apid: 6}\n  fields: [!include header.yaml, !Field {name: q, type: I8}]\n"
    )
    return carried("tlm.yaml", INCLUDING)


def test_included_fields_and_packets_stand_where_they_are_included(including):
    first, second = including.rows(
        [bytes.fromhex("0005 c000 000a 0a 06 00000002 1dcd6500 07"), bytes.fromhex("0006 c000 0000 ff")]
    )
    assert first[0] == "P"
    # A count of 10 is 8 quarters; one of 6 is 4 quarters, thrice, and the constant.
    assert (first[1]["a"], first[1]["b"], first[1]["z"]) == (2.0, 5.0, 7)
    # two seconds and 500,000,000 ns after 1980-01-06
    assert first[1]["t"] == (315_964_800 + 2) * 10**9 + 500_000_000
    assert (second[0], second[1]["q"]) == ("Q", -1)


def test_a_file_that_cannot_be_included_is_listed(including):
    told = [(loss.kind, loss.name, loss.why.partition(":")[0]) for loss in including.losses]
    assert told == [
        ("include", "missing.yaml", "cannot be read"),
        ("include", "../outside.yaml", "is not read"),
    ]
