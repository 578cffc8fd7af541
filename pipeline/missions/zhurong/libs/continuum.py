"""What lies under the lines of a spectrum, and noise taken from it.

- continuum: arPLS (Baek et al. 2015, Analyst 140, 250), a Whittaker smoother (`whittaker`) that knows of noise; then
  the same smoother through the channels within 2.5 sigma of it on both sides. A lower envelope, as SNIP's, lies some
  two sigma too low;
- noise: as ChemCam's spectra are denoised (Wiens et al. 2013, Spectrochim. Acta B 82, 1): undecimated wavelets with the
  B3 spline (Starck, Murtagh 2006, Astronomical Image and Data Analysis), coefficients below k sigma taken out, sigma of
  each scale by the median deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats
from .whittaker import noise_through, smooth, transposed

_MAD_TO_SIGMA = 1.4826
_B3 = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
FEWEST = 32
"""With fewer channels the continuum is their median."""
_CLIP, _STEPS = 2.5, 5
_ROUNDS, _TOLERANCE = 51, 1e-3
_LEAST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Continuum:
    """The continuum under one spectrum [channels]; `weight`: 1 where a channel is baseline, 0 where a line stands.

    It is H y of the spectrum y, with H of the Whittaker smoother; of fewer than FEWEST channels that of their mean.
    """

    counts: Floats
    weight: Floats
    smoothness: float

    def noise(self, variance: Floats) -> tuple[Floats, Floats]:
        """The diagonal of H, and the variance of the continuum where the spectrum has `variance`, each [channels]."""
        n = len(variance)
        if n < FEWEST:
            return np.full(n, 1 / n), np.full(n, variance.mean() / n)
        return noise_through(self.weight, self.smoothness, variance)

    def shares(self, chosen: NDArray[np.bool_]) -> Floats:
        """How much each channel of the spectrum adds to the sum of the continuum over the `chosen` [channels]."""
        n = len(chosen)
        if n < FEWEST:
            return np.full(n, np.count_nonzero(chosen) / n)
        return transposed(chosen.astype(np.float64), self.weight, self.smoothness)


def continuum(spectrum: Floats, sigma: Floats, smoothness: float) -> Continuum:
    """The continuum of one spectrum [channels] whose noise is `sigma` [channels]; `smoothness` is the smoother's l."""
    n = len(spectrum)
    flat = Continuum(np.full(n, np.median(spectrum)), np.ones(n), smoothness)
    if n < FEWEST or not np.isfinite(spectrum).all():
        return flat
    counts, weight = arpls(spectrum, smoothness)
    if not np.isfinite(counts).all():
        return flat
    for _ in range(_STEPS):
        near = np.abs(spectrum - counts) < _CLIP * sigma
        if np.count_nonzero(near) < FEWEST:
            break
        weight = near.astype(np.float64)
        counts = smooth(spectrum, weight, smoothness)
    return Continuum(counts, weight, smoothness)


def arpls(spectrum: Floats, smoothness: float) -> tuple[Floats, Floats]:
    """A baseline [channels] and the weights it was found with, by arPLS (Baek et al. 2015, equations 8 to 10).

    weight = 1 / (1 + exp(2 (d - (2 s - m)) / s)), d = spectrum - baseline, m and s mean and spread of the d below 0.
    It ends where the weights change by less than a thousandth, or no two channels are below the baseline.
    """
    weight = np.ones(len(spectrum))
    for _ in range(_ROUNDS):
        baseline = smooth(spectrum, weight, smoothness)
        above = spectrum - baseline
        below = above[above < 0]
        if len(below) < 2:
            break
        spread = float(below.std(ddof=1)) or _LEAST
        with np.errstate(over="ignore"):  # exp of a line: its weight is 0
            new = 1 / (1 + np.exp(2 / spread * (above - (2 * spread - below.mean()))))
        if np.linalg.norm(new - weight) < _TOLERANCE * max(float(np.linalg.norm(weight)), _LEAST):
            break
        weight = new
    return baseline, weight


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
