"""What a layout is made of: fields, and the steps in which a packet is read.

A `Block` is a run of fields at fixed places from one anchor: the packet's start, or wherever the step before ended.
What has no fixed size (`Variable`, `Repeat`, `Loop`), place (`Move`) or presence (`Group`) is a step of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..model.conditions import Condition, Remainder, Size
from ..model.encodings import Tagged, Terminated
from ..model.parameter_types import BytesType, ScalarType, StringType

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
    """A `Remainder`: of an array of numbers, all that the packet holds."""
    dimensions: tuple[Size, ...] = ()

    @property
    def is_array(self) -> bool:
        """Whether it is an array of numbers."""
        rest = isinstance(self.size, Remainder) and not isinstance(self.type, BytesType)
        return bool(self.dimensions) or rest


@dataclass(frozen=True, slots=True)
class Repeat:
    """A block that stands as often as the product of `counts` says, `gap` bits between one and the next."""

    counts: tuple[Size, ...]
    gap: Size
    block: Block


@dataclass(frozen=True, slots=True)
class Loop:
    """Steps of varying size, as often as the product of `counts` says, `gap` bits between one time and the next."""

    counts: tuple[Size, ...]
    gap: Size
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Steps that are there only where the condition holds."""

    condition: Condition
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """Go on `bits` from an anchor: "here", the packet's "start" or "end", the "front", where a first step to the end
    left off, or a "mark".
    """

    bits: Size
    anchor: str
    mark: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """Remember this place: a container inside another begins here."""

    mark: int


@dataclass(frozen=True, slots=True)
class Assure:
    """Packets in which the condition does not hold are set aside: nobody knows what follows in them. None: all."""

    condition: Condition | None


Step = Block | Variable | Repeat | Loop | Group | Move | Mark | Assure


def size_of(kind: LeafType) -> Size | Terminated | Tagged:
    """Bits of one value."""
    if isinstance(kind, BytesType):
        return kind.encoding.size
    return kind.encoding.size_bits


def has_loop(step: Step) -> bool:
    """Whether the step is a loop, or has one inside."""
    return isinstance(step, Loop) or (isinstance(step, Group) and any(map(has_loop, step.steps)))


def has_text(step: Step) -> bool:
    """Whether the step is a text of varying size, or has one inside."""
    if isinstance(step, Variable):
        return isinstance(step.type, StringType)
    return isinstance(step, Group | Loop) and any(map(has_text, step.steps))


def slots_of(steps: Sequence[Step]) -> Iterator[Slot]:
    """Every slot that the steps fill, in the order of the packet."""
    return (slot for slot, _ in typed_slots(steps))


def typed_slots(steps: Sequence[Step]) -> Iterator[tuple[Slot, LeafType]]:
    """Every slot that the steps fill, in the order of the packet, with the type of its values."""
    for step in steps:
        if isinstance(step, Block | Repeat):
            yield from ((each.slot, each.type) for each in fields_of(step))
        elif isinstance(step, Variable):
            yield step.slot, step.type
        elif isinstance(step, Group | Loop):
            yield from typed_slots(step.steps)


def fields_of(step: Block | Repeat) -> tuple[Field, ...]:
    """The fields of a block, or of one that is repeated."""
    return step.fields if isinstance(step, Block) else step.block.fields


def sizes_of(step: Step) -> tuple[Size, ...]:
    """Sizes, counts and distances of the step itself that a packet may hold."""
    if isinstance(step, Variable):
        own = () if isinstance(step.size, Terminated | Tagged | Remainder) else (step.size,)
        return own + step.dimensions
    if isinstance(step, Repeat | Loop):
        return (*step.counts, step.gap)
    return (step.bits,) if isinstance(step, Move) else ()
