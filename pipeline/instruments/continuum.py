"""What lies under the lines of a spectrum, and noise taken from it: spectra [n, channels] in, the same out.

- continuum: SNIP (Ryan et al. 1988; Morhac & Matousek 2008, decreasing windows) on log(log(sqrt(y + 1) + 1) + 1):
  v(i) = min(v(i), (v(i - m) + v(i + m)) / 2) for m = M, M - 1 ... 1;
- noise: undecimated wavelets with the B3 spline (Starck), coefficients below k sigma (median deviation) taken out.
"""

from __future__ import annotations

import numpy as np

from pipeline.instruments.rotations import Floats

_MAD_TO_SIGMA = 1.4826
_B3 = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


def snip(spectra: Floats, half_window: int) -> Floats:
    """The continuum of spectra [n, channels]; nearer to an end than the window is it the window shrinks."""
    lowest = np.minimum(spectra.min(axis=1, keepdims=True), 0.0)
    v = np.log(np.log(np.sqrt(spectra - lowest + 1) + 1) + 1)
    n = v.shape[1]
    for m in range(min(half_window, (n - 1) // 2), 0, -1):
        middle = (v[:, : n - 2 * m] + v[:, 2 * m :]) / 2
        v[:, m : n - m] = np.minimum(v[:, m : n - m], middle)
    return np.asarray((np.exp(np.exp(v) - 1) - 1) ** 2 - 1 + lowest)


def denoise(spectra: Floats, n_scales: int, k_sigma: float) -> Floats:
    """Spectra [n, channels] without what is below k sigma at each of the finest scales."""
    smooth, kept = spectra, np.zeros_like(spectra)
    for scale in range(n_scales):
        smoother = _spread(smooth, 2**scale)
        detail = smooth - smoother
        sigma = _MAD_TO_SIGMA * np.median(np.abs(detail), axis=1, keepdims=True)
        kept += np.where(np.abs(detail) >= k_sigma * sigma, detail, 0.0)
        smooth = smoother
    return smooth + kept


def _spread(spectra: Floats, step: int) -> Floats:
    """Convolved with the B3 spline with `step` between its points; the ends mirrored."""
    n = spectra.shape[1]
    padded = np.pad(spectra, ((0, 0), (2 * step, 2 * step)), mode="reflect" if n > 2 * step else "edge")
    return np.asarray(sum(weight * padded[:, k * step : k * step + n] for k, weight in enumerate(_B3)))
