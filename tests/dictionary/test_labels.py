"""Enumerations and booleans."""

import tracemalloc

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.model.categorical import Categorical, concatenated
from downlink_pipeline.model.reused_memory import MEMORY


def enumeration(size_bits, *labels, encoding="unsigned"):
    listed = "".join(
        f'<Enumeration value="{low}" label="{label}"' + (f' maxValue="{high[0]}"/>' if high else "/>")
        for low, label, *high in labels
    )
    return (
        f'<EnumeratedParameterType name="T"><IntegerDataEncoding sizeInBits="{size_bits}" encoding="{encoding}"/>'
        f"<EnumerationList>{listed}</EnumerationList></EnumeratedParameterType>"
    )


def test_an_enumeration_is_a_column_of_labels(column):
    found = column(enumeration(8, (0, "STOPPED"), (1, "DRIVING")), [b"\1", b"\0"])
    assert found.dtype.kind == "U"
    assert found.tolist() == ["DRIVING", "STOPPED"]


def test_the_raw_column_of_an_enumeration_holds_integers(column):
    assert column(enumeration(8, (0, "A"), (1, "B")), [b"\1", b"\7"], raw=True).tolist() == [1, 7]


@pytest.mark.parametrize("size_bits", [8, 32])
def test_a_value_without_label_is_kept_and_its_row_flagged(document, packet, decode, size_bits):
    width = size_bits // 8
    xtce = document(enumeration(size_bits, (0, "OFF"), (1, "ON")), {"X": "T"})
    (found,) = decode(xtce, [packet(n.to_bytes(width, "big")) for n in (1, 201, 0)])
    assert found.columns["X"].tolist() == ["ON", "UNKNOWN_201", "OFF"]
    assert found.quality.tolist() == [0, Quality.UNKNOWN_VALUE, 0]


def test_a_label_may_stand_for_a_range(column):
    kind = enumeration(8, (0, "LOW", 9), (10, "HIGH", 20))
    assert column(kind, [bytes([n]) for n in (0, 9, 10, 20)]).tolist() == ["LOW", "LOW", "HIGH", "HIGH"]


