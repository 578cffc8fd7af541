"""Loss tangent of the ground from how echoes of a run fade with time and frequency, with its errors.

In: analytic traces [n, m] without gain, and their two-way times. A loss tangent that does not depend on frequency
takes e^(-pi f t tan d) of an amplitude, whatever the permittivity. So the power of a window at t and f, mean of all
traces, is

    ln(P(t, f)) / 2 = a(f) - p ln(t) - pi f t tan d + scatter of what reflects

Out: two estimates, by least squares. `decay` takes p, the power of spreading, for known; `spectral` lets each time
have a level of its own: high frequencies fade faster than low ones (the spectral ratio; Quan and Harris 1997,
Geophysics 62, 895, take the shift of the centroid). One sigma is by what is left; that of p is told apart, as it is
the same in all runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .radar_filters import Floats, Samples

_FEWEST_TIMES, _FEWEST_FREQUENCIES = 5, 6
"""Windows of time, and bins of frequency, that an estimate needs."""
_ABOVE_NOISE = 4.0


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss tangents with one sigma each, `decay` also with that of spreading; times of the windows, number of f."""

    decay: float
    decay_sigma: float
    decay_spreading_sigma: float
    spectral: float
    spectral_sigma: float
    time_ns: Floats
    n_frequencies: int


def loss_tangent(
    traces: Samples,
    twt_ns: Floats,
    *,
    span_ns: tuple[float, float],
    window_ns: float,
    band_mhz: tuple[float, float],
    spreading: tuple[float, float],
    noise_from_ns: float | None = None,
) -> Loss | None:
    """The loss tangent between the times `span_ns`, in windows of `window_ns`; None where they hold too little.

    `spreading`: the power of time by which amplitudes fall without loss, and one sigma of it: 1 for flat reflectors, 2
    for points. Where `noise_from_ns` tells from when on there is but noise, that is subtracted, and windows are left
    out from the first on that is not well above it.
    """
    grown = traces * (np.maximum(twt_ns, 0.0) ** spreading[0]).astype(np.float32)
    time_ns, frequency_ghz, power = spectra(grown, twt_ns, window_ns, band_mhz)
    inside = (time_ns >= span_ns[0]) & (time_ns <= span_ns[1])
    noise = np.zeros(power.shape[1])
    if noise_from_ns is not None and (time_ns >= noise_from_ns).any():
        flat = power / time_ns[:, None] ** (2 * spreading[0])
        noise = flat[time_ns >= noise_from_ns].mean(axis=0)
    floor = noise * time_ns[:, None] ** (2 * spreading[0])
    clear = inside & (np.median(power / np.maximum(floor, 1e-30), axis=1) > _ABOVE_NOISE)
    first_lost = np.flatnonzero(inside & ~clear)
    clear[first_lost[0] if len(first_lost) else len(clear) :] = False
    seen = (power - floor)[clear]
    used = np.flatnonzero((seen > 0).all(axis=0))
    if clear.sum() < _FEWEST_TIMES or len(used) < _FEWEST_FREQUENCIES:
        return None
    level = np.log(seen[:, used]) / 2
    # a window of finite length smears the spectrum: where it rises, a bin hears more of higher frequencies
    smear_ghz = 1 / (np.sqrt(3) * window_ns)
    heard_ghz = frequency_ghz[used] + smear_ghz**2 * np.gradient(2 * level.mean(axis=0), frequency_ghz[used])
    return _fit(level[:, ::2], time_ns[clear], heard_ghz[::2], spreading[1])


def spectra(
    traces: Samples, twt_ns: Floats, window_ns: float, band_mhz: tuple[float, float]
) -> tuple[Floats, Floats, Floats]:
    """Mean power of the traces in windows side by side: their middles [k], frequencies GHz [f], power [k, f].

    Hann windows; each second frequency is independent of the others.
    """
    interval_ns = float(twt_ns[1] - twt_ns[0])
    size = max(4, round(window_ns / interval_ns))
    begin = int(np.searchsorted(twt_ns, 0.0))
    n_windows = (traces.shape[1] - begin) // size
    frequency = np.asarray(np.fft.fftfreq(size, interval_ns), np.float64)
    wanted = np.flatnonzero((frequency * 1e3 >= band_mhz[0]) & (frequency * 1e3 <= band_mhz[1]))
    parts = traces[:, begin : begin + n_windows * size].reshape(len(traces), n_windows, size)
    found = np.fft.fft(parts * np.hanning(size).astype(np.float32), axis=2)[:, :, wanted]
    power = np.square(np.abs(found), dtype=np.float64).mean(axis=0)
    middle_ns = twt_ns[begin] + (np.arange(n_windows) + 0.5) * size * interval_ns
    return middle_ns, frequency[wanted], power


def _fit(level: Floats, time_ns: Floats, frequency_ghz: Floats, spreading_sigma: float) -> Loss:
    """Both estimates from levels [k, f] in nepers, spreading taken off."""
    later = time_ns - time_ns.mean()
    squares = float(frequency_ghz @ frequency_ghz)
    decay, decay_sigma = _slope(-np.pi * later, level @ frequency_ghz / squares)
    share = np.log(time_ns) * frequency_ghz.sum() / squares
    of_spreading = abs(_slope(-np.pi * later, share)[0]) * spreading_sigma
    higher = frequency_ghz - frequency_ghz.mean()
    x = -np.pi * later[:, None] * higher
    y = level - level.mean(axis=0) - level.mean(axis=1, keepdims=True) + level.mean()
    spectral = float((x * y).sum() / (x * x).sum())
    left = y - spectral * x
    freedom = (len(later) - 1) * (len(higher) - 1) - 1
    spectral_sigma = float(np.sqrt((left * left).sum() / freedom / (x * x).sum()))
    return Loss(decay, decay_sigma, of_spreading, spectral, spectral_sigma, time_ns, len(frequency_ghz))


def _slope(x: Floats, y: Floats) -> tuple[float, float]:
    """Of y over x, whose mean is 0, and one sigma by what is left."""
    spread = float(x @ x)
    slope = float(x @ y) / spread
    left: NDArray[np.float64] = y - y.mean() - slope * x
    return slope, float(np.sqrt(left @ left / (len(x) - 2) / spread))
