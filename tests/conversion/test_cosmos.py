"""COSMOS definitions: what OpenC3 reads from packets is what our own loader reads by the XTCE made of them."""

import math

import pytest
from downlink_pipeline.conversion.formats import read_definition
from downlink_pipeline.model.errors import ConfigError
from witness import ask

HEADER = """
  APPEND_ITEM CCSDSVER 3 UINT "version"
  APPEND_ITEM CCSDSTYPE 1 UINT
  APPEND_ITEM CCSDSSHF 1 UINT
  APPEND_ID_ITEM CCSDSAPID 11 UINT {apid}
  APPEND_ITEM CCSDSSEQFLAGS 2 UINT
  APPEND_ITEM CCSDSSEQCNT 14 UINT
  APPEND_ITEM CCSDSLENGTH 16 UINT
"""
NUMBERS = f"""
TELEMETRY INST NUMBERS BIG_ENDIAN "All kinds of numbers"
{HEADER.format(apid=1)}
  APPEND_ITEM I8 8 INT
  APPEND_ITEM I16 16 INT
  APPEND_ITEM U32 32 UINT
  APPEND_ITEM I64 64 INT
  APPEND_ITEM F32 32 FLOAT
  APPEND_ITEM F64 64 FLOAT
  APPEND_ITEM NIB 4 INT
  APPEND_ITEM ODD 13 UINT
  APPEND_ITEM BIT 1 INT
  APPEND_ITEM WIDE 38 INT
  APPEND_ITEM L16 16 INT "little" LITTLE_ENDIAN
  APPEND_ITEM L32 32 UINT "little" LITTLE_ENDIAN
  APPEND_ITEM L64 64 INT "little" LITTLE_ENDIAN
  APPEND_ITEM LF32 32 FLOAT "little" LITTLE_ENDIAN
  APPEND_ITEM LF64 64 FLOAT "little" LITTLE_ENDIAN
  APPEND_ARRAY_ITEM ARY 8 UINT 80 "array"
  APPEND_ARRAY_ITEM FARY 32 FLOAT 96 "array" LITTLE_ENDIAN
  APPEND_ARRAY_ITEM NIBS 4 INT 16
  ITEM OVERLAY 48 16 UINT "I8 and half of I16"
    OVERLAP
  APPEND_ITEM TXT 64 STRING
  APPEND_ITEM BLK 24 BLOCK
"""
BIT_FIELDS = """
TELEMETRY INST BITS BIG_ENDIAN
  ITEM CCSDSVER 0 3 UINT
  ID_ITEM CCSDSAPID 5 11 UINT 2
  ITEM CCSDSSEQ 16 16 UINT
  ITEM CCSDSLENGTH 32 16 UINT
  ITEM LB12 56 12 UINT "upper byte 7, and half of byte 6" LITTLE_ENDIAN
  ITEM LB4 52 4 UINT "what is left of byte 6" LITTLE_ENDIAN
  ITEM LI11 77 11 INT "bytes 9 and 8" LITTLE_ENDIAN
  ITEM LI5 72 5 INT "byte 9" LITTLE_ENDIAN
  ITEM L24 96 24 UINT "bytes 12 to 10" LITTLE_ENDIAN
  ITEM LAST 104 8 UINT
"""
MEANINGS = f"""
TELEMETRY INST MEANINGS BIG_ENDIAN
{HEADER.format(apid=3)}
  APPEND_ITEM TEMP1 16 INT "temperature"
    UNITS Celsius C
    FORMAT_STRING "%0.2f"
    POLY_READ_CONVERSION -100.0 0.00305 1e-7
    LIMITS DEFAULT 2 ENABLED -80.0 -70.0 60.0 80.0 -20.0 20.0
    LIMITS TVAC 2 ENABLED -80.0 -30.0 30.0 80.0
  APPEND_ITEM SEG 12 UINT "three lines"
    SEG_POLY_READ_CONVERSION 0 12 0.5 0.3
    SEG_POLY_READ_CONVERSION 100 99 0.7
    SEG_POLY_READ_CONVERSION 500 1 2
  APPEND_ITEM NIB 4 INT
  APPEND_ITEM MODE 8 UINT
    STATE OFF 0
    STATE ON 1 GREEN
    STATE BROKEN 0xFF RED
  APPEND_ITEM SIGNED 8 INT
    STATE MINUS -1 YELLOW
    STATE NONE 0
  APPEND_ITEM VOLT 16 UINT
    GENERIC_READ_CONVERSION_START
      value * 2
    GENERIC_READ_CONVERSION_END
"""
SIZES = f"""
TELEMETRY INST SIZES BIG_ENDIAN
{HEADER.format(apid=4)}
  APPEND_ITEM LEN 8 UINT
  APPEND_ITEM NAME 0 STRING
    VARIABLE_BIT_SIZE LEN
  APPEND_ITEM N 8 UINT
  APPEND_ARRAY_ITEM NUMBERS 16 INT 0
    VARIABLE_BIT_SIZE N 16
  APPEND_ITEM BLK 16 BLOCK
    VARIABLE_BIT_SIZE N 8 16
  APPEND_ITEM TAIL 24 UINT
  APPEND_ITEM HALF 4 UINT
  APPEND_ITEM OTHER 4 INT
"""
REST = f"""
TELEMETRY INST REST BIG_ENDIAN
{HEADER.format(apid=5)}
  APPEND_ITEM X 32 FLOAT
  ITEM DATA 80 -16 BLOCK
  ITEM CRC -16 16 UINT
"""
ALL = [NUMBERS, BIT_FIELDS, MEANINGS, SIZES, REST]


