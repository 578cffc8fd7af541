"""A run through compiled steps in which each packet has its own position (bits from the start of the data).

What goes out: columns of all packets by slot, which packets were too short, and how far the entries reach. Only the
times of a repeat of varying contents are gone through one by one, each for all packets that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, Ragged
from pipeline.dictionary.blocks import BlockProgram
from pipeline.dictionary.ragged import flat_starts
from pipeline.dictionary.rows import Chunk, bit_chunks, matrix_chunks
from pipeline.dictionary.step_programs import (
    AssureProgram,
    GroupProgram,
    LoopProgram,
    MoveProgram,
    RepeatProgram,
    StepProgram,
)
from pipeline.dictionary.steps import Mark
from pipeline.dictionary.times import Times, joined_times
from pipeline.dictionary.values import Values
from pipeline.dictionary.variables import MAX_FACTOR, Terminators, VariableProgram, product_of

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]
MAX_IDLE = 1024
"""What takes no bit comes no more often: a damaged count should not hold everything up."""


@dataclass(slots=True)
class Result:
    """What a run made. `short: bool[n]`, or None: no packet was too short. Columns of short packets hold zeros
    or noise. `described_bits`: how far the entries reach, one number or one for each packet.
    """

    values: Values
    short: NDArray[np.bool_] | None = None
    described_bits: int | Positions = 0
    n_lost: int = 0
    """How many of the short ones are so since nothing describes what follows in them."""

    def subset(self, rows: Rows) -> Result:
        described = self.described_bits if isinstance(self.described_bits, int) else self.described_bits[rows]
        return Result(self.values.subset(rows), None, described, self.n_lost)


class Run:
    """The packets at hand: `begin` and `end` of each, and the `position` at which it has arrived.

    `heads`: uint8[n, width], the first bytes of each, where they have been read already.
    """

    def __init__(
        self,
        data: NDArray[np.uint8],
        begin: Positions,
        end: Positions,
        position: Positions,
        values: Values,
        marks: Mapping[int, Positions] | None = None,
        terminators: Terminators | None = None,
        heads: NDArray[np.uint8] | None = None,
    ) -> None:
        self.data = data
        self.heads = heads
        self.begin = begin
        self.end = end
        self.position = position
        self.marks = dict(marks or {})
        self.terminators = Terminators(data) if terminators is None else terminators
        self.front: Positions | None = None
        """Where the entries before those at the packet's end left off."""
        self.reach = position
        self.is_inside = position is begin
        """Whether no packet's reach lies before its start."""
        self.alive = np.ones(len(begin), np.bool_)
        self.lost = np.zeros(len(begin), np.bool_)
        """Packets that are set aside since nothing describes what follows in them."""
        self.result = Result(values)

    def run(self, steps: Sequence[StepProgram]) -> Result:
        for step in steps:
            if not self._step(step):
                break
        self.result.described_bits = self.reach - self.begin
        self.result.short = None if self.alive.all() else ~self.alive
        self.result.n_lost = int(np.count_nonzero(self.lost))
        return self.result

    def _step(self, step: StepProgram) -> bool:
        """One step; False: no packet is long enough to go on."""
        return _STEPS[type(step)](self, step)

    def _mark(self, mark: Mark) -> bool:
        self.marks[mark.mark] = self.position
        return True

    def _assure(self, step: AssureProgram) -> bool:
        known = step.criterion.holds(self.result.values) if step.criterion is not None else False
        self.lost |= self.alive & ~np.broadcast_to(known, self.alive.shape)
        self.alive &= known
        return not len(self.alive) or bool(self.alive.any())

    def _fit(self, low: Positions, high: Positions) -> bool:
        """Note which packets hold the bits from `low` to `high`, not before it; False: none does any more."""
        goes_on = low is self.reach and self.is_inside
        fits = high <= self.end
        if not goes_on and low is not self.begin:
            fits &= low >= self.begin
        self.alive &= fits
        if not self.alive.all():
            self.reach = np.maximum(self.reach, np.where(self.alive, high, self.reach))
            return bool(self.alive.any())
        # Most entries begin where the last one ended: nothing to compare then.
        self.reach = high if goes_on else np.maximum(self.reach, high)
        self.is_inside = True
        return True

    def _safe(self, position: Positions) -> Positions:
        """Positions that may be read: those of packets too short are replaced by another packet's."""
        if self.alive.all():
            return position
        return np.where(self.alive, position, position[np.argmax(self.alive)])

    def _counts(self, count: Positions) -> Positions:
        """Counts, none for packets too short."""
        return count if self.alive.all() else np.where(self.alive, count, 0)

    def _block(self, block: BlockProgram) -> bool:
        anchor = self.begin if block.from_start else self.position
        low = anchor + block.first_bits if block.first_bits else anchor
        high = low + block.width_bits
        if not self._fit(low, high):
            return False
        self.position = high if block.end_bits == block.first_bits + block.width_bits else anchor + block.end_bits
        for slot, bits in block.words:
            self.result.values.places[slot] = low - self.begin + bits
        if block.lsb_first:
            self._flag_shifted(low)
        if block.fields:
            block.run(self._pieces(low, block.width_bits), self.result.values)
        return True

    def _flag_shifted(self, low: Positions) -> None:
        """Bit fields of a little-endian structure mean nothing where this does not begin with a byte."""
        shifted = (low & 7) != 0
        self.result.values.flag(shifted if shifted.any() else None)

    def _pieces(self, low: Positions, width_bits: int) -> Iterator[Chunk]:
        heads = self.heads
        if heads is not None and low is self.begin and width_bits <= heads.shape[1] * 8 and self.alive.all():
            return matrix_chunks(heads)
        return bit_chunks(self.data, self._safe(low), width_bits)

    def _variable(self, variable: VariableProgram) -> bool:
        position = self._safe(self.position)
        size_bits = variable.size_bits(self.result.values, self.terminators, position, self.end)
        self.alive &= size_bits >= 0
        behind = self.position + size_bits
        if not self._fit(self.position, behind):
            return False
        size_bits = self._counts(size_bits)
        raw, calibrated, unknown = variable.read(self.data, self._safe(self.position), size_bits)
        self.result.values.keep(variable.slot, raw, calibrated)
        self.result.values.flag(unknown)
        self.position = behind if self.alive.all() else self.position + size_bits
        return True

    # what comes several times

    def _repeat(self, repeat: RepeatProgram) -> bool:
        values, block = self.result.values, repeat.block
        count, gap = product_of(repeat.counts, values), _bounded(repeat.gap.of(values))
        stride = block.end_bits + gap
        self.alive &= (stride > 0) | (count <= 1)
        size_bits = np.where(count > 0, count * stride - gap, count)
        self.alive &= size_bits >= 0
        if not self._fit(self.position, self.position + size_bits):
            return False
        position, stride = self._safe(self.position), self._safe(stride)
        count, size_bits = self._counts(count), self._counts(size_bits)
        if repeat.shape is not None:
            # Each packet is read as often as the others, so that all are rows of one array.
            count = np.full(len(count), int(count.max(initial=0)), np.int64)
        start = flat_starts(count)
        low = np.repeat(position - start * stride, count) + np.arange(int(count.sum())) * np.repeat(stride, count)
        found = Values(len(low))
        if block.lsb_first and (low & 7).any():
            found.flag((low & 7) != 0)
        block.run(bit_chunks(self.data, low, block.width_bits), found)
        _put(found, values, lambda column: _of_packets(column, start, count, repeat.shape))
        if found.unknown is not None:
            rows = np.repeat(np.arange(len(count)), count)[found.unknown]
            values.flag(np.bincount(rows, minlength=len(count)) > 0)
        self.position = self.position + size_bits
        return True

    def _loop(self, loop: LoopProgram) -> bool:
        """One time after the other, each for the packets that have it."""
        values, n = self.result.values, len(self.alive)
        count, gap = product_of(loop.counts, values), _bounded(loop.gap.of(values))
        self.alive &= (count >= 0) & (count <= self.end - self.begin)
        times = Times(np.where(self.alive, count, 0), loop.shape, n)
        self.position, self.reach = self.position.copy(), self.reach.copy()
        rows = np.flatnonzero(times.count > 0)
        i = 0
        while len(rows):
            if i:
                self.position[rows] += gap[rows]
            rows = self._time(loop, rows, times, progress=i >= MAX_IDLE)
            i += 1
            rows = rows[times.count[rows] > i]
        if not times.parts:
            # Nothing was read: empty columns still want a type.
            none = np.empty(0, np.intp)
            times.add(none, self._inside(none, loop.steps).result.values)
        joined_times(times, self.alive, values)
        return not n or bool(self.alive.any())

    def _time(self, loop: LoopProgram, rows: Rows, times: Times, *, progress: bool) -> Rows:
        """One time of a loop; the rows that were long enough for it, and, where that is asked, went on by a bit."""
        inside = self._inside(rows, loop.steps)
        if progress:
            inside.alive &= inside.position > self.position[rows]
        self._take_back(inside, rows)
        if not inside.alive.any():
            return rows[:0]
        found = inside.result.values
        if not inside.alive.all():
            kept = np.flatnonzero(inside.alive)
            rows, found = rows[kept], found.subset(kept)
        times.add(rows, found)
        return rows

    # what is there only sometimes

    def _group(self, group: GroupProgram) -> bool:
        rows = np.flatnonzero(group.criterion.holds(self.result.values) & self.alive)
        inside = self._inside(rows, group.steps)
        self.position, self.reach = self.position.copy(), self.reach.copy()
        self._take_back(inside, rows)
        if len(rows) and not inside.alive.any():
            # Nothing was read: empty columns still want a type.
            rows = rows[:0]
            inside = self._inside(rows, group.steps)
        n = len(self.alive)
        _put(inside.result.values, self.result.values, lambda column: _spread(column, rows, n))
        return not n or bool(self.alive.any())

    def _inside(self, rows: Rows, steps: Sequence[StepProgram]) -> Run:
        values = self.result.values.inside(rows)
        marks = {mark: place[rows] for mark, place in self.marks.items()}
        run = Run(self.data, self.begin[rows], self.end[rows], self.position[rows], values, marks, self.terminators)
        run.run(steps)
        return run

    def _take_back(self, inside: Run, rows: Rows) -> None:
        """What a run through some of the packets has found out."""
        self.alive[rows] &= inside.alive
        self.lost[rows] |= inside.lost
        self.position[rows] = inside.position
        self.reach[rows] = np.maximum(self.reach[rows], inside.reach)
        if inside.result.values.unknown is not None:
            unknown = np.zeros(len(self.alive), np.bool_)
            unknown[rows] = inside.result.values.unknown
            self.result.values.flag(unknown)

    def _move(self, move: MoveProgram) -> bool:
        if move.anchor == "front":
            assert self.front is not None
            self.position, self.front = self.front, None
            return True
        anchors = {"here": self.position, "start": self.begin, "end": self.end}
        anchor = self.marks[move.mark] if move.anchor == "mark" else anchors[move.anchor]
        before, self.position = self.position, anchor + move.bits.of(self.result.values)
        if move.anchor == "end":
            self.front = before if self.front is None else self.front
            # What stands at the end must not lie over what stands before it.
            self.alive &= self.position >= self.front
        return not len(before) or bool(self.alive.any())


