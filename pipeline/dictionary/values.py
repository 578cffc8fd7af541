"""Values already read from the packets at hand, and what is decided by them: sizes and conditions.

Conditions are compiled against the types once: literals become numbers, labels become sets of raw values, and a
comparison that could never be made is a problem of the file, not of a packet.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, Ragged
from pipeline.dictionary.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Dynamic,
    Lookup,
    NoneOf,
    Reference,
    Remainder,
    Size,
)
from pipeline.dictionary.conversions import conversion_of
from pipeline.dictionary.definitions import Dictionary
from pipeline.dictionary.document import integer_of
from pipeline.dictionary.local import LOCAL
from pipeline.dictionary.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    SpelledType,
    StringType,
    TimeType,
    UnencodedType,
)
from pipeline.dictionary.steps import LeafType, Slot
from pipeline.errors import ConfigError, Problem

Array = NDArray[Any]
Mask = NDArray[np.bool_]
Ranges = tuple[tuple[int, int], ...]
MAX_SIZE = 1 << 40
"""Sizes told by a packet are cut here, far beyond any packet, so that no arithmetic overflows."""

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(slots=True)
class Values:
    """Columns of `n` packets by slot; `latest` is the last slot of each parameter read so far."""

    n: int
    around: Values | None = None
    """Those of which these are some, and `rows`: which."""
    rows: NDArray[np.intp] | None = None
    raw: dict[Slot, Column] = field(default_factory=dict)
    calibrated: dict[Slot, Column] = field(default_factory=dict)
    latest: dict[str, Slot] = field(default_factory=dict)
    unknown: Mask | None = None
    """bool[n]: packets with a value that has no meaning; None: none."""
    places: dict[Slot, NDArray[np.int64]] = field(default_factory=dict)
    """int64[n]: bits from the packet's start to those slots that are check words."""
    foreign: bool = False
    """Whether they are of other packets."""

    def keep(self, slot: Slot, raw: Column, calibrated: Column) -> None:
        """The columns of one slot."""
        self.raw[slot], self.calibrated[slot] = raw, calibrated
        self.latest[slot.key] = slot

    def flag(self, unknown: Mask | None) -> None:
        """Note packets with a value that has no meaning."""
        if unknown is not None:
            self.unknown = unknown if self.unknown is None else self.unknown | unknown

    def of(self, key: str, *, calibrated: bool) -> Array:
        """One scalar for each packet; where a packet has none, what stands there means nothing."""
        slot = self.latest.get(key)
        if slot is None:
            assert self.around is not None
            return self.around.of(key, calibrated=calibrated)[self.rows]
        column = (self.calibrated if calibrated else self.raw)[slot]
        if not isinstance(column, Ragged):
            return np.asarray(column)
        filled = np.zeros(self.n, column.values.dtype)
        there = column.length > 0
        filled[there] = column.values[column.start[there]]
        return filled

    def present(self, key: str) -> Mask | None:
        """Which packets have the parameter; None: all."""
        slot = self.latest.get(key)
        if slot is None:
            assert self.around is not None
            found = self.around.present(key)
            return None if found is None else found[self.rows]
        column = self.raw[slot]
        return column.length > 0 if isinstance(column, Ragged) else None

    def lacks(self, key: str) -> Mask | None:
        """Packets for which a value of another packet is asked that has not come; None: none, or it is their own."""
        if key in self.latest:
            there = self.present(key) if self.foreign else None
            return None if there is None else ~there
        found = self.around.lacks(key) if self.around is not None else None
        return None if found is None else found[self.rows]

    def inside(self, rows: NDArray[np.intp]) -> Values:
        """An empty place for values of some of the packets, from which these can be seen."""
        return Values(len(rows), self, rows)

    def knows(self, key: str) -> bool:
        return key in self.latest

    def subset(self, rows: NDArray[np.intp]) -> Values:
        """The same of some packets."""
        small = Values(len(rows), self.around, None if self.rows is None else self.rows[rows], latest=self.latest)
        small.foreign = self.foreign
        small.unknown = None if self.unknown is None else self.unknown[rows]
        small.places = {slot: place[rows] for slot, place in self.places.items()}
        small.raw = {slot: _rows_of(raw, rows) for slot, raw in self.raw.items()}
        for slot, calibrated in self.calibrated.items():
            same = self.raw.get(slot) is calibrated
            small.calibrated[slot] = small.raw[slot] if same else _rows_of(calibrated, rows)
        return small


