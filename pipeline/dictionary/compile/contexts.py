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

from ...model.batches import NO_TIME, Column, Ragged
from ...model.errors import ConfigError, Problem
from ..model.calibrators import compile_calibrator, evaluate
from ..model.conditions import Reference
from ..model.definitions import Dictionary
from ..model.encodings import Calibrator, Formula
from ..model.parameter_types import CodedTimeType, NumberType, TimeType
from ..run.comparisons import compile_condition, meant
from ..run.criteria import Criterion
from ..run.ragged import flat_index
from ..run.sizes import check_number
from ..run.steps import Slot, Step, typed_slots
from ..run.values import Values

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


@dataclass(frozen=True, slots=True)
class Offset:
    """A time that counts on from another (XTCE OffsetFrom), of the same packet or the last one received before."""

    slot: Slot
    origin: Reference

    def needs(self) -> frozenset[str]:
        return frozenset({self.origin.parameter})

    def apply(self, values: Values) -> None:
        """Add the other time to the column."""
        column = values.calibrated[self.slot]
        flat, rows = _flat(column)
        origin = values.of(self.origin.parameter, calibrated=True)[rows]
        there = values.present(self.origin.parameter)
        total = flat + origin.reshape(origin.shape + (1,) * (flat.ndim - 1))
        total[origin == NO_TIME] = NO_TIME
        if there is not None:
            total[~there[rows]] = NO_TIME
        values.calibrated[self.slot] = (
            Ragged(total, column.start, column.length) if isinstance(column, Ragged) else total
        )


def _flat(column: Column) -> tuple[Array, NDArray[np.intp]]:
    """Values, and the packet to which each belongs."""
    if not isinstance(column, Ragged):
        return np.asarray(column), np.arange(len(column))
    rows = np.zeros(len(column.values), np.intp)
    rows[flat_index(column.start, column.length)] = np.repeat(np.arange(len(column)), column.length)
    return column.values, rows


def _calibrated(calibrator: Calibrator | None, raw: Array, values: Values, rows: NDArray[np.intp]) -> Array:
    if calibrator is None:
        return raw
    if isinstance(calibrator, Formula):

        def value_of(reference: Reference) -> Array:
            other = values.of(reference.parameter, calibrated=reference.calibrated)
            lacks = values.lacks(reference.parameter)
            other = other[rows] if lacks is None else np.where(lacks, np.nan, other)[rows]
            return np.asarray(other.reshape(other.shape + (1,) * (raw.ndim - 1)))

        return evaluate(calibrator, raw, value_of)
    out = np.empty(raw.shape, np.float64)
    compile_calibrator(calibrator).fill(raw, out)
    return out


def contextual_slots(steps: Sequence[Step], dictionary: Dictionary) -> list[Contextual | Offset]:
    """The slots of the steps that are calibrated by what stands beside them: times last, and each after the one it
    counts from. Raises ConfigError.
    """
    times: list[Offset] = []
    numbers: list[tuple[Slot, NumberType]] = []
    for slot, kind in typed_slots(steps):
        if isinstance(kind, NumberType):
            if kind.encoding.is_contextual:
                numbers.append((slot, kind))
        elif isinstance(kind, TimeType | CodedTimeType) and kind.offset_from is not None:
            times.append(Offset(slot, kind.offset_from))
    return [*_contextual(numbers, dictionary), *_in_order(times, dictionary)]


def _in_order(offsets: list[Offset], dictionary: Dictionary) -> Iterator[Offset]:
    waiting = {each.slot.key for each in offsets}
    while offsets:
        ready = [each for each in offsets if each.origin.parameter not in waiting]
        if not ready:
            text = f'"{offsets[0].slot.key}" is offset from itself, directly or through others'
            raise ConfigError([Problem(text, dictionary.file, offsets[0].origin.line, "OffsetFrom")])
        for each in ready:
            kind = dictionary.parameters[each.origin.parameter].type
            if not isinstance(kind, TimeType | CodedTimeType) or not each.origin.calibrated:
                text = f'"{each.origin.parameter}" is no time from which one could count'
                raise ConfigError([Problem(text, dictionary.file, each.origin.line, "OffsetFrom")])
            yield each
        offsets = [each for each in offsets if each not in ready]
        waiting = {each.slot.key for each in offsets}


def _contextual(slots: Sequence[tuple[Slot, NumberType]], dictionary: Dictionary) -> Iterator[Contextual]:
    for slot, kind in slots:
        cases = tuple(
            (compile_condition(condition, dictionary, late=True), _meant(calibrator, dictionary))
            for condition, calibrator in kind.encoding.contexts
        )
        default = kind.encoding.calibrator
        found = Contextual(slot, cases, None if default is None else _meant(default, dictionary))
        for reference in found.operands():
            check_number(reference, dictionary)
        yield found


def _meant(calibrator: Calibrator, dictionary: Dictionary) -> Calibrator:
    """With the values of what is written as text in a formula."""
    if not isinstance(calibrator, Formula):
        return calibrator
    tokens = (meant(token, dictionary) if isinstance(token, Reference) else token for token in calibrator.tokens)
    return Formula(tuple(tokens))
