"""Entries counted from the end of the packet: only where they are included, never over what stands before them."""

import pytest
from downlink_pipeline.dictionary.compile.extents import extent_of
from downlink_pipeline.dictionary.compile.layout import lay_out
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from pieces import rows
from test_embedded import equals, sub

AT_END = """<LocationInContainerInBits referenceLocation="containerEnd"><FixedValue>0</FixedValue>
</LocationInContainerInBits>"""
INCLUDED = '<IncludeCondition><Comparison parameterRef="K" value="0" comparisonOperator="!="/></IncludeCondition>'
PARAMETERS = {"K": "U8", "CRC": "U16", "A": "U8"}


@pytest.fixture
def with_crc(document):
    def make(condition):
        crc = f'<ParameterRefEntry parameterRef="CRC">{AT_END}{condition}</ParameterRefEntry>'
        child = sub("CHILD", "PACKET", equals("K", 9).replace("/>", ' comparisonOperator="!="/>'), "A")
        return document("", PARAMETERS, '<ParameterRefEntry parameterRef="K"/>' + crc, child)

    return make


def test_an_entry_at_the_end_may_be_there_only_sometimes(with_crc, packet, decode):
    packets = [packet(body) for body in (b"\0\5", b"\1\5\1\2", b"\1\5xx\1\2", b"\x09\1\2")]
    found = {each.container: each for each in decode(with_crc(INCLUDED), packets)}
    assert rows(found["CHILD"].columns["CRC"]) == [[], [0x102], [0x102]]
    assert rows(found["CHILD"].columns["A"]) == [5, 5, 5]
    assert rows(found["PACKET"].columns["CRC"]) == [[0x102]]


@pytest.mark.parametrize("condition", ["", INCLUDED])
def test_what_a_child_holds_is_never_read_from_the_entries_at_the_end(with_crc, packet, decode, condition):
    packets = [packet(b"\1\5\1\2"), packet(b"\1\5\1"), packet(b"\1\5")]
    (found,) = decode(with_crc(condition), packets)
    assert found.order.tolist() == [0]


def test_it_is_written_and_measured_as_it_is_read(with_crc):
    dictionary = read_xtce(with_crc(INCLUDED))
    assert encode(dictionary, "CHILD", {"K": 0, "A": 5, "CRC": 7})[6:] == b"\0\5"
    assert encode(dictionary, "CHILD", {"K": 1, "A": 5, "CRC": 7})[6:] == b"\1\5\0\7"
    assert extent_of(lay_out(dictionary.containers["CHILD"], dictionary), dictionary) == (8 * 8, 8 * 10)
