"""Arrays of fixed and varying numbers of elements."""

import struct

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Ragged
from downlink_pipeline.model.errors import ConfigError
from pieces import rows


def dimension(last):
    return f"""<Dimension><StartingIndex><FixedValue>0</FixedValue></StartingIndex>
    <EndingIndex>{last}</EndingIndex></Dimension>"""


def fixed(last):
    return dimension(f"<FixedValue>{last}</FixedValue>")


def array(element, *dimensions):
    return (
        f'{element}<ArrayParameterType name="T" arrayTypeRef="E">'
        f"<DimensionList>{''.join(dimensions)}</DimensionList>"
        "</ArrayParameterType>"
    )


def integers(size_bits, encoding="unsigned"):
    return (
        f'<IntegerParameterType name="E"><IntegerDataEncoding sizeInBits="{size_bits}" encoding="{encoding}"/>'
        "</IntegerParameterType>"
    )


ENTRY = '<ArrayParameterRefEntry parameterRef="X"/>'


def test_an_array_of_24_bit_integers_has_its_dimensions_with_the_last_running_fastest(column):
    bodies = [b"".join((1000 * i - 7 * k).to_bytes(3, "big", signed=True) for k in range(96)) for i in range(5)]
    found = column(array(integers(24, "twosComplement"), fixed(31), fixed(2)), bodies, entries=ENTRY)
    assert found.shape == (5, 32, 3)
    assert found[3, 10, 2] == 3000 - 7 * 32
    assert found.dtype == np.int32


@pytest.mark.parametrize("size_bits", [1, 3, 4, 5, 7, 10, 12, 13, 20, 23, 40, 57, 58, 61, 63])
def test_elements_that_are_no_whole_bytes_follow_each_other_without_a_gap(column, bits, size_bits):
    body = bytes((i * 37 + 11) % 256 for i in range(90))
    found = column(array(integers(size_bits), fixed(10)), [body, body[::-1]], entries=ENTRY)
    assert found.tolist() == [[bits(b, i * size_bits, size_bits) for i in range(11)] for b in (body, body[::-1])]


def test_an_array_of_little_endian_floats_keeps_every_bit(column):
    element = (
        '<FloatParameterType name="E"><FloatDataEncoding sizeInBits="32" byteOrder="leastSignificantByteFirst"/>'
        "</FloatParameterType>"
    )
    samples = np.linspace(-1, 1, 4096).astype("<f4")
    found = column(array(element, fixed(4095)), [samples.tobytes()] * 3, entries=ENTRY)
    assert found.dtype == np.dtype(np.float32)
    assert found[2].tobytes() == samples.tobytes()


def test_a_plain_reference_to_an_array_parameter_means_the_same(column):
    found = column(array(integers(8), fixed(2)), [b"\1\2\3"], entries='<ParameterRefEntry parameterRef="X"/>')
    assert found.tolist() == [[1, 2, 3]]


def test_the_entry_may_say_the_dimensions_as_in_xtce_1_1(column):
    kind = f'{integers(8)}<ArrayParameterType name="T" arrayTypeRef="E" numberOfDimensions="1"/>'
    listed = f"<DimensionList>{fixed(1)}</DimensionList>"
    entry = f'<ArrayParameterRefEntry parameterRef="X">{listed}</ArrayParameterRefEntry>'
    assert column(kind, [b"\5\6"], entries=entry).tolist() == [[5, 6]]


def test_the_elements_of_an_array_are_calibrated(column):
    element = (
        '<FloatParameterType name="E"><IntegerDataEncoding sizeInBits="16">'
        "<DefaultCalibrator><PolynomialCalibrator>"
        '<Term coefficient="-150" exponent="0"/><Term coefficient="0.5" exponent="1"/></PolynomialCalibrator>'
        "</DefaultCalibrator></IntegerDataEncoding></FloatParameterType>"
    )
    found = column(array(element, fixed(1)), [struct.pack(">HH", 300, 302)], entries=ENTRY)
    assert found.tolist() == [[0.0, 1.0]]


def test_an_array_of_enumerations_is_an_array_of_labels(column):
    element = (
        '<EnumeratedParameterType name="E"><IntegerDataEncoding sizeInBits="4"/><EnumerationList>'
        '<Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList>'
        "</EnumeratedParameterType>"
    )
    found = column(array(element, fixed(3)), [b"\x01\x10"], entries=ENTRY)
    assert found.tolist() == [["OFF", "ON", "ON", "OFF"]]


@pytest.mark.parametrize(("size_bits", "offset"), [(16, 0), (12, 0), (24, 0), (9, 3), (16, 4)])
def test_an_array_sized_by_a_parameter_is_ragged(document, packet, decode, bits, size_bits, offset):
    last = """<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment intercept="-1"/>
    </DynamicValue>"""
    types = array(integers(size_bits), dimension(last))
    entries = f"""<ParameterRefEntry parameterRef="N"/><ArrayParameterRefEntry parameterRef="X">
    <LocationInContainerInBits><FixedValue>{offset}</FixedValue></LocationInContainerInBits>
    </ArrayParameterRefEntry><ParameterRefEntry parameterRef="AFTER"/>"""
    xtce = document(types, {"N": "U8", "X": "T", "AFTER": "U8"}, entries)
    bodies = [bytes([n]) + bytes((n + i * 91) % 256 for i in range(60)) for n in (3, 0, 7, 1)]
    (found,) = decode(xtce, [packet(body) for body in bodies])
    x = found.columns["X"]
    assert isinstance(x, Ragged)
    for row, body in enumerate(bodies):
        got = x.values[x.start[row] : x.start[row] + x.length[row]].tolist()
        assert got == [bits(body, 8 + offset + i * size_bits, size_bits) for i in range(body[0])]
        assert found.columns["AFTER"][row] == bits(body, 8 + offset + body[0] * size_bits, 8)


