"""Leap seconds of clocks that count them (TAI, GPS time), for the conversion to UTC as Unix time counts it.

The leap second table is that of ERFA (IAU SOFA), from 1972 on. An epoch before 1972 is taken as TAI, as that of CCSDS
(1958-01-01).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_SECOND_NS = 1_000_000_000
_FIRST_YEAR = 1972


@lru_cache(maxsize=16)
def leap_steps(epoch_utc_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Onboard counts from which a clock is ahead of UTC - epoch, and by how much: both int64[k], ns, ascending.

    `epoch_utc_ns`: Unix time at which the count was 0. The first count is the smallest int64.
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