def same(ours, theirs):
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float) or isinstance(ours, float):
        return ours == pytest.approx(theirs, rel=1e-12, abs=1e-300) or (math.isnan(ours) and math.isnan(theirs))
    return ours == theirs


def meant(ours, theirs):
    """OpenC3 gives the count where a state has no name."""
    return same(ours, theirs) or ours == f"UNKNOWN_{theirs}"


@pytest.mark.parametrize("text", ALL, ids=["numbers", "bit fields", "meanings", "sizes", "rest"])
@pytest.mark.witness
def test_a_thousand_packets_are_what_openc3_reads(carried, text):
    found = carried("tlm.txt", text)
    packets = found.packets(1000)
    asked = {"config": str(found.path), "target": "INST", "packets": [each.hex() for each in packets]}
    n_values = 0
    for ours, theirs in zip(found.rows(packets), ask("openc3", "openc3_reads.py", asked), strict=True):
        container, calibrated, raw = ours
        assert container == theirs["packet"]
        assert set(theirs["values"]) == set(calibrated)
        for name, (their_raw, their_calibrated) in theirs["values"].items():
            if calibrated[name] in ("", []) and name in {"NAME", "NUMBERS"}:
                continue  # to OpenC3 a size of 0 that a packet tells is "all the rest"
            if name != "VOLT" and not isinstance(their_raw, str):
                assert meant(calibrated[name], their_calibrated), (name, calibrated[name], their_calibrated)
            if not isinstance(their_raw, str):
                assert same(raw[name], their_raw), (name, raw[name], their_raw)
            else:
                assert calibrated[name] == their_raw, name
            n_values += 1
    assert n_values >= 4000


def test_a_state_a_line_and_a_limit_are_those_of_the_file(carried):
    found = carried("tlm.txt", MEANINGS)
    body = bytes.fromhex("fe0c 0635 ff ff 0007")  # -500, 99 and 5, 255, -1, 7
    (row,) = found.rows([bytes.fromhex("0003 c000 0007") + body])
    assert row[0] == "MEANINGS"
    assert row[1]["TEMP1"] == pytest.approx(-100 - 500 * 0.00305 + 250000e-7)
    assert row[1]["SEG"] == pytest.approx(12 + 99 * 0.5 + 99**2 * 0.3)
    assert (row[1]["MODE"], row[1]["SIGNED"], row[1]["VOLT"]) == ("BROKEN", "MINUS", 7)
    temperature = next(each for key, each in found.dictionary.parameters.items() if key.endswith("TEMP1"))
    assert temperature.type.unit == "C"
    bands = {level: (where.low, where.high) for level, where, _ in temperature.type.limits.alarm.bands}
    assert bands == {2: (-70, 60), 4: (-80, 80)}
    assert temperature.type.limits.alarm.violations == 2


def test_the_last_line_says_for_how_many_values_the_limits_of_all_sets_are_crossed(carried):
    """As limits_parser.rb: each LIMITS line sets the persistence of its item."""
    text = MEANINGS.replace("LIMITS TVAC 2 ENABLED", "LIMITS TVAC 5 ENABLED")
    found = carried("tlm.txt", text).dictionary
    limits = next(each.type.limits for key, each in found.parameters.items() if key.endswith("TEMP1"))
    ((condition, alarm),) = limits.contexts
    assert (limits.alarm.violations, alarm.violations) == (5, 5)
    assert (condition.left.parameter.rpartition("/")[2], condition.right) == ("LIMITS_SET", "TVAC")


def test_limits_of_a_set_before_those_of_the_default_are_an_error_with_their_line(tmp_path):
    path = tmp_path / "tlm.txt"
    path.write_text(MEANINGS.replace("LIMITS DEFAULT 2", "LIMITS COLD 2"))
    with pytest.raises(ConfigError, match=r"tlm\.txt:\d+: LIMITS: limits of the set DEFAULT come first"):
        read_definition([path])


