"""Calibration that depends on other parameters: context calibrators, and formulas with other operands.

It comes last, when all of the packets' values are there: the raw column of such a parameter is calibrated by the
first context that holds in its row, else by the default calibrator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, Ragged
from pipeline.dictionary.calibrators import compile_calibrator, evaluate
from pipeline.dictionary.definitions import Calibrator, Dictionary, Formula, NumberType, Reference
from pipeline.dictionary.layout import Block, Group, Repeat, Slot, Step, Variable
from pipeline.dictionary.values import Criterion, Values, check_number, compile_condition

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Contextual:
    """How one slot is calibrated: `cases` in order, then `default` (None: the count itself)."""

    slot: Slot
    cases: tuple[tuple[Criterion, Calibrator], ...]
    default: Calibrator | None

    def operands(self) -> list[Reference]:
        """Other parameters in its formulas."""
        calibrators = [self.default, *(calibrator for _, calibrator in self.cases)]
        return [each for formula in calibrators if isinstance(formula, Formula) for each in formula.operands]

    def needs(self) -> frozenset[str]:
        operands = frozenset(reference.parameter for reference in self.operands())
        return operands.union(*(criterion.needs() for criterion, _ in self.cases))

    def apply(self, values: Values) -> None:
        """Put the calibrated column in the place of the raw one."""
        raw = values.raw[self.slot]
        flat, rows = _flat(raw)
        out = np.empty(flat.shape, np.float64)
        waiting = np.ones(len(flat), np.bool_)
        for criterion, calibrator in self.cases:
            hits = waiting & criterion.holds(values)[rows]
            out[hits] = _calibrated(calibrator, flat[hits], values, rows[hits])
            waiting &= ~hits
        if waiting.any():
            out[waiting] = _calibrated(self.default, flat[waiting], values, rows[waiting])
        values.calibrated[self.slot] = Ragged(out, raw.start, raw.length) if isinstance(raw, Ragged) else out


def _flat(column: Column) -> tuple[Array, NDArray[np.intp]]:
    """Values, and the packet to which each belongs."""
    if not isinstance(column, Ragged):
        return column, np.arange(len(column))
    rows = np.zeros(len(column.values), np.intp)
    index = np.repeat(np.arange(len(column)), column.length)
    ahead = np.cumsum(column.length) - column.length
    rows[np.repeat(column.start - ahead, column.length) + np.arange(len(index))] = index
    return column.values, rows


def _calibrated(calibrator: Calibrator | None, raw: Array, values: Values, rows: NDArray[np.intp]) -> Array:
    if calibrator is None:
        return raw
    if isinstance(calibrator, Formula):

        def value_of(reference: Reference) -> Array:
            other = values.of(reference.parameter, calibrated=reference.calibrated)[rows]
            return np.asarray(other.reshape(other.shape + (1,) * (raw.ndim - 1)))

        return evaluate(calibrator, raw, value_of)
    out = np.empty(raw.shape, np.float64)
    compile_calibrator(calibrator).fill(raw, out)
    return out


def contextual_slots(steps: Sequence[Step], dictionary: Dictionary) -> Iterator[Contextual]:
    """The slots of the steps that are calibrated by what stands beside them. Raises ConfigError."""
    for slot, kind in _typed_slots(steps):
        if isinstance(kind, NumberType) and kind.encoding.is_contextual:
            cases = tuple(
                (compile_condition(condition, dictionary, late=True), calibrator)
                for condition, calibrator in kind.encoding.contexts
            )
            found = Contextual(slot, cases, kind.encoding.calibrator)
            for reference in found.operands():
                check_number(reference, dictionary)
            yield found


def _typed_slots(steps: Sequence[Step]) -> Iterator[tuple[Slot, Any]]:
    for step in steps:
        if isinstance(step, Block | Repeat):
            block = step if isinstance(step, Block) else step.block
            yield from ((each.slot, each.type) for each in block.fields)
        elif isinstance(step, Variable):
            yield step.slot, step.type
        elif isinstance(step, Group):
            yield from _typed_slots(step.steps)
