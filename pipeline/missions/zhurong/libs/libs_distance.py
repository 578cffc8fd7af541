"""Distance correction of LIBS spectra: the signal that the same target would give at a distance of reference.

    signal at d0 = signal (d / d0)^p, p of each spectrometer

ChemCam's spectra are corrected by a proxy that is the same everywhere, the dust that the first shots see (Melikechi
et al. 2014, Spectrochim. Acta B 96, 51; Mezzacappa et al. 2016, Spectrochim. Acta B 120, 19): how its lines fall with
distance tells how those of the rock fall. Here the proxy is the sum of each spectrometer over the dust shots, and the
law is a power: `fit_exponents` finds it from spectra at different distances. Single lines may fall otherwise, as the
second paper finds. Solid angle and area of the target are not this: `radiance` takes them off by themselves.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ....products.rotations import Floats
from .libs_calibration import Distance, Wavelength
from .libs_wavelength import starts


def factors(distance: Distance, wavelength: Wavelength, n_channels: int, distance_mm: float) -> Floats:
    """What signals are multiplied with [channels]; NaN without a distance and beyond the last spectrometer."""
    out = np.full(n_channels, np.nan)
    if distance_mm > 0:
        ratio = distance_mm / distance.reference_mm
        for (first, last), exponent in zip(
            pairwise(starts(wavelength.spectrometer)), distance.exponent, strict=True
        ):
            out[first:last] = ratio**exponent
    return out


def fit_exponents(distance_mm: Floats, proxy: Floats) -> tuple[Floats, Floats]:
    """Exponents p of each spectrometer and one sigma of them [k], from signals of the proxy [n, k] at distances [n].

    Least squares of ln(signal) = a - p ln(d); one sigma by what is left, so three distances are needed at least.
    ValueError: fewer, all the same, or signals that are not positive.
    """
    if len(distance_mm) < 3 or np.ptp(distance_mm) == 0 or (proxy <= 0).any() or (distance_mm <= 0).any():
        raise ValueError("an exponent needs positive signals at three distances or more, not all the same")
    x = np.log(distance_mm) - np.log(distance_mm).mean()
    y = np.log(proxy) - np.log(proxy).mean(axis=0)
    spread = float(x @ x)
    slope = x @ y / spread
    left = y - x[:, None] * slope
    sigma = np.sqrt((left * left).sum(axis=0) / (len(x) - 2) / spread)
    return np.asarray(-slope), np.asarray(sigma)
