"""Data encodings: how integers, floats, strings and blobs stand in the packet, and their calibrators."""

from __future__ import annotations

from pipeline.dictionary.conditions import Size
from pipeline.dictionary.definitions import MAX_CONTAINER_BITS
from pipeline.dictionary.document import Node
from pipeline.dictionary.encodings import BinaryEncoding, NumberEncoding, StringEncoding, Tagged, Terminated
from pipeline.dictionary.scope import Context
from pipeline.dictionary.xtce_calibrators import read_calibrators
from pipeline.dictionary.xtce_checks import read_check
from pipeline.dictionary.xtce_conditions import read_dynamic, read_lookup, read_size

INTEGER_FORMS = {
    "unsigned": "unsigned",
    "signMagnitude": "signMagnitude",
    "twosComplement": "twosComplement",
    "twosCompliment": "twosComplement",  # as XTCE 1.1 spells it
    "onesComplement": "onesComplement",
    # XTCE does not say how the two differ. Both are read as digits of 4 bits, as most hardware packs them.
    "BCD": "BCD",
    "packedBCD": "BCD",
}
FLOAT_FORMS = {"IEEE754": "IEEE754", "IEEE754_1985": "IEEE754", "MILSTD_1750A": "MILSTD_1750A"}
FLOAT_SIZES_BITS = {"IEEE754": (16, 32, 64), "MILSTD_1750A": (32, 48)}
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
IGNORED = "_yamcs_ignore"
"""Files made for Yamcs refer to it where the schema wants a size and the string has none but its own."""
BIT_ORDERS = ("mostSignificantBitFirst", "leastSignificantBitFirst")
BYTE_ORDERS = ("mostSignificantByteFirst", "leastSignificantByteFirst")


ENCODINGS = ("IntegerDataEncoding", "FloatDataEncoding", "StringDataEncoding", "BinaryDataEncoding")


def take_encoding(node: Node, context: Context, *implemented: str) -> Node | None:
    """The encoding's element if it is one of those implemented for this kind of type."""
    found = context.reading.child(node, *ENCODINGS)
    if found is not None and found.tag not in implemented:
        context.reading.problem(found, f"{found.tag} in {node.tag} is not implemented")
        return None
    return found


def read_number_encoding(node: Node, context: Context, *implemented: str) -> NumberEncoding | None:
    """An integer or a float, whichever of those implemented for the type is there."""
    found = take_encoding(node, context, *implemented)
    if found is None:
        return None
    if found.tag == "IntegerDataEncoding":
        return read_integer_encoding(found, context)
    return read_float_encoding(found, context)


def read_integer_encoding(node: Node, context: Context) -> NumberEncoding:
    """IntegerDataEncoding."""
    reading = context.reading
    size_bits = reading.integer(node, "sizeInBits", 8, 1, 64)
    form = INTEGER_FORMS[reading.choice(node, "encoding", "unsigned", INTEGER_FORMS)]
    little_endian, mirrored = _read_orders(node, context, size_bits)
    if form == "BCD" and size_bits % 4:
        reading.problem(node, f"BCD wants digits of 4 bits, and {size_bits} bits are not")
    reading.read_past(node, "changeThreshold")
    check = read_check(node, context)
    calibrator, contexts = read_calibrators(node, context)
    reading.finish(node)
    return NumberEncoding(size_bits, form, little_endian, mirrored, calibrator, contexts, check)


def read_float_encoding(node: Node, context: Context) -> NumberEncoding:
    """FloatDataEncoding."""
    reading = context.reading
    size_bits = reading.integer(node, "sizeInBits", 32, 16, 128)
    form = FLOAT_FORMS[reading.choice(node, "encoding", "IEEE754", FLOAT_FORMS)]
    if size_bits not in FLOAT_SIZES_BITS[form]:
        reading.problem(node, f"a float of {size_bits} bits ({form}) is not implemented")
        size_bits = 32
    little_endian, mirrored = _read_orders(node, context, size_bits)
    reading.read_past(node, "changeThreshold")
    check = read_check(node, context)
    calibrator, contexts = read_calibrators(node, context)
    reading.finish(node)
    return NumberEncoding(size_bits, form, little_endian, mirrored, calibrator, contexts, check)


