"""What lies under the lines of a spectrum, and noise taken from it.

- continuum: arPLS of pybaselines (Baek et al. 2015, Analyst 140, 250), a Whittaker smoother z = (W + l D'D)^-1 W y that
  knows of noise; then the same smoother through the channels within 2.5 sigma of it on both sides. A lower envelope,
  as SNIP's, lies some two sigma too low;
- its sigma: that of the smoother, which is linear in y;
- noise: as ChemCam's spectra are denoised (Wiens et al. 2013, Spectrochim. Acta B 82, 1): undecimated wavelets with the
  B3 spline (Starck, Murtagh 2006, Astronomical Image and Data Analysis), coefficients below k sigma taken out, sigma of
  each scale by the median deviation.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pybaselines import Baseline
from pybaselines.utils import whittaker_smooth
from scipy.linalg import solveh_banded

from pipeline.instruments.rotations import Floats

_MAD_TO_SIGMA = 1.4826
_B3 = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_FEWEST = 32
"""With fewer channels the continuum is their median."""
_CLIP, _STEPS = 2.5, 5


@dataclass(frozen=True, slots=True)
class Continuum:
    """The continuum under one spectrum [channels]; `weight`: 1 where a channel is baseline, 0 where a line stands."""

    counts: Floats
    weight: Floats


def continuum(spectrum: Floats, sigma: Floats, smoothness: float) -> Continuum:
    """The continuum of one spectrum [channels] whose noise is `sigma` [channels]; `smoothness` is the smoother's l."""
    n = len(spectrum)
    if n < _FEWEST or not np.isfinite(spectrum).all():
        return Continuum(np.full(n, np.median(spectrum)), np.ones(n))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a spectrum without noise does not converge
        counts, found = Baseline().arpls(spectrum, lam=smoothness)
    if not np.isfinite(counts).all():
        return Continuum(np.full(n, np.median(spectrum)), np.ones(n))
    weight = np.asarray(found["weights"], np.float64)
    for _ in range(_STEPS):
        near = np.abs(spectrum - counts) < _CLIP * sigma
        if np.count_nonzero(near) < _FEWEST:
            break
        weight = near.astype(np.float64)
        counts = whittaker_smooth(spectrum, lam=smoothness, weights=weight)
    return Continuum(np.asarray(counts, np.float64), weight)


def smoother(weight: Floats, smoothness: float) -> NDArray[np.float64]:
    """H [n, n] of the smoother: the continuum is H y. The penalty is `smoothness` times second differences squared."""
    n = len(weight)
    if n < _FEWEST:
        return np.full((n, n), 1.0 / max(n, 1))
    second = np.array([1.0, -2.0, 1.0])
    penalty = np.zeros((3, n))  # upper bands of D'D
    for band in range(3):
        for k, product in enumerate(second[: 3 - band] * second[band:]):
            penalty[2 - band, k + band : k + band + n - 2] += smoothness * product
    penalty[2] += np.maximum(weight, 1e-9)
    return np.asarray(solveh_banded(penalty, np.diag(weight)))


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
