"""A single packet field by field: the places, the values and the words for the rule."""

import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.packet_fields import NOT_DESCRIBED, FieldReader
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.passes import outcomes
from pieces import entry

VOLTS = """<FloatParameterType name="VOLTS"><UnitSet><Unit>V</Unit></UnitSet><IntegerDataEncoding sizeInBits="16">
<DefaultCalibrator><PolynomialCalibrator><Term coefficient="-5" exponent="0"/><Term coefficient="0.25" exponent="1"/>
</PolynomialCalibrator></DefaultCalibrator></IntegerDataEncoding></FloatParameterType>"""
MODE = """<EnumeratedParameterType name="MODE"><IntegerDataEncoding sizeInBits="3"/><EnumerationList>
<Enumeration value="0" label="OFF"/><Enumeration value="5" label="SCIENCE"/></EnumerationList>
</EnumeratedParameterType>"""
TEXT = """<StringParameterType name="TEXT"><StringDataEncoding><Variable maxSizeInBits="800"><TerminationChar>00
</TerminationChar></Variable></StringDataEncoding></StringParameterType>"""
REPEAT = (
    '<RepeatEntry><Count><DynamicValue><ParameterInstanceRef parameterRef="N"/></DynamicValue>'
    "</Count></RepeatEntry>"
)
HEADER_FIELDS = 7


@pytest.fixture
def read(document, packet):
    def fields(types, parameters, body, entries="", containers="", **header):
        plan = compile_plan(read_xtce(document(types, parameters, entries, containers)))
        found = FieldReader(plan).read(packet(body, **header))
        return found, found.fields[HEADER_FIELDS:]

    return fields


def test_a_field_has_its_bits_raw_value_calibrated_value_unit_and_rule(read):
    found, (mode, rest, volts) = read(
        VOLTS + MODE, {"M": "MODE", "V": "VOLTS"}, b"\xa0\x00\x28",
        entry("M") + entry("V", '<LocationInContainerInBits referenceLocation="containerStart"><FixedValue>56'
                           "</FixedValue></LocationInContainerInBits>"),
    )  # fmt: skip
    assert found.container == "PACKET"
    assert found.why == ""
    assert (mode.begin_bits, mode.size_bits, mode.raw, mode.calibrated) == (48, 3, "5", "SCIENCE")
    assert mode.bits == "6.0 +3"
    assert mode.rule == "3-bit unsigned integer; enumeration of 2 labels"
    assert (rest.name, rest.begin_bits, rest.size_bits) == (NOT_DESCRIBED, 51, 5)
    assert (volts.begin_bits, volts.raw, volts.calibrated, volts.unit) == (56, "40", "5", "V")
    assert volts.rule == "16-bit unsigned integer; polynomial -5 + 0.25 x"


def test_values_behind_what_varies_stand_where_this_packet_has_them(read):
    _, fields = read(TEXT, {"S": "TEXT", "B": "U8"}, b"abc\0\7")
    assert [(one.name, one.begin_bits, one.size_bits, one.calibrated or one.raw) for one in fields] == [
        ("S", 48, 32, "abc"),
        ("B", 80, 8, "7"),
    ]
    assert fields[0].raw == "61 62 63 00"