def _rows_of(column: Column, rows: NDArray[np.intp]) -> Column:
    if isinstance(column, Ragged):
        return Ragged(column.values, column.start[rows], column.length[rows])
    return column[rows]


class Criterion(Protocol):
    """A compiled condition."""

    def holds(self, values: Values) -> Mask: ...
    def needs(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class Compares:
    """One parameter against a literal. `by_raw`: a whole number is compared with the raw value, or its equal."""

    key: str
    calibrated: bool
    operator: str
    literal: Any
    by_raw: bool = True

    def holds(self, values: Values) -> Mask:
        left = values.of(self.key, calibrated=self.calibrated)
        return _where_present(np.asarray(OPERATORS[self.operator](left, self.literal)), values, self.key)

    def needs(self) -> frozenset[str]:
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class ComparesPair:
    """One parameter against another."""

    left: Reference
    operator: str
    right: Reference

    def holds(self, values: Values) -> Mask:
        left, right = (values.of(each.parameter, calibrated=each.calibrated) for each in (self.left, self.right))
        found = np.asarray(OPERATORS[self.operator](left, right))
        return _where_present(found, values, self.left.parameter, self.right.parameter)

    def needs(self) -> frozenset[str]:
        return frozenset({self.left.parameter, self.right.parameter})


@dataclass(frozen=True, slots=True)
class HasLabel:
    """The raw value is, or is not, in one of the ranges of a label."""

    key: str
    ranges: tuple[tuple[int, int], ...]
    negated: bool

    def holds(self, values: Values) -> Mask:
        raw = values.of(self.key, calibrated=False)
        found = np.zeros(len(raw), np.bool_)
        for low, high in self.ranges:
            found |= (raw >= low) & (raw <= high)
        return _where_present(~found if self.negated else found, values, self.key)

    def needs(self) -> frozenset[str]:
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class HasOctets:
    """The bytes are, or are not, these."""

    key: str
    octets: bytes
    negated: bool

    def holds(self, values: Values) -> Mask:
        raw = values.of(self.key, calibrated=False)
        found = (raw == np.frombuffer(self.octets, np.uint8)).all(axis=1)
        return _where_present(~found if self.negated else found, values, self.key)

    def needs(self) -> frozenset[str]:
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class Combines:
    """All of several tests, or any; `negated`: not so."""

    parts: tuple[Criterion, ...]
    every: bool
    negated: bool = False

    def holds(self, values: Values) -> Mask:
        masks = [part.holds(values) for part in self.parts]
        found = masks[0]
        for mask in masks[1:]:
            found = found & mask if self.every else found | mask
        return ~found if self.negated else found

    def needs(self) -> frozenset[str]:
        return frozenset().union(*(part.needs() for part in self.parts))


def values_wanted(test: Criterion) -> Iterator[tuple[str, int]]:
    """Raw values that a test cannot hold without."""
    for key, ranges in ranges_wanted(test):
        if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
            yield key, ranges[0][0]


def ranges_wanted(test: Criterion) -> Iterator[tuple[str, Ranges]]:
    """Ranges of raw values, lowest and highest, of which a test cannot hold without one."""
    if isinstance(test, Compares) and test.by_raw and test.operator == "==" and isinstance(test.literal, int):
        yield test.key, ((test.literal, test.literal),)
    elif isinstance(test, HasLabel) and not test.negated:
        yield test.key, test.ranges
    elif isinstance(test, Combines) and test.every and not test.negated:
        for part in test.parts:
            yield from ranges_wanted(part)


def _where_present(found: Mask, values: Values, *keys: str) -> Mask:
    """What a packet does not have compares with nothing."""
    for key in keys:
        there = values.present(key)
        if there is not None:
            found = found & there
    return found


def compile_condition(condition: Condition, dictionary: Dictionary, *, late: bool = False) -> Criterion:
    """Raises ConfigError where a comparison cannot be made. `late`: it is made when all is calibrated."""
    if isinstance(condition, NoneOf):
        none = tuple(compile_condition(part, dictionary, late=late) for part in condition.parts)
        return Combines(none, every=False, negated=True)
    if isinstance(condition, AllOf | AnyOf):
        parts = tuple(compile_condition(part, dictionary, late=late) for part in condition.parts)
        return parts[0] if len(parts) == 1 else Combines(parts, isinstance(condition, AllOf))
    left = _scalar_type(condition.left, dictionary, late=late, octets=isinstance(condition.right, str))
    if isinstance(condition.right, Reference):
        _scalar_type(condition.right, dictionary, late=late)
        sides = meant(condition.left, dictionary), meant(condition.right, dictionary)
        return ComparesPair(sides[0], condition.operator, sides[1])
    try:
        return _compare(condition, left)
    except ValueError as error:
        text = f'"{condition.left.parameter}" cannot be compared: {error}'
        raise ConfigError([Problem(text, dictionary.file, condition.line, "Comparison")]) from error


def meant(reference: Reference, dictionary: Dictionary) -> Reference:
    """The same reference; of what is written as text always the value, which is all that one can reckon with."""
    spelled = isinstance(dictionary.parameters[reference.parameter].type, SpelledType)
    return replace(reference, calibrated=True) if spelled else reference


def _scalar_type(
    reference: Reference, dictionary: Dictionary, *, late: bool = False, octets: bool = False
) -> LeafType:
    parameter = dictionary.parameters.get(reference.parameter)
    if parameter is None:
        text = f'"{reference.parameter.removeprefix(LOCAL)}" is no member of an aggregate around what refers to it'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    kind = parameter.type
    if isinstance(kind, UnencodedType) and kind.value is not None:
        return kind.value
    if isinstance(kind, BinaryType) and isinstance(kind.encoding.size, int) and octets:
        return kind
    if isinstance(kind, ArrayType | AggregateType | UnencodedType | BinaryType | CodedTimeType):
        text = f'"{reference.parameter}" is no number, label or text that one could compare'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    by_context = isinstance(kind, NumberType) and kind.encoding.is_contextual
    by_context |= isinstance(kind, TimeType) and kind.offset_from is not None
    if by_context and reference.calibrated and not late:
        text = f'"{reference.parameter}" is calibrated by context, too late for this: refer to its raw value'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    return kind


def _compare(condition: Comparison, kind: LeafType) -> Criterion:
    key, literal = condition.left.parameter, condition.right
    assert isinstance(literal, str)
    if isinstance(kind, StringType):
        return Compares(key, True, condition.operator, literal)
    if isinstance(kind, BinaryType):
        return _compare_octets(condition, kind, literal)
    if isinstance(kind, SpelledType):
        spelled = _spelled_literal(condition, kind.value, literal)
        return Compares(key, True, condition.operator, spelled, by_raw=False)
    if condition.left.calibrated and isinstance(kind, EnumeratedType):
        return _compare_label(condition, kind, literal)
    if condition.left.calibrated and isinstance(kind, BooleanType):
        return Compares(key, True, condition.operator, _truth(kind, literal), by_raw=False)
    whole = not isinstance(kind, NumberType) or conversion_of(kind) is None or not condition.left.calibrated
    return Compares(key, condition.left.calibrated, condition.operator, _number(literal, whole=whole))


def _spelled_literal(condition: Comparison, kind: NumberType | EnumeratedType | BooleanType, literal: str) -> Any:
    if isinstance(kind, BooleanType):
        return _truth(kind, literal)
    if isinstance(kind, NumberType):
        return _number(literal, whole=not kind.real)
    if condition.left.calibrated:
        _compare_label(condition, kind, literal)
        return literal
    number = integer_of(literal)
    found = next((label for low, high, label in kind.labels if low <= number <= high), None)
    if found is None or condition.operator not in {"==", "!="}:
        raise ValueError(f'type "{kind.name}" has no label for "{literal}", or labels no order')
    return found


def _number(literal: str, *, whole: bool) -> float:
    try:
        return integer_of(literal) if whole else float(literal)
    except ValueError:
        return float(literal)


def _truth(kind: BooleanType, literal: str) -> bool:
    if literal in {kind.one, kind.zero}:
        return literal == kind.one
    if literal.lower() in {"true", "1", "false", "0"}:
        return literal.lower() in {"true", "1"}
    raise ValueError(f'"{literal}" is neither "{kind.one}" nor "{kind.zero}"')


def _compare_label(condition: Comparison, kind: EnumeratedType, literal: str) -> Criterion:
    if condition.operator not in {"==", "!="}:
        raise ValueError(f"labels have no order for {condition.operator}")
    ranges = tuple((low, high) for low, high, label in kind.labels if label == literal)
    if not ranges and is_number(literal):
        # A number that is no label is meant for the raw value: files of the field leave useCalibratedValue out.
        number = integer_of(literal)
        ranges = ((number, number),)
    if not ranges:
        raise ValueError(f'type "{kind.name}" has no label "{literal}"')
    return HasLabel(condition.left.parameter, ranges, condition.operator == "!=")


def _compare_octets(condition: Comparison, kind: BinaryType, literal: str) -> Criterion:
    """Bytes of a fixed size against a literal in hexadecimal."""
    assert isinstance(kind.encoding.size, int)
    if condition.operator not in {"==", "!="}:
        raise ValueError(f"bytes have no order for {condition.operator}")
    size_bits = kind.encoding.size
    digits = literal.strip().lower().removeprefix("0x")
    try:
        number = int(digits, 16)
    except ValueError as error:
        raise ValueError(f'"{literal}" is not hexadecimal') from error
    if number >> size_bits:
        raise ValueError(f'"{literal}" is longer than {size_bits} bits')
    n_bytes = (size_bits + 7) // 8
    octets = (number << (n_bytes * 8 - size_bits)).to_bytes(n_bytes, "big")
    return HasOctets(condition.left.parameter, octets, condition.operator == "!=")


def is_number(literal: str) -> bool:
    """Whether a literal is a whole number."""
    try:
        integer_of(literal)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class SizeProgram:
    """A compiled size: a constant, a linear function of a parameter, or the first case that holds."""

    constant: int = 0
    dynamic: Dynamic | None = None
    cases: tuple[tuple[Criterion, int], ...] = ()

    def of(self, values: Values) -> NDArray[np.int64]:
        """int64[n]; -1 where no case holds."""
        if self.dynamic is not None:
            key = self.dynamic.of.parameter
            size = _linear(self.dynamic, values.of(key, calibrated=self.dynamic.of.calibrated))
            lacks = values.lacks(key)
            return size if lacks is None else np.where(lacks, -1, size)
        if not self.cases:
            return np.full(values.n, self.constant, np.int64)
        size, open_rows = np.full(values.n, -1, np.int64), np.ones(values.n, np.bool_)
        for test, value in self.cases:
            hits = open_rows & test.holds(values)
            size[hits] = value
            open_rows &= ~hits
        return size

    def needs(self) -> frozenset[str]:
        if self.dynamic is not None:
            return frozenset({self.dynamic.of.parameter})
        return frozenset().union(*(test.needs() for test, _ in self.cases))


def _linear(dynamic: Dynamic, value: Array) -> NDArray[np.int64]:
    if value.dtype.kind in "iu" and dynamic.slope.is_integer() and dynamic.intercept.is_integer():
        bounded = (
            np.clip(value, -MAX_SIZE if value.dtype.kind == "i" else 0, MAX_SIZE) if value.itemsize > 4 else value
        )
        slope, intercept = (int(np.clip(each, -MAX_SIZE, MAX_SIZE)) for each in (dynamic.slope, dynamic.intercept))
        if abs(slope) < 1 << 20:
            size = bounded.astype(np.int64)
            size *= slope
            if intercept:
                size += intercept
            return size
    with np.errstate(invalid="ignore", over="ignore"):
        real = value.astype(np.float64) * dynamic.slope + dynamic.intercept
    return np.nan_to_num(np.clip(real, -MAX_SIZE, MAX_SIZE), nan=-1.0).astype(np.int64)


def compile_size(size: Size, dictionary: Dictionary) -> SizeProgram:
    """Raises ConfigError where the size depends on what is no number."""
    if isinstance(size, int):
        return SizeProgram(size)
    if isinstance(size, Lookup):
        return SizeProgram(cases=tuple((compile_condition(case, dictionary), value) for case, value in size.cases))
    if isinstance(size, Remainder):
        raise ConfigError(
            [Problem("what goes on to the packet's end is no size of anything else", dictionary.file)]
        )
    check_number(size.of, dictionary, late=False)
    return SizeProgram(dynamic=replace(size, of=meant(size.of, dictionary)))


def check_number(reference: Reference, dictionary: Dictionary, *, late: bool = True) -> None:
    """Raises ConfigError where one cannot reckon with what is referred to."""
    kind = _scalar_type(reference, dictionary, late=late)
    spelled = isinstance(kind, SpelledType) and isinstance(kind.value, EnumeratedType)
    if spelled or isinstance(kind, StringType) or (reference.calibrated and isinstance(kind, EnumeratedType)):
        text = f'"{reference.parameter}" is no number that one could reckon with'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
