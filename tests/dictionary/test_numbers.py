"""Integers and floats at every width, alignment and encoding, against a reader that goes bit by bit."""

import struct
from fractions import Fraction

import numpy as np
import pytest

BODY = bytes((i * 151 + 77) % 256 for i in range(64))
BODIES = [BODY, BODY[::-1], bytes(64), b"\xff" * 64]


def integer_type(size_bits, encoding="unsigned", extra=""):
    return (
        f'<IntegerParameterType name="T"><IntegerDataEncoding sizeInBits="{size_bits}" '
        f'encoding="{encoding}"{extra}/>'
        "</IntegerParameterType>"
    )


def at(offset_bits):
    return (
        '<ParameterRefEntry parameterRef="X"><LocationInContainerInBits referenceLocation="previousEntry">'
        f"<FixedValue>{offset_bits}</FixedValue></LocationInContainerInBits></ParameterRefEntry>"
    )


def twos(value, size):
    return value - (1 << size) if value >> (size - 1) else value


def ones(value, size):
    return value - (1 << size) + 1 if value >> (size - 1) else value


def sign_magnitude(value, size):
    magnitude = value & ((1 << (size - 1)) - 1)
    return -magnitude if value >> (size - 1) else magnitude


@pytest.mark.parametrize("size_bits", range(1, 65))
def test_unsigned_integers_of_any_width_are_read_at_any_bit(column, bits, size_bits):
    for offset in range(9):
        found = column(integer_type(size_bits), BODIES, entries=at(offset))
        assert found.tolist() == [bits(body, offset, size_bits) for body in BODIES], offset


@pytest.mark.parametrize(
    ("encoding", "rule"), [("twosComplement", twos), ("onesComplement", ones), ("signMagnitude", sign_magnitude)]
)
@pytest.mark.parametrize("size_bits", [2, 3, 7, 8, 9, 12, 16, 20, 24, 31, 32, 33, 47, 57, 58, 63, 64])
def test_signed_integers_follow_the_rule_of_their_encoding(column, bits, encoding, rule, size_bits):
    for offset in (0, 1, 7, 8):
        found = column(integer_type(size_bits, encoding), BODIES, entries=at(offset))
        assert found.tolist() == [rule(bits(body, offset, size_bits), size_bits) for body in BODIES], offset


def test_the_textbook_values_of_the_signed_encodings(column):
    octets = [bytes([value]) for value in (0x00, 0x01, 0x7F, 0x80, 0x81, 0xFF)]
    assert column(integer_type(8, "twosComplement"), octets).tolist() == [0, 1, 127, -128, -127, -1]
    assert column(integer_type(8, "onesComplement"), octets).tolist() == [0, 1, 127, -127, -126, 0]
    assert column(integer_type(8, "signMagnitude"), octets).tolist() == [0, 1, 127, 0, -1, -127]


def test_the_spelling_of_xtce_1_1_means_the_same(column):
    assert column(integer_type(8, "twosCompliment"), [b"\xfe"]).tolist() == [-2]


@pytest.mark.parametrize("size_bits", [8, 16, 24, 32, 40, 48, 56, 64])
@pytest.mark.parametrize("offset", [0, 3, 8])
def test_least_significant_byte_first_reverses_the_bytes(column, bits, size_bits, offset):
    found = column(
        integer_type(size_bits, "unsigned", ' byteOrder="leastSignificantByteFirst"'), BODIES, entries=at(offset)
    )
    expected = [
        int.from_bytes(bits(body, offset, size_bits).to_bytes(size_bits // 8, "big"), "little") for body in BODIES
    ]
    assert found.tolist() == expected


@pytest.mark.parametrize(("size_bits", "letter"), [(16, "e"), (32, "f"), (64, "d")])
@pytest.mark.parametrize(("order", "sign"), [("mostSignificantByteFirst", ">"), ("leastSignificantByteFirst", "<")])
@pytest.mark.parametrize("offset", [0, 5, 16])
def test_floats_are_ieee_754_at_any_bit_in_both_byte_orders(column, size_bits, letter, order, sign, offset):
    values = [0.0, -1.5, 3.140625, 65504.0, float("inf")]
    bodies = []
    for value in values:
        stored = int.from_bytes(struct.pack(sign + letter, value), "big")
        bodies.append((stored << (128 - offset - size_bits)).to_bytes(16, "big"))
    kind = (
        f'<FloatParameterType name="T"><FloatDataEncoding sizeInBits="{size_bits}" encoding="IEEE754" '
        f'byteOrder="{order}"/></FloatParameterType>'
    )
    found = column(kind, bodies, entries=at(offset))
    assert found.tolist() == values
    assert found.dtype == np.dtype(f"f{size_bits // 8}")


@pytest.mark.parametrize(
    ("size_bits", "dtype"), [(1, "u1"), (8, "u1"), (9, "u2"), (17, "u4"), (33, "u8"), (64, "u8")]
)
def test_an_integer_has_the_smallest_native_dtype_that_holds_it(column, size_bits, dtype):
    found = column(integer_type(size_bits), BODIES)
    assert found.dtype == np.dtype(dtype)
    assert found.dtype.isnative


def polynomial_type(tag, encoding, *coefficients):
    terms = "".join(f'<Term coefficient="{c}" exponent="{e}"/>' for e, c in enumerate(coefficients))
    return (
        f'<{tag} name="T"><UnitSet><Unit>V</Unit></UnitSet><{encoding}>'
        f"<DefaultCalibrator><PolynomialCalibrator>{terms}</PolynomialCalibrator></DefaultCalibrator></{encoding.split()[0]}></{tag}>"
    )


def test_a_polynomial_calibrates_integers_to_float64(column):
    kind = polynomial_type("IntegerParameterType", 'IntegerDataEncoding sizeInBits="12"', "-5", "0.25", "2", "0.5")
    found = column(kind, [b"\x00\x00", b"\x00\x30", b"\xff\xf0"])
    exact = [Fraction(-5) + Fraction(n, 4) + 2 * n**2 + Fraction(n**3, 2) for n in (0, 3, 4095)]
    assert found.dtype == np.float64
    assert found.tolist() == [float(value) for value in exact]


def test_a_polynomial_calibrates_floats_too(column):
    kind = polynomial_type("FloatParameterType", 'FloatDataEncoding sizeInBits="32"', "1", "-2")
    assert column(kind, [struct.pack(">f", 1.5)]).tolist() == [-2.0]


def test_the_raw_column_holds_the_counts_of_a_calibrated_parameter(column):
    kind = polynomial_type("FloatParameterType", 'IntegerDataEncoding sizeInBits="8"', "0", "0.5")
    assert column(kind, [b"\x03"], raw=True).tolist() == [3]
    assert column(kind, [b"\x03"]).tolist() == [1.5]


def test_a_float_parameter_with_integer_counts_is_float64(column):
    kind = '<FloatParameterType name="T"><IntegerDataEncoding sizeInBits="32"/></FloatParameterType>'
    found = column(kind, [b"\xff\xff\xff\xff"])
    assert found.dtype == np.float64
    assert found.tolist() == [4294967295.0]
