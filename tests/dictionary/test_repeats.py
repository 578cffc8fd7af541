"""What is repeated and varies in size: strings, blobs, aggregates of differing length, gaps that the packet tells."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality
from pieces import entry, rows


def told(name, adjustment=""):
    return f'<DynamicValue><ParameterInstanceRef parameterRef="{name}"/>{adjustment}</DynamicValue>'


def array(name, element, last):
    return f"""<ArrayParameterType name="{name}" arrayTypeRef="{element}"><DimensionList><Dimension><StartingIndex>
    <FixedValue>0</FixedValue></StartingIndex><EndingIndex>{last}</EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>"""


LESS_ONE = '<LinearAdjustment intercept="-1"/>'
TEXT = """<StringParameterType name="TEXT"><StringDataEncoding><Variable maxSizeInBits="800"><TerminationChar>00
</TerminationChar></Variable></StringDataEncoding></StringParameterType>"""
EIGHT = '<LinearAdjustment slope="8"/>'
BLOB = f"""<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits>{told("X.n", EIGHT)}</SizeInBits>
</BinaryDataEncoding></BinaryParameterType>"""


def test_an_array_of_strings_sized_by_the_packet_is_ragged_text(document, packet, decode):
    xtce = document(TEXT + array("T", "TEXT", told("N", LESS_ONE)), {"N": "U8", "X": "T", "B": "U8"})
    (found,) = decode(xtce, [packet(b"\2ab\0cde\0\7"), packet(b"\0\x08"), packet(b"\1\0\x09")])
    assert rows(found.columns["X"]) == [["ab", "cde"], [], [""]]
    assert rows(found.columns["B"]) == [7, 8, 9]


def test_the_raw_bytes_of_repeated_strings_have_their_sizes_beside_them(document, packet, decode):
    xtce = document(TEXT + array("T", "TEXT", told("N", LESS_ONE)), {"N": "U8", "X": "T"})
    (found,) = decode(xtce, [packet(b"\2ab\0cde\0"), packet(b"\0")], raw=True)
    assert rows(found.raw["X"]) == [list(b"ab\0cde\0"), []]
    assert rows(found.raw["X.sizes"]) == [[3, 4], []]
    assert "X.sizes" not in found.columns


def test_a_fixed_number_of_strings_is_an_array(document, packet, decode):
    xtce = document(TEXT + array("T", "TEXT", "<FixedValue>1</FixedValue>"), {"X": "T", "B": "U8"})
    (found,) = decode(xtce, [packet(b"ab\0cde\0\7"), packet(b"\0x\0\x08")])
    assert rows(found.columns["X"]) == [["ab", "cde"], ["", "x"]]
    assert rows(found.columns["B"]) == [7, 8]


AGGREGATE = """<AggregateParameterType name="PAIR"><MemberList><Member name="n" typeRef="U8"/>
<Member name="v" typeRef="{}"/></MemberList></AggregateParameterType>"""


def test_aggregates_whose_blobs_differ_stand_one_behind_the_other(document, packet, decode):
    kinds = BLOB + AGGREGATE.format("BLOB") + array("T", "PAIR", told("N", LESS_ONE))
    xtce = document(kinds, {"N": "U8", "X": "T", "B": "U8"})
    (found,) = decode(xtce, [packet(b"\2\1a\3bcd\7"), packet(b"\1\0\x08"), packet(b"\0\x09")])
    assert rows(found.columns["X.n"]) == [[1, 3], [0], []]
    assert rows(found.columns["X.v"]) == [[97, 98, 99, 100], [], []]
    assert rows(found.columns["X.v.sizes"]) == [[1, 3], [0], []]
    assert rows(found.columns["B"]) == [7, 8, 9]


def test_arrays_inside_of_aggregates_may_each_have_their_own_size(document, packet, decode):
    kinds = array("U16S", "U16", told("X.n", LESS_ONE)) + AGGREGATE.format("U16S")
    kinds += array("T", "PAIR", told("N", LESS_ONE))
    (found,) = decode(document(kinds, {"N": "U8", "X": "T"}), [packet(b"\2\2\0\1\0\2\1\0\3"), packet(b"\1\0")])
    assert rows(found.columns["X.v"]) == [[1, 2, 3], []]
    assert rows(found.columns["X.v.sizes"]) == [[2, 1], [0]]


def test_sizes_inside_of_sizes_have_a_level_each(document, packet, decode):
    kinds = array("U8S", "U8", told("X.p.n", LESS_ONE))
    kinds += """<AggregateParameterType name="INNER"><MemberList><Member name="n" typeRef="U8"/>
    <Member name="v" typeRef="U8S"/></MemberList></AggregateParameterType>"""
    kinds += array("INNERS", "INNER", told("X.k", LESS_ONE))
    kinds += """<AggregateParameterType name="OUTER"><MemberList><Member name="k" typeRef="U8"/>
    <Member name="p" typeRef="INNERS"/></MemberList></AggregateParameterType>"""
    kinds += array("T", "OUTER", told("N", LESS_ONE))
    body = b"\2" + b"\2\1\x0a\2\x0b\x0c" + b"\1\0"
    (found,) = decode(document(kinds, {"N": "U8", "X": "T", "B": "U8"}), [packet(body + b"\7")])
    assert rows(found.columns["X.k"]) == [[2, 1]]
    assert rows(found.columns["X.p.n"]) == [[1, 2, 0]]
    assert rows(found.columns["X.p.n.sizes"]) == [[2, 1]]
    assert rows(found.columns["X.p.v"]) == [[10, 11, 12]]
    assert rows(found.columns["X.p.v.sizes"]) == [[1, 2, 0]]
    assert rows(found.columns["X.p.v.sizes.sizes"]) == [[2, 1]]
    assert rows(found.columns["B"]) == [7]


@pytest.mark.parametrize("count", ["<FixedValue>2</FixedValue>", told("N")])
def test_the_gap_between_repeats_may_be_told_by_the_packet(document, packet, decode, count):
    repeat = f"<RepeatEntry><Count>{count}</Count><Offset>{told('G', EIGHT)}</Offset></RepeatEntry>"
    entries = entry("N") + entry("G") + entry("A", repeat) + entry("B")
    xtce = document("", {"N": "U8", "G": "U8", "A": "U8", "B": "U8"}, entries)
    (found,) = decode(xtce, [packet(b"\2\1\5.\6\7"), packet(b"\2\0\5\6\x08"), packet(b"\2\3\5...\6\x09")])
    assert rows(found.columns["A"]) == [[5, 6]] * 3
    assert rows(found.columns["B"]) == [7, 8, 9]


def test_a_container_of_varying_size_is_repeated_with_gaps(document, packet, decode):
    inside = f"<EntryList>{entry('M')}{entry('S')}</EntryList>"
    container = f'<SequenceContainer name="IN" abstract="true">{inside}</SequenceContainer>'
    repeat = f"<RepeatEntry><Count>{told('N')}</Count><Offset><FixedValue>8</FixedValue></Offset></RepeatEntry>"
    entries = entry("N") + f'<ContainerRefEntry containerRef="IN">{repeat}</ContainerRefEntry>' + entry("B")
    xtce = document(TEXT, {"N": "U8", "M": "U8", "S": "TEXT", "B": "U8"}, entries, container)
    (found,) = decode(xtce, [packet(b"\2\1ab\0.\2\0\7"), packet(b"\1\3c\0\x08")])
    assert rows(found.columns["M"]) == [[1, 2], [3]]
    assert rows(found.columns["S"]) == [["ab", ""], ["c"]]
    assert rows(found.columns["B"]) == [7, 8]


def test_what_is_there_by_condition_may_be_repeated(document, packet, decode):
    there = '<IncludeCondition><Comparison parameterRef="M" value="1"/></IncludeCondition>'
    inside = f"<EntryList>{entry('M')}{entry('A', there)}</EntryList>"
    container = f'<SequenceContainer name="IN" abstract="true">{inside}</SequenceContainer>'
    repeat = f"<RepeatEntry><Count>{told('N')}</Count></RepeatEntry>"
    entries = entry("N") + f'<ContainerRefEntry containerRef="IN">{repeat}</ContainerRefEntry>'
    xtce = document("", {"N": "U8", "M": "U8", "A": "U8"}, entries, container)
    (found,) = decode(xtce, [packet(b"\3\1\5\0\1\6"), packet(b"\1\0")])
    assert rows(found.columns["M"]) == [[1, 0, 1], [0]]
    assert rows(found.columns["A"]) == [[5, 6], []]
    assert rows(found.columns["A.sizes"]) == [[1, 0, 1], [0]]


def test_packets_too_short_for_their_repeats_are_set_aside(document, packet, batch):
    xtce = document(TEXT + array("T", "TEXT", told("N", LESS_ONE)), {"N": "U8", "X": "T", "B": "U8"})
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    (found,) = decoder.decode(
        batch([packet(b"\2ab\0cd"), packet(b"\1ab\0\7"), packet(b"\xffa\0b\0"), packet(b"\0")])
    )
    assert found.order.tolist() == [1]
    assert rows(found.columns["X"]) == [["ab"]]
    assert decoder.set_aside == {"too short for PACKET": 3}


def test_bytes_behind_a_repeat_are_flagged(document, packet, decode):
    xtce = document(TEXT + array("T", "TEXT", told("N", LESS_ONE)), {"N": "U8", "X": "T"})
    (found,) = decode(xtce, [packet(b"\1a\0"), packet(b"\1a\0b")])
    assert found.quality.tolist() == [0, Quality.UNDESCRIBED]


def test_a_count_beyond_any_packet_is_over_at_once(document, packet, batch):
    kinds = f"""<BinaryParameterType name="NOTHING"><BinaryDataEncoding><SizeInBits>{told("ZERO")}</SizeInBits>
    </BinaryDataEncoding></BinaryParameterType><IntegerParameterType name="U32"><IntegerDataEncoding sizeInBits="32"/>
    </IntegerParameterType>""" + array("T", "NOTHING", told("N"))
    xtce = document(kinds, {"ZERO": "U8", "N": "U32", "X": "T"})
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    big = b"\0\0\0\x40\0" + bytes(40_000)
    assert decoder.decode(batch([packet(b"\0\xff\xff\xff\xff"), packet(big)])) == []
    assert decoder.set_aside == {"too short for PACKET": 2}


def test_one_long_text_does_not_make_all_others_long(document, packet, batch):
    xtce = document(TEXT.replace("800", "800000"), {"X": "TEXT"})
    packets = [packet(b"ab\0")] * 3000 + [packet(b"x" * 65_000)] + [packet(b"cd\0")] * 3000
    found = Decoder(compile_plan(read_xtce(xtce))).decode(batch(packets))
    assert np.concatenate([each.order for each in found]).tolist() == list(range(6001))
    texts = [text for each in found for text in each.columns["X"].tolist()]
    assert texts == ["ab"] * 3000 + ["x" * 65_000] + ["cd"] * 3000
    assert sum(each.columns["X"].nbytes for each in found) < 300 << 20


@pytest.mark.parametrize("gap", [2**30, 2**31, 2**40, 2**63, 2**64 - 1, 2**64 - 8])
def test_a_gap_beyond_any_packet_is_too_long(document, packet, batch, gap):
    kind = '<IntegerParameterType name="U64"><IntegerDataEncoding sizeInBits="64"/></IntegerParameterType>'
    repeat = f"<RepeatEntry><Count>{told('N')}</Count><Offset>{told('G')}</Offset></RepeatEntry>"
    xtce = document(kind, {"N": "U64", "G": "U64", "A": "U8"}, entry("N") + entry("G") + entry("A", repeat))
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    packets = [
        packet(n.to_bytes(8, "big") + gap.to_bytes(8, "big") + b"abc") for n in (2, 3, 2**29, 2**30, 2**34, 2**63)
    ]
    assert decoder.decode(batch(packets)) == []
    assert decoder.set_aside == {"too short for PACKET": 6}


def test_repeated_texts_are_cut_and_flagged_where_they_would_take_gigabytes(document, packet, decode):
    kinds = TEXT.replace("800", "800000") + array("T", "TEXT", told("N", LESS_ONE))
    body = (1500).to_bytes(2, "big") + b"\0" * 1499 + b"x" * 60_000 + b"\0"
    (found,) = decode(document(kinds, {"N": "U16", "X": "T"}), [packet(body), packet(b"\0\1ok\0")])
    texts = found.columns["X"]
    assert texts.values.nbytes <= 256 << 20
    assert set(texts.values[1499]) == {"x"}
    assert texts.values[1500] == "ok"
    assert found.quality.tolist() == [Quality.UNKNOWN_VALUE, 0]
