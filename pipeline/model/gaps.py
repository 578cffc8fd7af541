"""Where a series of samples is interrupted: one rule for every line that is drawn against time.

In: sample times in the order in which they are drawn. Out: the samples that a line must not be joined to. A step is a
gap where it is more than `FACTOR` times the usual step. The usual step is the longest one that the series keeps to: one
that equals the next within `_ALIKE`, without the few longest of these, which may be chance. So an instrument may have a
slow and a fast mode, and rows that come singly between them are not torn apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import NO_TIME

FACTOR = 3.0
_ALIKE = 0.1  # of a step: two are the same that differ by less
_RANK, _SHARE = 3, 0.005  # of the steps that the series keeps to, from the longest: the usual one

Indices = NDArray[np.int64]


def gap_starts(time_ns: NDArray[np.int64], factor: float = FACTOR) -> Indices:
    """Indices i, ascending, where a gap lies between samples i - 1 and i.

    `time_ns int64[n]`; samples at NO_TIME are passed over, equal times are one instant. Where time goes back the line
    is interrupted too.
    """
    known = np.flatnonzero(time_ns != NO_TIME)
    steps = np.diff(time_ns[known].astype(np.float64))
    is_gap = (steps < 0) | (steps > factor * _usual(steps[steps > 0]))
    starts: Indices = known[1:][is_gap]
    return starts


def gap_spans(time_ns: NDArray[np.int64], factor: float = FACTOR) -> NDArray[np.int64]:
    """First and last instant of each gap in time, int64[k, 2]: the last sample before it, the first one after."""
    starts = gap_starts(time_ns, factor)
    before = np.maximum.accumulate(np.where(time_ns != NO_TIME, np.arange(len(time_ns)), 0))
    spans = np.stack([time_ns[before[starts - 1]], time_ns[starts]], axis=1)
    return spans[spans[:, 1] > spans[:, 0]]


def interrupted(values: NDArray[Any], starts: Indices) -> NDArray[Any]:
    """`values [n, ...]` with a row of NaN (NaT) before each of `starts`: a line through them has no part there."""
    if values.dtype.kind in "iub":
        values = values.astype(np.float64)
    return np.insert(values, starts, np.array(np.nan if values.dtype.kind == "f" else "NaT", values.dtype), axis=0)


def _usual(steps: NDArray[np.float64]) -> float:
    """The usual one of positive steps; the median where the series keeps to none."""
    if not len(steps):
        return np.inf
    alike = np.abs(np.diff(steps)) <= _ALIKE * steps[:-1]
    kept = np.minimum(steps[:-1], steps[1:])[alike] if alike.any() else np.sort(steps)[: len(steps) // 2 + 1]
    rank = min(max(_RANK, int(_SHARE * len(kept))), len(kept)) if alike.any() else 1
    return float(np.partition(kept, len(kept) - rank)[len(kept) - rank])
