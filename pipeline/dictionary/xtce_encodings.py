"""Data encodings: how integers, floats, strings and blobs stand in the packet, and their calibrators."""

from __future__ import annotations

from pipeline.dictionary.definitions import (
    MAX_CONTAINER_BITS,
    BinaryEncoding,
    Calibrator,
    NumberEncoding,
    Polynomial,
    Size,
    StringEncoding,
)
from pipeline.dictionary.document import Node
from pipeline.dictionary.scope import Context
from pipeline.dictionary.xtce_conditions import read_dynamic, read_lookup, read_size

INTEGER_FORMS = {
    "unsigned": "unsigned",
    "signMagnitude": "signMagnitude",
    "twosComplement": "twosComplement",
    "twosCompliment": "twosComplement",  # as XTCE 1.1 spells it
    "onesComplement": "onesComplement",
}
IEEE_SIZES_BITS = (16, 32, 64)
CHARSETS = {
    "US-ASCII": "ascii",
    "UTF-8": "utf-8",
    "ISO-8859-1": "latin-1",
    "Windows-1252": "cp1252",
    "UTF-16": "utf-16-be",
    "UTF-16BE": "utf-16-be",
    "UTF-16LE": "utf-16-le",
    "UTF-32": "utf-32-be",
    "UTF-32BE": "utf-32-be",
    "UTF-32LE": "utf-32-le",
}
BYTE_ORDERS = ("mostSignificantByteFirst", "leastSignificantByteFirst")
MAX_EXPONENT = 64


def read_integer_encoding(node: Node, context: Context) -> NumberEncoding:
    """IntegerDataEncoding."""
    reading = context.reading
    size_bits = reading.integer(node, "sizeInBits", 8, 1, 64)
    form = INTEGER_FORMS[reading.choice(node, "encoding", "unsigned", INTEGER_FORMS)]
    little_endian = _read_order(node, context)
    if little_endian and size_bits % 8:
        reading.problem(node, f"least significant byte first wants whole bytes, not {size_bits} bits")
        little_endian = False
    reading.read_past(node, "changeThreshold")
    calibrator = _read_default_calibrator(node, context)
    reading.finish(node)
    return NumberEncoding(size_bits, form, little_endian, calibrator)


def read_float_encoding(node: Node, context: Context) -> NumberEncoding:
    """FloatDataEncoding."""
    reading = context.reading
    size_bits = reading.integer(node, "sizeInBits", 32, 16, 128)
    reading.choice(node, "encoding", "IEEE754", ("IEEE754", "IEEE754_1985"))
    if size_bits not in IEEE_SIZES_BITS:
        reading.problem(node, f"a float of {size_bits} bits is not implemented")
        size_bits = 32
    little_endian = _read_order(node, context)
    reading.read_past(node, "changeThreshold")
    calibrator = _read_default_calibrator(node, context)
    reading.finish(node)
    return NumberEncoding(size_bits, "IEEE754", little_endian, calibrator)


def _read_order(node: Node, context: Context) -> bool:
    """Whether the least significant byte comes first."""
    context.reading.choice(node, "bitOrder", "mostSignificantBitFirst", ("mostSignificantBitFirst",))
    return context.reading.choice(node, "byteOrder", BYTE_ORDERS[0], BYTE_ORDERS) == BYTE_ORDERS[1]


def read_binary_encoding(node: Node, context: Context) -> BinaryEncoding:
    """BinaryDataEncoding."""
    reading = context.reading
    _read_order_of_bytes(node, context)
    size_node = reading.child(node, "SizeInBits")
    size: Size = 8
    if size_node is None:
        reading.problem(node, "SizeInBits is missing")
    else:
        size = read_size(size_node, context, 1, MAX_CONTAINER_BITS)
        reading.finish(size_node)
    reading.finish(node)
    return BinaryEncoding(size)


def _read_order_of_bytes(node: Node, context: Context) -> None:
    """A blob is what it is: only the order in which it was sent."""
    context.reading.choice(node, "bitOrder", "mostSignificantBitFirst", ("mostSignificantBitFirst",))
    context.reading.choice(node, "byteOrder", BYTE_ORDERS[0], (BYTE_ORDERS[0],))


