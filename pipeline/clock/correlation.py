"""Fits a clock correlation to pairs of onboard count and UTC: linear segments for each partition of the clock.

In: pairs, in any order, with the spacecraft's reset counter. Out: a `Correlation`, with the residual of each pair. A
partition ends where the counter changes, or where the clock jumps permanently; a single pair that differs is an
outlier. A pair that is off by 65.536 s (overflow of a 16-bit millisecond counter) is mended. Nothing raises:
inconsistent pairs are flagged, and too few pairs give no segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .onboard import ClockSegment, OnboardClock
from .robust import BentLine, Floats, fit_bent_line, scale_of

ROLLOVER_NS = 65_536_000_000
_MIN_PAIRS = 3  # of a partition
_NEIGHBOURS = 5
_OFF_SIGMAS = 6.0
_MIN_CONTACT_S = 60.0  # shortest contact that gives a rate
_MAX_NS = 1 << 62


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How pairs are split.

    Pairs further apart than `gap_s` belong to different contacts; each contact has a knot. The clock has jumped if the
    offset of neighbouring pairs changes by more than `jump_s` plus a drift of `max_drift` (seconds per second).
    """

    gap_s: float = 3600.0
    jump_s: float = 0.5
    max_drift: float = 1e-3


@dataclass(frozen=True, slots=True)
class Pairs:
    """Contents of correlation packets, all int64[n]: onboard count and UTC at that count (ns), reset counter."""

    onboard_ns: NDArray[np.int64]
    utc_ns: NDArray[np.int64]
    resets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.onboard_ns)


@dataclass(frozen=True, slots=True)
class Partition:
    """The clock between two resets: its segments, and the number of pairs that they were fitted to."""

    number: int
    segments: tuple[ClockSegment, ...]
    n_pairs: int
    n_outliers: int
    n_mended: int


@dataclass(frozen=True, slots=True)
class Correlation:
    """A fit; for each pair, in the given order: `residual_s` (NaN: in no partition), `outlier`, `mended`."""

    partitions: tuple[Partition, ...]
    residual_s: Floats
    outlier: NDArray[np.bool_]
    mended: NDArray[np.bool_]

    @property
    def segments(self) -> tuple[ClockSegment, ...]:
        return tuple(segment for partition in self.partitions for segment in partition.segments)

    def clock(self, epoch_utc_ns: int) -> OnboardClock:
        """Return the onboard clock with this correlation."""
        return OnboardClock(epoch_utc_ns, self.segments)


def correlate(pairs: Pairs, settings: FitSettings) -> Correlation:
    """Fit a correlation to pairs. Pairs with times beyond 2^62 ns are outliers."""
    n = len(pairs)
    residual_s, mended = np.full(n, np.nan), np.zeros(n, np.bool_)
    outlier = np.ones(n, np.bool_)
    sound = (np.abs(pairs.onboard_ns) < _MAX_NS) & (np.abs(pairs.utc_ns) < _MAX_NS)
    order = np.lexsort((pairs.onboard_ns, pairs.utc_ns))
    order = order[sound[order]]
    partitions: list[Partition] = []
    for rows in _partitions(pairs, order, settings):
        number = len(partitions) + 1
        partition, *arrays = _fit(pairs.onboard_ns[rows], pairs.utc_ns[rows], number, settings)
        partitions.append(partition)
        residual_s[rows], outlier[rows], mended[rows] = arrays
    return Correlation(tuple(partitions), residual_s, outlier, mended)


def _partitions(pairs: Pairs, order: NDArray[np.int64], settings: FitSettings) -> list[NDArray[np.int64]]:
    """Indices of the pairs of each partition, in order of UTC; partitions of too few pairs are left out."""
    runs = []
    for reset in _in_order(pairs.resets[order]):
        rows = order[pairs.resets[order] == reset]
        utc_ns, onboard_ns = pairs.utc_ns[rows], pairs.onboard_ns[rows]
        runs += np.split(rows, _jumps(utc_ns, onboard_ns, settings))
    return [rows for rows in runs if len(rows) >= _MIN_PAIRS]


