"""Parameter types: an encoding, what its values mean, and their unit.

A type is read when something first refers to it, so that array types may stand before their elements; a type
that refers to itself is a problem. Types that nothing refers to are read too: none escapes the strict look.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace

from ..model.conditions import Size
from ..model.definitions import MAX_NESTING
from ..model.document import Node, Reading
from ..model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from ..model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    EnumeratedType,
    NumberType,
    ParameterType,
    SpelledType,
    StringType,
    UnencodedType,
)
from .conditions import read_dimensions
from .encodings import (
    ENCODINGS,
    read_binary_encoding,
    read_float_encoding,
    read_integer_encoding,
    read_string_encoding,
    take_encoding,
)
from .limits import LABELS, OCTETS, TEXTS, TRUTHS, read_limits
from .scope import TYPES, Context, Definition
from .times import read_time

MAX_ARRAY_ELEMENTS = 1 << 26
MAX_ENUMERATION = 1 << 62
MAX_LABEL = 1024
MAX_MEMBERS = 1 << 14
"""Of an aggregate, those of aggregates inside counted: each is a column."""
AnyEncoding = NumberEncoding | StringEncoding | BinaryEncoding


class TypeReader:
    """Reads each type once."""

    def __init__(self) -> None:
        self._read: dict[Definition, ParameterType] = {}
        self._reading: set[Definition] = set()
        self._extents: dict[int, tuple[int, int]] = {}
        """By id of a type that was read."""

    def n_members(self, kind: ParameterType) -> int:
        """How many columns a parameter of a type becomes."""
        return self._extent(kind)[0]

    def _extent(self, kind: ParameterType) -> tuple[int, int]:
        """How many values a type has in the end, and how deep they are; its parts were read before."""
        if isinstance(kind, AggregateType):
            parts = [self._extents.get(id(member), (1, 0)) for _, member in kind.members]
            return sum(n for n, _ in parts), 1 + max((depth for _, depth in parts), default=0)
        if isinstance(kind, ArrayType):
            n, depth = self._extents.get(id(kind.element), (1, 0))
            return n, depth + 1
        return 1, 0

    def _bounded(self, found: ParameterType, definition: Definition, reading: Reading) -> ParameterType:
        """The type; ConfigError at once where it is nested too deep or has too many members."""
        n, depth = self._extent(found)
        if n > MAX_MEMBERS or depth > MAX_NESTING:
            what = (
                f"more than {MAX_MEMBERS} members" if n > MAX_MEMBERS else f"types nested deeper than {MAX_NESTING}"
            )
            reading.problem(definition.node, f"has {what}, those of the types inside counted")
            reading.check()
        self._extents[id(found)] = n, depth
        return found

    def read(self, definition: Definition, context: Context) -> ParameterType:
        """The type; an UnencodedType, with a problem, where it cannot be read."""
        if definition in self._read:
            return self._read[definition]
        node, here = definition.node, Context(context.reading, definition.system)
        if definition in self._reading or len(self._reading) >= MAX_NESTING:
            itself = "refers to itself" if definition in self._reading else f"is nested deeper than {MAX_NESTING}"
            context.reading.problem(node, itself)
            if len(self._reading) >= MAX_NESTING:
                context.reading.check()  # the types around it are as deep
            return UnencodedType(definition.name)
        self._reading.add(definition)
        before, context.reading.owner = context.reading.owner, definition
        found = self._dispatch(definition, here)
        context.reading.owner = before
        self._reading.discard(definition)
        self._read[definition] = self._bounded(found, definition, context.reading)
        return self._read[definition]

    def _dispatch(self, definition: Definition, context: Context) -> ParameterType:
        node, name = definition.node, definition.name
        if node.tag == "ArrayParameterType":
            return self._read_array(definition, context)
        if node.tag == "AggregateParameterType":
            return self._read_aggregate(definition, context)
        reader = _READERS.get(node.tag)
        if reader is None:
            context.reading.problem(node, f"element {node.tag} is not implemented")
            return UnencodedType(name)
        if "initialValue" in node.attributes:
            definition.initial = node.attributes.pop("initialValue")
        unit = read_unit(node, context)
        found = reader(node, name, unit, context)
        context.reading.finish(node)
        return found

    def _read_array(self, definition: Definition, context: Context) -> ParameterType:
        reading, node, name = context.reading, definition.node, definition.name
        element = context.resolve(TYPES, node, "arrayTypeRef")
        reading.read_past(node, "initialValue")
        n_dimensions = reading.integer(node, "numberOfDimensions", 0, 0, 32)
        listed = reading.child(node, "DimensionList")
        definition.dimensions = listed
        dimensions = self._read_dimensions(listed, context) if listed is not None else None
        if n_dimensions and dimensions is not None and len(dimensions) != n_dimensions:
            reading.problem(node, f"has {len(dimensions)} dimensions and says {n_dimensions}")
        reading.finish(node)
        if element is None:
            return UnencodedType(name)
        definition.uses.append(element)
        return ArrayType(name, self.read(element, context), dimensions)

    def _read_dimensions(self, listed: Node, context: Context) -> tuple[Size, ...] | None:
        """The type's own dimensions; None where they cannot be read, since each entry may say others."""
        reading = context.reading
        before, reading.owner = reading.owner, listed
        n_problems = reading.n_problems
        found = read_dimensions(listed, context, MAX_ARRAY_ELEMENTS)
        reading.owner = before
        return found if reading.n_problems == n_problems else None

    def _read_aggregate(self, definition: Definition, context: Context) -> ParameterType:
        reading, node, name = context.reading, definition.node, definition.name
        reading.read_past(node, "initialValue")
        members: dict[str, ParameterType] = {}
        for member in reading.listed(node, "MemberList", "Member"):
            member_name, found = reading.required(member, "name"), context.resolve(TYPES, member, "typeRef")
            reading.read_past(member, "initialValue")
            reading.finish(member)
            if member_name in members:
                reading.problem(member, "is there twice")
            elif found is not None:
                definition.uses.append(found)
                members[member_name] = self.read(found, context)
        if not members:
            reading.problem(node, "has no Member")
        reading.finish(node)
        return AggregateType(name, tuple(members.items()))