def read_string_encoding(node: Node, context: Context) -> StringEncoding:
    """StringDataEncoding."""
    reading = context.reading
    charset = CHARSETS[reading.choice(node, "encoding", "UTF-8", CHARSETS)]
    reading.choice(node, "bitOrder", "mostSignificantBitFirst", ("mostSignificantBitFirst",))
    order = reading.choice(node, "byteOrder", BYTE_ORDERS[0], BYTE_ORDERS)
    if order == BYTE_ORDERS[1] and charset in {"utf-16-be", "utf-32-be"}:
        charset = charset.replace("-be", "-le")
    fixed, variable = reading.child(node, "SizeInBits"), reading.child(node, "Variable")
    size: Size = 8
    terminator = b""
    if fixed is not None:
        terminator = _read_terminator(fixed, context)
        size = _read_fixed_size(fixed, context)
    elif variable is not None:
        terminator = _read_terminator(variable, context)
        size = _read_variable_size(variable, context)
    elif not node.children:
        reading.problem(node, "wants SizeInBits or Variable")
    reading.finish(node)
    return StringEncoding(size, charset, terminator)


def _read_terminator(node: Node, context: Context) -> bytes:
    """TerminationChar: the bytes, in hexadecimal, behind which the buffer's text is over."""
    found = context.reading.child(node, "TerminationChar")
    if found is None:
        return b""
    text = context.reading.text(found) or "00"
    context.reading.finish(found)
    try:
        return bytes.fromhex(text)
    except ValueError:
        context.reading.problem(found, f'"{text}" is not hexadecimal')
        return b""


def _read_fixed_size(node: Node, context: Context) -> Size:
    reading = context.reading
    fixed = reading.child(node, "Fixed")
    size_bits = 8
    if fixed is not None:
        value = reading.child(fixed, "FixedValue")
        if value is None:
            reading.problem(fixed, "FixedValue is missing")
        else:
            size_bits = reading.number_in(value, reading.text(value), "FixedValue", 8, MAX_CONTAINER_BITS, 8)
        reading.finish(fixed)
    elif not node.children:
        reading.problem(node, "Fixed is missing")
    if size_bits % 8:
        reading.problem(node, f"a string of {size_bits} bits does not end with a byte")
    reading.finish(node)
    return size_bits


def _read_variable_size(node: Node, context: Context) -> Size:
    reading = context.reading
    reading.integer(node, "maxSizeInBits", MAX_CONTAINER_BITS, 8, MAX_CONTAINER_BITS)
    dynamic, lookup = reading.child(node, "DynamicValue"), reading.child(node, "DiscreteLookupList")
    size: Size = 8
    if dynamic is not None:
        size = read_dynamic(dynamic, context)
    elif lookup is not None:
        size = read_lookup(lookup, context, 0, MAX_CONTAINER_BITS)
    elif not node.children:
        reading.problem(node, "wants a DynamicValue or DiscreteLookupList")
    reading.finish(node)
    return size


def _read_default_calibrator(node: Node, context: Context) -> Calibrator | None:
    holder = context.reading.child(node, "DefaultCalibrator")
    return read_calibrator(holder, context) if holder is not None else None


def read_calibrator(node: Node, context: Context) -> Calibrator | None:
    """CalibratorType: the one calibrator inside."""
    reading = context.reading
    polynomial = reading.child(node, "PolynomialCalibrator")
    calibrator = _read_polynomial(polynomial, context) if polynomial is not None else None
    if polynomial is None and not node.children:
        reading.problem(node, "has no calibrator")
    reading.finish(node)
    return calibrator


def _read_polynomial(node: Node, context: Context) -> Polynomial:
    reading = context.reading
    coefficients: dict[int, float] = {}
    for term in reading.children(node, "Term"):
        exponent = reading.number_in(term, reading.required(term, "exponent"), "exponent", 0, MAX_EXPONENT)
        coefficients[exponent] = coefficients.get(exponent, 0.0) + reading.real(term, "coefficient")
        reading.finish(term)
    if not coefficients:
        reading.problem(node, "has no Term")
    reading.finish(node)
    return Polynomial(tuple(coefficients.get(power, 0.0) for power in range(max(coefficients, default=0) + 1)))
