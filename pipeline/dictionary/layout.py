"""Where everything stands: the entries of a container, its bases and the containers inside, as a list of steps.

A `Block` is a run of fields at fixed places from one anchor: the packet's start, or wherever the last variable
field ended. What has no fixed size (`Variable`, `Repeat`), place (`Move`) or presence (`Group`) ends a block. So
a container with fixed places only is one block, whatever its order, overlays, gaps and repeats.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pipeline.dictionary.conditions import Condition, Size
from pipeline.dictionary.definitions import (
    MAX_CONTAINER_BITS,
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    Location,
    ParameterEntry,
    Placement,
)
from pipeline.dictionary.encodings import BinaryEncoding, Tagged, Terminated
from pipeline.dictionary.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BytesType,
    NumberType,
    ParameterType,
    ScalarType,
    UnencodedType,
)
from pipeline.errors import ConfigError, Problem

MAX_FIELDS = 200_000
"""Containers inside containers could multiply without end."""
MAX_ELEMENTS = 1 << 26

LeafType = ScalarType | BytesType


class Slot(NamedTuple):
    """One coming of one parameter in a packet; `times` counts from 0. A fixed value's key is its number."""

    key: str
    times: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """Values of one type at a fixed place: one, or an array of `shape`, neighbours along each axis
    `strides_bits` apart. `size_bits`: of one value. `expected`: the bytes of a fixed value.
    """

    slot: Slot
    type: LeafType
    offset_bits: int
    size_bits: int
    shape: tuple[int, ...] = ()
    strides_bits: tuple[int, ...] = ()
    expected: bytes | None = None

    @property
    def end_bits(self) -> int:
        if 0 in self.shape:
            return self.offset_bits
        reach = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides_bits, strict=True))
        return self.offset_bits + reach + self.size_bits


@dataclass(frozen=True, slots=True)
class Block:
    """Fields from an anchor on. `end_bits`: where the next entry would begin."""

    from_start: bool
    fields: tuple[Field, ...]
    end_bits: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A string, blob or array of numbers whose size a packet tells. `dimensions`: empty for one value."""

    slot: Slot
    type: LeafType
    size: Size | Terminated | Tagged
    dimensions: tuple[Size, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """A block that stands as often as the product of `counts` says, `stride_bits` apart."""

    counts: tuple[Size, ...]
    stride_bits: int
    gap_bits: int
    block: Block


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that are there only where the condition holds."""

    condition: Condition
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Go on `bits` from an anchor: "here", the packet's "start" or "end", or the "front", where a first step to
    the end left off.
    """

    bits: Size
    anchor: str


Step = Block | Variable | Repeat | Group | Move


def size_of(kind: LeafType) -> Size | Terminated | Tagged:
    """Bits of one value."""
    if isinstance(kind, BytesType):
        return kind.encoding.size
    return kind.encoding.size_bits


def lay_out(container: Container, dictionary: Dictionary) -> tuple[Step, ...]:
    """The steps of a packet of this container, its bases' entries first. Raises ConfigError."""
    walk = _Walk(dictionary, _Count(), from_start=True)
    for each in reversed(list(bases_of(container, dictionary))):
        # What a base has at the packet's end does not stand between it and its child.
        walk.return_to_front()
        walk.container(each)
    steps = walk.finish()
    if container.size is not None and any(isinstance(step, Move) and step.anchor == "end" for step in steps):
        text = "containerEnd in a container that says its own size is not implemented"
        raise ConfigError([Problem(text, dictionary.file, container.line)])
    return steps


def bases_of(container: Container, dictionary: Dictionary) -> Iterator[Container]:
    """The container, its base, its base's base."""
    here: Container | None = container
    while here is not None:
        yield here
        here = dictionary.containers[here.base] if here.base is not None else None


def slots_of(steps: Sequence[Step]) -> Iterator[Slot]:
    """Every slot that the steps fill, in the order of the packet."""
    for step in steps:
        if isinstance(step, Block | Repeat):
            block = step if isinstance(step, Block) else step.block
            yield from (each.slot for each in block.fields)
        elif isinstance(step, Variable):
            yield step.slot
        elif isinstance(step, Group):
            yield from slots_of(step.steps)


