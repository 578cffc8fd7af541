"""Strings and blobs: fixed, and sized by another field."""

import numpy as np
import pytest
from downlink_pipeline.dictionary.compile.plan import compile_plan
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.model.batches import Quality, Ragged
from pieces import rows


def string_type(size, charset="UTF-8", order=""):
    return (
        f'<StringParameterType name="T"><StringDataEncoding encoding="{charset}"{order}>{size}</StringDataEncoding>'
        "</StringParameterType>"
    )


def fixed(size_bits, more=""):
    return f"<SizeInBits><Fixed><FixedValue>{size_bits}</FixedValue></Fixed>{more}</SizeInBits>"


DYNAMIC = """<DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment slope="8" intercept="0"/>
</DynamicValue>"""


def text_rows(ragged):
    return [
        ragged.values[start : start + length].tobytes()
        for start, length in zip(ragged.start.tolist(), ragged.length.tolist(), strict=True)
    ]


def test_a_string_of_fixed_size_loses_its_trailing_nuls(column):
    assert column(string_type(fixed(64)), [b"SCIENCE\0", b"IDLE\0\0\0\0"]).tolist() == ["SCIENCE", "IDLE"]


def test_a_string_ends_at_its_terminator(column):
    kind = string_type(fixed(64, "<TerminationChar>3B</TerminationChar>"))
    assert column(kind, [b"AB;CDEFG", b"ABCDEFGH"]).tolist() == ["AB", "ABCDEFGH"]


def test_utf_8_beyond_ascii_is_decoded(column):
    assert column(string_type(fixed(64)), ["5 °C ü".encode(), b"plain   "]).tolist() == ["5 °C ü", "plain   "]


def test_bytes_that_are_no_text_are_replaced_and_never_fatal(column):
    assert column(string_type(fixed(16)), [b"\xff\xfe"]).tolist() == ["��"]


@pytest.mark.parametrize(
    "size", [fixed(96), "<Variable maxSizeInBits='96'><TerminationChar>{}</TerminationChar></Variable>"]
)
@pytest.mark.parametrize(("charset", "family"), [("UTF-16", "utf-16"), ("UTF-32", "utf-32")])
@pytest.mark.parametrize("order", ["be", "le"])
def test_a_byte_order_mark_decides_and_is_no_part_of_the_text(column, charset, family, order, size):
    # XTCE 1.2: with UTF-16 and UTF-32 "encoded bits must be prepended with a Byte Order Mark"
    width = int(family[-2:]) // 8
    octets = "\ufeffA".encode(f"{family}-{order}")
    body = octets.ljust(12, b"\0")
    assert column(string_type(size.format("00" * width), charset), [body]).tolist() == ["A"]


@pytest.mark.parametrize(
    ("charset", "codec"), [("UTF-16BE", "utf-16-be"), ("UTF-16LE", "utf-16-le"), ("ISO-8859-1", "latin-1")]
)
def test_other_charsets_are_decoded(column, charset, codec):
    octets = "zwölf".encode(codec)
    assert column(string_type(fixed(len(octets) * 8), charset), [octets]).tolist() == ["zwölf"]


def test_a_string_that_does_not_begin_with_a_byte_is_moved_up(column):
    entry = """<ParameterRefEntry parameterRef="X"><LocationInContainerInBits><FixedValue>4</FixedValue>
    </LocationInContainerInBits></ParameterRefEntry>"""
    assert column(string_type(fixed(24)), [b"\x04\x14\x24\x30"], entries=entry).tolist() == ["ABC"]


def test_strings_sized_by_another_field_are_one_unicode_column(document, packet, decode):
    kind = string_type(f'<Variable maxSizeInBits="2040">{DYNAMIC}</Variable>')
    xtce = document(kind, {"N": "U8", "X": "T", "AFTER": "U8"})
    (found,) = decode(xtce, [packet(b"\3abc\7"), packet(b"\0\x08"), packet(b"\5hello\x09")])
    assert found.columns["X"].tolist() == ["abc", "", "hello"]
    assert found.columns["AFTER"].tolist() == [7, 8, 9]


def binary_type(size):
    return (
        f'<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits>{size}</SizeInBits></BinaryDataEncoding>'
        "</BinaryParameterType>"
    )


def test_a_blob_of_fixed_size_is_a_matrix_of_bytes(column):
    found = column(binary_type("<FixedValue>24</FixedValue>"), [b"\1\2\3", b"\4\5\6"])
    assert found.dtype == np.uint8
    assert found.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_a_blob_of_no_whole_bytes_is_aligned_right(column):
    """As XTCE says of `binaryValue`, of which the most significant bits are the unneeded ones."""
    assert column(binary_type("<FixedValue>12</FixedValue>"), [b"\xab\xcd"]).tolist() == [[0x0A, 0xBC]]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 21, 64, 67])
