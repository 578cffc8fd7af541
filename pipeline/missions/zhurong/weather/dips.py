"""Dips of a series on a slow background: where they are, how deep and how wide.

In: pressure by equal steps of time, NaN for what is missing. Out: the lowest sample of each dip, and a fit of one.

    r = mean of three samples - running median
    dip: the lowest r of its surroundings, below -max(min_depth, n_sigma sigma), sigma by the median deviation
    dp(t) = -D / (1 + ((t - t0) / (F/2))^2) + a + b t, by least squares: depth D, full width at half depth F

The search in a detrended series and the Lorentzian are those of Ellehoj et al. 2010 and Jackson & Lorenz 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats

_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, slots=True)
class Dip:
    """One dip: when (in samples), how deep, how wide, and the pressure that there would have been.

    `lowest`: its lowest sample; `beside`: how much later its middle is.
    """

    lowest: int
    beside: float
    depth_pa: float
    depth_pa_sigma: float
    width: float
    background_pa: float


def lowest_samples(
    pressure: Floats, half: int, apart: int, min_depth: float, n_sigma: float, among: slice = slice(None)
) -> list[int]:
    """Samples that are the bottom of a dip, in order; `half` the detrending window, NaN for what is missing.

    `among`: the samples that are asked for.
    """
    first, last, _ = among.indices(len(pressure))
    beside = slice(max(first - apart, 0), last + apart)
    residual, sigma = _detrended(pressure, half, beside)
    n_before, n_after = first - beside.start, max(last + apart - len(pressure), 0)
    padded = np.concatenate([np.full(apart - n_before, np.inf), residual, np.full(n_after, np.inf)])
    first_lowest = np.argmin(np.lib.stride_tricks.sliding_window_view(padded, 2 * apart + 1), axis=1) == apart
    asked = slice(n_before, n_before + last - first)
    deep = residual[asked] < -np.maximum(min_depth, n_sigma * sigma[asked])
    return [first + int(i) for i in np.flatnonzero(first_lowest & deep)]


def _detrended(pressure: Floats, half: int, part: slice) -> tuple[Floats, Floats]:
    """Of some samples: mean of three less the running median, and one sigma around that; inf where too few are good."""
    windows = _around_each(pressure, half)[part]
    n_good = np.isfinite(windows).sum(axis=1)
    median = _middle(np.sort(windows, axis=1), n_good)
    sigma = _MAD_TO_SIGMA * _middle(np.sort(np.abs(windows - median[:, None]), axis=1), n_good)
    three = _around_each(pressure, 1)[part]
    n_of_three = np.isfinite(three).sum(axis=1)
    before, at, after = np.where(np.isnan(three), 0.0, three).T
    residual = (before + at + after) / np.maximum(n_of_three, 1) - median
    usable = (n_good > half) & (n_of_three > 0)
    return np.where(usable, residual, np.inf), np.where(usable, sigma, np.inf)


def fit_dip(pressure: Floats, lowest: int, half: int, narrowest: float, widest: float) -> Dip:
    """Lorentzian on a straight line, by least squares: place and width by search, the rest exactly."""
    first, last = max(lowest - half, 0), min(lowest + half + 1, len(pressure))
    good = np.isfinite(pressure[first:last])
    t = np.arange(first - lowest, last - lowest, dtype=np.float64)[good]
    y = pressure[first:last][good]
    line = np.linalg.qr(np.stack([np.ones_like(t), t], axis=1))[0]
    rest = y - line @ (line.T @ y)
    place, width = _place_and_width(t, rest, line, narrowest, widest)
    shape = _lorentzian(t, place, width)
    free = shape - line @ (line.T @ shape)
    depth = -float(free @ rest / (free @ free))
    left = rest + depth * free
    sigma = float(np.sqrt(left @ left / max(len(t) - 5, 1) / (free @ free)))
    background = float(np.interp(place, t, y - left + depth * shape))
    return Dip(lowest, place, depth, sigma, width, background)


def _place_and_width(t: Floats, rest: Floats, line: Floats, narrowest: float, widest: float) -> tuple[float, float]:
    """The Lorentzian that takes most out of what a straight line leaves: a coarse search and two finer ones."""
    places = np.linspace(-widest / 4, widest / 4, 25)
    widths = _geometric(narrowest, widest, 24)
    place, width = _best(t, rest, line, places, widths)
    for _ in range(2):
        step, ratio = places[1] - places[0], widths[1] / widths[0]
        places = place + np.linspace(-step, step, 11)
        widths = np.clip(width * _geometric(1 / ratio, ratio, 11), narrowest, widest)
        place, width = _best(t, rest, line, places, widths)
    return place, width


def _best(t: Floats, rest: Floats, line: Floats, places: Floats, widths: Floats) -> tuple[float, float]:
    place, width = (grid.ravel() for grid in np.meshgrid(places, widths))
    shape = _lorentzian(t, place[:, None], width[:, None])
    shape = shape - (shape @ line) @ line.T
    along = -shape @ rest
    gained = np.where(along > 0, along**2 / np.maximum((shape**2).sum(axis=1), 1e-12), 0.0)
    best = int(np.argmax(gained))
    return float(place[best]), float(width[best])


def _geometric(first: float, last: float, n: int) -> Floats:
    return np.asarray(first * (last / first) ** np.linspace(0, 1, n))


def _lorentzian(t: Floats, place: Floats | float, width: Floats | float) -> Floats:
    return np.asarray(1 / (1 + ((t - place) / (width / 2)) ** 2))


def _around_each(values: Floats, n: int) -> Floats:
    """Each value with n before and n after it, NaN beyond the ends: [len, 2 n + 1]."""
    padded = np.concatenate([np.full(n, np.nan), values, np.full(n, np.nan)])
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * n + 1)


def _middle(ordered: Floats, n_good: NDArray[np.intp]) -> Floats:
    """Median of each sorted row, of which `n_good` are numbers; NaN, which stand last, do not count."""
    rows, n_good = np.arange(len(ordered)), np.maximum(n_good, 1)
    return np.asarray((ordered[rows, (n_good - 1) // 2] + ordered[rows, n_good // 2]) / 2)
