"""How long the packets of a container can be: the shortest and the longest, by what the dictionary says."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..model.conditions import AllOf, Dynamic, Lookup, NoneOf, Remainder, Size, Span
from ..model.definitions import Dictionary
from ..model.encodings import Tagged, Terminated
from ..model.parameter_types import NumberType
from ..run.steps import Assure, Block, Group, Loop, Mark, Move, Repeat, Step, Variable

Extent = tuple[int, int | None]
"""Bits: the least and the most; None: no end that the dictionary knows."""


def extent_of(steps: Sequence[Step], dictionary: Dictionary) -> Extent:
    """Of a whole packet."""
    return _Measure(dictionary).of(steps)


class _Measure:
    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.marks: dict[int, Extent] = {}
        self.front: Extent | None = None
        self.behind: tuple[int, int] = (0, 0)
        """Bits that are counted from the packet's end."""

    def of(self, steps: Sequence[Step]) -> Extent:
        """How far steps reach, one behind the other from where they begin."""
        outer, self.behind = self.behind, (0, 0)
        _, reach = self._walk(steps, (0, 0))
        behind, self.behind = self.behind, outer
        return _sum(reach, behind)

    def _walk(self, steps: Sequence[Step], place: Extent) -> tuple[Extent, Extent]:
        """The place behind the steps, and how far they reach."""
        reach = fork = place
        for step in steps:
            if isinstance(step, Mark):
                self.marks[step.mark] = place
            elif isinstance(step, Move):
                place = self._moved(step, place, reach)
            elif isinstance(step, Group):
                # Of groups that exclude each other all begin where the first does.
                fork = fork if _is_instead(step) else place
                behind = self.behind[0]
                end, inside = self._walk(step.steps, fork)
                self.behind = behind, self.behind[1]
                reach = reach[0], _most(reach, inside)[1]
                place = min(place[0], end[0]), _most(place, end)[1]
            else:
                if isinstance(step, Block) and step.from_start:
                    place = (0, 0)
                end = _sum(place, self._one(step))
                reach = _most(reach, self._reach(step, place), end)
                place = _sum(place, (step.end_bits, step.end_bits)) if isinstance(step, Block) else end
        return place, reach

    def _moved(self, move: Move, place: Extent, reach: Extent) -> Extent:
        bits = self.size(move.bits)
        if move.anchor == "end":
            self.front = self.front if self.front is not None else place
            self.behind = max(self.behind[0], -bits[0]), max(self.behind[1], -bits[0])
            return _sum(reach, bits)  # as if the packet ended there: what is behind is added at last
        if move.anchor == "front":
            back, self.front = self.front, None
            return back if back is not None else place
        if move.anchor == "start":
            return max(bits[0], 0), bits[1]
        return _sum(self.marks.get(move.mark, place) if move.anchor == "mark" else place, bits)

    def _reach(self, step: Step, place: Extent) -> Extent:
        if not isinstance(step, Block):
            return place
        bits = max((field.end_bits for field in step.fields), default=0)
        return _sum(place, (bits, bits))

    def _one(self, step: Step) -> Extent:
        if isinstance(step, Block):
            bits = max((field.end_bits for field in step.fields), default=0)
            return bits, bits
        if isinstance(step, Variable):
            return self._variable(step)
        if isinstance(step, Repeat | Loop):
            return self._repeated(step)
        assert isinstance(step, Assure | Group | Mark | Move)
        return 0, 0

    def _variable(self, step: Variable) -> Extent:
        if isinstance(step.size, Tagged):
            return step.size.tag_bits, step.size.tag_bits + step.size.max_bits
        if isinstance(step.size, Terminated):
            return 8 * len(step.size.terminator), step.size.max_bits
        if isinstance(step.size, Remainder):
            return 0, None
        return self._product((step.size, *step.dimensions))

    def _repeated(self, step: Repeat | Loop) -> Extent:
        n_low, n_high = self._product(step.counts)
        inside = (step.block.end_bits, step.block.end_bits) if isinstance(step, Repeat) else self.of(step.steps)
        gap = self.size(step.gap)
        low = n_low * inside[0] + max(n_low - 1, 0) * gap[0]
        if n_high is None or inside[1] is None or gap[1] is None:
            return max(low, 0), None
        return max(low, 0), n_high * inside[1] + max(n_high - 1, 0) * gap[1]

    def _product(self, sizes: Sequence[Size]) -> Extent:
        bounds = [self.size(size) for size in sizes]
        highs = [high for _, high in bounds if high is not None]
        return prod(max(low, 0) for low, _ in bounds), prod(highs) if len(highs) == len(bounds) else None

    def size(self, size: Size) -> Extent:
        """The least and the most that a size can be."""
        if isinstance(size, int):
            return size, size
        if isinstance(size, Lookup):
            values = [value for _, value in size.cases] or [0]
            return min(values), max(values)
        if isinstance(size, Remainder):
            return 0, None
        if isinstance(size, Span):
            (_, first), (low, high) = self.size(size.start), self.size(size.behind)
            return 0 if first is None else max(low - first, 0), high
        return self._dynamic(size)

    def _dynamic(self, size: Dynamic) -> Extent:
        parameter = self.dictionary.parameters.get(size.of.parameter)
        kind = parameter.type if parameter is not None else None
        if not isinstance(kind, NumberType) or kind.encoding.form != "unsigned":
            return 0, None
        if size.of.calibrated and (kind.encoding.calibrator is not None or kind.encoding.contexts):
            return 0, None
        ends = [size.slope * value + size.intercept for value in (0, (1 << kind.encoding.size_bits) - 1)]
        return max(int(min(ends)), 0), max(int(max(ends)), 0)


def _is_instead(group: Group) -> bool:
    """Whether a packet has it only where it has none of the groups just before."""
    parts = group.condition.parts if isinstance(group.condition, AllOf) else (group.condition,)
    return any(isinstance(part, NoneOf) for part in parts)


def _sum(one: Extent, other: Extent) -> Extent:
    high = None if one[1] is None or other[1] is None else one[1] + other[1]
    return one[0] + other[0], high


def _most(*extents: Extent) -> Extent:
    highs = [high for _, high in extents if high is not None]
    return max(low for low, _ in extents), max(highs) if len(highs) == len(extents) else None
