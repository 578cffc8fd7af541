"""Data encodings: how integers, floats, strings and blobs stand in the packet, and their calibrators."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..model.conditions import Size
from ..model.definitions import MAX_CONTAINER_BITS
from ..model.document import Node
from ..model.encodings import BinaryEncoding, NumberEncoding, StringEncoding, Tagged, Terminated
from .calibrators import read_calibrators
from .checks import read_check
from .conditions import IGNORED, read_dynamic, read_lookup, read_size
from .scope import Context

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
MEANT = {
    "signed": "twosComplement",
    "twoscomplement": "twosComplement",
    "twoscompliment": "twosComplement",
    "onescomplement": "onesComplement",
    "signmagnitude": "signMagnitude",
    "bcd": "BCD",
    "packedbcd": "packedBCD",
    "unsigned": "unsigned",
    "ieee754": "IEEE754",
    "ieee7541985": "IEEE754",
    "mil1750a": "MILSTD_1750A",
    "milstd1750a": "MILSTD_1750A",
}
"""Spellings of files in the field, in small letters and without marks, and the schema's word for each."""
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
LEADING_SIZE_DECODER = re.compile(r"LeadingSizeBinaryDecoder(?:[^(]*\(\s*(\d+)\s*\))?", re.DOTALL)
MAX_TAG_BITS = 64
MAX_MIXED_BYTES = 8
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
    form = INTEGER_FORMS[_read_form(node, context, "unsigned", INTEGER_FORMS)]
    order = _read_orders(node, context, size_bits)
    if form == "BCD" and size_bits % 4:
        reading.problem(node, f"BCD wants digits of 4 bits, and {size_bits} bits are not")
    return _number(node, context, NumberEncoding(size_bits, form, **order))


def read_float_encoding(node: Node, context: Context) -> NumberEncoding:
    """FloatDataEncoding."""
    reading = context.reading
    size_bits = reading.integer(node, "sizeInBits", 32, 16, 128)
    form = FLOAT_FORMS[_read_form(node, context, "IEEE754", FLOAT_FORMS)]
    if size_bits not in FLOAT_SIZES_BITS[form]:
        reading.problem(node, f"a float of {size_bits} bits ({form}) is not implemented")
        size_bits = 32
    order = _read_orders(node, context, size_bits)
    return _number(node, context, NumberEncoding(size_bits, form, **order))


def _number(node: Node, context: Context, encoding: NumberEncoding) -> NumberEncoding:
    """`encoding` with what integers and floats have in common: check word and calibrators."""
    context.reading.read_past(node, "changeThreshold")
    check = read_check(node, context)
    calibrator, contexts = read_calibrators(node, context)
    context.reading.finish(node)
    return replace(encoding, calibrator=calibrator, contexts=contexts, check=check)


def _read_form(node: Node, context: Context, default: str, forms: Mapping[str, str]) -> str:
    """The attribute encoding, also as files in the field spell it."""
    text = node.attributes.get("encoding", default)
    meant = MEANT.get("".join(filter(str.isalnum, text)).lower(), "")
    if text not in forms and meant in forms:
        kind = f'encoding="{text}" is read as {meant}'
        context.reading.notice(node, kind, f'encoding="{text}" is not implemented')
        del node.attributes["encoding"]
        return meant
    return context.reading.choice(node, "encoding", default, forms)


