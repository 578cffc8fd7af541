"""Random noise of radargrams attenuated: a median, singular values or prediction along the track.

In: analytic traces complex64 [n, m] at even distances. Out: the same shape. What neighbours do not share goes; each of
the three changes amplitudes, so none is applied unless the calibration asks for it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .radar_filters import Floats, Samples

_STABLE = 1e-3
"""Share of the mean power that is added to the diagonal of the normal equations."""


def median(traces: Samples, n_traces: int, n_samples: int) -> Samples:
    """Median over `n_traces` by `n_samples` of the real and of the imaginary part; edges mirrored."""
    from scipy.ndimage import median_filter  # noqa: PLC0415 - slow to import, and only where it is asked for

    size = (n_traces, n_samples)
    out = np.empty_like(traces)
    out.real = median_filter(traces.real, size, mode="reflect")
    out.imag = median_filter(traces.imag, size, mode="reflect")
    return out


def low_rank(traces: Samples, band: slice | None = None, rank: int = 0) -> tuple[Samples, int]:
    """The traces by their largest singular values, and how many those are.

    `band`: the bins of the spectrum [m] that hold signal; noise is white there, as the threshold assumes. `rank`: 0 for
    the optimal hard threshold of Gavish and Donoho (2014, IEEE Trans. Inf. Theory 60, 5040) where noise is not known:
    omega(beta) times the median singular value.
    """
    from scipy.linalg import svd  # noqa: PLC0415 - slow to import, and only where it is asked for

    spectrum = np.fft.fft(traces, axis=1)
    inside = spectrum[:, band] if band is not None else spectrum
    left, values, right = svd(inside, full_matrices=False, check_finite=False)
    kept = rank or int(np.count_nonzero(values > threshold_of_median(inside.shape) * np.median(values)))
    clean = np.zeros_like(spectrum)
    clean[:, band if band is not None else slice(None)] = (left[:, :kept] * values[:kept]) @ right[:kept]
    return np.asarray(np.fft.ifft(clean, axis=1), traces.dtype), min(kept, len(values))


def low_rank_in_windows(
    traces: Samples, n_samples: int, sample_interval_ns: float, band_mhz: tuple[float, float], rank: int = 0
) -> tuple[Samples, float]:
    """`low_rank` of all traces in windows of time that overlap by half; and the mean of their ranks.

    Echoes fall by tens of dB along a trace: of a whole trace the largest singular values would be those of its
    beginning, and what is cut off of them would spread over its end.
    """
    ranks: list[int] = []

    def work(part: Samples) -> Samples:
        step_mhz = 1e3 / (part.shape[1] * sample_interval_ns)
        first, last = (round(edge / step_mhz) for edge in band_mhz)
        clean, kept = low_rank(part, slice(first, max(last, first + 1)), rank)
        ranks.append(kept)
        return clean

    clean = _in_windows(traces, len(traces), n_samples, work)
    return clean, float(np.mean(ranks))


def threshold_of_median(shape: tuple[int, int]) -> float:
    """omega(beta) = lambda(beta) / sqrt(mu_beta) for a matrix of this shape: lambda is optimal, mu the median."""
    beta = min(shape) / max(shape)
    best = np.sqrt(2 * (beta + 1) + 8 * beta / (beta + 1 + np.sqrt(beta**2 + 14 * beta + 1)))
    return float(best / np.sqrt(_median_of_marchenko_pastur(beta)))


def _median_of_marchenko_pastur(beta: float) -> float:
    """The median of the eigenvalues of white noise, beta = rows / columns; by sums over a fine grid."""
    low, high = (1 - np.sqrt(beta)) ** 2, (1 + np.sqrt(beta)) ** 2
    angle = (np.arange(20_000) + 0.5) * (np.pi / 20_000)
    x = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    share = np.cumsum(np.sin(angle) ** 2 / x)  # density sqrt((x - low) (high - x)) / x, dx = sin(angle)
    return float(np.interp(0.5, share / share[-1], x))


def predicted(traces: Samples, n_before: int, n_traces: int, n_samples: int) -> Samples:
    """f-x deconvolution (Canales 1984, SEG abstracts, 525): what each trace has of its neighbours' linear prediction.

    In windows of `n_traces` by `n_samples` that overlap by half, each frequency by itself is predicted from `n_before`
    traces by least squares, forwards and backwards, and the mean of both is kept: events that are straight within a
    window, of any dip, stay.
    """
    if len(traces) <= 2 * n_before:
        return traces
    return _in_windows(traces, n_traces, n_samples, lambda part: _predict_window(part, n_before))


def _predict_window(part: Samples, n_before: int) -> Samples:
    """One window [n, m]; what is too narrow to be predicted comes back as it is."""
    if len(part) <= 2 * n_before:
        return part
    spectrum = np.fft.fft(part, 2 * part.shape[1], axis=1).T  # [frequency, trace]
    forward = _one_way(spectrum, n_before)
    backward = _one_way(spectrum[:, ::-1].conj(), n_before)[:, ::-1].conj()
    count = np.full(spectrum.shape[1], 2.0)
    count[:n_before] = count[-n_before:] = 1.0
    return np.asarray(np.fft.ifft(((forward + backward) / count).T, axis=1)[:, : part.shape[1]], part.dtype)


def _one_way(series: Samples, n_before: int) -> Samples:
    """Each of the series [k, n] predicted from the `n_before` values before; 0 for the first of them."""
    rows = np.lib.stride_tricks.sliding_window_view(series[:, :-1], n_before, axis=1)
    wanted = series[:, n_before:]
    normal = np.einsum("kni,knj->kij", rows.conj(), rows)
    right = np.einsum("kni,kn->ki", rows.conj(), wanted)
    power = np.trace(normal, axis1=1, axis2=2).real / n_before
    normal += (_STABLE * power + np.finfo(np.float32).tiny)[:, None, None] * np.eye(n_before)
    weights = np.linalg.solve(normal, right[..., None])[..., 0]
    out = np.zeros_like(series)
    out[:, n_before:] = np.einsum("kni,ki->kn", rows, weights)
    return out


def _in_windows(traces: Samples, n_traces: int, n_samples: int, work: Callable[[Samples], Samples]) -> Samples:
    """`work` done to windows that overlap by half and fade into each other; the first and last do not fade outwards."""
    out = np.zeros_like(traces)
    total = np.zeros(traces.shape, np.float32)
    for rows, fade_rows in _windows(traces.shape[0], n_traces):
        for samples, fade_samples in _windows(traces.shape[1], n_samples):
            weight = (fade_rows[:, None] * fade_samples).astype(np.float32)
            out[rows, samples] += work(traces[rows, samples]) * weight
            total[rows, samples] += weight
    return np.asarray(out / total, traces.dtype)


def _windows(n: int, size: int) -> list[tuple[slice, Floats]]:
    """Windows of at most `size` that begin half of it apart, and their weights, all above 0."""
    if size >= n:
        return [(slice(0, n), np.ones(n))]
    starts = [*range(0, n - size, max(size // 2, 1)), n - size]
    fade = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    return [(slice(start, start + size), fade) for start in starts]