def _in_order(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Distinct values, in order of their first occurrence."""
    found, first = np.unique(values, return_index=True)
    return found[np.argsort(first)]


def _jumps(utc_ns: NDArray[np.int64], onboard_ns: NDArray[np.int64], settings: FitSettings) -> NDArray[np.int64]:
    """Indices where the offset changes permanently: for the pair, and for the medians of the pairs before and after."""
    n = len(utc_ns)
    if n < 2 * _MIN_PAIRS:
        return np.empty(0, np.int64)
    offset_s = ((utc_ns - onboard_ns) - (utc_ns[0] - onboard_ns[0])) / 1e9
    padded = np.concatenate([np.full(_NEIGHBOURS, np.nan), offset_s, np.full(_NEIGHBOURS, np.nan)])
    windows = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS)[1:-1], axis=1)
    before, after = windows[: n - 1], windows[_NEIGHBOURS : _NEIGHBOURS + n - 1]  # at the pairs 1 ... n - 1
    reach = np.arange(1, n)
    first, last = np.maximum(reach - _NEIGHBOURS, 0), np.minimum(reach + _NEIGHBOURS - 1, n - 1)
    allowed = settings.jump_s + settings.max_drift * (utc_ns[last] - utc_ns[first]) / 1e9
    step = np.abs(np.diff(offset_s))
    jumped = (np.abs(after - before) > allowed) & (step > allowed / 2)
    inside = (reach >= _MIN_PAIRS) & (n - reach >= _MIN_PAIRS)
    return np.asarray(np.flatnonzero(jumped & inside) + 1)


def _fit(
    onboard_ns: NDArray[np.int64], utc_ns: NDArray[np.int64], number: int, settings: FitSettings
) -> tuple[Partition, Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Fit one partition; a second time if pairs were mended. Returns it, and the arrays of `Correlation`."""
    start_ns, start_utc_ns = int(np.median(onboard_ns)), int(np.median(utc_ns))
    correction_ns = np.zeros(len(onboard_ns), np.int64)
    for _ in range(2):
        x = (onboard_ns + correction_ns - start_ns) / 1e9
        y = ((utc_ns - start_utc_ns) - (onboard_ns + correction_ns - start_ns)) / 1e9
        knots, bent = _bend(x, y, settings)
        residual_s = bent.residual
        limit_s = _OFF_SIGMAS * bent.scale + 1e-3
        turns = np.rint(residual_s / (ROLLOVER_NS / 1e9))
        over = (np.abs(turns) == 1) & (np.abs(residual_s - turns * (ROLLOVER_NS / 1e9)) < limit_s)
        if not over.any():
            break
        correction_ns += np.where(over, (turns * ROLLOVER_NS).astype(np.int64), 0)
    outlier = np.abs(residual_s) > limit_s
    good = onboard_ns[~outlier] + correction_ns[~outlier]
    stop_ns = int((good if len(good) else onboard_ns).max())
    segments = tuple(
        ClockSegment(
            start_ns + round(float(knot) * 1e9),
            start_utc_ns + round(float(knot) * 1e9) + round(float(value) * 1e9),
            1.0 + float(slope),
            number,
            stop_ns,
            round(bent.scale * 1e9),
            float(slope_sigma),
        )
        for knot, value, slope, slope_sigma in zip(
            knots[:-1],
            bent.values[:-1],
            np.diff(bent.values) / np.diff(knots),
            bent.slope_sigma(knots),
            strict=True,
        )
    )
    mended = correction_ns != 0
    counts = int((~outlier).sum()), int(outlier.sum()), int(mended.sum())
    return Partition(number, segments, *counts), residual_s, outlier, mended


def _bend(x: Floats, y: Floats, settings: FitSettings) -> tuple[Floats, BentLine]:
    """Knots and fit. A single contact that is too short for a rate gets a rate of 1 with a sigma of `max_drift`."""
    knots = _knots(x, settings.gap_s)
    if len(knots) > 1:
        return knots, fit_bent_line(x, y, knots)
    middle = float(np.median(y))
    residual = y - middle
    knots = np.array([x.min(), x.min() + 1.0])
    covariance = np.diag([0.0, settings.max_drift**2])
    return knots, BentLine(np.full(2, middle), covariance, residual, scale_of(residual))


def _knots(x: Floats, gap_s: float) -> Floats:
    """The median of each contact; both ends of a single contact, or only its begin if it is too short for a rate."""
    ordered = np.sort(x)
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > gap_s) + 1)
    contacts = [part for part in parts if len(part) >= _MIN_PAIRS]
    if len(contacts) > 1:
        return np.array([float(np.median(contact)) for contact in contacts])
    if contacts and contacts[0][-1] - contacts[0][0] >= _MIN_CONTACT_S:
        return np.asarray(contacts[0][[0, -1]])
    return ordered[:1]
