"""Positions of the parameters of a container in a packet, as far as the dictionary determines them.

In: a dictionary and a container. Out: its parameters in packet order, each with its position in bits from an anchor: ""
is the start of the packet, "end" its end; else the key of an entry of variable size, which the parameter follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from ..dictionary.model.conditions import AllOf, Comparison, Condition, Reference, Size
from ..dictionary.model.definitions import (
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    Location,
    ParameterEntry,
    Placement,
    bases_of,
)
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from ..dictionary.model.parameter_types import AggregateType, ArrayType, NumberType, ParameterType, UnencodedType

START, END = "", "end"
Place = tuple[str, int]
PRIMARY_HEADER = {
    "VERSION": 3, "TYPE": 1, "SECONDARY_HEADER": 1, "APID": 11, "FLAGS": 2, "SEQUENCE": 14, "LENGTH": 16,
}  # fmt: skip
"""Fields of the primary header of a space packet (133.0-B 4.1.3) with their sizes in bits."""
HEADER_BITS = sum(PRIMARY_HEADER.values())
APID = (5, 11)
LENGTH = (32, 16)


@dataclass(frozen=True, slots=True)
class Placed:
    """One parameter in a packet. `size_bits`: None if it varies; `conditions`: of it and of all entries around it."""

    key: str
    name: str
    type: ParameterType
    place: Place
    size_bits: int | None
    entry: ParameterEntry
    conditions: tuple[Condition, ...] = ()

    @property
    def start(self) -> int | None:
        """Bits from the start of the packet; None if that varies."""
        return self.place[1] if self.place[0] == START else None


def members_of(placed: Placed) -> Iterator[Placed]:
    """The parameter, or of an aggregate the members of known places, those of aggregates in it too."""
    if not isinstance(placed.type, AggregateType):
        yield placed
        return
    anchor, at = placed.place
    for name, kind in placed.type.members:
        size_bits = fixed_bits(kind)
        key, full_name = f"{placed.key}.{name}", f"{placed.name}.{name}"
        inside = replace(placed, key=key, name=full_name, type=kind, place=(anchor, at), size_bits=size_bits)
        yield from members_of(inside)
        if size_bits is None:
            return
        at += size_bits


def placed_in(dictionary: Dictionary, container: Container) -> list[Placed]:
    """The parameters of packets of a container, those of its bases first."""
    walk = _Walk(dictionary)
    for each in reversed(list(bases_of(container, dictionary))):
        walk.container(each)
    return walk.found


def fixed_bits(kind: ParameterType, dimensions: tuple[Size, ...] | None = None) -> int | None:
    """The size of a value in bits; None if it varies."""
    if isinstance(kind, ArrayType):
        sizes = dimensions if dimensions is not None else kind.dimensions or ()
        one = fixed_bits(kind.element)
        counts = [size for size in sizes if isinstance(size, int)]
        return one * prod(counts) if one is not None and len(counts) == len(sizes) else None
    if isinstance(kind, AggregateType):
        parts = [fixed_bits(member) for _, member in kind.members]
        known = [part for part in parts if part is not None]
        return sum(known) if len(known) == len(parts) else None
    if isinstance(kind, UnencodedType):
        return None
    encoding: NumberEncoding | StringEncoding | BinaryEncoding = kind.encoding
    if isinstance(encoding, NumberEncoding):
        return encoding.size_bits
    return encoding.size if isinstance(encoding.size, int) else None


def criteria_of(dictionary: Dictionary, container: Container) -> list[Condition]:
    """The criteria of packets of a container, those of its bases first."""
    chain = reversed(list(bases_of(container, dictionary)))
    return [each.criteria for each in chain if each.criteria is not None]


def equalities(condition: Condition) -> Iterator[Comparison]:
    """The comparisons with == that must all hold for a condition to hold."""
    if isinstance(condition, AllOf):
        for part in condition.parts:
            yield from equalities(part)
    elif isinstance(condition, Comparison) and condition.operator == "==" and isinstance(condition.right, str):
        yield condition


def standing_at(placed: list[Placed], where: tuple[int, int]) -> Placed | None:
    """The unsigned integer at (first bit, bits) of every packet; None if there is none."""
    for each in placed:
        plain = isinstance(each.type, NumberType) and each.type.encoding == NumberEncoding(where[1])
        if (each.start, each.size_bits) == where and plain and not each.conditions:
            return each
    return None


def is_space_packet(placed: list[Placed]) -> bool:
    """Whether a packet begins with a primary header of CCSDS 133.0-B: no field crosses its end, and its length is a
    parameter.
    """
    crossing = (
        each.start < HEADER_BITS < each.start + (each.size_bits or 0) for each in placed if each.start is not None
    )
    return standing_at(placed, LENGTH) is not None and not any(crossing)


def equal(key: str, value: int | str) -> Comparison:
    """The condition that the raw value of a parameter is `value`."""
    return Comparison(Reference(key, calibrated=False), "==", str(value))


def at_bit(key: str, bits: int) -> ParameterEntry:
    """The entry of a parameter at `bits` from the start of the packet."""
    return ParameterEntry(key, Placement(Location(bits, from_start=True)))


class _Walk:
    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.found: list[Placed] = []
        self.at: Place = (START, 0)
        self.n = 0

    def container(self, container: Container) -> None:
        """Add a container of the chain of bases, whose start is that of the packet."""
        for entry in container.entries:
            self.entry(entry, (START, 0), ())

    def entry(self, entry: Entry, begin: Place, conditions: tuple[Condition, ...]) -> None:
        place = entry.place
        size = self.size(entry)
        behind = self.at
        self.move(place, begin, size)
        if place.condition is not None:
            conditions = (*conditions, place.condition)
        if isinstance(entry, ContainerEntry):
            inside = self.dictionary.containers[entry.container]
            start = self.at
            for each in inside.entries:
                self.entry(each, start, conditions)
        elif isinstance(entry, ParameterEntry):
            known = self.dictionary.parameters[entry.parameter]
            self.found.append(Placed(known.key, known.name, known.type, self.at, size, entry, conditions))
        self.pass_by(entry, size, behind)

    def move(self, place: Placement, begin: Place, size: int | None) -> None:
        location = place.location
        if location is None:
            return
        if not isinstance(location.bits, int) or location.before_next:
            self.n += 1
            self.at = (f"place {self.n}", 0)
        elif location.from_end:
            self.at = (END, -location.bits - (size or 0))
        elif location.from_start:
            self.at = (begin[0], begin[1] + location.bits)
        else:
            self.at = (self.at[0], self.at[1] + location.bits)

    def pass_by(self, entry: Entry, size: int | None, behind: Place) -> None:
        """Move to the end of an entry; if that varies, to a new anchor."""
        repetition = entry.place.repetition
        if entry.place.location is not None and entry.place.location.from_end:
            self.at = behind
            return
        is_sized = (
            isinstance(entry, ContainerEntry) and self.dictionary.containers[entry.container].size is not None
        )
        if isinstance(entry, ContainerEntry) and not (is_sized or repetition or entry.place.condition):
            return
        times: Size = repetition.count if repetition else 1
        gap: Size = repetition.gap if repetition else 0
        if size is None or not isinstance(times, int) or not isinstance(gap, int) or entry.place.condition:
            self.at = (getattr(entry, "parameter", getattr(entry, "container", "entry")), 0)
        elif not isinstance(entry, ContainerEntry):
            self.at = (self.at[0], self.at[1] + times * size + max(times - 1, 0) * gap)

    def size(self, entry: Entry) -> int | None:
        if isinstance(entry, FixedEntry):
            return entry.size_bits
        if isinstance(entry, ParameterEntry):
            return fixed_bits(self.dictionary.parameters[entry.parameter].type, entry.dimensions)
        return None
