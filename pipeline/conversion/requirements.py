"""Raw values that a packet needs to match the criteria of a container and to have valid sizes.

In: a dictionary and a container. Out: for each parameter a value, or limits. Only comparisons with literals are solved;
the maker of packets checks the result.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor

from ..dictionary.model.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Dynamic,
    Lookup,
    Reference,
    Size,
    Span,
)
from ..dictionary.model.definitions import Container, ContainerEntry, Dictionary, Entry, bases_of
from ..dictionary.model.encodings import NumberEncoding
from ..dictionary.model.parameter_types import (
    AggregateType,
    ArrayType,
    BooleanType,
    EnumeratedType,
    ParameterType,
    UnencodedType,
)
from ..dictionary.run.criteria import OPERATORS
from .places import Placed, criteria_of, members_of, placed_in
from .xtce_elements import positive

SPAN = 12
"""Largest difference of a size field from its least possible value."""
MAX_SIZE_BITS = 4096


@dataclass(slots=True)
class PacketRequirements:
    """`fixed`: required raw values; `rules`: comparisons that must hold; `ranges`: of size fields; `hints`: values in
    conditions.
    """

    fixed: dict[str, int | float] = field(default_factory=dict)
    rules: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    hints: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerRequirements:
    """The requirements that all packets of a container share."""

    criteria: tuple[Condition, ...]
    ranges: dict[str, tuple[int, int]]
    hints: dict[str, list[int]]
    header: tuple[Placed, ...]
    """Fields of the primary header's first four bytes."""


def requirements_of(dictionary: Dictionary, container: Container) -> ContainerRequirements:
    """The requirements of the packets of a container."""
    placed = placed_in(dictionary, container)
    ranges: dict[str, tuple[int, int]] = {}
    hints: dict[str, list[int]] = {}
    entries = [entry for each in bases_of(container, dictionary) for entry in _entries(dictionary, each)]
    for size in _with_indices(_sizes(dictionary, entries)):
        if isinstance(size, Dynamic) and size.slope:
            ranges[size.of.parameter] = _within(size, ranges.get(size.of.parameter))
        elif isinstance(size, Lookup):
            for condition, _ in size.cases:
                _hint(dictionary, condition, hints)
    for entry in entries:
        if entry.place.condition is not None:
            _hint(dictionary, entry.place.condition, hints)
        if isinstance(entry, ContainerEntry):
            _hint_children(dictionary, entry.container, hints)
    header = [
        each
        for one in placed
        for each in members_of(one)
        if each.start is not None and each.start + (each.size_bits or 99) <= 32
    ]
    return ContainerRequirements(tuple(criteria_of(dictionary, container)), ranges, hints, tuple(header))


def packet_requirements(
    shared: ContainerRequirements, dictionary: Dictionary, dice: random.Random, *, header: int | None
) -> PacketRequirements:
    """The requirements of one packet. `header`: the first four bytes of a space packet; None: it is none."""
    required = PacketRequirements(ranges=shared.ranges, hints=shared.hints)
    for condition in shared.criteria:
        _require(positive(condition), dictionary, required, dice)
    if header is not None:
        _fill_header([each for each in shared.header if _is_plain(each)], required, header)
    return required


def _is_plain(each: Placed) -> bool:
    encoding = getattr(each.type, "encoding", None)
    return isinstance(encoding, NumberEncoding) and encoding.form == "unsigned" and not encoding.little_endian


def _fill_header(fields: Sequence[Placed], required: PacketRequirements, word: int) -> None:
    """Set the fields of the header from a word, except those that the criteria require."""
    spans = {each.key: (32 - (each.start or 0) - (each.size_bits or 0), each.size_bits or 0) for each in fields}
    for key, (shift, bits) in spans.items():
        if key in required.fixed:
            mask = (1 << bits) - 1
            word = word & ~(mask << shift) | (int(required.fixed[key]) & mask) << shift
    for key, (shift, bits) in spans.items():
        if key not in required.fixed and key not in required.rules:
            required.fixed[key] = word >> shift & ((1 << bits) - 1)


def allowed(value: float, rules: Iterable[tuple[str, float]]) -> bool:
    """Whether a value meets all comparisons."""
    return all(OPERATORS[operator](value, literal) for operator, literal in rules)