@pytest.mark.parametrize("size_bits", [8, 24])
def test_labels_of_negative_values_are_found(column, size_bits):
    kind = enumeration(size_bits, (-2, "BACK"), (2, "AHEAD"), encoding="twosComplement")
    bodies = [n.to_bytes(size_bits // 8, "big", signed=True) for n in (-2, 2)]
    assert column(kind, bodies).tolist() == ["BACK", "AHEAD"]


def test_a_label_for_a_value_that_the_bits_cannot_hold_names_nothing(column):
    assert column(enumeration(8, (300, "NEVER"), (44, "FORTY-FOUR")), [bytes([44])]).tolist() == ["FORTY-FOUR"]


def test_a_boolean_is_true_when_not_zero(column):
    kind = '<BooleanParameterType name="T"><IntegerDataEncoding sizeInBits="2"/></BooleanParameterType>'
    found = column(kind, [b"\x00", b"\x40", b"\x80", b"\xc0"])
    assert found.dtype == np.bool_
    assert found.tolist() == [False, True, True, True]
    assert column(kind, [b"\x80"], raw=True).tolist() == [2]


def test_labels_of_every_value_are_as_wide_as_the_longest_of_them(column):
    found = column(enumeration(1, (0, "OFF"), (1, "ON")), [b"\x00", b"\x80", b"\x80"])
    assert found.tolist() == ["OFF", "ON", "ON"]
    assert found.dtype.itemsize == 4 * 4  # code points of four bytes; items of 16 are copied in one instruction


def test_labels_take_a_byte_a_value_until_their_text_is_asked_for(document, batch, packet):
    """60 MB for 5,000 packets of 3,000 are four bytes a value: the most that decoding may take, with raw columns."""
    n_fields, n_packets = 400, 2000
    xtce = document(enumeration(1, (0, "OFF"), (1, "ON")), {f"E{i}": "T" for i in range(n_fields)})
    random = np.random.default_rng(3)
    bits = random.integers(0, 2, (n_packets, n_fields), np.uint8)
    packets = batch([packet(np.packbits(row).tobytes()) for row in bits])
    decoder = Decoder(compile_plan(read_xtce(xtce)))
    decoder.decode(packets)
    MEMORY.forget()
    tracemalloc.start()
    (found,) = decoder.decode(packets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n_fields * n_packets
    for i in (0, 7, 399):
        assert np.asarray(found.columns[f"E{i}"]).tolist() == np.array(["OFF", "ON"])[bits[:, i]].tolist()


def test_a_column_of_labels_has_codes_and_their_texts(column):
    found = column(enumeration(4, (1, "A"), (2, "B")), [b"\x10", b"\x20", b"\x10"])
    assert isinstance(found, Categorical)
    assert found.categories[found.codes].tolist() == ["A", "B", "A"]
    assert found.nbytes == 3


def test_a_column_of_labels_is_compared_and_cut_like_an_array(column):
    found = column(enumeration(24, (1, "A"), (2, "B")), [n.to_bytes(3, "big") for n in (1, 2, 1, 9)])
    assert (found == "A").tolist() == [True, False, True, False]
    assert (found != np.array(["A", "A", "A", "UNKNOWN_9"])).tolist() == [False, True, False, False]
    assert found[1:].tolist() == ["B", "A", "UNKNOWN_9"]
    assert found[np.array([True, False, False, True])].tolist() == ["A", "UNKNOWN_9"]
    assert (found[3], found.item(1)) == ("UNKNOWN_9", "B")


def test_labels_of_an_array_that_the_packet_sizes_are_told_in_full_and_flagged(document, packet, decode):
    types = enumeration(16, (1, "A"), (2, "B")).replace('"T"', '"E"')
    types += """<ArrayParameterType name="T" arrayTypeRef="E"><DimensionList><Dimension><StartingIndex>
    <FixedValue>0</FixedValue></StartingIndex><EndingIndex><DynamicValue><ParameterInstanceRef parameterRef="N"/>
    <LinearAdjustment slope="1" intercept="-1"/></DynamicValue></EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>"""
    bodies = [bytes([2, 0, 1, 0, 2]), bytes([1, 1, 44]), bytes([0])]
    (found,) = decode(document(types, {"N": "U8", "X": "T"}), [packet(body) for body in bodies])
    texts = found.columns["X"]
    rows = [texts.values[s : s + n].tolist() for s, n in zip(texts.start, texts.length, strict=True)]
    assert rows == [["A", "B"], ["UNKNOWN_300"], []]
    assert found.quality.tolist() == [0, Quality.UNKNOWN_VALUE, 0]


def test_an_enumeration_that_comes_twice_has_a_column_of_both(document, packet, decode):
    entries = '<ParameterRefEntry parameterRef="X"/>' * 2
    xtce = document(enumeration(8, (0, "OFF"), (1, "ON")), {"X": "T"}, entries)
    (found,) = decode(xtce, [packet(bytes([0, 1])), packet(bytes([9, 0]))])
    assert found.columns["X"].tolist() == [["OFF", "ON"], ["UNKNOWN_9", "OFF"]]


def test_an_optional_enumeration_has_its_label_where_it_is(document, packet, decode):
    entries = """<ParameterRefEntry parameterRef="N"/><ParameterRefEntry parameterRef="X"><IncludeCondition>
    <Comparison parameterRef="N" value="1"/></IncludeCondition></ParameterRefEntry>"""
    xtce = document(enumeration(8, (0, "OFF"), (1, "ON")), {"N": "U8", "X": "T"}, entries)
    (found,) = decode(xtce, [packet(bytes([0, 7])), packet(bytes([1, 1])), packet(bytes([1, 0]))])
    texts = found.columns["X"]
    assert texts.length.tolist() == [0, 1, 1]
    assert texts.values[texts.start[1:]].tolist() == ["ON", "OFF"]


def test_tables_of_several_columns_become_one():
    first = Categorical(np.array([0, 1], np.uint8), np.array(["A", "B"]))
    second = Categorical(np.array([2, 0, 1], np.uint8), np.array(["B", "UNKNOWN_77", "A"]))
    joined = concatenated([first, first, second])
    assert isinstance(joined, Categorical)
    assert joined.tolist() == ["A", "B", "A", "B", "A", "B", "UNKNOWN_77"]
    assert joined.compact().categories.tolist() == ["A", "B", "UNKNOWN_77"]
    assert joined.compact().tolist() == joined.tolist()


def test_a_boolean_of_one_bit_is_its_raw_column_seen_as_truth(document, packet, decode):
    kind = '<BooleanParameterType name="T"><IntegerDataEncoding sizeInBits="1"/></BooleanParameterType>'
    (found,) = decode(document(kind, {"X": "T"}), [packet(b"\x80"), packet(b"\x00")], raw=True)
    assert found.columns["X"].tolist() == [True, False]
    assert found.columns["X"].dtype == np.bool_
    assert found.raw["X"].tolist() == [1, 0]
    assert np.shares_memory(found.columns["X"], found.raw["X"])