def _read_orders(node: Node, context: Context, size_bits: int) -> dict[str, Any]:
    """Fields of a NumberEncoding that say in which order bytes, and bits in a byte, come.

    The order of bytes may be a list of significances: an attribute in XTCE 1.2, an element in 1.1.
    """
    reading = context.reading
    mirrored = reading.choice(node, "bitOrder", BIT_ORDERS[0], BIT_ORDERS) == BIT_ORDERS[1]
    listed = reading.child(node, "ByteOrderList")
    order = reading.attribute(node, "byteOrder", BYTE_ORDERS[0])
    if listed is not None:
        order = ",".join(reading.required(each, "byteSignificance") for each in reading.children(listed, "Byte"))
        reading.finish(listed)
    order = "".join(order.split())
    significances = [str(i) for i in range((size_bits + 7) // 8)]
    if order == ",".join(reversed(significances)):
        return {"mirrored": mirrored}
    if order in {BYTE_ORDERS[1], ",".join(significances)}:
        if mirrored:
            text = "bitOrder and byteOrder are both least significant first"
            reading.notice(
                node, f"{text}: read as a little-endian number, without a look at bitOrder, as other tools do", text
            )
        return {"lsb_first": True} if size_bits % 8 else {"little_endian": True}
    if order == BYTE_ORDERS[0]:
        return {"mirrored": mirrored}
    return _read_mixed(node, order.split(","), significances, context)


def _read_mixed(node: Node, order: list[str], significances: list[str], context: Context) -> dict[str, Any]:
    """An order of bytes that is neither of the two: read as ccsdspy has it, the most significant byte's place first."""
    if sorted(order) != significances or len(order) > MAX_MIXED_BYTES:
        context.reading.problem(node, f'byteOrder="{",".join(order)}" is not implemented')
        return {}
    text = "a mixed byteOrder is read as the places of the bytes, the most significant byte's first"
    context.reading.notice(node, text, f'byteOrder="{",".join(order)}" is not implemented')
    return {"places": tuple(map(int, order))}


def read_binary_encoding(node: Node, context: Context) -> BinaryEncoding:
    """BinaryDataEncoding. What of it the caller has not taken before must be implemented here."""
    reading = context.reading
    _read_order_of_bytes(node, context)
    size_node = reading.child(node, "SizeInBits")
    tagged = _read_transform(node, context)
    size: Size | Tagged = 8
    if tagged is not None:
        size = tagged
    elif size_node is None:
        reading.problem(node, "SizeInBits is missing")
    else:
        size = read_size(size_node, context, 1, MAX_CONTAINER_BITS)
        reading.finish(size_node)
    check = read_check(node, context)
    reading.finish(node)
    return BinaryEncoding(size, check)


def _is_ignored(node: Node) -> bool:
    """Whether a DynamicValue stands there only since the schema wants one."""
    return any(child.attributes.get("parameterRef") == IGNORED for child in node.children)


def _read_transform(node: Node, context: Context) -> Tagged | None:
    """FromBinaryTransformAlgorithm: Yamcs' decoder of bytes behind their size. Of others: the bytes as sent."""
    reading = context.reading
    reading.past(node, "ToBinaryTransformAlgorithm")
    found = reading.child(node, "FromBinaryTransformAlgorithm")
    if found is None:
        return None
    text = " ".join(child.text for child in found.children if child.tag == "AlgorithmText")
    call = LEADING_SIZE_DECODER.search(f"{found.attributes.get('name', '')} {text}")
    if call is not None:
        tag_bits = int(call[1] or 16)
        if not 1 <= tag_bits <= MAX_TAG_BITS:
            reading.problem(found, f"a size of {tag_bits} bits before the bytes is not implemented")
            tag_bits = 16
        return Tagged(tag_bits, MAX_CONTAINER_BITS, 8)
    kind = "the bytes before a FromBinaryTransformAlgorithm are given as they were sent: it is a program"
    reading.notice(found, kind, f"element {found.tag} in {node.key} is not implemented")
    return None


def _read_order_of_bytes(node: Node, context: Context) -> None:
    """A blob is what it is: only the order in which it was sent."""
    for name, orders in (("bitOrder", BIT_ORDERS), ("byteOrder", BYTE_ORDERS)):
        _read_past_order(node, name, orders, context)


def _read_past_order(node: Node, name: str, orders: tuple[str, str], context: Context) -> None:
    """Bytes and text come in the order in which they were sent, whatever the attribute says."""
    order = context.reading.choice(node, name, orders[0], orders)
    if order == orders[1]:
        kind = f"{name} of bytes or text is passed over: they are given in the order in which they were sent"
        context.reading.notice(node, kind, f'{name}="{order}" is not implemented')


def read_string_encoding(node: Node, context: Context) -> StringEncoding:
    """StringDataEncoding."""
    reading = context.reading
    charset = CHARSETS[reading.choice(node, "encoding", "UTF-8", CHARSETS)]
    _read_past_order(node, "bitOrder", BIT_ORDERS, context)
    reading.past(node, "ToBinaryTransformAlgorithm")
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
    own_end = bool(tag_bits or terminator)
    size = _read_variable_size(holder, context, own_end=own_end) if variable else _read_fixed_size(holder, context)
    bounds = max_bits or MAX_CONTAINER_BITS
    reading.finish(holder)
    reading.finish(node)
    unit_bits = 1 if reading.leading_size_in_bits else 8
    if size is not None:
        return StringEncoding(size, charset, b"" if tag_bits else terminator, tag_bits, check, unit_bits)
    if tag_bits:
        return StringEncoding(Tagged(tag_bits, bounds, unit_bits), charset, b"", tag_bits, check, unit_bits)
    if terminator:
        return StringEncoding(Terminated(terminator, bounds), charset, terminator, check=check)
    reading.problem(holder, "says nothing of the string's size")
    return StringEncoding(8, charset)


def _read_tag(node: Node, context: Context) -> int:
    """LeadingSize: bits of the number, at the buffer's beginning, that tells how many bytes of text follow ("like
    PASCAL strings", the schema says).
    """
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


def _read_variable_size(node: Node, context: Context, *, own_end: bool) -> Size | None:
    """Bits of the buffer. `own_end`: the text says itself where it ends; what refers to nothing, without an adjustment,
    is then no buffer.
    """
    reading = context.reading
    dynamic, lookup = reading.child(node, "DynamicValue"), reading.child(node, "DiscreteLookupList")
    if dynamic is not None:
        adjusted = any(child.tag == "LinearAdjustment" for child in dynamic.children)
        return None if own_end and not adjusted and _is_ignored(dynamic) else read_dynamic(dynamic, context)
    return read_lookup(lookup, context, 0, MAX_CONTAINER_BITS) if lookup is not None else None
