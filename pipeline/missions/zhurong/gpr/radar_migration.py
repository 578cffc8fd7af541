"""Migration after Stolt (1978, Geophysics 43, 23): hyperbolas of points become points, in one velocity.

In: analytic traces at even distances. Out: the same shape, in vertical two-way time. An echo at frequency w and
wave number k belongs to vertical frequency w' with w^2 = w'^2 + (v k / 2)^2.
"""

from __future__ import annotations

import numpy as np

from .radar_filters import Floats, Samples, fast_length

_FINER = 4
"""The spectrum is sampled this much finer than the trace asks, since values between are taken on a straight line."""


def migrate(
    analytic: Samples, trace_interval_m: float, sample_interval_ns: float, velocity_m_ns: float, start_ns: float
) -> Samples:
    """Migrate complex traces [n, m] that begin at two-way time `start_ns`; complex64 [n, m]."""
    n, n_samples = analytic.shape
    width, length = fast_length(2 * n), fast_length(_FINER * n_samples)
    middle_ns = start_ns + n_samples * sample_interval_ns / 2
    frequency = np.fft.fftfreq(length, sample_interval_ns)  # per ns
    wave = np.fft.fftfreq(width, trace_interval_m)  # per m
    spectrum = np.fft.fft(np.fft.fft(analytic, length, axis=1), width, axis=0)
    spectrum *= np.exp(2j * np.pi * frequency * (middle_ns - start_ns))
    wanted = np.flatnonzero(frequency > 0)
    vertical = frequency[wanted]
    out = np.zeros((width, length), np.complex64)
    for row, k in enumerate(wave):
        slant = np.sqrt(vertical**2 + (velocity_m_ns * k / 2) ** 2)
        seen = _between(spectrum[row], slant / frequency[1], len(wanted))
        turned = np.exp(2j * np.pi * (vertical * (start_ns) - slant * middle_ns))
        out[row, wanted] = seen * turned * (vertical / slant)
    image = np.fft.ifft(np.fft.ifft(out, axis=0)[:n], axis=1)
    return np.asarray(image[:, :n_samples], np.complex64)


def _between(spectrum: Samples, place: Floats, n_positive: int) -> Samples:
    """Values of one row at places between its bins; 0 beyond the highest frequency."""
    low = np.minimum(place.astype(np.int64), n_positive - 1)
    part = place - low
    seen = spectrum[low] * (1 - part) + spectrum[low + 1] * part
    return np.where(place < n_positive, seen, 0)