def test_a_member_may_tell_the_size_of_another_member_of_the_same_aggregate(document, packet, decode):
    """As Yamcs' attribute says; in arrays of arrays the innermost aggregate with a member of the name is meant."""

    def array(name, of, count):
        return f"""<ArrayParameterType name="{name}" arrayTypeRef="{of}"><DimensionList><Dimension><StartingIndex>
        <FixedValue>0</FixedValue></StartingIndex><EndingIndex><DynamicValue>
        <ParameterInstanceRef parameterRef="{count}" xmlns:y="http://yamcs.org/schema/xtce" y:aggregateMember="true"/>
        <LinearAdjustment intercept="-1"/>
        </DynamicValue></EndingIndex></Dimension></DimensionList></ArrayParameterType>"""

    def aggregate(name, **members):
        listed = "".join(f'<Member name="{key}" typeRef="{kind}"/>' for key, kind in members.items())
        return f'<AggregateParameterType name="{name}"><MemberList>{listed}</MemberList></AggregateParameterType>'

    kinds = array("NUMBERS", "U16", "n") + aggregate("INNER", n="U8", values="NUMBERS")
    kinds += array("INNERS", "INNER", "count") + aggregate("OUTER", count="U8", list="INNERS")
    xtce = document(kinds, {"R": "OUTER", "n": "U8", "Z": "U8"}, entries("R", "Z"))
    bodies = [b"\2" + b"\1\0\5" + b"\2\0\6\0\7" + b"\x09", b"\0\x08"]
    (found,) = decode(xtce, [packet(body) for body in bodies])
    assert rows(found.columns["R.list.n"]) == [[1, 2], []]
    assert rows(found.columns["R.list.values"]) == [[5, 6, 7], []]
    assert rows(found.columns["Z"]) == [9, 8]


def test_a_name_that_is_no_member_around_is_an_error(document):
    kind = """<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="n" xmlns:y="http://yamcs.org/schema/xtce" y:aggregateMember="true"/>
    </DynamicValue></SizeInBits></BinaryDataEncoding></BinaryParameterType>"""
    with pytest.raises(ConfigError, match='"n" is no member of an aggregate around'):
        compile_plan(read_xtce(document(kind, {"X": "B", "n": "U8"})))


def entries(*names):
    return "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in names)


INDICES = """<Dimension><StartingIndex><DynamicValue><ParameterInstanceRef parameterRef="FIRST"/></DynamicValue>
</StartingIndex><EndingIndex><DynamicValue><ParameterInstanceRef parameterRef="LAST"/></DynamicValue></EndingIndex>
</Dimension>"""
PAIR = """<AggregateParameterType name="PAIR"><MemberList><Member name="p" typeRef="E"/><Member name="q" typeRef="E"/>
</MemberList></AggregateParameterType>"""
PLACED = {"FIRST": "U8", "LAST": "U8", "X": "T", "AFTER": "U8"}


def both(element):
    kind = integers(8) + PAIR
    listed = f"<DimensionList>{INDICES}</DimensionList>"
    return f'{kind}<ArrayParameterType name="T" arrayTypeRef="{element}">{listed}</ArrayParameterType>'


def test_elements_go_from_one_index_that_the_packet_tells_to_another(document, packet, decode):
    """Both ends are elements, and an end just before the start is no element: what follows comes at once."""
    bodies = [b"\1\3\x0a\x0b\x0c\x0d", b"\2\2\x0a\x0b", b"\3\2\x0a"]
    (found,) = decode(document(both("E"), PLACED), [packet(body) for body in bodies])
    assert rows(found.columns["X"]) == [[10, 11, 12], [10], []]
    assert rows(found.columns["AFTER"]) == [13, 11, 10]


def test_structures_go_from_one_index_that_the_packet_tells_to_another(document, packet, decode):
    (found,) = decode(document(both("PAIR"), PLACED), [packet(b"\1\2\5\6\7\x08\x09"), packet(b"\4\4\5\6\7")])
    assert [rows(found.columns[name]) for name in ("X.p", "X.q", "AFTER")] == [[[5, 7], [5]], [[6, 8], [6]], [9, 7]]


def test_a_packet_whose_last_index_is_far_below_its_first_is_set_aside(document, packet, decode):
    (found,) = decode(document(both("E"), PLACED), [packet(b"\5\2\1\1\1\1\1"), packet(b"\1\1\7\x08")])
    assert (rows(found.columns["X"]), rows(found.columns["AFTER"])) == ([[7]], [8])


def test_why_the_dimensions_of_a_type_cannot_be_read_is_in_the_message(document):
    kind = array(integers(8), dimension("<FixedValue>-3</FixedValue>"))
    with pytest.raises(ConfigError, match="-3") as raised:
        read_xtce(document(kind, {"X": "T"}, ENTRY))
    assert len(raised.value.problems) == 1
