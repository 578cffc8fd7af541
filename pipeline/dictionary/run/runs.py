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

from ...model.batches import Ragged
from ...model.reductions import all_true, any_true
from .blocks import BlockProgram
from .loops import find_times
from .ragged import flat_starts
from .rows import Chunk, bit_chunks, matrix_chunks
from .step_programs import (
    AssureProgram,
    ChoiceProgram,
    GroupProgram,
    LoopProgram,
    MoveProgram,
    RepeatProgram,
    StepProgram,
)
from .steps import Mark
from .times import bounded, joined_times, of_packets, parts_of, put, spread, values_only
from .values import Values
from .variables import Terminators, VariableProgram, product_of

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]


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
        self.none: Positions | None = None
        """Zeros for columns without a value."""
        self.front: Positions | None = None
        """Where the entries before those at the packet's end left off."""
        self.tail = end
        """Where the entries at the packet's end begin."""
        self.is_at_end = False
        self.reach = position
        self.is_inside = position is begin
        """Whether no packet's reach lies before its start."""
        self.alive = np.ones(len(begin), np.bool_)
        """Packets that were long enough so far."""
        self.is_whole = True
        """Whether all were."""
        self.lost: NDArray[np.bool_] | None = None
        """Packets that are set aside since nothing describes what follows in them; None: there are none."""
        self.result = Result(values)

    def run(self, steps: Sequence[StepProgram]) -> Result:
        for step in steps:
            if not self._step(step):
                break
        self.result.described_bits = self.reach - self.begin
        self.result.short = None if self.is_whole else ~self.alive
        self.result.n_lost = 0 if self.lost is None else int(np.count_nonzero(self.lost))
        return self.result

    def _step(self, step: StepProgram) -> bool:
        """One step; False: no packet is long enough to go on."""
        return _STEPS[type(step)](self, step)

    def _mark(self, mark: Mark) -> bool:
        self.marks[mark.mark] = self.position
        return True

    def _keep(self, holds: NDArray[np.bool_]) -> None:
        """Go on with those packets only for which it holds."""
        if not all_true(holds):
            self.alive &= holds
            self.is_whole = False

    def end_some(self, rows: Rows, ended: NDArray[np.bool_] | None, lost: NDArray[np.bool_] | None) -> None:
        """Go on without those of the packets at `rows` that have ended; `lost`: those that nothing describes further.
        None: no packet.
        """
        if ended is not None and any_true(ended):
            self.alive[rows] &= ~ended
            self.is_whole = False
        if lost is not None:
            self.lost = np.zeros(len(self.alive), np.bool_) if self.lost is None else self.lost
            self.lost[rows] |= lost

    def _goes_on(self) -> bool:
        """Whether any packet is long enough to go on, or there are none."""
        return self.is_whole or any_true(self.alive)

    def _assure(self, step: AssureProgram) -> bool:
        none = np.zeros(len(self.alive), np.bool_)
        known = step.criterion.holds(self.result.values) if step.criterion is not None else none
        lost = self.alive & ~known
        self.lost = lost if self.lost is None else self.lost | lost
        self._keep(known)
        return self._goes_on()

    def _fit(self, low: Positions, high: Positions) -> bool:
        """Note which packets hold the bits from `low` to `high`, not before it; False: none does any more."""
        goes_on = low is self.reach and self.is_inside
        fits = high <= self._limit()
        if not goes_on and low is not self.begin:
            fits &= low >= self.begin
        self._keep(fits)
        if not self.is_whole:
            self.reach = np.maximum(self.reach, np.where(self.alive, high, self.reach))
            return any_true(self.alive)
        # Most entries begin where the last one ended: nothing to compare then.
        self.reach = high if goes_on else np.maximum(self.reach, high)
        self.is_inside = True
        return True

    def _limit(self) -> Positions:
        """Where the entry at hand must have ended."""
        return self.end if self.is_at_end else self.tail

    def _safe(self, position: Positions) -> Positions:
        """Positions that may be read: those of packets too short are replaced by another packet's."""
        if self.is_whole:
            return position
        return np.where(self.alive, position, position[np.argmax(self.alive)])

    def _counts(self, count: Positions) -> Positions:
        """Counts, none for packets too short."""
        return count if self.is_whole else np.where(self.alive, count, 0)

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
        if heads is not None and low is self.begin and width_bits <= heads.shape[1] * 8 and self.is_whole:
            return matrix_chunks(heads)
        return bit_chunks(self.data, self._safe(low), width_bits)

    def _variable(self, variable: VariableProgram) -> bool:
        position = self._safe(self.position)
        size_bits = variable.size_bits(self.result.values, self.terminators, position, self._limit())
        self._keep(size_bits >= 0)
        behind = self.position + size_bits
        if not self._fit(self.position, behind):
            return False
        size_bits = self._counts(size_bits)
        if variable.is_read:
            self._read(variable, size_bits)
        self.position = behind if self.is_whole else self.position + size_bits
        return True

    def _read(self, variable: VariableProgram, size_bits: Positions) -> None:
        raw, calibrated, unknown = variable.read(self.data, self._safe(self.position), size_bits)
        self.result.values.keep(variable.slot, raw, calibrated)
        self.result.values.flag(unknown)

    # what comes several times

    def _repeat(self, repeat: RepeatProgram) -> bool:
        values, block = self.result.values, repeat.block
        count, gap = product_of(repeat.counts, values), bounded(repeat.gap.of(values))
        stride = block.end_bits + gap
        self._keep((stride > 0) | (count <= 1))
        size_bits = np.where(count > 0, count * stride - gap, count)
        self._keep(size_bits >= 0)
        if not self._fit(self.position, self.position + size_bits):
            return False
        position, stride = self._safe(self.position), self._safe(stride)
        count, size_bits = self._counts(count), self._counts(size_bits)
        if not block.fields:
            self.position = self.position + size_bits
            return True
        if repeat.shape is not None:
            # Each packet is read as often as the others, so that all are rows of one array.
            count = np.full(len(count), int(count.max(initial=0)), np.int64)
        start = flat_starts(count)
        low = np.repeat(position - start * stride, count) + np.arange(int(count.sum())) * np.repeat(stride, count)
        found = Values(len(low))
        if block.lsb_first and (low & 7).any():
            found.flag((low & 7) != 0)
        block.run(bit_chunks(self.data, low, block.width_bits), found)
        put(found, values, lambda column: of_packets(column, start, count, repeat.shape))
        if found.unknown is not None:
            rows = np.repeat(np.arange(len(count)), count)[found.unknown]
            values.flag(np.bincount(rows, minlength=len(count)) > 0)
        self.position = self.position + size_bits
        return True

    def _loop(self, loop: LoopProgram) -> bool:
        """Find where the times begin, then read them all."""
        values = self.result.values
        count, gap = product_of(loop.counts, values), bounded(loop.gap.of(values))
        self._keep((count >= 0) & (count <= self.end - self.begin))
        self.position, self.reach = self.position.copy(), self.reach.copy()
        times = find_times(self, loop, np.where(self.alive, count, 0), gap)
        if loop.steps:
            parts = [
                (part, self.inside(times.row[part], loop.steps, times.begin[part]).result.values)
                for part in parts_of(times, has_texts=loop.has_texts)
            ]
            joined_times(times, loop.shape, parts, values)
        return self._goes_on()

    # what is there only sometimes

    def _group(self, group: GroupProgram) -> bool:
        rows = np.flatnonzero(group.criterion.holds(self.result.values) & self.alive)
        if not len(rows):
            return self._without(group)
        inside = self.inside(rows, group.steps)
        self.position, self.reach = self.position.copy(), self.reach.copy()
        self._take_back(inside, rows)
        if not any_true(inside.alive):
            return self._without(group) and any_true(self.alive)
        n = len(self.alive)
        put(inside.result.values, self.result.values, lambda column: spread(column, rows, n))
        return self._goes_on()

    def _without(self, group: GroupProgram) -> bool:
        """No packet has it: columns without a value."""
        if not group.absent:
            empty = self.inside(np.empty(0, np.intp), group.steps).result.values
            group.absent.append(values_only(empty))
        if self.none is None:
            self.none = np.zeros(len(self.alive), np.int64)
            self.none.flags.writeable = False
        values, none = self.result.values, self.none
        for slot, (raw, calibrated) in group.absent[0].items():
            column = Ragged(raw, none, none)
            values.keep(slot, column, column if calibrated is raw else Ragged(calibrated, none, none))
        return True

    def _choice(self, choice: ChoiceProgram) -> bool:
        """Only groups for a value that some packet has need a look."""
        there: list[int] = np.unique(self.result.values.of(choice.key, calibrated=False)).tolist()
        wanted = choice.wanted(there)
        return all(
            self._group(group) if number in wanted else self._without(group)
            for number, (_, group) in enumerate(choice.groups)
        )

    def inside(self, rows: Rows, steps: Sequence[StepProgram], position: Positions | None = None) -> Run:
        """Run steps for some of the packets, each as often as it is in `rows`, from its place or from `position` on."""
        place = self.position[rows] if position is None else position
        values = self.result.values.inside(rows)
        marks = {mark: mark_place[rows] for mark, mark_place in self.marks.items()}
        run = self._part(steps)(self.data, self.begin[rows], self.end[rows], place, values, marks, self.terminators)
        run.is_at_end = self.is_at_end
        if self.tail is not self.end:
            run.tail = self.tail[rows]
        run.run(steps)
        return run

    def _part(self, steps: Sequence[StepProgram]) -> Callable[..., Run]:
        """What makes the run through `steps` inside this one."""
        del steps
        return Run

    def _take_back(self, inside: Run, rows: Rows) -> None:
        """What a run through some of the packets has found out."""
        self.end_some(rows, None if inside.is_whole else ~inside.alive, inside.lost)
        self.position[rows] = inside.position
        if inside.tail is not inside.end:
            self.tail = self.tail.copy()
            self.tail[rows] = inside.tail
        self.reach[rows] = np.maximum(self.reach[rows], inside.reach)
        if inside.result.values.unknown is not None:
            unknown = np.zeros(len(self.alive), np.bool_)
            unknown[rows] = inside.result.values.unknown
            self.result.values.flag(unknown)

    def _move(self, move: MoveProgram) -> bool:
        if move.anchor == "front":
            assert self.front is not None
            self.position, self.front, self.is_at_end = self.front, None, False
            return True
        anchors = {"here": self.position, "start": self.begin, "end": self.end}
        anchor = self.marks[move.mark] if move.anchor == "mark" else anchors[move.anchor]
        before, self.position = self.position, anchor + move.bits.of(self.result.values)
        if move.anchor == "end":
            self.front = before if self.front is None else self.front
            # What stands at the end must not lie over what stands before it.
            self._keep(self.position >= self.front)
            self.tail, self.is_at_end = np.minimum(self.tail, self.position), True
        return self._goes_on()


_STEPS: dict[type, Callable[[Run, Any], bool]] = {
    BlockProgram: Run._block,  # noqa: SLF001 - its own table
    VariableProgram: Run._variable,  # noqa: SLF001
    RepeatProgram: Run._repeat,  # noqa: SLF001
    LoopProgram: Run._loop,  # noqa: SLF001
    Mark: Run._mark,  # noqa: SLF001
    GroupProgram: Run._group,  # noqa: SLF001
    ChoiceProgram: Run._choice,  # noqa: SLF001
    AssureProgram: Run._assure,  # noqa: SLF001
    MoveProgram: Run._move,  # noqa: SLF001
}
