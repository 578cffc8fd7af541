"""Radar traces in; a picture on an even grid out. Pure arrays.

A radargram is drawn as one image, so its columns are put at even distances: each shows the nearest trace, and none
(NaN) where no trace is near. Bins are joined in groups, of which the strongest is shown, so that no echo is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....model.looks import Rows

MAX_COLUMNS = 600
MAX_BINS = 700
_NEAR = 1.5  # of the usual step between traces

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Radargram:
    """`image: float32[n_bins, n_columns]` in dB, first bin first; columns without a trace near them are NaN."""

    image: NDArray[np.float32]
    x_first: float
    x_width: float
    twt_ns: Floats
    twt_width_ns: float


def radargram(rows: Rows, twt_ns: Floats, x: Floats, *, gain_db: float, level_traces: bool) -> Radargram:
    """`rows` of one radar, drawn over `x`; `gain_db` is added from the first to the last bin, in even steps.

    `level_traces` takes away from each bin its mean over the traces, which leaves what changes along the way.
    """
    amplitude, n_joined = _joined(rows["amplitude_db"])
    if level_traces:
        amplitude = amplitude - amplitude.mean(axis=0, keepdims=True)
    amplitude = amplitude + np.linspace(0.0, gain_db, amplitude.shape[1], dtype=np.float32)
    centres, nearest = _grid(x)
    image = np.where(nearest >= 0, amplitude[nearest].T, np.float32(np.nan))
    step = centres[1] - centres[0] if len(centres) > 1 else 1.0
    return Radargram(
        np.ascontiguousarray(image, np.float32),
        float(centres[0] - step / 2),
        float(step * len(centres)),
        twt_ns[: amplitude.shape[1] * n_joined : n_joined],
        float(twt_ns[-1] - twt_ns[0]) * amplitude.shape[1] * n_joined / max(len(twt_ns) - 1, 1),
    )


def _joined(amplitude_db: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    n_joined = -(-amplitude_db.shape[1] // MAX_BINS)
    n_bins = amplitude_db.shape[1] // n_joined
    groups = amplitude_db[:, : n_bins * n_joined].reshape(len(amplitude_db), n_bins, n_joined)
    return groups.max(axis=2), n_joined


def _grid(x: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Even centres over ascending `x`, and the index of the trace nearest to each, or -1."""
    steps = np.diff(x)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    n_columns = int(min(max((x[-1] - x[0]) / usual, 0) + 1.5, MAX_COLUMNS))
    centres = np.linspace(x[0], x[-1], n_columns) if n_columns > 1 else x[-1:]
    after = np.clip(np.searchsorted(x, centres), 1, max(len(x) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(x) - 1)
    nearest = np.where(np.abs(x[after] - centres) < np.abs(x[before] - centres), after, before)
    return centres, np.where(np.abs(x[nearest] - centres) <= _NEAR * usual, nearest, -1)
