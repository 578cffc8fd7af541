"""Types and bit positions of COSMOS items.

Bit offsets count from the most significant bit of the packet's first byte. Two cases differ from XTCE: the offset of a
little-endian bit field is that of its most significant bit, and its other bytes are before it; items after one of
variable size (VARIABLE_BIT_SIZE) move with its end. Source: binary_accessor.py and structure.py of openc3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..dictionary.model.conditions import Comparison, Condition, Dynamic, Reference, Remainder, Size
from ..dictionary.model.definitions import Location, Placement
from ..dictionary.model.encodings import BinaryEncoding, Calibrator, NumberEncoding, Polynomial, StringEncoding
from ..dictionary.model.parameter_types import (
    Alarm,
    ArrayType,
    BinaryType,
    EnumeratedType,
    Limits,
    NumberType,
    ParameterType,
    Range,
    StringType,
)
from .losses import Losses

WHOLE_BITS = (8, 16, 32, 64)
FLOAT_BITS = (32, 64)
WARNING, CRITICAL = 2, 4
COLORS = {"GREEN": 0, "YELLOW": WARNING, "RED": CRITICAL}
HEXADECIMAL = re.compile(r"0[xX](?:[0-9a-fA-F]{2})+")
DEFAULT_LIMITS = "DEFAULT"
LIMITS_SET = "LIMITS_SET"
"""A constant of the converted dictionary: its label is the limits set in use."""


@dataclass(slots=True)
class Item:
    """One item of a packet. `size`: bits; 0 or less: up to so many before the packet's end. `variable`: the item that
    gives the size, bits for each unit of its value, and bits added. `states`: (name, value, color, line).
    """

    name: str
    offset: int
    size: int
    data_type: str
    little: bool
    line: int
    losses: Losses
    packet: str
    description: str = ""
    unit: str = ""
    array_bits: int | None = None
    id_value: str | None = None
    states: list[tuple[str, str, str, int]] = field(default_factory=list)
    coefficients: tuple[float, ...] = ()
    segments: list[tuple[float, tuple[float, ...]]] = field(default_factory=list)
    limits: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By limits set: red low, yellow low, yellow high, red high."""
    persistence: int = 1
    has_limits_enabled: bool = True
    limits_line: int = 0
    variable: tuple[str, int, int] | None = None
    has_program: bool = False

    @property
    def is_derived(self) -> bool:
        return self.data_type == "DERIVED"

    @property
    def end_bits(self) -> int:
        """Bit offset at which the next item is appended."""
        whole = self.size if self.array_bits is None else self.array_bits
        return self.offset + max(whole, 0)

    @property
    def is_bit_field(self) -> bool:
        """Whether COSMOS reads it as single bits; else as whole bytes."""
        return self.data_type in {"INT", "UINT"} and (self.offset % 8 != 0 or self.size not in WHOLE_BITS)

    @property
    def first_bit(self) -> int:
        """Offset of its first bit; of a little-endian bit field: from the least significant bit of its first byte."""
        if not (self.little and self.is_bit_field):
            return self.offset
        n_bytes = (self.offset % 8 + self.size - 1) // 8 + 1
        first_byte = self.offset // 8 - n_bytes + 1
        return first_byte * 8 + n_bytes * 8 - self.offset % 8 - self.size

    def lost(self, kind: str, why: str, line: int = 0) -> None:
        if "_CONVERSION" in kind:
            self.has_program = True
        self.losses.add(kind, f"{self.packet} {self.name}", why, line or self.line)


def integer(text: str) -> int:
    """Parse an integer as COSMOS does: also 0x and 0b. Raises ValueError."""
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f'"{text}" is not an integer') from None


def value_of(text: str, data_type: str) -> str | None:
    """A value as text: numbers decimal, bytes hexadecimal; None if it is not valid."""
    if data_type == "STRING":
        return text
    if data_type == "BLOCK":
        return text[2:].upper() if HEXADECIMAL.fullmatch(text) else text.encode().hex().upper()
    try:
        return str(int(text, 0)) if data_type != "FLOAT" else repr(float(text))
    except ValueError:
        return None


# Positions


