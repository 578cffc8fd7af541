"""Kaitai definitions: what the runtime of Kaitai Struct reads from packets is what our own loader reads.

The decoders of SatNOGS are compiled from .ksy files that their package does not bring, so the definitions of two of
them are written anew here, and their compiled classes are the witness. OWN has what these lack; its class is in
kaitai_reads.py.
"""

import math

import pytest
from witness import ask

OWN = """
meta:
  id: own
  endian: be
  bit-endian: be
doc: |
  :field motto_text: motto
seq:
  - {id: version, type: b3}
  - {id: flag, type: b1}
  - {id: kind, type: b4, enum: kinds}
  - {id: odd, type: b11}
  - {id: count, type: u1}
  - {id: temperature, type: s2le, doc: counts}
  - {id: ratio, type: f4}
  - {id: name, type: str, size: 8, encoding: ASCII, terminator: 0}
  - {id: motto, type: strz, encoding: ASCII}
  - {id: k, type: u1}
  - {id: samples, type: u2, repeat: expr, repeat-expr: k}
  - {id: n, type: u1}
  - {id: blob, size: n * 2}
  - {id: extra, type: u4le, if: version == 2}
  - {id: low, type: b4le}
  - {id: middle, type: b11le}
  - {id: high, type: b1le}
  - id: body
    type:
      switch-on: kind
      cases:
        'kinds::health': health
        2: science
        3: science
instances:
  celsius: {value: temperature * 0.25 - 40}
  half: {value: count >> 1}
  both: {value: count + n}
enums:
  kinds:
    0: nothing
    1: health
    2: {id: science, doc: with fields}
types:
  health:
    seq:
      - {id: voltage, type: u2}
      - {id: current, type: s2}
  science:
    seq:
      - {id: field, type: f8le, repeat: expr, repeat-expr: 3}
"""
US6 = """
meta: {id: us6, endian: le}
doc: |
  :field ctl: ax25_frame.ax25_header.ctl
  :field uptime: ax25_frame.payload.ax25_info.uptime
seq:
  - {id: ax25_frame, type: ax25_frame}
types:
  ax25_frame:
    seq:
      - {id: ax25_header, type: ax25_header}
      - {id: payload, type: us6_frame}
  ax25_header:
    seq:
      - {id: dest_callsign_raw, type: callsign_raw}
      - {id: dest_ssid_raw, type: ssid_mask}
      - {id: src_callsign_raw, type: callsign_raw}
      - {id: src_ssid_raw, type: ssid_mask}
      - {id: ctl, type: u1}
  callsign_raw:
    seq:
      - {id: callsign_ror, process: ror(1), size: 6, type: callsign}
  callsign:
    seq:
      - {id: callsign, type: str, size: 6, encoding: ASCII}
  ssid_mask:
    seq:
      - {id: ssid_mask, type: u1}
    instances:
      ssid: {value: (ssid_mask & 0xf) >> 1}
  us6_frame:
    seq:
      - {id: pid, type: u1}
      - {id: ax25_info, type: frame, size-eos: true}
  frame:
    seq:
      - {id: syncpacket, contents: US6}
      - {id: packetindex, type: u2}
      - {id: groundindexack, type: u2}
      - {id: packettype, contents: [1]}
      - {id: payloadsize, type: u1}
      - {id: rebootcounter, type: u2}
      - {id: uptime, type: u4}
      - {id: unixtime, type: u4}
      - {id: tempmcu, type: s1}
      - {id: tempfpga, type: s1}
      - {id: magnetometerx, type: s2}
      - {id: magnetometery, type: s2}
      - {id: magnetometerz, type: s2}
      - {id: gyroscopex, type: s2}
      - {id: gyroscopey, type: s2}
      - {id: gyroscopez, type: s2}
      - {id: cpucurrent, type: u2}
      - {id: tempradio, type: s1}
      - {id: payloadreserved1, type: u1}
      - {id: payloadreserved2, type: u1}
      - {id: tempbottom, type: u1}
      - {id: tempupper, type: u1}
      - {id: payloadreserved3, type: u1}
      - {id: epsvbat, type: u2}
      - {id: epscurrent_sun, type: u2}
      - {id: epscurrent_out, type: u2}
      - {id: epsvpanel01, type: u2}
      - {id: epsvpanel02, type: u2}
      - {id: epsvpanel03, type: u2}
      - {id: epscurrent01, type: u2}
      - {id: epscurrent02, type: u2}
      - {id: epscurrent03, type: u2}
      - {id: epsbatttemp, type: u2}
      - {id: payloadreserved4, type: u1}
      - {id: saterrorflags, type: u2}
      - {id: satoperationstatus, type: u1}
      - {id: crc, type: u1}
"""
AX25 = (
    US6[: US6.index("  us6_frame:")]
    .replace("us6_frame", "{switch-on: ax25_header.ctl & 0x13, cases: {0: i_frame, 3: ui_frame, 0x13: ui_frame, "
             "0x10: i_frame, 0x12: i_frame, 2: i_frame}}")
    .replace("id: us6", "id: ax25frames")
    + """
  i_frame:
    seq:
      - {id: pid, type: u1}
      - {id: ax25_info, size-eos: true}
  ui_frame:
    seq:
      - {id: pid, type: u1}
      - {id: ax25_info, size-eos: true}
"""
)  # fmt: skip