def test_what_cannot_be_carried_is_listed_with_its_line(carried):
    text = (
        MEANINGS
        + """
  ITEM PACKET_TIME 0 0 DERIVED
    READ_CONVERSION packet_time_conversion.rb
  APPEND_ITEM WORD 16 STRING
    STATE YES "Y"
  APPEND_ITEM QUIC 6 UINT
    VARIABLE_BIT_SIZE MODE
COMMAND INST ABORT BIG_ENDIAN
  APPEND_PARAMETER X 8 UINT 0 1 0
"""
    )
    found = carried("tlm.txt", text)
    lines = text.splitlines()
    told = {(loss.kind, lines[loss.line - 1].split()[0]) for loss in found.losses}
    assert all(loss.file == str(found.path) for loss in found.losses)
    assert told == {
        ("FORMAT_STRING", "FORMAT_STRING"),
        ("LIMITS", "LIMITS"),
        ("GENERIC_READ_CONVERSION_START", "GENERIC_READ_CONVERSION_START"),
        ("READ_CONVERSION", "READ_CONVERSION"),
        ("STATE", "STATE"),
        ("VARIABLE_BIT_SIZE", "APPEND_ITEM"),
        ("COMMAND", "COMMAND"),
    }


def test_packets_are_told_apart_by_their_id_items_in_the_order_of_the_file(carried):
    found = carried("tlm.txt", "".join(ALL) + "\nTELEMETRY INST REST2 BIG_ENDIAN\n  APPEND_ITEM ANY 8 UINT\n")
    packets = [bytes.fromhex("0005 c000 0007 3f800000 aabb ccdd"), bytes.fromhex("0099 c000 0000 11")]
    rest, other = found.rows(packets)
    assert rest[:2] == ("REST", rest[1])
    assert (rest[1]["X"], rest[1]["DATA"], rest[1]["CRC"]) == (1.0, [0xAA, 0xBB], 0xCCDD)
    assert (other[0], other[1]["ANY"]) == ("REST2", 0)


def test_a_line_that_cosmos_would_not_read_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "tlm.txt"
    path.write_text("TELEMETRY A B BIG_ENDIAN\n  APPEND_ITEM X eight UINT\n  SELECT_ITEM NO\n")
    with pytest.raises(ConfigError) as raised:
        read_definition([path])
    assert [each.line for each in raised.value.problems] == [2, 3]


def test_what_is_not_carried_still_takes_its_bits(carried):
    text = "TELEMETRY T P BIG_ENDIAN\n  APPEND_ITEM A 8 UINT\n  APPEND_ITEM B 8 BOOL\n  APPEND_ITEM C 8 UINT\n"
    found = carried("tlm.txt", text)
    ((_, values, _),) = found.rows([b"\1\2\3"])
    assert values == {"A": 1, "C": 3}
    assert [(loss.kind, loss.name) for loss in found.losses] == [("ITEM", "P B")]


def test_behind_what_is_not_carried_and_has_no_fixed_size_nothing_is(carried):
    text = """TELEMETRY T P BIG_ENDIAN
  APPEND_ITEM N 8 UINT
  APPEND_ITEM Q 0 UINT
    VARIABLE_BIT_SIZE N
  APPEND_ITEM C 8 UINT
"""
    found = carried("tlm.txt", text)
    ((_, values, _),) = found.rows([b"\1\2\3"])
    assert values == {"N": 1}
    assert [(loss.kind, loss.name) for loss in found.losses] == [("VARIABLE_BIT_SIZE", "P Q"), ("ITEM", "P C")]


def test_a_packet_may_be_told_by_text_or_bytes(carried):
    text = """TELEMETRY T P BIG_ENDIAN
  APPEND_ID_ITEM A 16 STRING "AB"
  APPEND_ITEM B 8 UINT
TELEMETRY T Q BIG_ENDIAN
  APPEND_ID_ITEM A 16 STRING "CD"
  APPEND_ITEM C 8 UINT
TELEMETRY T R BIG_ENDIAN
  APPEND_ID_ITEM A 16 BLOCK 0x00FF
  APPEND_ITEM D 8 UINT
"""
    first, second, third = carried("tlm.txt", text).rows([b"AB\1", b"CD\2", b"\0\xff\3"])
    assert (first[0], first[1]["B"], second[0], second[1]["C"]) == ("P", 1, "Q", 2)
    assert (third[0], third[1]["D"]) == ("R", 3)


@pytest.mark.parametrize(
    ("item", "body", "value"),
    [
        ("ITEM B 8 -16 BLOCK", b"\1ab\0\7", [97, 98]),
        ("ITEM B 8 -16 STRING", b"\1ab\0\7", "ab"),
        ("ARRAY_ITEM B 8 16 INT -16", b"\1\xff\xfe\0\2\0\7", [-2, 2]),
        ("ARRAY_ITEM B 8 16 INT -16", b"\1\0\7", []),
    ],
)
def test_what_goes_on_to_items_at_the_end_ends_there_without_a_length_in_the_packet(carried, item, body, value):
    text = f"TELEMETRY T P BIG_ENDIAN\n  ITEM A 0 8 UINT\n  {item}\n  ITEM Z -16 16 UINT\n"
    found = carried("tlm.txt", text)
    ((_, values, _),) = found.rows([body])
    assert (values, found.losses) == ({"A": 1, "B": value, "Z": 7}, ())