def _read_orders(node: Node, context: Context, size_bits: int) -> tuple[bool, bool]:
    """Whether the least significant byte, and in a byte the least significant bit, comes first.

    The order of bytes may be a list of significances: an attribute in XTCE 1.2, an element in 1.1.
    """
    reading = context.reading
    mirrored = reading.choice(node, "bitOrder", BIT_ORDERS[0], BIT_ORDERS) == BIT_ORDERS[1]
    listed = reading.child(node, "ByteOrderList")
    order = reading.attribute(node, "byteOrder", BYTE_ORDERS[0])
    if listed is not None:
        order = ",".join(reading.required(each, "byteSignificance") for each in reading.children(listed, "Byte"))
        reading.finish(listed)
    significances = [str(i) for i in range((size_bits + 7) // 8)]
    if order == ",".join(reversed(significances)):
        return False, mirrored
    little_endian = order in {BYTE_ORDERS[1], ",".join(significances)}
    if order not in BYTE_ORDERS and not little_endian:
        reading.problem(node, f'byteOrder="{order}" is not implemented')
    if little_endian and size_bits % 8:
        reading.problem(node, f"least significant byte first wants whole bytes, not {size_bits} bits")
        little_endian = False
    return little_endian, mirrored


def read_binary_encoding(node: Node, context: Context) -> BinaryEncoding:
    """BinaryDataEncoding. What of it the caller has not taken before must be implemented here."""
    reading = context.reading
    _read_order_of_bytes(node, context)
    size_node = reading.child(node, "SizeInBits")
    size: Size = 8
    if size_node is None:
        reading.problem(node, "SizeInBits is missing")
    else:
        size = read_size(size_node, context, 1, MAX_CONTAINER_BITS)
        reading.finish(size_node)
    check = read_check(node, context)
    reading.finish(node)
    return BinaryEncoding(size, check)


def _read_order_of_bytes(node: Node, context: Context) -> None:
    """A blob is what it is: only the order in which it was sent."""
    context.reading.choice(node, "bitOrder", "mostSignificantBitFirst", ("mostSignificantBitFirst",))
    context.reading.choice(node, "byteOrder", BYTE_ORDERS[0], (BYTE_ORDERS[0],))


def read_string_encoding(node: Node, context: Context) -> StringEncoding:
    """StringDataEncoding."""
    reading = context.reading
    charset = CHARSETS[reading.choice(node, "encoding", "UTF-8", CHARSETS)]
    reading.choice(node, "bitOrder", "mostSignificantBitFirst", ("mostSignificantBitFirst",))
    check = read_check(node, context)
    order = reading.choice(node, "byteOrder", BYTE_ORDERS[0], BYTE_ORDERS)
    if order == BYTE_ORDERS[1] and charset in {"utf-16-be", "utf-32-be"}:
        charset = charset.replace("-be", "-le")
    holder = reading.child(node, "SizeInBits") or reading.child(node, "Variable")
    if holder is None:
        if not node.children:
            reading.problem(node, "wants SizeInBits or Variable")
        reading.finish(node)
        return StringEncoding(8, charset)
    variable = holder.tag == "Variable"
    max_bits = (
        reading.integer(holder, "maxSizeInBits", MAX_CONTAINER_BITS, 8, MAX_CONTAINER_BITS) if variable else 0
    )
    terminator, tag_bits = _read_terminator(holder, context), _read_tag(holder, context)
    read_size_of = _read_variable_size if variable else _read_fixed_size
    size = read_size_of(holder, context)
    bounds = max_bits or MAX_CONTAINER_BITS
    reading.finish(holder)
    reading.finish(node)
    if size is not None:
        return StringEncoding(size, charset, b"" if tag_bits else terminator, tag_bits, check)
    if tag_bits:
        return StringEncoding(Tagged(tag_bits, bounds), charset, b"", tag_bits, check)
    if terminator:
        return StringEncoding(Terminated(terminator, bounds), charset, terminator, check=check)
    reading.problem(holder, "says nothing of the string's size")
    return StringEncoding(8, charset)


def _read_tag(node: Node, context: Context) -> int:
    """LeadingSize: bits of the number, at the buffer's beginning, of the bits of text."""
    found = context.reading.child(node, "LeadingSize")
    if found is None:
        return 0
    tag_bits = context.reading.integer(found, "sizeInBitsOfSizeTag", 16, 1, 64)
    if tag_bits % 8:
        context.reading.problem(found, f"a size tag of {tag_bits} bits is not implemented: it wants whole bytes")
        tag_bits = 16
    context.reading.finish(found)
    return tag_bits


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


def _read_fixed_size(node: Node, context: Context) -> Size | None:
    reading = context.reading
    fixed = reading.child(node, "Fixed")
    if fixed is None:
        return None
    value, size_bits = reading.child(fixed, "FixedValue"), 8
    if value is None:
        reading.problem(fixed, "FixedValue is missing")
    else:
        size_bits = reading.number_in(value, reading.text(value), "FixedValue", 8, MAX_CONTAINER_BITS, 8)
    if size_bits % 8:
        reading.problem(fixed, f"a string of {size_bits} bits does not end with a byte")
    reading.finish(fixed)
    return size_bits


def _read_variable_size(node: Node, context: Context) -> Size | None:
    reading = context.reading
    dynamic, lookup = reading.child(node, "DynamicValue"), reading.child(node, "DiscreteLookupList")
    if dynamic is not None:
        ignored = any(child.attributes.get("parameterRef") == IGNORED for child in dynamic.children)
        return None if ignored else read_dynamic(dynamic, context)
    return read_lookup(lookup, context, 0, MAX_CONTAINER_BITS) if lookup is not None else None
