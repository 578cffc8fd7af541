"""Where traces stand along the track: as they were received where they are evenly spaced, else at even distances.

In: positions of a run, rounded to a centimetre as the radar's records have them, and the number of each trace by the
frame counter, which counts fixed distances driven. Out: distance along the course, and for each place of a grid its two
neighbours. Rounding would lengthen a track that is added up step by step, so each step is measured along the course:
the chord from some traces before to some after. The spacing is that of the positions, not of a calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_COUNTER = 256
_ROUNDING_M = 0.01


@dataclass(frozen=True, slots=True)
class Grid:
    """Places [k] at even distances: trace `left` and the one after it, the weight of that, and the gap between.

    `spacing_m` of the places; `as_received`: a place has one trace as it is, unless that one is missing.
    """

    distance_m: Floats
    left: NDArray[np.intp]
    part: Floats
    gap_m: Floats
    spacing_m: float
    as_received: bool


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


def trace_numbers(frame_count: NDArray[np.int64], step: int) -> NDArray[np.int64] | None:
    """Numbers [n] of traces, from 0, by their counter of one byte that grows by `step`; None where it does not."""
    steps = np.diff(frame_count) % _COUNTER
    if (steps == 0).any() or (steps % step != 0).any():
        return None
    return np.concatenate([[0], np.cumsum(steps // step)]).astype(np.int64)


def spaced(
    distance_m: Floats, numbers: NDArray[np.int64] | None, nominal_m: float, reach: int, tolerance: float
) -> Grid:
    """The places of a run: those of its traces if evenly spaced within `tolerance` (a share), else a grid.

    The spacing is the mean of the chords over `reach` traces, and even where each of them has it, but for the rounding
    of positions. Where it is not, and without `numbers`, traces are interpolated at `nominal_m`.
    """
    if numbers is not None and distance_m[-1] > 0:
        first = np.arange(max(1, len(numbers) - reach))
        last = np.minimum(first + reach, len(numbers) - 1)
        span = numbers[last] - numbers[first]
        chord = distance_m[last] - distance_m[first]
        spacing = float((chord / span).mean())
        apart = np.abs(chord / (span * spacing) - 1)
        is_near = abs(spacing / nominal_m - 1) <= 2 * tolerance + _ROUNDING_M / (numbers[-1] * nominal_m)
        if is_near and (apart <= tolerance + 2 * _ROUNDING_M / (span * spacing)).all():
            return _numbered(numbers, spacing)
    return even(distance_m, nominal_m)


def _numbered(numbers: NDArray[np.int64], spacing_m: float) -> Grid:
    """A place for each number; those that are missing lie between their neighbours."""
    places = np.arange(numbers[-1] + 1)
    left = np.clip(np.searchsorted(numbers, places, "right") - 1, 0, len(numbers) - 2)
    span = numbers[left + 1] - numbers[left]
    part = (places - numbers[left]) / span
    at_right = part == 1.0
    left, part = np.where(at_right, left + 1, left), np.where(at_right, 0.0, part)
    gap = np.where(part > 0, span * spacing_m, 0.0)
    return Grid(places * spacing_m, left, part, gap, spacing_m, as_received=True)


def even(distance_m: Floats, interval_m: float) -> Grid:
    """An even grid from the first trace to the last; distances [n] ascend or stay."""
    places = np.arange(0.0, distance_m[-1] - distance_m[0] + interval_m / 4, interval_m) + distance_m[0]
    left = np.clip(np.searchsorted(distance_m, places, "right") - 1, 0, max(len(distance_m) - 2, 0))
    right = np.minimum(left + 1, len(distance_m) - 1)
    gap = distance_m[right] - distance_m[left]
    part = np.divide(places - distance_m[left], gap, out=np.zeros_like(places), where=gap > 0)
    return Grid(places, left, np.clip(part, 0.0, 1.0), gap, interval_m, as_received=False)


def at_grid(values: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Values [n, ...] of traces at the places of the grid [k, ...], on a straight line between neighbours."""
    placed = values[grid.left]
    between = np.flatnonzero(grid.part > 0)  # few, where traces stand as they were received
    left, right = grid.left[between], np.minimum(grid.left[between] + 1, len(values) - 1)
    part = grid.part[between].reshape(-1, *[1] * (values.ndim - 1)).astype(values.real.dtype, copy=False)
    placed[between] = values[left] * (1 - part) + values[right] * part
    return placed
