"""Gaps in a series of samples, for all lines that are drawn against time.

A step is a gap if it is longer than `FACTOR` times the usual step. The usual step is the longest regular one: steps are
regular if they equal the next one within `_ALIKE`, and the few longest of these are left out, as they may be chance. So
a slow and a fast mode of an instrument both have no gaps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import NO_TIME

FACTOR = 3.0
_ALIKE = 0.1  # relative difference of equal steps
_RANK, _SHARE = 3, 0.005  # rank of the usual step among the regular ones, from the longest: number, or share of all

Indices = NDArray[np.int64]


def gap_starts(time_ns: NDArray[np.int64]) -> Indices:
    """Indices i, ascending, of gaps between the samples i - 1 and i of `time_ns int64[n]`.

    Samples at NO_TIME are ignored, equal times count once. A step back in time is a gap, too.
    """
    known = np.flatnonzero(time_ns != NO_TIME)
    steps = np.diff(time_ns[known].astype(np.float64))
    is_gap = (steps < 0) | (steps > FACTOR * _usual(steps[steps > 0]))
    starts: Indices = known[1:][is_gap]
    return starts


def gap_spans(time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Begin and end of each gap, int64[k, 2]: time of the last sample before it and of the first one after."""
    starts = gap_starts(time_ns)
    before = np.maximum.accumulate(np.where(time_ns != NO_TIME, np.arange(len(time_ns)), 0))
    spans = np.stack([time_ns[before[starts - 1]], time_ns[starts]], axis=1)
    return spans[spans[:, 1] > spans[:, 0]]


def interrupted(values: NDArray[Any], starts: Indices) -> NDArray[Any]:
    """Insert a row of NaN (NaT) into `values [n, ...]` before each of `starts`, so that a line is interrupted there."""
    if values.dtype.kind in "iub":
        values = values.astype(np.float64)
    return np.insert(values, starts, np.array(np.nan if values.dtype.kind == "f" else "NaT", values.dtype), axis=0)


def _usual(steps: NDArray[np.float64]) -> float:
    """Usual step of positive steps, float64[n]; the median if none are regular."""
    if not len(steps):
        return np.inf
    alike = np.abs(np.diff(steps)) <= _ALIKE * steps[:-1]
    kept = np.minimum(steps[:-1], steps[1:])[alike] if alike.any() else np.sort(steps)[: len(steps) // 2 + 1]
    rank = min(max(_RANK, int(_SHARE * len(kept))), len(kept)) if alike.any() else 1
    return float(np.partition(kept, len(kept) - rank)[len(kept) - rank])
