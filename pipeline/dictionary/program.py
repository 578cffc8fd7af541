"""The steps of a container as a program that runs on all its packets at once.

Comes in: flat bytes with the start and length of each packet. Goes out: a raw and a calibrated column for each
slot, and which packets were too short for what they should hold. A container with fixed places is one block and
needs no arithmetic on positions; behind a variable field the position of each packet is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, Ragged
from pipeline.dictionary.contexts import Contextual, Offset, contextual_slots
from pipeline.dictionary.definitions import Dictionary
from pipeline.dictionary.integrity import is_word
from pipeline.dictionary.layout import Block, Group, Move, Repeat, Slot, Step, Variable
from pipeline.dictionary.lone import Lone, compile_lone
from pipeline.dictionary.operations import Arena, Empty, Operation, compile_operations
from pipeline.dictionary.ragged import flat_starts
from pipeline.dictionary.rows import MIN_ROW_BYTES, Chunk, bit_chunks, chunks
from pipeline.dictionary.values import Criterion, SizeProgram, Values, compile_condition, compile_size
from pipeline.dictionary.variables import VariableProgram, compile_variable, product_of

Positions = NDArray[np.int64]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class BlockProgram:
    """A block of fixed fields; rows begin at `first_bits` from the anchor and are `width_bits` wide."""

    operations: tuple[Operation, ...]
    from_start: bool
    first_bits: int
    width_bits: int
    end_bits: int

    row_bytes: int
    """What the columns of one packet take."""
    slots: tuple[Slot, ...]
    others: tuple[Slot, ...]
    """The slots that a lone packet has read in the common way."""
    latest: dict[str, Slot]
    """The last slot of each parameter."""

    lone: Lone | None
    words: tuple[tuple[Slot, int], ...]
    """Check words, and their bits from the row's start."""

    def run(self, pieces: Iterable[Chunk], values: Values) -> None:
        """Read the fields of all rows into `values`."""
        if values.n == 1 and self.lone is not None:
            piece = next(iter(pieces))
            columns = self.lone.columns(piece)
            values.raw.update(zip(self.lone.slots, columns, strict=True))
            values.calibrated.update(zip(self.lone.slots, columns, strict=True))
            _operate(self.lone.others, self.others, (piece,), values, np.empty)
        else:
            n_bytes = self.row_bytes * values.n
            arrays = 2 * len(self.operations) + 1
            empty: Empty = np.empty if n_bytes < Arena.LEAST_BYTES else Arena(n_bytes, arrays).empty
            _operate(self.operations, self.slots, pieces, values, empty)
        values.latest.update(self.latest)


def _operate(
    operations: Sequence[Operation], slots: Sequence[Slot], pieces: Iterable[Chunk], values: Values, empty: Empty
) -> None:
    pairs = [(operation, operation.allocate(values.n, empty)) for operation in operations]
    for piece in pieces:
        for operation, work in pairs:
            operation.fill(work, piece)
    raw: list[Array] = []
    calibrated: list[Array] = []
    for operation, work in pairs:
        delivered = operation.deliver(work)
        raw += delivered[0]
        calibrated += delivered[1]
        values.flag(work.unknown)
    values.raw.update(zip(slots, raw, strict=True))
    values.calibrated.update(zip(slots, calibrated, strict=True))


@dataclass(frozen=True, slots=True)
class MoveProgram:
    """The position goes on, or back, from an anchor (`layout.Move`)."""

    bits: SizeProgram
    anchor: str


@dataclass(frozen=True, slots=True)
class RepeatProgram:
    """A block as often as the packet tells."""

    counts: tuple[SizeProgram, ...]
    stride_bits: int
    gap_bits: int
    block: BlockProgram


@dataclass(frozen=True, slots=True)
class GroupProgram:
    """Steps for the packets in which the criterion holds."""

    criterion: Criterion
    steps: tuple[StepProgram, ...]


StepProgram = BlockProgram | VariableProgram | MoveProgram | RepeatProgram | GroupProgram