_STEPS: dict[type, Callable[[Run, Any], bool]] = {
    BlockProgram: Run._block,  # noqa: SLF001 - its own table
    VariableProgram: Run._variable,  # noqa: SLF001
    RepeatProgram: Run._repeat,  # noqa: SLF001
    LoopProgram: Run._loop,  # noqa: SLF001
    Mark: Run._mark,  # noqa: SLF001
    GroupProgram: Run._group,  # noqa: SLF001
    AssureProgram: Run._assure,  # noqa: SLF001
    MoveProgram: Run._move,  # noqa: SLF001
}


def _bounded(gap: Positions) -> Positions:
    """Beyond any packet, but no further than a count can be multiplied with."""
    return np.clip(gap, -MAX_FACTOR, MAX_FACTOR)


def _put(found: Values, values: Values, change: Callable[[Column], Column]) -> None:
    """What was found in a part, changed to columns of all packets."""
    raw = {slot: change(column) for slot, column in found.raw.items()}
    for slot, column in found.calibrated.items():
        same = found.raw.get(slot) is column
        values.calibrated[slot] = raw[slot] if same else change(column)
    values.raw.update(raw)
    values.latest.update(found.latest)


def _of_packets(column: Column, start: Positions, count: Positions, shape: tuple[int, ...] | None) -> Column:
    """The values of all times as rows of packets."""
    assert not isinstance(column, Ragged)
    if shape is None:
        return Ragged(column, start, count)
    return column.reshape(len(start), *shape, *column.shape[1:])


def _spread(column: Column, rows: Rows, n: int) -> Ragged:
    """The values of some packets as a column of all: the others have none."""
    start, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    if isinstance(column, Ragged):
        start[rows], length[rows] = column.start, column.length
        return Ragged(column.values, start, length)
    start[rows], length[rows] = np.arange(len(rows)), 1
    return Ragged(column, start, length)
