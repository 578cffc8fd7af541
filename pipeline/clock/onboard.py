"""The onboard clock: what it counts since the mission epoch becomes UTC.

In: int64 nanoseconds of the onboard clock since the mission epoch. Out: int64 nanoseconds UTC since 1970-01-01.
Without correlation the clock is taken at its word: epoch + count is UTC, and no leap second is counted. That is
what Zhurong's archived radar records do, to the millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import NO_TIME

_MAX_NS = int(np.iinfo(np.int64).max)
_PLAIN_NS = 1 << 61  # 73 years: counts below need no care for the end of int64, nor do such epochs


@dataclass(frozen=True, slots=True)
class ClockSegment:
    """One piece of a correlation: UTC = utc_ns + rate (onboard - onboard_ns), for counts from `onboard_ns` on.

    `utc_ns` since 1970-01-01 UTC; `rate` in UTC seconds per onboard second. The form of a NAIF type 1 SCLK kernel.
    """

    onboard_ns: int
    utc_ns: int
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class OnboardClock:
    """The mission epoch (UTC, ns since 1970) and the correlation, its segments in ascending order of `onboard_ns`.

    Counts before the first segment follow the first. No segments: epoch + count is UTC.
    """

    epoch_utc_ns: int
    segments: tuple[ClockSegment, ...] = ()

    def utc_ns(self, onboard_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """UTC of onboard times, any shape. NO_TIME stays NO_TIME; what does not fit stops at the end of int64."""
        onboard = np.asarray(onboard_ns, np.int64)
        if not self.segments:
            if onboard.size and onboard.min() > -_PLAIN_NS and max(onboard.max(), self.epoch_utc_ns) < _PLAIN_NS:
                return onboard + np.int64(self.epoch_utc_ns)
            return _add(onboard, np.int64(self.epoch_utc_ns), onboard)
        starts = np.array([segment.onboard_ns for segment in self.segments], np.int64)
        utc = np.array([segment.utc_ns for segment in self.segments], np.int64)
        rate = np.array([segment.rate for segment in self.segments])
        k = np.clip(np.searchsorted(starts, onboard, "right") - 1, 0, None)
        elapsed = _add(onboard, -starts[k], onboard)
        drift = np.rint(elapsed * (rate[k] - 1.0)).astype(np.int64)
        return _add(_add(utc[k], drift, onboard), elapsed, onboard)


def _add(a: NDArray[np.int64], b: NDArray[np.int64] | np.int64, onboard: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give a + b, held inside int64; NO_TIME where there is no onboard time."""
    room = np.where(np.asarray(b) > 0, _MAX_NS - np.maximum(b, 0), -_MAX_NS - np.minimum(b, 0))
    held = np.where(np.asarray(b) > 0, np.minimum(a, room), np.maximum(a, room))
    return np.where(onboard == NO_TIME, np.int64(NO_TIME), held + b)
