"""Orders of bytes and bits as x86 and others have them; the truth is a little-endian number made in the test."""

import pytest
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from pieces import rows

LITTLE = 'byteOrder="leastSignificantByteFirst"'


def unsigned(name, bits, more=LITTLE):
    return f"""<IntegerParameterType name="{name}" signed="false"><IntegerDataEncoding sizeInBits="{bits}" {more}/>
    </IntegerParameterType>"""


def struct_of(*fields):
    """Bytes of a C struct of bit fields (value, bits) on x86: each begins at the next higher bit."""
    number = place = 0
    for value, bits in fields:
        number |= value << place
        place += bits
    return number.to_bytes(-(-place // 8), "little")


STRUCTS = [
    ((5, 3), (0xABC, 12), (0x1F0F1, 17)),  # the one in Yamcs' own description of the rule
    ((5, 3), (0xAB, 8), (0x13, 5)),
    ((1, 1), (0, 1), (1, 1), (0x15, 5)),
    ((5, 4), (0x123456789ABCDEF, 60)),
    ((5, 3), (0x8123456789ABCDEF, 64), (9, 5)),
    ((0x1FF, 9), (3, 7), (0xBEEF, 16)),
]


@pytest.mark.parametrize("fields", STRUCTS)
@pytest.mark.parametrize("before", [b"", b"\x55"])
def test_bit_fields_of_a_struct_are_read_as_x86_packs_them(document, packet, decode, fields, before):
    names = [f"F{i}" for i in range(len(fields))]
    kinds = "".join(unsigned(f"T{i}", bits) for i, (_, bits) in enumerate(fields))
    parameters = {"PAD": "U8"} if before else {}
    parameters |= {name: f"T{i}" for i, name in enumerate(names)} | {"Z": "U8"}
    (found,) = decode(document(kinds, parameters), [packet(before + struct_of(*fields) + b"\7")] * 3)
    assert [found.columns[name].tolist() for name in names] == [[value] * 3 for value, _ in fields]
    assert found.columns["Z"].tolist() == [7, 7, 7]


def test_bit_fields_behind_what_varies_are_read_so_too(document, packet, decode):
    kind = """<BinaryParameterType name="B"><BinaryDataEncoding><SizeInBits><DynamicValue>
    <ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8"/></DynamicValue></SizeInBits>
    </BinaryDataEncoding></BinaryParameterType>"""
    xtce = document(kind + unsigned("T", 3) + unsigned("V", 13), {"N": "U8", "X": "B", "F": "T", "G": "V"})
    bodies = [b"\1a" + struct_of((5, 3), (0x1234, 13)), b"\0" + struct_of((2, 3), (0xABC, 13))]
    (found,) = decode(xtce, [packet(body) for body in bodies])
    assert (found.columns["F"].tolist(), found.columns["G"].tolist()) == ([5, 2], [0x1234, 0xABC])


def test_an_array_of_them_goes_on_bit_by_bit(document, packet, decode):
    kinds = (
        unsigned("T", 12)
        + """<ArrayParameterType name="A" arrayTypeRef="T"><DimensionList><Dimension>
    <StartingIndex><FixedValue>0</FixedValue></StartingIndex><EndingIndex><DynamicValue>
    <ParameterInstanceRef parameterRef="N"/><LinearAdjustment intercept="-1"/></DynamicValue></EndingIndex></Dimension>
    </DimensionList></ArrayParameterType>"""
    )
    packed = struct_of((0x123, 12), (0x456, 12), (0x789, 12), (0xABC, 12))
    (found,) = decode(document(kinds, {"N": "U8", "X": "A"}), [packet(b"\4" + packed)])
    assert rows(found.columns["X"]) == [[0x123, 0x456, 0x789, 0xABC]]


def test_signs_are_those_of_the_field(document, packet, decode):
    kinds = unsigned("T", 4, LITTLE + ' encoding="twosComplement"') + unsigned("V", 12)
    (found,) = decode(document(kinds, {"X": "T", "Y": "V"}), [packet(struct_of((0xF, 4), (0xFFE, 12)))])
    assert (found.columns["X"].tolist(), found.columns["Y"].tolist()) == ([-1], [0xFFE])


def test_the_encoder_writes_them_as_they_are_read(document):
    xtce = document(unsigned("T", 3) + unsigned("V", 13), {"X": "T", "Y": "V"})
    octets = encode(read_xtce(xtce), "PACKET", {"X": 5, "Y": 0x1234})
    assert octets[6:] == struct_of((5, 3), (0x1234, 13))


@pytest.mark.parametrize(
    ("bits", "order", "octets", "expected"),
    [
        (32, "2,3,0,1", "56781234", 0x12345678),  # words swapped
        (32, "1,0,3,2", "34127856", 0x12345678),  # bytes swapped in each word
        (32, "0,1,2,3", "78563412", 0x12345678),  # significances: the least first
        (32, "3,2,1,0", "12345678", 0x12345678),
        (24, "1,0,2", "341256", 0x123456),
        (64, "6,7,4,5,2,3,0,1", "0708050603040102", 0x0102030405060708),
        (64, "4,5,6,7,0,1,2,3", "0506070801020304", 0x0102030405060708),
    ],
)
def test_a_mixed_order_names_the_places_of_the_bytes(column, bits, order, octets, expected):
    assert column(unsigned("T", bits, f'byteOrder="{order}"'), [bytes.fromhex(octets)]).tolist() == [expected]


def test_a_mixed_order_may_stand_at_any_bit(document, packet, decode):
    kind = unsigned("T", 32, 'byteOrder="2,3,0,1"')
    body = (0b101 << 37 | 0x56781234 << 5 | 0b10001).to_bytes(5, "big")
    (found,) = decode(document(kind + unsigned("U5", 5, ""), {"A": "U3", "X": "T", "B": "U5"}), [packet(body)])
    assert [found.columns[name].tolist() for name in "AXB"] == [[5], [0x12345678], [17]]
