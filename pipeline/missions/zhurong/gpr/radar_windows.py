"""Sums and means of sliding windows over radar traces, in double precision: arrays [n traces, m samples], all pure.

Half a window is h = ceil(w / 2) on each side; the first elements share the window of the first half, the last ones
that of the last half (GPRPy: Plattner 2020, The Leading Edge 39, 332). Sums are differences of running sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_AT_ONCE = 16
"""Traces whose means lie in the cache together."""


def means_along(traces: NDArray[Any], window: float) -> NDArray[Any]:
    """Of each sample [n, m], the mean of its trace within half a window."""
    sums, count = sums_along(traces, window)
    if np.iscomplexobj(sums):
        _as_floats(sums)[:] *= np.repeat(1 / count, 2)  # complex numbers are divided by a real one so
    else:
        sums /= count
    return sums


def sums_along(traces: NDArray[Any], window: float) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Of each sample [n, m], the sum of its trace within half a window, and of how many samples [m]."""
    n, half = traces.shape[1], math.ceil(window / 2)
    until = np.cumsum(traces, axis=1, dtype=np.complex128 if np.iscomplexobj(traces) else np.float64)
    if window >= n:
        return np.repeat(until[:, -1:], n, axis=1), _counts(n, window)
    first, last = min(half, n - half), n - half
    sums = np.empty_like(until)
    sums[:, :last] = until[:, half : half + 1]
    if first < last:
        sums[:, half] = until[:, 2 * half]
        np.subtract(until[:, 2 * half + 1 :], until[:, : last - half - 1], out=sums[:, half + 1 : last])
    sums[:, last:] = until[:, -1:] - until[:, last - 1 : last]
    return sums, _counts(n, window)


def means_across(traces: NDArray[Any], window: float) -> Iterator[tuple[slice, NDArray[Any]]]:
    """For some traces after the other: which, and the mean of the traces within half a window of each, [k, m].

    The means may be written to, and are valid until the next ones are asked for; by then no trace before those is read
    any more. One step for each trace, of all its samples: along this axis a running sum cannot be computed otherwise
    but sample by sample. The running sums of one window are held.
    """
    floats, count = _as_floats(traces), _counts(len(traces), window)
    divide, by = (np.multiply, 1 / count) if np.iscomplexobj(traces) else (np.divide, count)
    n_kept = min(len(traces), 2 * math.ceil(window / 2) + 2)
    until, k = np.empty((n_kept, floats.shape[1])), -1  # the sum up to trace k is in row k % n_kept
    means = np.empty((_AT_ONCE, floats.shape[1]))
    found = means.view(np.complex128) if np.iscomplexobj(traces) else means
    bounds = [*zip(*_bounds(len(traces), window), strict=True)]
    for start in range(0, len(traces), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        for (first, last), mean in zip(bounds[rows], means, strict=False):
            while k < last:
                k += 1
                if k:
                    np.add(floats[k], until[(k - 1) % n_kept], out=until[k % n_kept])
                else:
                    until[0] = floats[0]
            if first >= 0:
                np.subtract(until[last % n_kept], until[first % n_kept], out=mean)
            else:
                mean[:] = until[last % n_kept]
        n = len(by[rows])
        divide(means[:n], by[rows, None], out=means[:n])
        yield rows, found[:n]


def _bounds(n: int, window: float) -> tuple[list[int], list[int]]:
    """Of each of n elements, the one before its window (-1: the window begins with the first), and its last one."""
    if window >= n:
        return [-1] * n, [n - 1] * n
    half = math.ceil(window / 2)
    at = np.arange(n)
    late = at >= n - half
    first = np.where(late, n - half - 1, np.maximum(at - half - 1, -1))
    last = np.where(late, n - 1, np.where(at < half, half, at + half))
    return first.tolist(), last.tolist()


def _counts(n: int, window: float) -> NDArray[np.int64]:
    """How many elements the window of each of n elements has."""
    half = math.ceil(window / 2)
    if window >= n:
        return np.full(n, n)
    at = np.arange(n)
    return np.where(at >= n - half, half, np.where(at < half, half + 1, 2 * half + 1))


def _as_floats(values: NDArray[Any]) -> NDArray[Any]:
    """The same memory [n, m] as real numbers [n, m], or [n, 2 m] of complex ones."""
    values = np.ascontiguousarray(values)
    return values.view(values.real.dtype)
