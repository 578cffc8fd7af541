"""UTC, as Unix time counts it, to TAI and Terrestrial Time (TT), with the leap seconds of ERFA (IAU SOFA `dat`)."""

from __future__ import annotations

import erfa
import numpy as np
from numpy.typing import NDArray

DAY_NS = 86_400 * 1_000_000_000
J2000_UNIX_NS = 946_728_000 * 1_000_000_000
"""2000-01-01T12:00:00 in Unix time."""
TT_TAI_NS = 32_184_000_000
_UNIX_JD = 2_440_587.5


def tai_utc_s(day: NDArray[np.int64]) -> NDArray[np.float64]:
    """TAI - UTC in seconds on each day, counted from 1970-01-01; 0 before 1960. Any shape."""
    year, month, date, _, _ = erfa.ufunc.jd2cal(_UNIX_JD, day.astype(np.float64))
    seconds: NDArray[np.float64] = erfa.ufunc.dat(year, month, date, 0.0)[0]
    return seconds


def tt_ns(utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """TT in nanoseconds since 2000-01-01T12:00 TT, of UTC in nanoseconds since 1970-01-01; both int64[n]."""
    days, place = np.unique(utc_ns // DAY_NS, return_inverse=True)
    tai_utc_ns = np.rint(tai_utc_s(days) * 1e9).astype(np.int64)
    return utc_ns - J2000_UNIX_NS + tai_utc_ns[place] + TT_TAI_NS