def test_each_time_of_a_repeat_is_a_field(read):
    _, fields = read("", {"N": "U8", "A": "U8", "B": "U8"}, b"\3\5\6\7\x09",
                     entry("N") + entry("A", REPEAT) + entry("B"))  # fmt: skip
    assert [(one.name, one.begin_bits // 8, one.raw) for one in fields] == [
        ("N", 6, "3"), ("A[0]", 7, "5"), ("A[1]", 8, "6"), ("A[2]", 9, "7"), ("B", 10, "9"),
    ]  # fmt: skip


def test_a_long_array_is_one_field(read):
    kind = """<ArrayParameterType name="T" arrayTypeRef="U8"><DimensionList><Dimension><StartingIndex><FixedValue>0
    </FixedValue></StartingIndex><EndingIndex><FixedValue>99</FixedValue></EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>"""
    _, fields = read(kind, {"X": "T", "B": "U8"}, bytes(range(101)))
    assert [(one.name, one.begin_bits // 8, one.size_bits // 8) for one in fields] == [("X", 6, 100), ("B", 106, 1)]
    assert fields[0].rule == "100 times: 8-bit unsigned integer"


def test_times_of_varying_size_have_their_own_places(read):
    inside = f"<EntryList>{entry('M')}{entry('S')}</EntryList>"
    container = f'<SequenceContainer name="IN" abstract="true">{inside}</SequenceContainer>'
    entries = entry("N") + f'<ContainerRefEntry containerRef="IN">{REPEAT}</ContainerRefEntry>'
    _, fields = read(TEXT, {"N": "U8", "M": "U8", "S": "TEXT"}, b"\2\1ab\0\2c\0", entries, container)
    assert [(one.name, one.begin_bits // 8, one.size_bits // 8) for one in fields] == [
        ("N", 6, 1), ("M[0]", 7, 1), ("S[0]", 8, 3), ("M[1]", 11, 1), ("S[1]", 12, 2),
    ]  # fmt: skip
    assert [one.raw for one in fields if one.name.startswith("M")] == ["1", "2"]


def test_what_is_there_by_condition_is_a_field_only_then(read):
    there = '<IncludeCondition><Comparison parameterRef="K" value="1"/></IncludeCondition>'
    entries = entry("K") + entry("A", there) + entry("B")
    parameters = {"K": "U8", "A": "U8", "B": "U8"}
    assert [one.name for one in read("", parameters, b"\1\2\3", entries)[1]] == ["K", "A", "B"]
    assert [one.name for one in read("", parameters, b"\0\3", entries)[1]] == ["K", "B"]


def test_bytes_that_the_dictionary_does_not_describe_are_said(read):
    _, fields = read("", {"A": "U8"}, b"\1\2\3")
    assert [(one.name, one.begin_bits, one.size_bits) for one in fields] == [("A", 48, 8), (NOT_DESCRIBED, 56, 16)]


def test_a_packet_of_no_container_says_so(read):
    found, _ = read("", {"A": "U8"}, b"\1", apid=9)
    assert (found.container, found.fields) == ("", ())
    assert found.why == "no container for APID 9"


def test_a_packet_that_is_too_short_says_so(read):
    found, _ = read("", {"A": "U16", "B": "U16"}, b"\1")
    assert found.why == "too short for PACKET"


def test_of_a_record_the_first_segment_shows_the_fields_that_it_holds_whole(read):
    found, fields = read("", {"A": "U8", "B": "U16"}, b"\1\2", flags=1)
    assert "first segment" in found.why
    assert [(one.name, one.raw) for one in fields] == [("A", "1"), (NOT_DESCRIBED, "")]
    assert read("", {"A": "U8", "B": "U16"}, b"\1\2", flags=0)[0].fields == ()


@pytest.mark.parametrize("octets", [b"", b"\0", bytes(6), bytes(7), b"\xff" * 70_000])
def test_any_bytes_give_fields_or_a_reason(document, octets):
    found = FieldReader(compile_plan(read_xtce(document("", {"A": "U8"})))).read(octets)
    assert found.fields or found.why


def test_unsigned_numbers_of_the_bundled_pass_are_the_bits_at_their_places(bundled):
    mission = load_mission("zhurong")
    reader, seen, n = FieldReader(mission.plan), set(), 0
    for outcome in outcomes(ProcessingChain(mission, until="packets"), [bundled / "clean.cadu"], lambda _: None):
        packets = outcome.packets
        for k in range(len(packets)):
            if int(packets.apid[k]) in seen:
                continue
            seen.add(int(packets.apid[k]))
            octets = packets.data[packets.start[k] : packets.start[k] + packets.length[k]].tobytes()
            whole, n_bits = int.from_bytes(octets), len(octets) * 8
            for one in reader.read(octets).fields:
                if "unsigned" in one.rule and "little" not in one.rule and "times" not in one.rule:
                    bits = whole >> (n_bits - one.begin_bits - one.size_bits) & ((1 << one.size_bits) - 1)
                    assert one.raw == str(bits), one
                    n += 1
    assert n > 400