@dataclass(slots=True)
class _Count:
    """What the walks through one container and its parts count together."""

    entries: int = 0
    times: dict[str, int] = field(default_factory=dict)

    def slot(self, key: str) -> Slot:
        times = self.times.get(key, 0)
        self.times[key] = times + 1
        return Slot(key, times)


class _Walk:
    """Goes through entries and keeps the place; a part of a container has a walk of its own."""

    def __init__(self, dictionary: Dictionary, count: _Count, *, from_start: bool) -> None:
        self.dictionary = dictionary
        self.count = count
        self.steps: list[Step] = []
        self.fields: list[Field] = []
        self.from_start = from_start
        self.offset_bits = 0
        self.is_whole = from_start
        """Whether the end of the container at hand is the end of the packet."""
        self.is_at_end = False

    def finish(self) -> tuple[Step, ...]:
        self._close()
        return tuple(self.steps)

    def container(self, container: Container) -> None:
        """All entries of a container."""
        self._note(container.line)
        for entry in container.entries:
            self._entry(entry)

    def _fail(self, text: str, line: int) -> ConfigError:
        return ConfigError([Problem(text, self.dictionary.file, line)])

    def _note(self, line: int) -> None:
        self.count.entries += 1
        if self.count.entries > MAX_FIELDS:
            raise self._fail(f"a packet of more than {MAX_FIELDS} fields", line)

    # the place

    def _open(self, *, from_start: bool = False) -> None:
        self.from_start, self.offset_bits = from_start, 0

    def _close(self) -> None:
        if self.fields or self.offset_bits or self.from_start:
            self.steps.append(Block(self.from_start, tuple(self.fields), self.offset_bits))
        self.fields = []

    def _step(self, step: Step) -> None:
        self._close()
        self.steps.append(step)
        self._open()

    def _locate(self, location: Location | None, line: int) -> None:
        if location is None:
            return
        if not isinstance(location.bits, int):
            self._step(Move(location.bits, "start" if location.from_start else "here"))
            return
        if location.from_start and not self.from_start:
            self._close()
            self._open(from_start=True)
        self.offset_bits = location.bits + (0 if location.from_start else self.offset_bits)
        if self.from_start and self.offset_bits < 0:
            raise self._fail("an entry lies before the start of the packet", line)

    def return_to_front(self) -> None:
        """Go on where the entries before those at the end left off."""
        if self.is_at_end:
            self._step(Move(0, "front"))
            self.is_at_end = False

    def _go_to_end(self, entry: Entry, bits: int) -> None:
        """To where the entry must begin, so that it ends `bits` before the packet does."""
        line = entry.place.line
        inside = _Walk(self.dictionary, _Count(), from_start=False)
        inside._content(entry)
        steps = inside.finish()
        if not self.is_whole or entry.place.repetition is not None:
            raise self._fail("containerEnd inside of another container, or repeated, is not implemented", line)
        if len(steps) != 1 or not isinstance(steps[0], Block) or steps[0].from_start:
            raise self._fail("containerEnd for an entry of varying size is not implemented", line)
        self._step(Move(-bits - steps[0].end_bits, "end"))
        self.is_at_end = True

    def _advance(self, bits: int, line: int) -> None:
        self.offset_bits += bits
        if self.offset_bits > MAX_CONTAINER_BITS:
            raise self._fail(f"the packet would be longer than {MAX_CONTAINER_BITS} bits", line)

    # entries

    def _entry(self, entry: Entry) -> None:
        place = entry.place
        if place.condition is not None:
            inside = _Walk(self.dictionary, self.count, from_start=False)
            inside._entry(replace(entry, place=replace(place, condition=None)))
            self._step(Group(place.condition, inside.finish()))
            return
        if place.location is not None and place.location.from_end:
            assert isinstance(place.location.bits, int)
            self._go_to_end(entry, place.location.bits)
        else:
            self._locate(place.location, place.line)
        if place.repetition is None:
            self._content(entry)
            return
        inside = _Walk(self.dictionary, self.count, from_start=False)
        inside._content(entry)
        gap_bits = place.repetition.gap_bits
        self._repeat(inside.finish(), (place.repetition.count,), gap_bits, place)

    def _content(self, entry: Entry) -> None:
        if isinstance(entry, ContainerEntry):
            inside = self.dictionary.containers[entry.container]
            if inside.size is not None or inside.check is not None:
                raise self._fail(
                    f'the BinaryEncoding of "{inside.key}" inside another is not implemented', inside.line
                )
            whole, self.is_whole = self.is_whole, False
            self.container(inside)
            self.is_whole = whole
        elif isinstance(entry, FixedEntry):
            self._note(entry.place.line)
            slot = self.count.slot(f"#{self.count.entries}")
            kind = BinaryType("", BinaryEncoding(entry.size_bits))
            self.fields.append(Field(slot, kind, self.offset_bits, entry.size_bits, expected=entry.value))
            self._advance(entry.size_bits, entry.place.line)
        else:
            parameter = self.dictionary.parameters[entry.parameter]
            if entry.dimensions is not None and not isinstance(parameter.type, ArrayType):
                raise self._fail(f'"{entry.parameter}" is not an array', entry.place.line)
            self._parameter(entry, parameter.key, parameter.type, entry.dimensions)

    def _parameter(
        self, entry: ParameterEntry, key: str, kind: ParameterType, own: tuple[Size, ...] | None
    ) -> None:
        """One parameter or member; arrays of arrays are arrays of more dimensions."""
        line = entry.place.line
        self._note(line)
        dimensions: tuple[Size, ...] = ()
        while isinstance(kind, ArrayType):
            here, own = own if own is not None else kind.dimensions, None
            if here is None:
                raise self._fail(f'nothing says how many elements "{entry.parameter}" has', line)
            dimensions += here
            kind = kind.element
        if isinstance(kind, UnencodedType):
            raise self._fail(f'"{entry.parameter}" has no data encoding', line)
        if isinstance(kind, AggregateType):
            self._members(entry, key, kind, dimensions)
        else:
            self._leaf(entry, key, kind, dimensions)

    def _members(self, entry: ParameterEntry, key: str, kind: AggregateType, dimensions: tuple[Size, ...]) -> None:
        inside = self if not dimensions else _Walk(self.dictionary, self.count, from_start=False)
        for name, member in kind.members:
            inside._parameter(entry, f"{key}.{name}", member, None)  # noqa: SLF001 - its own kind
        if dimensions:
            self._repeat(inside.finish(), dimensions, 0, entry.place)

    def _leaf(self, entry: ParameterEntry, key: str, kind: LeafType, dimensions: tuple[Size, ...]) -> None:
        size, slot = size_of(kind), self.count.slot(key)
        if isinstance(size, int):
            one = Block(False, (Field(slot, kind, 0, size),), size)
            if isinstance(kind, NumberType) and not all(isinstance(each, int) for each in dimensions):
                self._step(Variable(slot, kind, size, dimensions))
            else:
                self._repeat((one,), dimensions, 0, entry.place)
        elif dimensions:
            raise self._fail(f'"{key}": an array of values of varying size is not implemented', entry.place.line)
        else:
            self._step(Variable(slot, kind, size))

    def _repeat(self, steps: Sequence[Step], counts: tuple[Size, ...], gap_bits: int, place: Placement) -> None:
        """Fixed contents, once for each of the counts; a fixed number of times they remain fixed fields."""
        if not steps:
            return
        block = steps[0]
        if len(steps) != 1 or not isinstance(block, Block) or block.from_start:
            raise self._fail("a repeat of entries of varying size or place is not implemented", place.line)
        stride_bits = block.end_bits + gap_bits
        if counts and stride_bits <= 0:
            raise self._fail("a repeat that takes no bits", place.line)
        if not all(isinstance(each, int) for each in counts):
            self._step(Repeat(counts, stride_bits, gap_bits, block))
            return
        shape = tuple(each for each in counts if isinstance(each, int))
        strides, total = _strides(shape, stride_bits)
        if total > MAX_ELEMENTS:
            raise self._fail(f"an array of more than {MAX_ELEMENTS} elements", place.line)
        for each in block.fields:
            moved = replace(each, offset_bits=self.offset_bits + each.offset_bits)
            self.fields.append(replace(moved, shape=shape + each.shape, strides_bits=strides + each.strides_bits))
        self._advance(total * stride_bits - (gap_bits if shape and total else 0), place.line)


def _strides(shape: tuple[int, ...], stride_bits: int) -> tuple[tuple[int, ...], int]:
    """Bits between neighbours along each axis, the last running fastest, and the number of elements."""
    strides: list[int] = []
    total = 1
    for n in reversed(shape):
        strides.insert(0, stride_bits * total)
        total *= n
    return tuple(strides), total