def read_unit(node: Node, context: Context) -> str:
    """UnitSet as one word: its units with factors and powers ("m s^-1")."""
    reading = context.reading
    words: list[str] = []
    for unit in reading.listed(node, "UnitSet", "Unit"):
        power, factor = reading.attribute(unit, "power", "1"), reading.attribute(unit, "factor", "1")
        reading.read_past(unit, "description", "form")
        word = reading.text(unit)
        word = f"{word}^{power.removesuffix('.0')}" if word and power not in {"1", "1.0"} else word
        words.append(f"{factor} {word}" if factor not in {"1", "1.0"} else word)
        reading.finish(unit)
    return " ".join(word for word in words if word)


def _read_integer(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    # The size and sign of the engineering value; those in the packet are the encoding's.
    signed = context.reading.flag(node, "signed", default=True)
    context.reading.integer(node, "sizeInBits", 32, 1, 1 << 16)
    context.reading.past(node, "ToString")
    encoding = _read_encoding(node, context, "IntegerDataEncoding", "FloatDataEncoding", "StringDataEncoding")
    limits = read_limits(node, context)
    form = "twosComplement" if signed else "unsigned"
    real = isinstance(encoding, NumberEncoding) and encoding.is_float
    if real:
        text = "an integer that is sent as a float is given as the float that it is"
        context.reading.notice(node, text, "FloatDataEncoding in IntegerParameterType is not implemented")
    return _typed(encoding, NumberEncoding(64, form), lambda number: NumberType(name, number, real, unit, limits))


def _read_float(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    context.reading.integer(node, "sizeInBits", 32, 1, 1 << 16)
    context.reading.read_past(node, "signed")  # no attribute of the schema: the encoding says it
    context.reading.past(node, "ToString")
    encoding = _read_encoding(node, context, "IntegerDataEncoding", "FloatDataEncoding", "StringDataEncoding")
    limits = read_limits(node, context)
    real = NumberEncoding(64, "IEEE754")
    return _typed(encoding, real, lambda number: NumberType(name, number, True, unit, limits))


def _read_enumerated(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    reading = context.reading
    reading.read_past(node, "signed", "sizeInBits")  # no attributes of the schema: the encoding says it
    encoding = _read_encoding(node, context, "IntegerDataEncoding", "StringDataEncoding")
    if isinstance(encoding, NumberEncoding) and (encoding.calibrator or encoding.contexts):
        text = "a calibrator in an enumeration"
        reading.notice(node, f"{text} is passed over: labels are of the raw value", f"{text} is not implemented")
        encoding = replace(encoding, calibrator=None, contexts=())
    labels = _read_labels(node, context)
    limits = read_limits(node, context, kind=LABELS)
    number = NumberEncoding(64, "twosComplement")
    return _typed(encoding, number, lambda each: EnumeratedType(name, each, labels, unit, limits))


def _read_labels(node: Node, context: Context) -> tuple[tuple[int, int, str], ...]:
    reading = context.reading
    labels: list[tuple[int, int, str]] = []
    ordered: list[tuple[int, int, str]] = []
    for each in reading.listed(node, "EnumerationList", "Enumeration"):
        low = reading.number_in(each, reading.required(each, "value"), "value", -MAX_ENUMERATION, MAX_ENUMERATION)
        high = reading.integer(each, "maxValue", low, low, MAX_ENUMERATION)
        label = reading.required(each, "label")
        if len(label) > MAX_LABEL:
            reading.problem(each, f"a label of more than {MAX_LABEL} characters")
            label = label[:MAX_LABEL]
        place = bisect_right(ordered, (low, MAX_ENUMERATION + 1, ""))
        beside = [ordered[i] for i in (place - 1, place) if 0 <= i < len(ordered)]
        twice = next((other for first, last, other in beside if first <= high and low <= last), None)
        if twice is not None and low == high and (low, low, twice) in labels:
            text = "a value has two labels: the last one counts, as in other tools"
            reading.notice(each, text, f'value {low} has the label "{twice}" already')
            for table in (labels, ordered):
                table[table.index((low, low, twice))] = low, low, label
        elif twice is not None:
            reading.problem(each, f'value {low} has the label "{twice}" already')
        else:
            labels.append((low, high, label))
            ordered.insert(place, labels[-1])
        reading.finish(each)
    if not labels:
        reading.problem(node, "has no Enumeration")
    return tuple(labels)


def _read_boolean(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    one = context.reading.attribute(node, "oneStringValue", "True")
    zero = context.reading.attribute(node, "zeroStringValue", "False")
    encoding = _read_encoding(node, context, *ENCODINGS)
    if isinstance(encoding, NumberEncoding) and (encoding.calibrator or encoding.contexts):
        text = "a calibrator in a boolean"
        context.reading.notice(node, f"{text} is passed over: not zero is true", f"{text} is not implemented")
        encoding = replace(encoding, calibrator=None, contexts=())
    limits = read_limits(node, context, kind=TRUTHS)
    return _typed(encoding, NumberEncoding(1), lambda number: BooleanType(name, number, one, zero, unit, limits))


def _read_encoding(node: Node, context: Context, *implemented: str) -> AnyEncoding | None:
    """The encoding, if it is one of those implemented for the type."""
    found = take_encoding(node, context, *implemented)
    if found is None:
        return None
    if found.tag == "StringDataEncoding":
        return read_string_encoding(found, context)
    if found.tag == "BinaryDataEncoding":
        return read_binary_encoding(found, context)
    return (
        read_integer_encoding(found, context)
        if found.tag == "IntegerDataEncoding"
        else read_float_encoding(found, context)
    )


def _typed(
    encoding: AnyEncoding | None,
    number: NumberEncoding,
    make: Callable[[NumberEncoding], NumberType | EnumeratedType | BooleanType],
) -> ParameterType:
    """The type over its encoding; `number`: what a text in the packet becomes."""
    if isinstance(encoding, NumberEncoding):
        return make(encoding)
    value = make(number)
    if encoding is None:
        return UnencodedType(value.name, value.unit, value)
    return SpelledType(value.name, encoding, _judged_by_value(value))


def _judged_by_value(value: NumberType | EnumeratedType | BooleanType) -> NumberType | EnumeratedType | BooleanType:
    """What is spelled has no raw number that its ValidRange could be for."""
    if isinstance(value, BooleanType):
        return value
    return replace(value, limits=replace(value.limits, valid_is_raw=False))


def _read_string(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    context.reading.read_past(node, "characterWidth", "restrictionPattern")
    context.reading.past(node, "SizeRangeInCharacters")
    found = take_encoding(node, context, "StringDataEncoding")
    limits = read_limits(node, context, kind=TEXTS)
    encoding = read_string_encoding(found, context) if found else None
    return StringType(name, encoding, unit, limits) if encoding else UnencodedType(name, unit)


def _read_binary(node: Node, name: str, unit: str, context: Context) -> ParameterType:
    found = take_encoding(node, context, "BinaryDataEncoding")
    limits = read_limits(node, context, kind=OCTETS)
    encoding = read_binary_encoding(found, context) if found else None
    return BinaryType(name, encoding, unit, limits) if encoding else UnencodedType(name, unit)


_READERS: dict[str, Callable[[Node, str, str, Context], ParameterType]] = {
    "IntegerParameterType": _read_integer,
    "FloatParameterType": _read_float,
    "EnumeratedParameterType": _read_enumerated,
    "BooleanParameterType": _read_boolean,
    "StringParameterType": _read_string,
    "BinaryParameterType": _read_binary,
    "RelativeTimeParameterType": read_time,
    "AbsoluteTimeParameterType": read_time,
}
