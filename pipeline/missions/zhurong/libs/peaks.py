"""Peaks of a spectrum, each fitted with a Gaussian, all at once.

The logarithm of a Gaussian is a parabola: weighted least squares of ln y, weights y^2 (Guo 2011), over the samples
around the highest one near where the peak is expected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats

_SIGMA_TO_FWHM = 2.354820045


@dataclass(frozen=True, slots=True)
class Peaks:
    """Of n peaks: highest channel, place in channels, height, full width at half height in channels; NaN: no peak.

    `place_spread` (channels), `height_spread`, `fwhm_spread`, `area_spread` (shares): one sigma of each for noise of
    one count in each channel. It grows with the noise.
    """

    channel: NDArray[np.int64]
    place: Floats
    height: Floats
    fwhm: Floats
    place_spread: Floats
    height_spread: Floats
    fwhm_spread: Floats
    area_spread: Floats


def fit_peaks(signal: Floats, expected: Floats, reach: Floats | float, fwhm: Floats | float) -> Peaks:
    """The highest point within `reach` channels of each of `expected` [n], and a Gaussian about as wide as `fwhm`."""
    n = len(expected)
    reach, fwhm = np.broadcast_to(reach, n), np.broadcast_to(fwhm, n)
    channel, inside = _highest(signal, expected, reach)
    half = int(np.ceil(np.max(fwhm, initial=1.0) * 0.6)) + 1
    x = np.broadcast_to(np.arange(-half, half + 1, dtype=np.float64), (n, 2 * half + 1))
    at = channel[:, None] + x.astype(np.int64)
    top = signal[channel]
    inside &= top > 0
    scale = np.where(inside, top, 1.0)[:, None]
    y = np.where((at >= 0) & (at < len(signal)), signal[np.clip(at, 0, len(signal) - 1)], np.nan) / scale
    # what is lower than a third of the peak is more neighbour than peak
    used = inside[:, None] & (np.abs(x) <= np.maximum(fwhm * 0.6, 1.0)[:, None]) & (y > 0.3)
    (a, b, c), inverse = _parabola(x, np.log(np.where(used, y, 1.0)), np.where(used, y * y, 0.0))
    curved = np.where(c < 0, c, -1.0)
    place = -b / (2 * curved)
    found = inside & (c < 0) & (np.abs(place) <= 1.0)
    height = scale[:, 0] * np.exp(np.where(found, a - b * b / (4 * curved), 0.0))
    fwhm_found = _SIGMA_TO_FWHM * np.sqrt(-1 / (2 * curved))
    spreads = (one / scale[:, 0] for one in _spreads(b, curved, inverse))
    parts = (channel + place, height, fwhm_found, *spreads)
    return Peaks(channel, *(np.where(found, part, np.nan) for part in parts))


def _spreads(b: Floats, c: Floats, inverse: Floats) -> tuple[Floats, ...]:
    """One sigma of place, ln height, ln width and ln area, for noise that is 1 of the highest sample.

    ln y has the noise 1 / y and the weight y^2, so that the covariance of the parabola is the inverse of its matrix.
    """
    zero, one, top = np.zeros_like(b), np.ones_like(b), -b / (2 * c)
    place = np.stack([zero, -1 / (2 * c), b / (2 * c * c)], axis=-1)
    height = np.stack([one, top, top * top], axis=-1)
    width = np.stack([zero, zero, -1 / (2 * c)], axis=-1)
    slopes = (place, height, width, height + width)
    return tuple(np.sqrt(np.maximum(np.einsum("ni,nij,nj->n", slope, inverse, slope), 0)) for slope in slopes)


def _highest(signal: Floats, expected: Floats, reach: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The highest channel near each place that is not lower than its neighbours, and whether there is one."""
    last = len(signal) - 1
    higher = np.zeros(len(signal), np.bool_)
    higher[1:last] = (signal[1:last] >= signal[: last - 1]) & (signal[1:last] >= signal[2:])
    far = int(np.ceil(np.max(reach, initial=1.0))) + 1
    middle = np.clip(np.rint(np.nan_to_num(expected)), 0, last).astype(np.int64)
    at = np.clip(middle[:, None] + np.arange(-far, far + 1), 0, last)
    near = np.abs(at - expected[:, None]) <= reach[:, None]
    values = np.where(near & higher[at], signal[at], -np.inf)
    best = np.argmax(values, axis=1)
    rows = np.arange(len(at))
    return at[rows, best], values[rows, best] > -np.inf


def _parabola(x: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """a, b, c of a + b x + c x^2 for each row [3, n], by weighted least squares; zeros where there are too few points.

    And the inverses of its matrices [n, 3, 3].
    """
    powers = np.stack([np.ones_like(x), x, x * x], axis=-1)
    normal = np.einsum("ni,nij,nik->njk", weight, powers, powers)
    right = np.einsum("ni,nij,ni->nj", weight, powers, y)
    enough = (weight > 0).sum(axis=1) >= 3
    normal[~enough] = np.eye(3)
    right[~enough] = 0.0
    inverse = np.linalg.inv(normal)
    return np.einsum("njk,nk->jn", inverse, right), inverse
