"""Entries that are not always there, or more than once: conditions, repeats, aggregates, fixed values."""

import struct

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality, Ragged
from downlink_pipeline.model.errors import ConfigError


def rows(column):
    if not isinstance(column, Ragged):
        return column.tolist()
    return [
        column.values[start : start + length].tolist()
        for start, length in zip(column.start.tolist(), column.length.tolist(), strict=True)
    ]


def entry(name, *inside):
    return f'<ParameterRefEntry parameterRef="{name}">{"".join(inside)}</ParameterRefEntry>'


def condition(name, value):
    return f'<IncludeCondition><Comparison parameterRef="{name}" value="{value}"/></IncludeCondition>'


def repeat(count, offset=""):
    return f"<RepeatEntry><Count>{count}</Count>{offset}</RepeatEntry>"


def fixed(value):
    return f"<FixedValue>{value}</FixedValue>"


def told_by(name, adjustment=""):
    return f'<DynamicValue><ParameterInstanceRef parameterRef="{name}"/>{adjustment}</DynamicValue>'


def test_an_entry_is_there_only_where_its_condition_holds(document, packet, decode):
    entries = entry("KIND") + entry("A", condition("KIND", 1)) + entry("B")
    xtce = document("", {"KIND": "U8", "A": "U16", "B": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\1\2\3\4"), packet(b"\0\5"), packet(b"\1\6\7\x08")])
    assert rows(found.columns["A"]) == [[0x0203], [], [0x0607]]
    assert rows(found.columns["B"]) == [4, 5, 8]
    assert found.quality.tolist() == [0, 0, 0]


def test_a_condition_on_what_is_not_there_does_not_hold(document, packet, decode):
    entries = entry("KIND") + entry("A", condition("KIND", 1)) + entry("B", condition("A", 0)) + entry("C")
    xtce = document("", {"KIND": "U8", "A": "U8", "B": "U8", "C": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\0\7"), packet(b"\1\0\x08\x09")])
    assert rows(found.columns["B"]) == [[], [8]]
    assert rows(found.columns["C"]) == [7, 9]


def test_one_parameter_may_stand_at_two_places_by_condition(document, packet, decode):
    entries = entry("KIND") + entry("A", condition("KIND", 1)) + entry("B") + entry("A", condition("KIND", 2))
    xtce = document("", {"KIND": "U8", "A": "U8", "B": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\1\5\6"), packet(b"\2\7\x08"), packet(b"\3\x09")])
    assert rows(found.columns["A"]) == [[5], [8], []]
    assert rows(found.columns["B"]) == [6, 7, 9]


def test_a_packet_too_short_for_what_its_condition_wants_is_set_aside(document, packet, decode):
    entries = entry("KIND") + entry("A", condition("KIND", 1))
    (found,) = decode(document("", {"KIND": "U8", "A": "U16"}, entries), [packet(b"\1\2"), packet(b"\0")])
    assert found.order.tolist() == [1]
    assert rows(found.columns["A"]) == [[]]


def test_a_blob_inside_a_condition_is_found_and_what_follows_too(document, packet, decode):
    kind = f"""<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits>
    {told_by("N", '<LinearAdjustment slope="8"/>')}</SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    entries = entry("KIND") + entry("N") + entry("X", condition("KIND", 1)) + entry("B")
    xtce = document(kind, {"KIND": "U8", "N": "U8", "X": "T", "B": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\1\2ab\7"), packet(b"\0\2\x08"), packet(b"\1\1c\x09")])
    assert rows(found.columns["X"]) == [[97, 98], [], [99]]
    assert rows(found.columns["B"]) == [7, 8, 9]


def test_an_entry_repeated_a_fixed_number_of_times_is_an_array(document, packet, decode):
    (found,) = decode(
        document("", {"A": "U8"}, entry("A", repeat(fixed(3)))), [packet(b"\1\2\3"), packet(b"\4\5\6")]
    )
    assert rows(found.columns["A"]) == [[1, 2, 3], [4, 5, 6]]


def test_repeats_may_stand_apart(document, packet, decode):
    entries = entry("A", repeat(fixed(2), "<Offset><FixedValue>8</FixedValue></Offset>")) + entry("B")
    (found,) = decode(document("", {"A": "U8", "B": "U8"}, entries), [packet(b"\1\xff\2\3")])
    assert rows(found.columns["A"]) == [[1, 2]]
    assert rows(found.columns["B"]) == [3]


def test_an_entry_repeated_as_often_as_the_packet_says_is_ragged(document, packet, decode):
    entries = entry("N") + entry("A", repeat(told_by("N"))) + entry("B")
    xtce = document("", {"N": "U8", "A": "U16", "B": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\2\0\1\0\2\x09"), packet(b"\0\x08"), packet(b"\1\0\3\7")])
    assert rows(found.columns["A"]) == [[1, 2], [], [3]]
    assert rows(found.columns["B"]) == [9, 8, 7]


@pytest.mark.parametrize("count", [fixed(2), None])
def test_a_container_is_repeated_with_all_its_entries(document, packet, decode, count):
    listed = f"<EntryList>{entry('A')}{entry('B')}</EntryList>"
    pair = f'<SequenceContainer name="PAIR" abstract="true">{listed}</SequenceContainer>'
    often = repeat(count or told_by("N"))
    entries = entry("N") + f'<ContainerRefEntry containerRef="PAIR">{often}</ContainerRefEntry>'
    xtce = document("", {"N": "U8", "A": "U8", "B": "U16"}, entries, pair)
    (found,) = decode(xtce, [packet(b"\2\1\0\2\3\0\4")])
    assert rows(found.columns["A"]) == [[1, 3]]
    assert rows(found.columns["B"]) == [[2, 4]]


AGGREGATE = """<FloatParameterType name="F32"><UnitSet><Unit>V</Unit></UnitSet><FloatDataEncoding sizeInBits="32"/>
</FloatParameterType><AggregateParameterType name="T"><MemberList><Member name="id" typeRef="U8"/>
<Member name="voltage" typeRef="F32"/></MemberList></AggregateParameterType>"""


def test_the_members_of_an_aggregate_are_columns_of_their_own(document, packet, decode):
    (found,) = decode(document(AGGREGATE, {"X": "T"}), [packet(b"\5" + struct.pack(">f", 1.5))])
    assert rows(found.columns["X.id"]) == [5]
    assert rows(found.columns["X.voltage"]) == [1.5]
    assert found.units == {"X.voltage": "V"}


def test_an_array_of_aggregates_is_one_array_for_each_member(document, packet, decode):
    kinds = (
        AGGREGATE
        + """<ArrayParameterType name="TT" arrayTypeRef="T"><DimensionList><Dimension><StartingIndex>
    <FixedValue>0</FixedValue></StartingIndex><EndingIndex><FixedValue>2</FixedValue></EndingIndex></Dimension>
    </DimensionList></ArrayParameterType>"""
    )
    body = b"".join(bytes([i]) + struct.pack(">f", i / 4) for i in range(3))
    (found,) = decode(document(kinds, {"X": "TT"}), [packet(body)])
    assert rows(found.columns["X.id"]) == [[0, 1, 2]]
    assert rows(found.columns["X.voltage"]) == [[0.0, 0.25, 0.5]]


def test_an_array_inside_an_array_of_aggregates_has_both_dimensions(document, packet, decode):
    def array(name, element, last):
        return f"""<ArrayParameterType name="{name}" arrayTypeRef="{element}"><DimensionList><Dimension>
        <StartingIndex><FixedValue>0</FixedValue></StartingIndex><EndingIndex><FixedValue>{last}</FixedValue></EndingIndex>
        </Dimension></DimensionList></ArrayParameterType>"""

    kinds = (
        array("U8S", "U8", 1)
        + array("TT", "T", 2)
        + """<AggregateParameterType name="T"><MemberList>
    <Member name="id" typeRef="U8"/><Member name="pair" typeRef="U8S"/></MemberList></AggregateParameterType>"""
    )
    (found,) = decode(document(kinds, {"X": "TT"}), [packet(bytes(range(9)))])
    assert rows(found.columns["X.id"]) == [[0, 3, 6]]
    assert rows(found.columns["X.pair"]) == [[[1, 2], [4, 5], [7, 8]]]


def test_a_member_may_tell_a_size(document, packet, decode):
    kinds = """<AggregateParameterType name="HEAD_T"><MemberList><Member name="n" typeRef="U8"/></MemberList>
    </AggregateParameterType>"""
    entries = entry("HEAD") + entry("A", repeat(told_by("HEAD.n")))
    (found,) = decode(document(kinds, {"HEAD": "HEAD_T", "A": "U8"}, entries), [packet(b"\2\7\x08")])
    assert rows(found.columns["A"]) == [[7, 8]]


def test_a_fixed_value_that_is_another_flags_the_packet(document, packet, decode):
    entries = '<FixedValueEntry binaryValue="ABC" sizeInBits="12"/>' + entry("A")
    (found,) = decode(document("", {"A": "U3"}, entries), [packet(b"\xab\xc2"), packet(b"\xab\xd2")])
    assert rows(found.columns["A"]) == [1, 1]
    assert found.quality.tolist() == [0, Quality.OUT_OF_RANGE]


def test_an_array_of_labels_sized_by_the_packet_flags_its_unknown_values(document, packet, decode):
    kind = """<EnumeratedParameterType name="E"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
    <Enumeration value="0" label="OFF"/></EnumerationList></EnumeratedParameterType>"""
    entries = entry("N") + entry("A", repeat(told_by("N")))
    (found,) = decode(document(kind, {"N": "U8", "A": "E"}, entries), [packet(b"\2\0\5"), packet(b"\0")])
    assert rows(found.columns["A"]) == [["OFF", "UNKNOWN_5"], []]
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE, 0]


def string_type(inside):
    return f'<StringParameterType name="T"><StringDataEncoding>{inside}</StringDataEncoding></StringParameterType>'


def test_a_string_may_go_on_to_its_terminator(document, packet, decode):
    kind = string_type('<Variable maxSizeInBits="800"><TerminationChar>00</TerminationChar></Variable>')
    (found,) = decode(
        document(kind, {"X": "T", "B": "U8"}), [packet(b"abc\0\7"), packet(b"\0\x08"), packet(b"de\0\x09")]
    )
    assert found.columns["X"].tolist() == ["abc", "", "de"]
    assert rows(found.columns["B"]) == [7, 8, 9]


def test_a_terminated_string_may_begin_within_a_byte(document, packet, decode):
    kind = string_type('<Variable maxSizeInBits="800"><TerminationChar>3B</TerminationChar></Variable>')
    xtce = document(kind, {"PAD": "U3", "MORE": "U1", "X": "T"})
    (found,) = decode(xtce, [packet(b"\x04\x14\x23\xb0"), packet(b"\x04\x13\xb0")])
    assert found.columns["X"].tolist() == ["AB", "A"]


def test_a_string_may_tell_its_own_size_in_bytes(document, packet, decode):
    kind = string_type('<Variable maxSizeInBits="800"><LeadingSize sizeInBitsOfSizeTag="8"/></Variable>')
    (found,) = decode(document(kind, {"X": "T", "B": "U8"}), [packet(b"\3abc\7"), packet(b"\0\x08")])
    assert found.columns["X"].tolist() == ["abc", ""]
    assert rows(found.columns["B"]) == [7, 8]


def test_a_size_tag_in_a_fixed_buffer_ends_the_text_before_the_buffer(column):
    kind = string_type("""<SizeInBits><Fixed><FixedValue>48</FixedValue></Fixed>
    <LeadingSize sizeInBitsOfSizeTag="16"/></SizeInBits>""")
    assert column(kind, [b"\0\2abcd", b"\0\4wxyz"]).tolist() == ["ab", "wxyz"]


@pytest.mark.parametrize(
    ("epoch", "nanoseconds"),
    [
        ("UNIX", 0),
        ("GPS", 315964800),
        ("TAI", -378691200),
        ("J2000", 946728000),
        ("2015-12-31T16:00:00Z", 1451577600),
    ],
)
def test_an_absolute_time_is_counted_from_its_epoch(column, epoch, nanoseconds):
    kind = f"""<AbsoluteTimeParameterType name="T"><Encoding units="seconds" scale="0.001" offset="2">
    <IntegerDataEncoding sizeInBits="32"/></Encoding><ReferenceTime><Epoch>{epoch}</Epoch></ReferenceTime>
    </AbsoluteTimeParameterType>"""
    assert column(kind, [struct.pack(">I", 1500)]).tolist() == [nanoseconds * 10**9 + 3_500_000_000]


def test_a_count_of_two_to_the_minus_16_seconds_is_exact_in_48_bits(column):
    kind = """<RelativeTimeParameterType name="T"><Encoding scale="1.52587890625e-05"><IntegerDataEncoding
    sizeInBits="48"/></Encoding></RelativeTimeParameterType>"""
    count = (150_000_000 << 16) + 32768
    found = column(kind, [count.to_bytes(6, "big")])
    assert found.dtype == np.int64
    assert found.tolist() == [150_000_000_500_000_000]


def test_mil_std_1750a_floats_are_read(column):
    # The standard's own table of examples, 4.1.5.
    words = {
        "7FFFFF7F": 0.9999998807907104 * 2.0**127,
        "4000007F": 0.5 * 2.0**127,
        "50000004": 0.625 * 2**4,
        "40000001": 1.0,
        "40000000": 0.5,
        "400000FF": 0.25,
        "40000080": 0.5 * 2.0**-128,
        "00000000": 0.0,
        "80000000": -1.0,
        "BFFFFF80": -0.5000001192092896 * 2.0**-128,
        "9FFFFF04": -0.7500001192092896 * 16.0,
    }
    kind = """<FloatParameterType name="T"><FloatDataEncoding sizeInBits="32" encoding="MILSTD_1750A"/>
    </FloatParameterType>"""
    assert column(kind, [bytes.fromhex(word) for word in words]).tolist() == list(words.values())


def test_mil_std_1750a_floats_of_48_bits_are_read(column):
    kind = """<FloatParameterType name="T"><FloatDataEncoding sizeInBits="48" encoding="MILSTD_1750A"/>
    </FloatParameterType>"""
    words = {
        "4000007F0000": 0.5 * 2.0**127,
        "800000000000": -1.0,
        "A00000FF0000": -0.375,
        "400000000001": 0.5 + 2.0**-39,
    }
    assert column(kind, [bytes.fromhex(word) for word in words]).tolist() == list(words.values())


@pytest.mark.parametrize("encoding", ["BCD", "packedBCD"])
def test_decimal_digits_of_four_bits_are_read(column, encoding):
    kind = f"""<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="16" encoding="{encoding}"/>
    </IntegerParameterType>"""
    assert column(kind, [b"\x12\x34", b"\x00\x09", b"\x99\x99"]).tolist() == [1234, 9, 9999]


@pytest.mark.parametrize(
    ("size_bits", "attributes", "octets", "expected"),
    [
        (8, 'bitOrder="leastSignificantBitFirst"', b"\x80\0\0", 1),
        (5, 'bitOrder="leastSignificantBitFirst"', b"\xc0\0\0", 3),
        (16, 'bitOrder="leastSignificantBitFirst"', b"\x80\x40\0", 0x0102),
        (16, 'bitOrder="leastSignificantBitFirst" byteOrder="leastSignificantByteFirst"', b"\x12\x34\0", 0x3412),
        (12, 'bitOrder="leastSignificantBitFirst"', b"\x80\x10\0", 0x801),
    ],
)
def test_bits_may_come_least_significant_first(column, size_bits, attributes, octets, expected):
    kind = f"""<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="{size_bits}" {attributes}/>
    </IntegerParameterType>"""
    assert column(kind, [octets]).tolist() == [expected]


LISTED = "".join(f'<Byte byteSignificance="{i}"/>' for i in range(4))


@pytest.mark.parametrize(
    ("attribute", "element"), [(' byteOrder="0,1,2,3"', ""), ("", f"<ByteOrderList>{LISTED}</ByteOrderList>")]
)
def test_the_order_of_bytes_may_be_a_list(column, attribute, element):
    kind = f"""<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="32"{attribute}>{element}
    </IntegerDataEncoding></IntegerParameterType>"""
    assert column(kind, [b"\1\2\3\4"]).tolist() == [0x04030201]


def from_end(bits):
    return f"""<LocationInContainerInBits referenceLocation="containerEnd"><FixedValue>{bits}</FixedValue>
    </LocationInContainerInBits>"""


def test_an_entry_may_be_counted_from_the_end_of_the_packet_and_others_follow_it(document, packet, decode):
    entries = entry("A") + entry("B", from_end(8)) + entry("C")
    xtce = document("", {"A": "U8", "B": "U16", "C": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\1\2\3\4"), packet(b"\1........\2\3\4"), packet(b"\2\3\4")])
    assert found.order.tolist() == [0, 1]
    assert rows(found.columns["A"]) == [1, 1]
    assert rows(found.columns["B"]) == [0x0203, 0x0203]
    assert rows(found.columns["C"]) == [4, 4]


def test_what_a_base_has_at_the_end_stands_behind_its_children(document, packet, decode):
    child = f"""<SequenceContainer name="CHILD"><EntryList>{entry("B")}</EntryList>
    <BaseContainer containerRef="PACKET"/></SequenceContainer>"""
    xtce = document("", {"A": "U8", "B": "U8", "CRC": "U16"}, entry("A") + entry("CRC", from_end(0)), child)
    (found,) = decode(xtce, [packet(b"\1\2\3\4"), packet(b"\5\6....\7\x08")])
    assert found.container == "CHILD"
    assert rows(found.columns["B"]) == [2, 6]
    assert rows(found.columns["CRC"]) == [0x0304, 0x0708]


def test_the_end_of_a_container_inside_another_is_an_error_by_name(document):
    inside = f'<SequenceContainer name="IN"><EntryList>{entry("A", from_end(0))}</EntryList></SequenceContainer>'
    xtce = document("", {"A": "U8"}, '<ContainerRefEntry containerRef="IN"/>', inside)
    with pytest.raises(ConfigError, match="containerEnd inside of another container"):
        compile_plan(read_xtce(xtce))