def place_items(items: Sequence[Item], in_packet: Sequence[Item]) -> Iterator[tuple[Item, Placement]]:
    """Yield the items to convert in the order of the packet, each with its position. `in_packet`: all items of it."""
    converted = {each.name for each in items}
    at, floats = 0, False
    for item in sorted((each for each in in_packet if each.offset >= 0), key=lambda each: each.offset):
        first = item.first_bit
        if item.name not in converted:
            if item.variable is not None:
                _lose_after(item, items)
                converted -= {each.name for each in items if each.offset >= item.offset}
            continue
        if first == at:
            location = None
        elif floats:
            location = Location(first - at)
        else:
            location = Location(first, from_start=True)
        yield item, Placement(location, line=item.line)
        floats = floats or item.variable is not None
        at = first + (item.end_bits - item.offset)
    for item in sorted((each for each in items if each.offset < 0), key=lambda each: each.offset):
        whole = item.size if item.array_bits is None else item.array_bits
        yield item, Placement(Location(-item.offset - whole, from_end=True), line=item.line)


def _lose_after(item: Item, items: Sequence[Item]) -> None:
    for each in items:
        if each.offset >= item.offset:
            each.lost("ITEM", f"comes after {item.name}, which is not converted and has no fixed size")


# Types


def type_of(item: Item, keys: Mapping[str, str]) -> ParameterType | None:
    """The type of an item; None, and a loss, if there is no equivalent."""
    element = _element_of(item, keys)
    if element is None or item.array_bits is None:
        return element
    if item.size <= 0:
        item.lost("ARRAY_ITEM", "an array of elements without a size is not converted")
        return None
    if item.little and item.is_bit_field and item.size != 8:
        item.lost("ARRAY_ITEM", "an array of little-endian bit fields is not converted")
        return None
    if item.variable is not None:
        of, per, by = item.variable
        return ArrayType("", element, (Dynamic(_reference_to(of, keys), per / item.size, by / item.size),))
    if item.array_bits <= 0:
        return ArrayType("", element, (Remainder(-item.array_bits),))
    return ArrayType("", element, (item.array_bits // item.size,))


def _reference_to(of: str, keys: Mapping[str, str]) -> Reference:
    if of not in keys:
        raise ValueError(f"VARIABLE_BIT_SIZE: there is no item {of}")
    return Reference(keys[of])


def _size_of(item: Item, keys: Mapping[str, str]) -> Size:
    if item.variable is not None and item.array_bits is None:
        of, per, by = item.variable
        return Dynamic(_reference_to(of, keys), float(per), float(by))
    return item.size if item.size > 0 else Remainder(-item.size)


def _element_of(item: Item, keys: Mapping[str, str]) -> ParameterType | None:
    if item.data_type in {"STRING", "BLOCK"}:
        return _bytes_of(item, keys)
    if item.variable is not None and item.array_bits is None:
        item.lost("VARIABLE_BIT_SIZE", "a number of variable size (QUIC) is not converted, nor the items after it")
        return None
    encoding = _encoding_of(item)
    if encoding is None:
        return None
    calibrator, contexts = _conversion_of(item, keys)
    if calibrator is not None:
        encoding = NumberEncoding(
            encoding.size_bits,
            encoding.form,
            encoding.little_endian,
            calibrator=calibrator,
            contexts=contexts,
            lsb_first=encoding.lsb_first,
        )
    labels = _labels_of(item, calibrated=calibrator is not None or encoding.is_float)
    if labels:
        return EnumeratedType("", encoding, labels, item.unit, _colors_of(item, labels))
    real = calibrator is not None or encoding.is_float
    return NumberType("", encoding, real, item.unit, _limits_of(item))


def _bytes_of(item: Item, keys: Mapping[str, str]) -> ParameterType | None:
    for name, _, _, line in item.states:
        item.lost("STATE", f"{name}: a state of text or bytes is not converted", line)
    if item.coefficients or item.segments:
        item.lost("POLY_READ_CONVERSION", "a polynomial of text or bytes is not converted")
    if item.offset % 8:
        item.lost("ITEM", "text or bytes that do not begin at a byte are not converted")
        return None
    size = _size_of(item, keys)
    if item.data_type == "STRING":
        return StringType("", StringEncoding(size, "utf-8", b"\0"), item.unit)
    return BinaryType("", BinaryEncoding(size), item.unit)


def _encoding_of(item: Item) -> NumberEncoding | None:  # noqa: PLR0911 - a case for each encoding
    if item.data_type == "FLOAT":
        if item.size not in FLOAT_BITS or item.offset % 8:
            item.lost("ITEM", f"a float of {item.size} bits at bit {item.offset} is not converted")
            return None
        return NumberEncoding(item.size, "IEEE754", item.little and item.size > 8)
    if item.data_type not in {"INT", "UINT"}:
        item.lost("ITEM", f"data type {item.data_type} is not converted")
        return None
    if not 1 <= item.size <= 64:
        item.lost("ITEM", f"a number of {item.size} bits is not converted")
        return None
    form = "twosComplement" if item.data_type == "INT" and item.size > 1 else "unsigned"
    if not item.little or (item.size == 8 and not item.is_bit_field):
        return NumberEncoding(item.size, form)
    if not item.is_bit_field:
        return NumberEncoding(item.size, form, little_endian=True)
    return _little_bit_field(item, form)


def _little_bit_field(item: Item, form: str) -> NumberEncoding | None:
    first = item.first_bit
    if item.offset >= 0 and first < 0:
        item.lost("ITEM", "a little-endian bit field that begins before the packet is not converted")
        return None
    if item.offset < 0:
        item.lost("ITEM", "a little-endian bit field at an offset from the packet's end is not converted")
        return None
    if item.size % 8 == 0 and first % 8:
        item.lost(
            "ITEM", f"a little-endian bit field of {item.size} bits that does not begin at a byte is not converted"
        )
        return None
    whole = item.size % 8 == 0
    return NumberEncoding(item.size, form, little_endian=whole and item.size > 8, lsb_first=not whole)


Contexts = tuple[tuple[Condition, Calibrator], ...]


def _conversion_of(item: Item, keys: Mapping[str, str]) -> tuple[Calibrator | None, Contexts]:
    """A polynomial, or one for each segment from its lower bound on; the lowest one also below its bound."""
    if item.coefficients:
        return Polynomial(item.coefficients), ()
    if not item.segments:
        return None, ()
    ordered = sorted(item.segments, reverse=True)
    own = Reference(keys[item.name], calibrated=False)
    cases = [(Comparison(own, ">=", repr(low)), Polynomial(each or (0.0,))) for low, each in ordered[:-1]]
    return Polynomial(ordered[-1][1] or (0.0,)), tuple(cases)


def _labels_of(item: Item, *, calibrated: bool) -> tuple[tuple[int, int, str], ...]:
    """States by value; of two names for one value the later one is used, as in COSMOS."""
    found: dict[int, tuple[str, int]] = {}
    for name, text, _, line in item.states:
        value = value_of(text, item.data_type) if not calibrated else None
        if value is None:
            why = "a state of a converted value or float" if calibrated else f'the value "{text}"'
            item.lost("STATE", f"{name}: {why} is not converted", line)
        else:
            if int(value) in found:
                before, its_line = found.pop(int(value))
                item.lost("STATE", f"{before}: the value {value} is that of {name}", its_line)
            found[int(value)] = name, line
    return tuple((value, value, name) for value, (name, _) in found.items())


def _colors_of(item: Item, labels: Sequence[tuple[int, int, str]]) -> Limits:
    known = {label for _, _, label in labels}
    levels = tuple(
        (name, COLORS[color]) for name, _, color, _ in item.states if COLORS.get(color) and name in known
    )
    return Limits(alarm=Alarm(labels=levels)) if levels else Limits()


def _limits_of(item: Item) -> Limits:
    """The limits of DEFAULT, and of each other set if the constant LIMITS_SET has its name."""
    if not item.limits:
        return Limits()
    if not item.has_limits_enabled:
        item.lost("LIMITS", "disabled limits are not converted", item.limits_line)
        return Limits()
    chosen = Reference(LIMITS_SET)
    return Limits(
        alarm=_alarm(item.limits[DEFAULT_LIMITS], item.persistence),
        contexts=tuple(
            (Comparison(chosen, "==", name), _alarm(values, item.persistence))
            for name, values in item.limits.items()
            if name != DEFAULT_LIMITS
        ),
    )


def _alarm(values: tuple[float, ...], persistence: int) -> Alarm:
    """The alarm of four limits; a value equal to a limit is outside."""
    red_low, yellow_low, yellow_high, red_high = values
    bands = (
        (WARNING, Range(yellow_low, yellow_high, with_low=False, with_high=False), False),
        (CRITICAL, Range(red_low, red_high, with_low=False, with_high=False), False),
    )
    return Alarm(bands, violations=persistence)
