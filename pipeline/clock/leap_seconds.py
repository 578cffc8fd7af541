"""Leap seconds that a clock counts and UTC, as Unix time has it, does not.

In: the epoch of a clock, in UTC. Out: at which counts the difference of clock and UTC grows, and what it then is.
The table is that of the IAU's library (ERFA), from 1972 on. An epoch before then is taken to be one of TAI, as that of
CCSDS is (1958-01-01).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SECOND_NS = 1_000_000_000
_FIRST_YEAR = 1972


@lru_cache(maxsize=16)
def leap_steps(epoch_utc_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts `int64[k]`, ascending, from which on a clock is ahead of epoch + UTC by `int64[k]`, both in nanoseconds.

    The first count is that of the beginning of time. The clock showed 0 at `epoch_utc_ns`, Unix time.
    """
    import erfa  # noqa: PLC0415 - most clocks count no leap second

    table = erfa.leap_seconds.get()
    table = table[table["year"] >= _FIRST_YEAR]
    dates = [f"{year:04d}-{month:02d}-01" for year, month in zip(table["year"], table["month"], strict=True)]
    since_ns = np.array(dates, "datetime64[ns]").astype(np.int64)
    tai_ahead_ns = np.concatenate([[0], np.rint(table["tai_utc"]).astype(np.int64) * _SECOND_NS])
    ahead_ns = tai_ahead_ns - tai_ahead_ns[np.searchsorted(since_ns, epoch_utc_ns, "right")]
    counts = np.concatenate([[np.iinfo(np.int64).min], since_ns - epoch_utc_ns + ahead_ns[1:]])
    return counts, ahead_ns