@dataclass(slots=True)
class Result:
    """What a run made. `short: bool[n]`, or None: no packet was too short. Columns of short packets hold zeros
    or noise. `described_bits`: how far the entries reach, one number or one for each packet.
    """

    values: Values
    short: NDArray[np.bool_] | None = None
    described_bits: int | Positions = 0

    def subset(self, rows: NDArray[np.intp]) -> Result:
        described = self.described_bits if isinstance(self.described_bits, int) else self.described_bits[rows]
        return Result(self.values.subset(rows), None, described)


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled steps. `fixed_bits`: the length, where it is the same for all packets."""

    steps: tuple[StepProgram, ...]
    fixed_bits: int | None
    contextual: tuple[Contextual | Offset, ...] = ()

    def run(self, data: NDArray[np.uint8], start: Positions, length: Positions) -> Result:
        """Decode the packets `data[start : start + length]` (bytes), every one with this program.

        Where all have one fixed length the caller has set shorter packets aside.
        """
        result = self._read(data, start, length)
        for each in self.contextual:
            if each.slot in result.values.raw:
                each.apply(result.values)
        return result

    def _read(self, data: NDArray[np.uint8], start: Positions, length: Positions) -> Result:
        if self.fixed_bits is None:
            begin = start * 8
            run = _Run(data, begin, (start + length) * 8, begin, Values(len(start)))
            return run.run(self.steps)
        result = Result(Values(len(start)), None, self.fixed_bits)
        for block in self.steps:
            assert isinstance(block, BlockProgram)
            for slot, bits in block.words:
                result.values.places[slot] = np.full(len(start), bits, np.int64)
            if block.operations:
                pieces = chunks(data, start, (block.width_bits + 7) // 8)
                block.run(pieces, result.values)
        return result


class _Run:
    """A run in which each packet has its own position (bits from the start of the data)."""

    def __init__(
        self, data: NDArray[np.uint8], begin: Positions, end: Positions, position: Positions, values: Values
    ) -> None:
        self.data = data
        self.begin = begin
        self.end = end
        self.position = position
        self.front: Positions | None = None
        """Where the entries before those at the packet's end left off."""
        self.reach = position
        self.alive = np.ones(len(begin), np.bool_)
        self.result = Result(values)

    def run(self, steps: Sequence[StepProgram]) -> Result:
        for step in steps:
            if not self._step(step):
                break
        self.result.described_bits = self.reach - self.begin
        self.result.short = None if self.alive.all() else ~self.alive
        return self.result

    def _step(self, step: StepProgram) -> bool:
        """One step; False: no packet is long enough to go on."""
        if isinstance(step, BlockProgram):
            return self._block(step)
        if isinstance(step, VariableProgram):
            return self._variable(step)
        if isinstance(step, RepeatProgram):
            return self._repeat(step)
        return self._group(step) if isinstance(step, GroupProgram) else self._move(step)

    def _fit(self, low: Positions, high: Positions) -> bool:
        """Note which packets hold the bits from `low` to `high`; False: none does any more."""
        self.alive &= (low >= self.begin) & (low <= high) & (high <= self.end)
        self.reach = np.maximum(self.reach, np.where(self.alive, high, self.reach))
        return not len(low) or bool(self.alive.any())

    def _safe(self, position: Positions) -> Positions:
        """Positions that may be read: those of packets too short are replaced by another packet's."""
        if self.alive.all():
            return position
        return np.where(self.alive, position, position[np.argmax(self.alive)])

    def _block(self, block: BlockProgram) -> bool:
        anchor = self.begin if block.from_start else self.position
        low = anchor + block.first_bits
        if not self._fit(low, low + block.width_bits):
            return False
        self.position = anchor + block.end_bits
        for slot, bits in block.words:
            self.result.values.places[slot] = low - self.begin + bits
        if block.operations:
            pieces = bit_chunks(self.data, self._safe(low), block.width_bits)
            block.run(pieces, self.result.values)
        return True

    def _variable(self, variable: VariableProgram) -> bool:
        position = self._safe(self.position)
        size_bits = variable.size_bits(self.result.values, self.data, position, self.end)
        if not self._fit(self.position, self.position + size_bits):
            return False
        size_bits = np.where(self.alive, size_bits, 0)
        raw, calibrated = variable.read(self.data, self._safe(self.position), size_bits)
        self.result.values.keep(variable.slot, raw, calibrated)
        self.position = self.position + size_bits
        return True

    def _repeat(self, repeat: RepeatProgram) -> bool:
        count = product_of(repeat.counts, self.result.values)
        size_bits = np.where(count > 0, count * repeat.stride_bits - repeat.gap_bits, count)
        if not self._fit(self.position, self.position + size_bits):
            return False
        count, size_bits = np.where(self.alive, count, 0), np.where(self.alive, size_bits, 0)
        start = flat_starts(count)
        low = np.repeat(self._safe(self.position) - start * repeat.stride_bits, count)
        low += np.arange(len(low)) * repeat.stride_bits
        pieces = bit_chunks(self.data, low, repeat.block.width_bits)
        found = Values(len(low))
        repeat.block.run(pieces, found)
        for slot, values in found.raw.items():
            same, calibrated = found.calibrated[slot] is values, found.calibrated[slot]
            assert not isinstance(values, Ragged)
            assert not isinstance(calibrated, Ragged)
            raw = Ragged(values, start, count)
            self.result.values.keep(slot, raw, raw if same else Ragged(calibrated, start, count))
        if found.unknown is not None:
            rows = np.repeat(np.arange(len(count)), count)[found.unknown]
            self.result.values.flag(np.bincount(rows, minlength=len(count)) > 0)
        self.position = self.position + size_bits
        return True

    def _group(self, group: GroupProgram) -> bool:
        rows = np.flatnonzero(group.criterion.holds(self.result.values) & self.alive)
        inside = self._inside(rows, group.steps)
        self.alive[rows] &= inside.alive
        self.position, self.reach = self.position.copy(), self.reach.copy()
        self.position[rows] = inside.position
        self.reach[rows] = np.maximum(self.reach[rows], inside.reach)
        if inside.result.values.unknown is not None:
            unknown = np.zeros(len(self.alive), np.bool_)
            unknown[rows] = inside.result.values.unknown
            self.result.values.flag(unknown)
        if len(rows) and not inside.alive.any():
            # Nothing was read: empty columns still want a type.
            rows = rows[:0]
            inside = self._inside(rows, group.steps)
        found = inside.result.values
        for slot, raw in found.raw.items():
            calibrated = found.calibrated[slot]
            spread = _spread(raw, rows, len(self.alive))
            same = calibrated is raw
            self.result.values.keep(slot, spread, spread if same else _spread(calibrated, rows, len(self.alive)))
        return bool(self.alive.any())

    def _inside(self, rows: NDArray[np.intp], steps: Sequence[StepProgram]) -> _Run:
        values = self.result.values.inside(rows)
        run = _Run(self.data, self.begin[rows], self.end[rows], self.position[rows], values)
        run.run(steps)
        return run

    def _move(self, move: MoveProgram) -> bool:
        if move.anchor == "front":
            assert self.front is not None
            self.position, self.front = self.front, None
            return True
        anchors = {"here": self.position, "start": self.begin, "end": self.end}
        before, self.position = self.position, anchors[move.anchor] + move.bits.of(self.result.values)
        if move.anchor == "end":
            self.front = before if self.front is None else self.front
            # What stands at the end must not lie over what stands before it.
            self.alive &= self.position >= self.front
        return not len(before) or bool(self.alive.any())


