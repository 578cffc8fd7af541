"""How values change from one to another: alarms on the change, with the last values of the batches before."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from ..model.parameter_types import Change, Range

MAX_PAST = 4096
"""Values remembered: the longest span in samples, and what a span in seconds may look back to."""


def single_values(column: Column, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """float64[len(rows)] of values that come once; None for arrays."""
    values = column.values[column.start[rows]] if isinstance(column, Ragged) else column[rows]
    return values.astype(np.float64) if values.ndim == 1 and values.dtype.kind in "biuf" else None


@dataclass(frozen=True, slots=True)
class Past:
    """Values and their times (ns), those of earlier batches first."""

    values: NDArray[np.float64]
    times: NDArray[np.int64]

    def and_then(self, values: NDArray[np.float64], times: NDArray[np.int64]) -> Past:
        return Past(np.concatenate([self.values, values]), np.concatenate([self.times, times]))

    def end(self) -> Past:
        return Past(self.values[-MAX_PAST:].copy(), self.times[-MAX_PAST:].copy())


def levels_of_change(past: Past, n: int, change: Change) -> NDArray[np.int8]:
    """int8[n]: the level of concern of each of the last `n` values, by how they differ from the ones before."""
    place = np.arange(len(past.values) - n, len(past.values))
    before = place - change.n_samples
    if change.span_s:
        ages = np.maximum.accumulate(past.times)
        before = np.minimum(before, np.searchsorted(ages, ages[place] - int(change.span_s * 1e9), "right") - 1)
    there = before >= 0
    first = past.values[np.maximum(before, 0)]
    x = past.values[place] - first
    with np.errstate(divide="ignore", invalid="ignore"):
        if change.in_percent:
            x = x / np.abs(first) * 100
        if change.by_time:
            seconds = (past.times[place] - past.times[np.maximum(before, 0)]) / 1e9
            there &= seconds > 0
            x = x / seconds
    level = np.zeros(n, np.int8)
    for its_level, where, inside in change.bands:
        hits = _is_in(x, where) == inside
        level = np.where(there & ~np.isnan(x) & hits, np.maximum(level, np.int8(its_level)), level)
    return level


def _is_in(x: NDArray[Any], where: Range) -> NDArray[np.bool_]:
    """Whether changes are in a range; one that has no negative end is of their magnitude, up or down."""
    if where.low >= 0 or (where.low == -inf and where.high >= 0):
        x = np.abs(x)
    low = x >= where.low if where.with_low else x > where.low
    high = x <= where.high if where.with_high else x < where.high
    return np.asarray(low & high)
