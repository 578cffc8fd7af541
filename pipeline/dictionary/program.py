"""The steps of a container as a program that runs on all its packets at once.

Comes in: flat bytes with the start and length of each packet. Goes out: a raw and a calibrated column for each
slot, and which packets were too short for what they should hold. A container with fixed places is one block and
needs no arithmetic on positions; behind a variable field the position of each packet is its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.dictionary.definitions import Dictionary
from pipeline.dictionary.layout import Move, Step, Variable
from pipeline.dictionary.operations import Operation, Outcome, compile_operations
from pipeline.dictionary.rows import MIN_ROW_BYTES, Chunk, bit_chunks, chunks
from pipeline.dictionary.values import SizeProgram, Values, compile_size
from pipeline.dictionary.variables import VariableProgram, compile_variable

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockProgram:
    """A block of fixed fields; rows begin at `first_bits` from the anchor and are `width_bits` wide."""

    operations: tuple[Operation, ...]
    from_start: bool
    first_bits: int
    width_bits: int
    end_bits: int

    def run(self, pieces: Iterable[Chunk], n: int) -> list[Outcome]:
        works = [operation.allocate(n) for operation in self.operations]
        for piece in pieces:
            for operation, work in zip(self.operations, works, strict=True):
                operation.fill(work, piece)
        pairs = zip(self.operations, works, strict=True)
        return [outcome for operation, work in pairs for outcome in operation.outcomes(work)]


@dataclass(frozen=True, slots=True)
class MoveProgram:
    """The position goes on, or back, by what the packet tells."""

    bits: SizeProgram
    from_start: bool


@dataclass(slots=True)
class Result:
    """What a run made. `short: bool[n]`, or None: no packet was too short. Columns of short packets hold zeros
    or noise. `described_bits`: how far the entries reach, one number or one for each packet.
    """

    values: Values
    short: NDArray[np.bool_] | None = None
    described_bits: int | Positions = 0
    unknown: NDArray[np.bool_] | None = None

    def subset(self, rows: NDArray[np.intp]) -> Result:
        described = self.described_bits if isinstance(self.described_bits, int) else self.described_bits[rows]
        unknown = None if self.unknown is None else self.unknown[rows]
        return Result(self.values.subset(rows), None, described, unknown)


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled steps. `fixed_bits`: the length, where it is the same for all packets."""

    steps: tuple[BlockProgram | VariableProgram | MoveProgram, ...]
    fixed_bits: int | None

    def run(self, data: NDArray[np.uint8], start: Positions, length: Positions) -> Result:
        """Decode the packets `data[start : start + length]` (bytes), every one with this program.

        Where all have one fixed length the caller has set shorter packets aside.
        """
        if self.fixed_bits is None:
            return _Run(data, start, length).run(self.steps)
        result = Result(Values(len(start)), None, self.fixed_bits)
        for block in self.steps:
            assert isinstance(block, BlockProgram)
            if block.operations:
                pieces = chunks(data, start, (block.width_bits + 7) // 8)
                _keep(result, block.run(pieces, len(start)))
        return result


def _keep(result: Result, outcomes: Iterable[Outcome]) -> None:
    for outcome in outcomes:
        result.values.keep(outcome.slot, outcome.raw, outcome.calibrated)
        if outcome.unknown is not None:
            result.unknown = outcome.unknown if result.unknown is None else result.unknown | outcome.unknown


class _Run:
    """A run in which each packet has its own position (bits from the start of the data)."""

    def __init__(self, data: NDArray[np.uint8], start: Positions, length: Positions) -> None:
        self.data = data
        self.begin = start * 8
        self.end = (start + length) * 8
        self.position = self.begin
        self.reach = self.begin
        self.alive = np.ones(len(start), np.bool_)
        self.result = Result(Values(len(start)))

    def run(self, steps: Sequence[BlockProgram | VariableProgram | MoveProgram]) -> Result:
        for step in steps:
            if isinstance(step, BlockProgram):
                going_on = self._block(step)
            elif isinstance(step, VariableProgram):
                going_on = self._variable(step)
            else:
                going_on = self._move(step)
            if not going_on:
                break
        self.result.described_bits = self.reach - self.begin
        self.result.short = None if self.alive.all() else ~self.alive
        return self.result

    def _fit(self, low: Positions, high: Positions) -> bool:
        """Note which packets hold the bits from `low` to `high`; False: none does any more."""
        self.alive &= (low >= self.begin) & (low <= high) & (high <= self.end)
        self.reach = np.maximum(self.reach, np.where(self.alive, high, self.reach))
        return bool(self.alive.any())

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
        if block.operations:
            pieces = bit_chunks(self.data, self._safe(low), block.width_bits)
            _keep(self.result, block.run(pieces, len(low)))
        return True

    def _variable(self, variable: VariableProgram) -> bool:
        size_bits = variable.size_bits(self.result.values)
        if not self._fit(self.position, self.position + size_bits):
            return False
        size_bits = np.where(self.alive, size_bits, 0)
        raw, calibrated = variable.read(self.data, self._safe(self.position), size_bits)
        self.result.values.keep(variable.slot, raw, calibrated)
        self.position = self.position + size_bits
        return True

    def _move(self, move: MoveProgram) -> bool:
        anchor = self.begin if move.from_start else self.position
        self.position = anchor + move.bits.of(self.result.values)
        return True


def compile_program(steps: Sequence[Step], dictionary: Dictionary) -> Program:
    """Raises ConfigError where a size cannot be told from what it refers to."""
    compiled = tuple(_compile_step(step, dictionary) for step in steps)
    blocks = [step for step in compiled if isinstance(step, BlockProgram) and step.from_start]
    if len(blocks) < len(compiled):
        return Program(compiled, None)
    return Program(compiled, max((each.width_bits for each in blocks), default=0))


def _compile_step(step: Step, dictionary: Dictionary) -> BlockProgram | VariableProgram | MoveProgram:
    if isinstance(step, Move):
        return MoveProgram(compile_size(step.bits, dictionary), step.from_start)
    if isinstance(step, Variable):
        return compile_variable(step, dictionary)
    # Rows that start with the packet start there even if the first field does not: they may then be a view.
    ends = [each.end_bits for each in step.fields]
    first = 0 if step.from_start else min([0, *(each.offset_bits for each in step.fields)])
    width = max([0, *ends]) - first
    fields = [replace(each, offset_bits=each.offset_bits - first) for each in step.fields]
    operations = compile_operations(fields, max((width + 7) // 8, MIN_ROW_BYTES))
    return BlockProgram(operations, step.from_start, first, width, step.end_bits)
