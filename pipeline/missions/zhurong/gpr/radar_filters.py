"""Filters of radar traces: arrays [n traces, m samples] in, the same shape out; real or complex, nothing is kept.

Sliding windows are those of GPRPy (Plattner 2020, The Leading Edge 39, 332): half a window is ceil(w / 2) on each
side; the first samples share the window of the first half, the last ones that of the last half. Gains are laws of
time alone (SEC) or of the trace itself (AGC), and belong to pictures: amplitudes are compared without them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .radar_windows import means_across, means_along, sums_along

SPEED_OF_LIGHT_M_NS = 0.299792458
Floats = NDArray[np.float64]
Samples = NDArray[Any]
"""float32, float64, complex64 or complex128 [n, m]."""

BLOCK_TRACES = 64  # at a time: what fits a cache
_FINE = 64
_SMALLEST_NORM = 1e-8
_FINER = 8
"""Correlation is looked at in steps of this part of a sample."""


def remove_dc(traces: Samples) -> Samples:
    """Each trace less its mean."""
    return np.asarray(traces - traces.mean(axis=1, keepdims=True))


def dewow(traces: Samples, window: float) -> Samples:
    """Each sample less the mean of its trace within half a window: y_i = x_i - <x>_(i-h..i+h), h = ceil(w / 2)."""
    out = np.empty_like(traces)
    for start in range(0, len(traces), BLOCK_TRACES):
        block = traces[start : start + BLOCK_TRACES]
        mean = means_along(block, window)
        out[start : start + BLOCK_TRACES] = np.subtract(block, mean, out=mean)
    return out


def remove_background(traces: Samples, window: float) -> Samples:
    """Each trace less the mean of the traces within half a window, not of all: what lies flat for longer goes."""
    out = np.empty_like(traces)
    for rows, mean in means_across(traces, window):
        out[rows] = np.subtract(traces[rows], mean, out=mean)
    return out


def remove_jittering(
    traces: Samples,
    still: Samples,
    window: float,
    shift_ns: Floats,
    until: tuple[int, int],
    sample_interval_ns: float,
) -> Samples:
    """As `remove_background`, but for the wave at the beginning, which is `shift_ns [n]` later than on average.

    That wave fades out between the samples `until`. Its background is the mean of the aligned wave, put back to where
    it is in each trace. Everything later is compared sample by sample, as it was received: what rings in the
    instrument does not move with the wave, and traces that are moved for it would leave it behind. That is `still`,
    the traces after `remove_background` with the same window.
    """
    first, last = until
    fade = 0.5 + 0.5 * np.cos(
        np.pi * np.clip((np.arange(traces.shape[1]) - first) / max(last - first, 1), 0.0, 1.0)
    )
    fade = fade[:last].astype(np.float32)
    faded = traces[:, :last] * fade
    wave = moved(faded, sample_interval_ns, shift_ns, traces.shape[1])
    for rows, mean in means_across(wave, window):  # which has read by now what it needs of these traces
        wave[rows] -= np.subtract(wave[rows], mean, out=mean).astype(wave.dtype)
    back = moved(wave, sample_interval_ns, -shift_ns, n_kept=last)  # what follows is round-off of two transforms
    clean = still.copy()
    clean[:, :last] *= 1 - fade
    clean[:, :last] += faded - back
    return np.asarray(clean)


def agc(traces: Samples, window: float) -> Samples:
    """Each sample over the L2 norm of its trace within half a window: automatic gain control, for pictures."""
    out = np.empty_like(traces)
    for start in range(0, len(traces), BLOCK_TRACES):
        block = traces[start : start + BLOCK_TRACES]
        power = np.square(np.abs(block), dtype=np.float64)
        norm, _ = sums_along(power, window)
        np.sqrt(np.maximum(norm, 0.0, out=norm), out=norm)
        out[start : start + BLOCK_TRACES] = np.divide(block, np.maximum(norm, _SMALLEST_NORM, out=norm), out=norm)
    return out


def sec_gain(twt_ns: Floats, velocity_m_ns: float, power: float, attenuation_db_ns: float, cap_ns: float) -> Floats:
    """Spreading and exponential compensation, [m]: g(t) = (v t / 2)^p 10^(alpha t / 20), constant beyond the cap.

    One before time zero and where it would be less than one.
    """
    time_ns = np.clip(twt_ns, 0.0, cap_ns)
    gain = (velocity_m_ns * time_ns / 2.0) ** power * 10.0 ** (attenuation_db_ns * time_ns / 20.0)
    return np.maximum(gain, 1.0)


def band_response(frequency_mhz: Floats, band_mhz: tuple[float, float], taper_mhz: float) -> Floats:
    """1 within the band, 0 beyond the tapers, half a cosine between: no phase, so nothing moves in time."""
    low, high = band_mhz
    inside = np.minimum(frequency_mhz - low, high - frequency_mhz)
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(inside / taper_mhz + 1.0, 0.0, 1.0)))


def moved(
    analytic: Samples, sample_interval_ns: float, shift_ns: Floats, n_samples: int = 0, n_kept: int | None = None
) -> Samples:
    """Traces earlier by `shift_ns [n]`: nothing else is done to them.

    `n_samples`: length of a trace, where zeros follow the samples that are given; 0: as many as are given. `n_kept`:
    how many of them come out.
    """
    n_samples = n_samples or analytic.shape[1]
    length = fast_length(n_samples + n_samples // 16)
    n_kept = n_samples if n_kept is None else n_kept
    out = np.empty((len(analytic), n_kept), analytic.dtype)
    for start in range(0, len(analytic), BLOCK_TRACES):
        part = slice(start, start + BLOCK_TRACES)
        turn = _turn(2e-3 * np.pi * shift_ns[part] * (1e3 / (length * sample_interval_ns)), length)
        turn *= spectra(analytic[part], length)
        out[part] = np.fft.ifft(turn, axis=1, out=turn)[:, :n_kept]
    return out


def spectra(traces: Samples, length: int) -> Samples:
    """Transforms [n, length] of traces [n, m], zeros after them; computed with twice their precision, in their type."""
    padded = np.zeros((len(traces), length), np.complex128)
    padded[:, : traces.shape[1]] = traces
    return np.fft.fft(padded, axis=1, out=padded).astype(np.result_type(traces, np.complex64), copy=False)


def _turn(phase: Floats, length: int) -> NDArray[np.complex128]:
    """exp(j phase k) for the frequencies k of a transform of `length`, in their order there: [n, length].

    k = _FINE c + f: of each trace the exponentials of some c and f are computed, all others are their products.
    """
    n_positive = (length + 1) // 2
    angle = 1j * phase[:, None]
    coarse = np.exp(angle * np.arange(0, length // 2 + 1, _FINE))
    fine = np.exp(angle * np.arange(_FINE))
    forward = (coarse[:, :, None] * fine[:, None, :]).reshape(len(phase), -1)
    turn = np.empty((len(phase), length), np.complex128)
    turn[:, :n_positive] = forward[:, :n_positive]
    turn[:, n_positive:] = forward[:, length - n_positive : 0 : -1].conj()
    return turn


def band_pass(
    analytic: Samples, sample_interval_ns: float, band_mhz: tuple[float, float], taper_mhz: float
) -> Samples:
    """Traces in their band, without phase: nothing moves in time. Complex64 [n, m]."""
    n_samples = analytic.shape[1]
    length = fast_length(n_samples + n_samples // 16)
    frequency_mhz = np.asarray(np.fft.fftfreq(length, sample_interval_ns) * 1e3, np.float64)
    response = band_response(frequency_mhz, band_mhz, taper_mhz).astype(np.float32)
    out = np.empty(analytic.shape, np.complex64)
    for start in range(0, len(analytic), BLOCK_TRACES):
        part = slice(start, start + BLOCK_TRACES)
        spectrum = spectra(analytic[part], length)
        spectrum *= response
        out[part] = np.fft.ifft(spectrum, axis=1, out=spectrum)[:, :n_samples]
    return out


def to_analytic(
    samples: Samples, sample_interval_ns: float, carrier_mhz: float, *, conjugate: bool, upsampling: int
) -> tuple[Samples, float]:
    """The signal at its own frequencies: a(t) = s(t) e^(j 2 pi f0 t), on a grid `upsampling` times as fine.

    Its real part is what the antenna saw, its magnitude the envelope. Complex64 [n, m upsampling], and the new
    sample interval. `conjugate`: the samples turn the other way.
    """
    turned = samples.conj() if conjugate else samples
    n, n_samples = samples.shape
    time_ns = np.arange(n_samples * upsampling) * (sample_interval_ns / upsampling)
    carrier = np.exp(2e-3j * np.pi * carrier_mhz * time_ns).astype(np.complex64)
    if upsampling == 1:
        return (turned * carrier).astype(np.complex64, copy=False), sample_interval_ns
    spectrum = np.fft.fft(turned, axis=1)
    wide = np.zeros((n, n_samples * upsampling), spectrum.dtype)
    half = (n_samples + 1) // 2
    wide[:, :half] = spectrum[:, :half]
    wide[:, wide.shape[1] - (n_samples - half) :] = spectrum[:, half:]
    analytic = np.fft.ifft(wide, axis=1) * (upsampling * carrier)
    return analytic.astype(np.complex64, copy=False), sample_interval_ns / upsampling


def direct_wave_window(n_samples: int, sample_interval_ns: float, around_ns: float, window_ns: float) -> slice:
    """The samples of a trace in which its direct wave is looked for."""
    first, last = (round((around_ns + side * 2 * window_ns) / sample_interval_ns) for side in (-1, 1))
    return slice(max(0, first), max(0, first, min(last + 1, n_samples)))


def direct_wave_shift_ns(
    part: Samples, first: int, sample_interval_ns: float, around_ns: float, window_ns: float, longest_ns: float
) -> Floats:
    """How much later the direct wave of each trace is than that of their mean [n], in the `direct_wave_window`.

    `part`: the samples from `first` on in which it is looked for. By the peak of the correlation of the signal itself,
    not of its envelope, within a smooth window; to a part of a sample by a parabola.
    """
    time_ns = (first + np.arange(part.shape[1])) * sample_interval_ns - around_ns
    seen = part * np.exp(-0.5 * (time_ns / (window_ns / 2.0)) ** 4)
    length = fast_length(2 * part.shape[1])
    product = np.fft.fft(seen, length, axis=1) * np.conj(np.fft.fft(seen.mean(axis=0), length))
    step_ns = sample_interval_ns / _FINER
    lag_ns = np.arange(-round(longest_ns / step_ns) - 1, round(longest_ns / step_ns) + 2) * step_ns
    turn = np.exp(2j * np.pi * np.outer(np.fft.fftfreq(length, sample_interval_ns), lag_ns))
    correlation = (product @ turn.astype(np.complex64)).real  # at the lags that matter, finer than the samples
    peak = 1 + correlation[:, 1:-1].argmax(axis=1)
    before, at, after = (correlation[np.arange(len(seen)), peak + side] for side in (-1, 0, 1))
    bend = before - 2 * at + after
    beside = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1.0), 0.0)
    return np.asarray(lag_ns[peak] + np.clip(beside, -0.5, 0.5) * step_ns, np.float64)


def fast_length(least: int) -> int:
    """The smallest length of at least this that has no other prime factors than 2, 3 and 5."""
    length = max(1, least)
    while not _is_smooth(length):
        length += 1
    return length


def _is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1
