"""Computed from the rows of a parameter: statistics of what is in sight, runs of equal labels, lanes of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of n finite values; `sigma` is the standard deviation of the sample (n - 1 below), 0 of one value."""

    n: int
    low: float
    high: float
    mean: float
    sigma: float
    last: float


def statistics(values: Floats) -> Statistics | None:
    """Of the finite values, in order of time; None where there is none."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    sigma = float(finite.std(ddof=1)) if np.ptp(finite) else 0.0  # of equal values it is not quite 0
    return Statistics(
        len(finite), float(finite.min()), float(finite.max()), float(finite.mean()), sigma, float(finite[-1])
    )


def in_sight(place: Floats, range_of_x: tuple[float, float] | None) -> slice:
    """The rows, in ascending order of their places on an axis, that lie within a range; all without one."""
    if range_of_x is None:
        return slice(None)
    first, last = range_of_x
    return slice(int(np.searchsorted(place, first, "left")), int(np.searchsorted(place, last, "right")))


def runs(codes: Floats, gaps: Indices) -> tuple[Indices, Indices]:
    """First and last index of each run of equal codes; a run ends where a gap lies before the next row."""
    if not len(codes):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.union1d(np.flatnonzero(np.diff(codes, prepend=np.nan) != 0), gaps).astype(np.int64)
    return starts, np.append(starts[1:] - 1, len(codes) - 1)


def columns_in_time(place: Floats, n_columns: int) -> tuple[Indices, float, float]:
    """Which row each of `n_columns` even columns of an image shows, -1 where none is near; first and last place.

    A column shows the nearest row, where that is nearer than 1.5 times the usual step between rows.
    """
    first, last = float(place[0]), float(place[-1])
    if len(place) < 2 or last <= first:
        return np.zeros(1, np.int64), first, first + 1
    steps = np.diff(place)
    usual = float(np.median(steps[steps > 0]))
    first, last = first - usual / 2, last + usual / 2
    centres = first + (np.arange(n_columns) + 0.5) * (last - first) / n_columns
    after = np.clip(np.searchsorted(place, centres), 1, len(place) - 1)
    nearest = np.where(centres - place[after - 1] <= place[after] - centres, after - 1, after)
    reach = max(1.5 * usual, (last - first) / n_columns)
    return np.where(np.abs(place[nearest] - centres) <= reach, nearest, -1), first, last
