"""Where the values of parameters stand: members of aggregates, elements of arrays, and what is repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.conditions import Remainder, Size
from ..model.definitions import ParameterEntry, Placement
from ..model.local import localized
from ..model.parameter_types import AggregateType, ArrayType, NumberType, ParameterType, UnencodedType
from ..run.steps import Block, Field, LeafType, Loop, Repeat, Slot, Step, Variable, size_of
from .cursor import Cursor

MAX_ELEMENTS = 1 << 26


class ParameterCursor(Cursor):
    """A cursor that lays out parameters, and steps that come several times."""

    def parameter(self, entry: ParameterEntry, key: str, kind: ParameterType, own: tuple[Size, ...] | None) -> None:
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
        inside: ParameterCursor = self._part() if dimensions else self
        names = frozenset(name for name, _ in kind.members)
        for name, member in kind.members:
            inside.parameter(entry, f"{key}.{name}", localized(member, key, names), None)
        if dimensions:
            self._repeat(inside.finish(), dimensions, 0, entry.place)

    def _leaf(self, entry: ParameterEntry, key: str, kind: LeafType, dimensions: tuple[Size, ...]) -> None:
        size, slot = size_of(kind), self.count.slot(key)
        if not isinstance(size, int):
            one: Step = Variable(slot, kind, size)
            if dimensions:
                self._repeat((one,), dimensions, 0, entry.place)
            else:
                self._step(one)
        elif any(isinstance(each, Remainder) for each in dimensions):
            self._rest(slot, kind, dimensions, entry.place.line)
        elif not dimensions:
            self.fields.append(Field(slot, kind, self.offset_bits, size))
            self._advance(size, entry.place.line)
        elif isinstance(kind, NumberType) and not all(isinstance(each, int) for each in dimensions):
            self._step(Variable(slot, kind, size, dimensions))
        else:
            self._repeat((Block(False, (Field(slot, kind, 0, size),), size),), dimensions, 0, entry.place)

    def _rest(self, slot: Slot, kind: LeafType, dimensions: tuple[Size, ...], line: int) -> None:
        """An array of what the packet holds."""
        if len(dimensions) > 1 or not isinstance(kind, NumberType):
            raise self._fail(f'"{slot.key}": only a list of numbers can go on to the packet\'s end', line)
        assert isinstance(dimensions[0], Remainder)
        self._step(Variable(slot, kind, dimensions[0]))

    def _repeat(self, steps: Sequence[Step], counts: tuple[Size, ...], gap: Size, place: Placement) -> None:
        """The same contents, once for each of the counts."""
        if not steps:
            return
        block = steps[0]
        if len(steps) != 1 or not isinstance(block, Block):
            self._loop(tuple(steps), counts, gap, place)
            return
        if isinstance(gap, int) and counts and block.end_bits + gap <= 0:
            raise self._fail("a repeat that takes no bits", place.line)
        if isinstance(gap, int) and all(isinstance(each, int) for each in counts):
            self._spread(block, tuple(each for each in counts if isinstance(each, int)), gap, place)
        else:
            self._step(Repeat(counts, gap, block))

    def _loop(self, steps: tuple[Step, ...], counts: tuple[Size, ...], gap: Size, place: Placement) -> None:
        fixed = [each for each in counts if isinstance(each, int)]
        if _strides(tuple(fixed), 1)[1] > MAX_ELEMENTS:
            raise self._fail(f"an array of more than {MAX_ELEMENTS} elements", place.line)
        self._step(Loop(counts, gap, steps))

    def _spread(self, block: Block, shape: tuple[int, ...], gap_bits: int, place: Placement) -> None:
        """Fixed contents a fixed number of times remain fixed fields."""
        stride_bits = block.end_bits + gap_bits
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
