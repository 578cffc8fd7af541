"""Wavelengths of the LIBS channels, and what they have drifted, found on the titanium target.

    per spectrometer of n pixels: u = (p - ps) / n, ps = s0 + s1 (T - T0) + d0 + d1 (2 p / n - 1)
    lambda = c0 + c1 u + c2 u^2, in vacuum

d0 and d1 are fitted to the differences between where the lines of titanium are and where they should be, in pixels,
by least squares that lines further than three sigma (median deviation) from what most lines agree in do not take part
in. Lines that another line hides are among them, so they do no harm. MarSCoDe's papers fit its drift on the same
target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats
from .libs_calibration import Spectrometer, Titanium, Wavelength
from .peaks import fit_peaks

_MAD_TO_SIGMA = 1.4826
_ROUNDS = 10
_LEAST_SIGMA_PX = 0.02
_AGREE_PX = 0.4
"""Lines agree within this: more than a stretch of the spectrum moves them apart, less than a neighbour does."""


@dataclass(frozen=True, slots=True)
class Drift:
    """Of k spectrometers: shift and stretch in pixels [k], what the lines leave [k], how many were used [k].

    `line_nm`, `residual_px`, `used`: of each line of the list; NaN where it was not found.
    """

    shift_px: Floats
    stretch_px: Floats
    rms_px: Floats
    n_lines: NDArray[np.int64]
    line_nm: Floats
    residual_px: Floats
    used: NDArray[np.bool_]

    def believed(self, titanium: Titanium) -> bool:
        """Whether all spectrometers have enough lines that agree."""
        return bool((self.n_lines >= titanium.min_lines).all() and (self.rms_px <= titanium.max_rms_px).all())


def starts(spectrometers: Sequence[Spectrometer]) -> list[int]:
    """First channel of each spectrometer, and at the end the number of channels."""
    return [0, *np.cumsum([one.n_pixels for one in spectrometers]).tolist()]


def wavelengths_nm(model: Wavelength, temperature_degc: Floats, n_channels: int, drift: Drift | None) -> Floats:
    """Vacuum wavelength [n, channels] at detector temperatures [n]; NaN beyond the last spectrometer."""
    out = np.full((len(temperature_degc), n_channels), np.nan)
    for k, (one, start) in enumerate(zip(model.spectrometer, starts(model.spectrometer), strict=False)):
        pixel = np.arange(max(min(one.n_pixels, n_channels - start), 0), dtype=np.float64)
        shift = _model_shift_px(one, temperature_degc - model.reference_temperature_degc)[:, None]
        if drift is not None:
            shift = shift + drift.shift_px[k] + drift.stretch_px[k] * (2 * pixel / one.n_pixels - 1)
        u = (pixel - shift) / one.n_pixels
        c0, c1, c2 = one.wavelength_nm
        out[:, start : start + len(pixel)] = c0 + c1 * u + c2 * u * u
    return out


def sigma_nm(model: Wavelength, wavelength_nm: Floats, drift: Drift | None) -> Floats:
    """One sigma of wavelengths [channels] by what the lines left; NaN without a drift."""
    out = np.full(len(wavelength_nm), np.nan)
    if drift is not None:
        for k, (one, start) in enumerate(zip(model.spectrometer, starts(model.spectrometer), strict=False)):
            part = slice(start, start + one.n_pixels)
            out[part] = drift.rms_px[k] * np.abs(np.gradient(wavelength_nm[part]))
    return out


def fit_drift(
    model: Wavelength, titanium: Titanium, signal: Floats, sigma: Floats, temperature_degc: float
) -> Drift:
    """The drift by a spectrum of the target without continuum: `signal`, `sigma` [channels]."""
    lines = np.sort(np.array(titanium.lines_nm))
    residual, used = np.full(len(lines), np.nan), np.zeros(len(lines), np.bool_)
    fits = []
    for one, start in zip(model.spectrometer, starts(model.spectrometer), strict=False):
        expected = _pixel_of(one, lines, temperature_degc - model.reference_temperature_degc)
        mine = np.flatnonzero((expected >= one.edge_pixels) & (expected <= one.n_pixels - 1 - one.edge_pixels))
        part = slice(start, start + one.n_pixels)
        at, good = _places(one, expected[mine], signal[part], sigma[part], titanium)
        shift, stretch, left, kept = _robust_line(2 * at / one.n_pixels - 1, at - expected[mine], good)
        residual[mine], used[mine] = np.where(good, left, np.nan), kept
        rms = float(np.sqrt(np.mean(left[kept] ** 2))) if kept.any() else np.inf
        fits.append((shift, stretch, rms, int(kept.sum())))
    shifts, stretches, rms_px, n_lines = (np.array(part) for part in zip(*fits, strict=True))
    return Drift(shifts, stretches, rms_px, n_lines, lines, residual, used)


def _model_shift_px(one: Spectrometer, warmer: Floats) -> Floats:
    return np.asarray(one.drift_px[0] + one.drift_px[1] * warmer)


def _pixel_of(one: Spectrometer, nm: Floats, warmer: float) -> Floats:
    """Where wavelengths fall without drift; NaN where they do not."""
    c0, c1, c2 = one.wavelength_nm
    root = np.sqrt(c1 * c1 - 4 * c2 * (c0 - nm))
    u = 2 * (nm - c0) / (c1 + np.copysign(root, c1))
    return np.asarray(u * one.n_pixels + one.drift_px[0] + one.drift_px[1] * warmer)


def _places(
    one: Spectrometer, expected: Floats, signal: Floats, sigma: Floats, titanium: Titanium
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where the lines are, in pixels, and which are strong enough to say."""
    fwhm_px = one.fwhm_nm * one.n_pixels / abs(one.wavelength_nm[1])
    peaks = fit_peaks(signal, expected, titanium.search_px, fwhm_px)
    snr = peaks.height / sigma[peaks.channel]
    return peaks.place, np.isfinite(peaks.place) & (snr >= titanium.min_snr)


def _robust_line(x: Floats, y: Floats, good: NDArray[np.bool_]) -> tuple[float, float, Floats, NDArray[np.bool_]]:
    """A straight line a + b x: a, b, what is left, and which points took part.

    Begins with what most points agree in (`_consensus`): a line that the target does not show, or that another hides,
    finds any peak within reach, and half of the list may.
    """
    kept = good & (np.abs(y - _consensus(y[good])) <= _AGREE_PX)
    shift, stretch = (float(np.median(y[kept])), 0.0) if kept.any() else (0.0, 0.0)
    left = y - shift
    for turn in range(_ROUNDS):
        sigma = max(_MAD_TO_SIGMA * float(np.median(np.abs(left[kept]))) if kept.any() else 0.0, _LEAST_SIGMA_PX)
        closer = good & (np.abs(left) <= 3 * sigma)
        if closer.sum() < 2:
            break
        x0, y0 = float(x[closer].mean()), float(y[closer].mean())
        spread = float(((x[closer] - x0) ** 2).sum())
        stretch = float(((x[closer] - x0) * (y[closer] - y0)).sum()) / spread if spread > 0 else 0.0
        shift = y0 - stretch * x0
        left = y - shift - stretch * x
        if turn > 0 and (closer == kept).all():
            break
        kept = closer
    return shift, stretch, left, kept


def _consensus(y: Floats) -> float:
    """The point [n] that most points are within `_AGREE_PX` of; the middle one of equals. NaN without points."""
    if not len(y):
        return float("nan")
    near = (np.abs(y[:, None] - y) <= _AGREE_PX).sum(axis=1)
    return float(np.median(y[near == near.max()]))