def same(ours, theirs):
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return ours == pytest.approx(theirs, rel=1e-12) or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs


@pytest.mark.parametrize(
    ("text", "decoder", "least"),
    [(OWN, "own", 15), (US6, "us6.Us6", 38), (AX25, "ax25frames.Ax25frames", 7)],
    ids=["own", "us6", "ax25frames"],
)
@pytest.mark.witness
def test_a_thousand_packets_are_what_kaitai_reads(carried, text, decoder, least):
    found = carried("packet.ksy", text)
    packets = found.packets(1000, space_packets=False)
    if decoder != "own":  # call signs of letters, each a bit to the left
        packets = [bytes(o & 0xFE if i < 13 and i != 6 else o for i, o in enumerate(each)) for each in packets]
    names = {alias: each.name for each in found.dictionary.parameters.values() for _, alias in each.aliases}
    asked = {"decoder": decoder, "packets": [each.hex() for each in packets], "paths": list(names)}
    answers = ask("satnogs-decoders", "kaitai_reads.py", asked)
    seen = set()
    for (_, calibrated, raw), theirs in zip(found.rows(packets), answers, strict=True):
        present = {path for path, name in names.items() if raw.get(name) not in (None, [])}
        for path, value in theirs.items():
            name = names[path]
            if value == [] and path not in present:
                continue
            table = calibrated if isinstance(value, str | float | bool) or path == "half" or "ssid" in path else raw
            ours = table[name][0] if path == "extra" else table[name]
            assert same(ours, value), (path, ours, value)
            seen.add(path)
        assert present <= set(theirs)
    assert len(seen) >= least


def test_a_field_has_the_name_that_satnogs_gives_it(carried):
    parameters = carried("us6.ksy", US6).dictionary.parameters
    assert "uptime" in parameters
    assert "ax25_frame_payload_ax25_info_epsvbat" in parameters
    assert ("kaitai", "ax25_frame.payload.ax25_info.uptime") in parameters["uptime"].aliases


def test_what_no_dictionary_can_say_is_listed_with_its_line(carried):
    text = (
        OWN
        + """
  lost:
    seq:
      - {id: until, type: u1, repeat: until, repeat-until: _ == 0}
      - {id: behind, type: u1}
""".replace("3: science", "3: lost")
    )
    text = text.replace("        3: science\n", "        3: lost\n")
    found = carried("own.ksy", text)
    lines = text.splitlines()
    told = [(loss.kind, loss.name, lines[loss.line - 1].strip()) for loss in found.losses]
    assert told == [
        ("repeat", "body.until", "- {id: until, type: u1, repeat: until, repeat-until: _ == 0}"),
        ("field", "body.behind", "- {id: behind, type: u1}"),
        ("instance", "both", "both: {value: count + n}"),
    ]
    assert all(loss.file == str(found.path) for loss in found.losses)