@pytest.mark.parametrize("offset", [0, 1, 5, 8])
def test_bits_of_any_number_at_any_place_are_the_last_of_their_bytes(document, packet, decode, bits, size, offset):
    """One blob of fixed size, and one whose size in bits the packet tells, between whole fields."""
    kinds = binary_type(f"<FixedValue>{size}</FixedValue>")
    kinds += binary_type(DYNAMIC.replace('slope="8"', 'slope="1"')).replace('name="T"', 'name="D"')
    skip = f"<LocationInContainerInBits><FixedValue>{offset}</FixedValue></LocationInContainerInBits>"
    entries = "".join(
        f'<ParameterRefEntry parameterRef="{name}">{skip * (name == "X")}</ParameterRefEntry>' for name in "NXYZ"
    )
    bodies = [bytes([n]) + bytes((i * 37 + n) % 256 for i in range(30)) for n in (size, 0, 3, 16)]
    xtce = document(kinds, {"N": "U8", "X": "T", "Y": "D", "Z": "U8"}, entries)
    (found,) = decode(xtce, [packet(body) for body in bodies])
    for row, body in enumerate(bodies):
        place, wide = 8 + offset, (body[0] + 7) // 8
        x, y = bits(body, place, size), bits(body, place + size, body[0])
        assert found.columns["X"][row].tobytes() == x.to_bytes((size + 7) // 8, "big")
        assert text_rows(found.columns["Y"])[row] == y.to_bytes(wide, "big")
        assert found.columns["Z"][row] == bits(body, place + size + body[0], 8)


def test_a_blob_sized_by_another_field_is_ragged(document, packet, decode):
    xtce = document(binary_type(DYNAMIC), {"N": "U8", "X": "T", "AFTER": "U16"})
    (found,) = decode(xtce, [packet(b"\2ab\0\1"), packet(b"\0\0\2"), packet(b"\4wxyz\0\3")])
    assert isinstance(found.columns["X"], Ragged)
    assert text_rows(found.columns["X"]) == [b"ab", b"", b"wxyz"]
    assert found.columns["AFTER"].tolist() == [1, 2, 3]
    assert found.quality.tolist() == [0, 0, 0]


def test_a_blob_within_a_byte_is_moved_up(document, packet, decode):
    xtce = document(binary_type(DYNAMIC), {"HALF": "U3", "MORE": "U1", "N": "U8", "X": "T"})
    (found,) = decode(xtce, [packet(b"\x00\x24\x14\x20"), packet(b"\x00\x14\x30")])
    assert text_rows(found.columns["X"]) == [b"AB", b"C"]


def test_a_blob_that_would_reach_behind_the_packet_is_set_aside(document, packet, batch):
    decoder = Decoder(compile_plan(read_xtce(document(binary_type(DYNAMIC), {"N": "U8", "X": "T"}))))
    (found,) = decoder.decode(batch([packet(b"\2ab"), packet(b"\x09ab"), packet(b"\1c")]))
    assert text_rows(found.columns["X"]) == [b"ab", b"c"]
    assert found.order.tolist() == [0, 2]
    assert decoder.set_aside == {"too short for PACKET": 1}


def test_bytes_behind_a_variable_packet_are_flagged(document, packet, decode):
    xtce = document(binary_type(DYNAMIC), {"N": "U8", "X": "T"})
    (found,) = decode(xtce, [packet(b"\1a"), packet(b"\1abc")])
    assert found.quality.tolist() == [0, Quality.UNDESCRIBED]


def test_a_size_may_be_looked_up(document, packet, decode):
    cases = "".join(
        f'<DiscreteLookup value="{bits}"><Comparison parameterRef="N" value="{n}"/></DiscreteLookup>'
        for n, bits in ((1, 8), (2, 24))
    )
    xtce = document(binary_type(f"<DiscreteLookupList>{cases}</DiscreteLookupList>"), {"N": "U8", "X": "T"})
    (found,) = decode(xtce, [packet(b"\1a"), packet(b"\2abc"), packet(b"\3abc")])
    assert text_rows(found.columns["X"]) == [b"a", b"abc"]


IGNORED = """<DynamicValue><ParameterInstanceRef parameterRef="_yamcs_ignore"/>{}</DynamicValue>"""
LESS = '<LinearAdjustment intercept="-8"/>'
TO_THE_END = {
    "bytes": f"""<BinaryParameterType name="T"><BinaryDataEncoding><SizeInBits>{IGNORED}</SizeInBits>
    </BinaryDataEncoding></BinaryParameterType>""",
    "text": string_type(f"<Variable maxSizeInBits='80'>{IGNORED}</Variable>"),
    "list": f"""<ArrayParameterType name="T" arrayTypeRef="U8"><DimensionList><Dimension><StartingIndex>
    <FixedValue>0</FixedValue></StartingIndex><EndingIndex>{IGNORED}</EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>""",
}


@pytest.mark.parametrize("kind", TO_THE_END)
@pytest.mark.parametrize("less", ["", LESS])
def test_what_refers_to_nothing_for_its_size_goes_on_to_the_end_or_so_many_bits_before_it(
    document, packet, decode, kind, less
):
    parameters = {"X": "T", "Z": "U8"} if less else {"X": "T"}
    (found,) = decode(document(TO_THE_END[kind].format(less), parameters), [packet(b"ab\7" if less else b"ab")])
    assert rows(found.columns["X"]) == ["ab" if kind == "text" else [97, 98]]
    assert not less or found.columns["Z"].tolist() == [7]
