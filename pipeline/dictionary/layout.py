"""Where everything stands: the entries of a container, its bases and the containers inside, as a list of steps.

A `Block` is a run of fields at fixed places from one anchor: the packet's start, or wherever the last variable
field ended. What has no fixed size (`Variable`) or place (`Move`) ends a block. So a container with fixed
places only is one block, whatever its order, overlays and gaps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from pipeline.dictionary.definitions import (
    MAX_CONTAINER_BITS,
    ArrayType,
    BinaryType,
    Container,
    ContainerEntry,
    Dictionary,
    Location,
    NumberType,
    ParameterEntry,
    ParameterType,
    ScalarType,
    Size,
    StringType,
    UnencodedType,
)
from pipeline.errors import ConfigError, Problem

MAX_FIELDS = 200_000
"""Containers inside containers could multiply without end."""

LeafType = ScalarType | StringType | BinaryType


class Slot(NamedTuple):
    """One coming of one parameter in a packet; `times` counts from 0."""

    key: str
    times: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """Values of one type at a fixed place: one, or an array of `shape` with elements `size_bits` apart."""

    slot: Slot
    type: LeafType
    offset_bits: int
    size_bits: int
    shape: tuple[int, ...] = ()

    @property
    def end_bits(self) -> int:
        return self.offset_bits + self.size_bits * prod(self.shape)


@dataclass(frozen=True, slots=True)
class Block:
    """Fields from an anchor on. `end_bits`: where the next entry would begin."""

    from_start: bool
    fields: tuple[Field, ...]
    end_bits: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A string, blob or array whose size a packet tells. `dimensions`: empty for one value of `size` bits."""

    slot: Slot
    type: LeafType
    size: Size
    dimensions: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Go on `bits` further, or `bits` behind the packet's start, as the packet tells."""

    bits: Size
    from_start: bool


Step = Block | Variable | Move


def size_of(kind: LeafType) -> Size:
    """Bits of one value."""
    if isinstance(kind, StringType | BinaryType):
        return kind.encoding.size
    return kind.encoding.size_bits


def lay_out(container: Container, dictionary: Dictionary) -> tuple[Step, ...]:
    """The steps of a packet of this container, its bases' entries first. Raises ConfigError."""
    walk = _Walk(dictionary)
    for each in reversed(list(bases_of(container, dictionary))):
        walk.container(each)
    return walk.finish()


def bases_of(container: Container, dictionary: Dictionary) -> Iterator[Container]:
    """The container, its base, its base's base."""
    here: Container | None = container
    while here is not None:
        yield here
        here = dictionary.containers[here.base] if here.base is not None else None


class _Walk:
    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.steps: list[Step] = []
        self.fields: list[Field] = []
        self.from_start = True
        self.offset_bits = 0
        self.n_fields = 0
        self.times: dict[str, int] = {}

    def finish(self) -> tuple[Step, ...]:
        self._close()
        return tuple(self.steps)

    def container(self, container: Container) -> None:
        self._count(container.line)
        for entry in container.entries:
            self._locate(entry.location, entry.line)
            if isinstance(entry, ContainerEntry):
                self.container(self.dictionary.containers[entry.container])
            else:
                self._parameter(entry)

    def _count(self, line: int) -> None:
        self.n_fields += 1
        if self.n_fields > MAX_FIELDS:
            raise self._fail(f"a packet of more than {MAX_FIELDS} fields", line)

    def _fail(self, text: str, line: int) -> ConfigError:
        return ConfigError([Problem(text, self.dictionary.file, line)])

    def _locate(self, location: Location | None, line: int) -> None:
        if location is None:
            return
        if not isinstance(location.bits, int):
            self._close()
            self.steps.append(Move(location.bits, location.from_start))
            self._open()
            return
        if location.from_start and not self.from_start:
            self._close()
            self._open(from_start=True)
        self.offset_bits = location.bits + (0 if location.from_start else self.offset_bits)
        if self.from_start and self.offset_bits < 0:
            raise self._fail("an entry lies before the start of the packet", line)

    def _open(self, *, from_start: bool = False) -> None:
        self.from_start, self.offset_bits = from_start, 0

    def _close(self) -> None:
        if self.fields or self.offset_bits or self.from_start:
            self.steps.append(Block(self.from_start, tuple(self.fields), self.offset_bits))
        self.fields = []

    def _slot(self, key: str) -> Slot:
        times = self.times.get(key, 0)
        self.times[key] = times + 1
        return Slot(key, times)

    def _parameter(self, entry: ParameterEntry) -> None:
        self._count(entry.line)
        parameter = self.dictionary.parameters[entry.parameter]
        kind, dimensions = self._flatten(parameter.type, entry)
        size, slot = size_of(kind), self._slot(parameter.key)
        if isinstance(size, int) and all(isinstance(each, int) for each in dimensions):
            shape = tuple(each for each in dimensions if isinstance(each, int))
            field = Field(slot, kind, self.offset_bits, size, shape)
            self.fields.append(field)
            self.offset_bits = field.end_bits
            if self.offset_bits > MAX_CONTAINER_BITS:
                raise self._fail(f"the packet would be longer than {MAX_CONTAINER_BITS} bits", entry.line)
            return
        if dimensions and not isinstance(kind, NumberType):
            raise self._fail("an array of a varying number of anything but numbers is not implemented", entry.line)
        self._close()
        self.steps.append(Variable(slot, kind, size, dimensions))
        self._open()

    def _flatten(self, kind: ParameterType, entry: ParameterEntry) -> tuple[LeafType, tuple[Size, ...]]:
        dimensions: tuple[Size, ...] = ()
        if not isinstance(kind, ArrayType) and entry.dimensions is not None:
            raise self._fail(f'"{entry.parameter}" is not an array', entry.line)
        while isinstance(kind, ArrayType):
            own = entry.dimensions if entry.dimensions is not None and not dimensions else kind.dimensions
            if own is None:
                raise self._fail(f'nothing says how many elements "{entry.parameter}" has', entry.line)
            dimensions += own
            kind = kind.element
        if isinstance(kind, UnencodedType):
            raise self._fail(f'"{entry.parameter}" has no data encoding', entry.line)
        return kind, dimensions