def _require(
    condition: Condition, dictionary: Dictionary, required: PacketRequirements, dice: random.Random
) -> None:
    if isinstance(condition, AllOf):
        for part in condition.parts:
            _require(part, dictionary, required, dice)
    elif isinstance(condition, AnyOf):
        _require(dice.choice(condition.parts), dictionary, required, dice)
    elif isinstance(condition, Comparison) and isinstance(condition.right, str):
        value = literal_of(dictionary, condition.left, condition.right)
        if value is None:
            return
        if condition.operator == "==":
            required.fixed[condition.left.parameter] = value
        else:
            required.rules.setdefault(condition.left.parameter, []).append((condition.operator, value))


def literal_of(dictionary: Dictionary, reference: Reference, literal: str) -> int | float | None:
    """The raw value of a literal in a comparison; None if it is unknown."""
    kind = dictionary.parameters[reference.parameter].type
    if isinstance(kind, EnumeratedType) and reference.calibrated:
        return next((low for low, _, label in kind.labels if label == literal), None)
    if isinstance(kind, BooleanType) and reference.calibrated:
        return int(literal in {kind.one, "1"} or literal.lower() == "true")
    try:
        return int(literal, 0)
    except ValueError:
        pass
    try:
        return float(literal)
    except ValueError:
        return None


def _within(size: Dynamic, known: tuple[int, int] | None) -> tuple[int, int]:
    """The range of a size field that gives no negative or very large size, within the range `known` before."""
    edges = sorted((bits - size.intercept) / size.slope for bits in (0, MAX_SIZE_BITS))
    low, high = ceil(edges[0]), floor(edges[1])
    if size.slope > 0:
        low = max(low, 0)
        high = min(high, low + SPAN)
    else:
        high = max(high, 0)
        low = max(low, high - SPAN, 0)
    if known is not None:
        low, high = max(low, known[0]), max(min(high, known[1]), low, known[0])
    return low, max(high, low)


def _entries(dictionary: Dictionary, container: Container) -> Iterator[Entry]:
    for entry in container.entries:
        yield entry
        if isinstance(entry, ContainerEntry):
            yield from _entries(dictionary, dictionary.containers[entry.container])


def _sizes(dictionary: Dictionary, entries: Iterable[Entry]) -> Iterator[Size]:
    for entry in entries:
        if entry.place.repetition is not None:
            yield from (entry.place.repetition.count, entry.place.repetition.gap)
        if entry.place.location is not None:
            yield entry.place.location.bits
        yield from getattr(entry, "dimensions", None) or ()
        key = getattr(entry, "parameter", None)
        if key is not None:
            yield from _sizes_of_type(dictionary.parameters[key].type)


def _with_indices(sizes: Iterable[Size]) -> Iterator[Size]:
    """The sizes, of a difference of indices these two."""
    for size in sizes:
        yield from _with_indices((size.start, size.behind)) if isinstance(size, Span) else (size,)


def _sizes_of_type(kind: ParameterType) -> Iterator[Size]:
    if isinstance(kind, ArrayType):
        yield from kind.dimensions or ()
        yield from _sizes_of_type(kind.element)
    elif isinstance(kind, AggregateType):
        for _, member in kind.members:
            yield from _sizes_of_type(member)
    elif not isinstance(kind, UnencodedType):
        size = getattr(kind.encoding, "size", None)
        if isinstance(size, Dynamic | Lookup):
            yield size


def _hint_children(dictionary: Dictionary, key: str, hints: dict[str, list[int]]) -> None:
    for child in dictionary.children.get(key, ()):
        criteria = dictionary.containers[child].criteria
        if criteria is not None:
            _hint(dictionary, criteria, hints)
        _hint_children(dictionary, child, hints)


def _hint(dictionary: Dictionary, condition: Condition, hints: dict[str, list[int]]) -> None:
    if not isinstance(condition, Comparison):
        for part in condition.parts:
            _hint(dictionary, part, hints)
    elif isinstance(condition.right, str):
        value = literal_of(dictionary, condition.left, condition.right)
        if value is not None and float(value).is_integer():
            known = hints.setdefault(condition.left.parameter, [])
            known += [each for each in (int(value), int(value) - 1, int(value) + 1) if each not in known]
