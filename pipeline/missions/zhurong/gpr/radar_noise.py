"""The noise of radar traces, from the end of their window, where no echo is left.

Behind filters sigma is what the spectrum of the same samples leaves in the band.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats
from ..shared.noise_power import noise_sigma
from .radar_calibration import Processing
from .radar_filters import Samples, band_response

_SHARE = 8
_FEWEST = 32


def noise_floor(power: Floats) -> Floats:
    """One sigma of the real part, and of the imaginary, of each trace [n]; `power` [n, m] of the samples received."""
    return noise_sigma(_late(power))


def noise_in_band(samples: Samples, sample_interval_ns: float, wanted: Processing) -> Floats:
    """One sigma of the real part of each trace [n] behind the band-pass and the removal of a background."""
    late = _late(samples)
    window = np.hanning(late.shape[1] + 2)[1:-1]
    spectrum = np.fft.fft((late.conj() if wanted.signal.conjugate else late) * window, axis=1)
    frequency_mhz = np.fft.fftfreq(late.shape[1], sample_interval_ns) * 1e3 + wanted.signal.carrier_mhz
    band = (wanted.signal.band_mhz[0], wanted.signal.band_mhz[1])
    response = band_response(np.asarray(frequency_mhz), band, wanted.signal.taper_mhz)
    power = (np.abs(spectrum) ** 2) @ response**2 / (2 * late.shape[1] * (window**2).sum())
    n_background = min(wanted.filters.background_window_traces, len(samples))
    return np.asarray(np.sqrt(power * (1 - 1 / n_background)))


def _late(samples: NDArray[Any]) -> NDArray[Any]:
    return samples[:, -max(samples.shape[1] // _SHARE, _FEWEST) :]
