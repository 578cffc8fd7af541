"""Where traces stand along the track, and the same traces at even distances.

In: positions of a run, rounded to a centimetre as the radar's records have them. Out: distance along the course, and
for each place of an even grid its two neighbours. Rounding would lengthen a track that is added up step by step, so
each step is measured along the course: the chord from some traces before to some after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Places [k] at even distances: trace `left` and the one after it, the weight of that, and the gap between."""

    distance_m: Floats
    left: NDArray[np.intp]
    part: Floats
    gap_m: Floats


def along_track_m(position_m: Floats, reach: int) -> Floats:
    """Distance [n] from the first trace, never falling, of positions [n, 3]; the course is over +-`reach` traces."""
    n = len(position_m)
    at = np.arange(n)
    chord = position_m[np.minimum(at + reach, n - 1)] - position_m[np.maximum(at - reach, 0)]
    length = np.sqrt((chord * chord).sum(axis=1, keepdims=True))
    course = np.divide(chord, length, out=np.zeros_like(chord), where=length > 0)
    mean = (course[1:] + course[:-1]) / 2
    steps = (np.diff(position_m, axis=0) * mean).sum(axis=1)
    return np.asarray(np.maximum.accumulate(np.concatenate([[0.0], np.cumsum(steps)])))


def even(distance_m: Floats, interval_m: float) -> Grid:
    """An even grid from the first trace to the last; distances [n] ascend or stay."""
    places = np.arange(0.0, distance_m[-1] - distance_m[0] + interval_m / 4, interval_m) + distance_m[0]
    left = np.clip(np.searchsorted(distance_m, places, "right") - 1, 0, max(len(distance_m) - 2, 0))
    right = np.minimum(left + 1, len(distance_m) - 1)
    gap = distance_m[right] - distance_m[left]
    part = np.divide(places - distance_m[left], gap, out=np.zeros_like(places), where=gap > 0)
    return Grid(places, left, np.clip(part, 0.0, 1.0), gap)


def at_grid(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Values [n, ...] of traces at the places of the grid [k, ...], on a straight line between neighbours."""
    right = np.minimum(grid.left + 1, len(values) - 1)
    part = grid.part.reshape(-1, *[1] * (values.ndim - 1)).astype(values.real.dtype, copy=False)
    return np.asarray(values[grid.left] * (1 - part) + values[right] * part)