def _spread(column: Column, rows: NDArray[np.intp], n: int) -> Ragged:
    """The values of some packets as a column of all: the others have none."""
    start, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    if isinstance(column, Ragged):
        start[rows], length[rows] = column.start, column.length
        return Ragged(column.values, start, length)
    start[rows], length[rows] = np.arange(len(rows)), 1
    return Ragged(column, start, length)


def compile_program(steps: Sequence[Step], dictionary: Dictionary, *, calibrate: bool = True) -> Program:
    """Raises ConfigError where a size cannot be told from what it refers to. `calibrate`: by context, too."""
    compiled = tuple(_compile_step(step, dictionary) for step in steps)
    blocks = [step for step in compiled if isinstance(step, BlockProgram) and step.from_start]
    fixed_bits = max((each.width_bits for each in blocks), default=0) if len(blocks) == len(compiled) else None
    return Program(compiled, fixed_bits, tuple(contextual_slots(steps, dictionary)) if calibrate else ())


def _compile_step(step: Step, dictionary: Dictionary) -> StepProgram:
    if isinstance(step, Move):
        return MoveProgram(compile_size(step.bits, dictionary), step.anchor)
    if isinstance(step, Variable):
        return compile_variable(step, dictionary)
    if isinstance(step, Group):
        inside = tuple(_compile_step(each, dictionary) for each in step.steps)
        return GroupProgram(compile_condition(step.condition, dictionary), inside)
    if isinstance(step, Repeat):
        counts = tuple(compile_size(each, dictionary) for each in step.counts)
        return RepeatProgram(counts, step.stride_bits, step.gap_bits, _compile_block(step.block))
    return _compile_block(step)


def _compile_block(block: Block) -> BlockProgram:
    # Rows that start with the packet start there even if the first field does not: they may then be a view.
    ends = [each.end_bits for each in block.fields]
    first = 0 if block.from_start else min([0, *(each.offset_bits for each in block.fields)])
    width = max([0, *ends]) - first
    fields = [replace(each, offset_bits=each.offset_bits - first) for each in block.fields]
    operations = compile_operations(fields, max((width + 7) // 8, MIN_ROW_BYTES))
    works = [operation.allocate(1) for operation in operations]
    row_bytes = sum(work.raw.nbytes + (work.calibrated is not work.raw) * work.calibrated.nbytes for work in works)
    slots = tuple(slot for operation in operations for slot in operation.slots)
    latest = {each.slot.key: each.slot for each in fields}
    lone = compile_lone(operations)
    others = tuple(slot for operation in lone.others for slot in operation.slots) if lone else ()
    words = tuple((each.slot, each.offset_bits) for each in fields if is_word(each.type) and not each.shape)
    return BlockProgram(
        operations, block.from_start, first, width, block.end_bits, row_bytes, slots, others, latest, lone, words
    )
