"""The onboard clock: converts its count since the mission epoch to UTC.

In: int64 nanoseconds of the onboard clock since the mission epoch. Out: int64 nanoseconds UTC since 1970-01-01.
Without correlation, UTC is epoch + count, less the leap seconds since the epoch if the clock counts them (as clocks of
TAI and GPS time do).
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass, field, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..model.reductions import largest, smallest
from .leap_seconds import leap_steps

NO_CORRELATION = "none: epoch + count"
LEAP_SECONDS_OFF = "none: epoch + count - leap seconds"
_MAX_NS = int(np.iinfo(np.int64).max)
_SAFE_NS = 1 << 61  # 73 years: sums of counts and epochs below do not overflow int64


@dataclass(frozen=True, slots=True)
class ClockSegment:
    """One segment of a correlation: UTC = utc_ns + rate (onboard - onboard_ns), for counts from `onboard_ns` on.

    The form of a NAIF type 1 SCLK kernel. `utc_ns`: since 1970-01-01 UTC; `rate`: UTC seconds per onboard second;
    `partition`: increases by one with each reset of the clock; `stop_ns`: last count that it was fitted to;
    `sigma_ns`: one sigma of UTC; `rate_sigma`: one sigma of the rate.
    """

    onboard_ns: int
    utc_ns: int
    rate: float = 1.0
    partition: int = 1
    stop_ns: int = _MAX_NS
    sigma_ns: int = 0
    rate_sigma: float = 0.0


_SEGMENT = np.dtype([(one.name, "f8" if one.type == "float" else "i8") for one in fields(ClockSegment)])


@dataclass(frozen=True, slots=True)
class OnboardClock:
    """The mission epoch (UTC, ns since 1970) and the correlation.

    Segments are in ascending order of `onboard_ns` within a partition, partitions in order. The first segment of a
    partition also applies to counts before it. A count belongs to the partition with the nearest counts, of two to the
    later one. Without segments, UTC is epoch + count, less the leap seconds since the epoch if the clock counts them.
    """

    epoch_utc_ns: int
    segments: tuple[ClockSegment, ...] = ()
    counts_leap_seconds: bool = False
    correlation_id: str = field(init=False, compare=False)
    """16 hex digits, a digest of the segments; without segments, how UTC is computed."""
    _table: NDArray[np.void] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = [astuple(segment) for segment in self.segments]
        content = repr([self.epoch_utc_ns, *rows]).encode()
        without = LEAP_SECONDS_OFF if self.counts_leap_seconds else NO_CORRELATION
        found = hashlib.blake2b(content, digest_size=8).hexdigest() if rows else without
        object.__setattr__(self, "correlation_id", found)
        object.__setattr__(self, "_table", np.array(rows, _SEGMENT))

    def without_correlation(self) -> OnboardClock:
        """Return a clock without segments, for counts of a clock that was not correlated."""
        return OnboardClock(self.epoch_utc_ns, counts_leap_seconds=self.counts_leap_seconds)

    def utc_ns(self, onboard_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """UTC of onboard times, any shape. NO_TIME stays NO_TIME; values saturate at the limits of int64."""
        onboard = np.asarray(onboard_ns, np.int64)
        last = largest(onboard) if onboard.size else NO_TIME
        if last == NO_TIME:
            return onboard.copy()
        if not self.segments:
            utc_ns = self._epoch_plus(onboard, last)
            return self._less_leap_seconds(utc_ns, onboard) if self.counts_leap_seconds else utc_ns
        of = self._table[self._segment(onboard)]
        elapsed = _add(onboard, -of["onboard_ns"], onboard)
        drift = np.rint(elapsed * (of["rate"] - 1.0)).astype(np.int64)
        return _add(_add(of["utc_ns"], drift, onboard), elapsed, onboard)

    def _epoch_plus(self, onboard: NDArray[np.int64], last: int) -> NDArray[np.int64]:
        if smallest(onboard) > -_SAFE_NS and max(last, self.epoch_utc_ns) < _SAFE_NS:
            return onboard + np.int64(self.epoch_utc_ns)
        return _add(onboard, np.int64(self.epoch_utc_ns), onboard)

    def _less_leap_seconds(self, utc_ns: NDArray[np.int64], onboard: NDArray[np.int64]) -> NDArray[np.int64]:
        """Subtract leap seconds. During a leap second the result is that of the second after it, as in Unix time."""
        counts, ahead_ns = leap_steps(self.epoch_utc_ns)
        ahead = ahead_ns[np.searchsorted(counts, onboard, "right") - 1]
        return np.where(onboard == NO_TIME, utc_ns, utc_ns - ahead)

    def sigma_ns(self, onboard_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """One sigma, in ns, of the UTC of onboard times, any shape; 0 without correlation, NaN for NO_TIME.

        Outside the counts that a partition was fitted to, it includes the uncertainty of the rate.
        """
        onboard = np.asarray(onboard_ns, np.int64)
        if not self.segments:
            return np.where(onboard == NO_TIME, np.nan, 0.0)
        of = self._table[self._segment(onboard)]
        beyond = np.maximum(of["onboard_ns"].astype(np.float64) - onboard, 0.0)
        beyond += np.maximum(onboard - of["stop_ns"].astype(np.float64), 0.0)
        return np.where(onboard == NO_TIME, np.nan, np.hypot(of["sigma_ns"], beyond * of["rate_sigma"]))

    def _segment(self, onboard: NDArray[np.int64]) -> NDArray[np.int64]:
        """Index of the segment of each count."""
        table, edges = self._table, np.flatnonzero(np.diff(self._table["partition"])) + 1
        found, nearest = np.zeros(onboard.shape, np.int64), np.full(onboard.shape, np.inf)
        for at, stop in pairwise([0, *edges.tolist(), len(table)]):
            starts = table["onboard_ns"][at:stop]
            k = at + np.clip(np.searchsorted(starts, onboard, "right") - 1, 0, None)
            away = np.maximum(float(starts[0]) - onboard, 0.0)
            away += np.maximum(onboard - float(table["stop_ns"][stop - 1]), 0.0)
            found, nearest = np.where(away <= nearest, k, found), np.minimum(away, nearest)
        return found


def _add(a: NDArray[np.int64], b: NDArray[np.int64] | np.int64, onboard: NDArray[np.int64]) -> NDArray[np.int64]:
    """Saturating sum a + b; NO_TIME where there is no onboard time."""
    room = np.where(np.asarray(b) > 0, _MAX_NS - np.maximum(b, 0), -_MAX_NS - np.minimum(b, 0))
    bounded = np.where(np.asarray(b) > 0, np.minimum(a, room), np.maximum(a, room))
    return np.where(onboard == NO_TIME, np.int64(NO_TIME), bounded + b)
