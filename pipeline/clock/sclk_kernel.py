"""A clock correlation as a NAIF spacecraft clock kernel of type 1, for SPICE (SCLK Required Reading, NAIF).

In: the segments of an `OnboardClock`. Out: the text of a kernel. Its parallel time is Terrestrial Time (system 2), so
that UTC comes back through the leap seconds of SPICE's own kernel. A tick is 1/1000 s, and clock strings are
`partition/seconds:milliseconds`.
"""

from __future__ import annotations

from itertools import groupby

import erfa
import numpy as np

from .correlation_file import iso_ns
from .onboard import ClockSegment, OnboardClock

TICKS_PER_SECOND = 1000
_TICK_NS = 1_000_000_000 // TICKS_PER_SECOND
_MODULUS_S = 1 << 32
_DAY_NS = 86_400 * 1_000_000_000
_J2000_UNIX_NS = 946_728_000 * 1_000_000_000  # 2000-01-01T12:00:00
_TT_TAI_NS = 32_184_000_000
_UNIX_JD = 2_440_587.5


def kernel_text(clock: OnboardClock, mission: str, spacecraft: int) -> str:
    """The kernel of clock `spacecraft` (NAIF's id, negative). ValueError where it cannot be told in one.

    Counts must not be negative, and there must be segments. Partitions but the last end with the last count that they
    were made from.
    """
    if spacecraft >= 0 or not clock.segments or any(one.onboard_ns < 0 for one in clock.segments):
        raise ValueError("a kernel needs a negative spacecraft id, and segments of counts that are not negative")
    number = -spacecraft
    partitions = [list(group) for _, group in groupby(clock.segments, lambda one: one.partition)]
    ends = [_ticks(one[-1].stop_ns) + 1.0 for one in partitions[:-1]] + [float(_MODULUS_S * TICKS_PER_SECOND - 1)]
    before = np.concatenate([[0.0], np.cumsum(ends)])
    triples = [
        line
        for shift, partition in zip(before.tolist(), partitions, strict=False)
        for line in _triples(partition, shift)
    ]
    words = {
        "SCLK_KERNEL_ID": f"( @{iso_ns(clock.segments[-1].utc_ns)[:23]} )",
        f"SCLK_DATA_TYPE_{number}": "( 1 )",
        f"SCLK01_TIME_SYSTEM_{number}": "( 2 )",
        f"SCLK01_N_FIELDS_{number}": "( 2 )",
        f"SCLK01_MODULI_{number}": f"( {_MODULUS_S} {TICKS_PER_SECOND} )",
        f"SCLK01_OFFSETS_{number}": "( 0 0 )",
        f"SCLK01_OUTPUT_DELIM_{number}": "( 2 )",
        f"SCLK_PARTITION_START_{number}": _list(["0.0" for _ in partitions]),
        f"SCLK_PARTITION_END_{number}": _list([f"{end!r}" for end in ends]),
        f"SCLK01_COEFFICIENTS_{number}": _list(triples),
    }
    about = (
        f"Clock of {mission}, correlation {clock.correlation_id}. Epoch of its count: {iso_ns(clock.epoch_utc_ns)}."
    )
    lines = [f"{name:27} = {value}" for name, value in words.items()]
    return "\n".join(["KPL/SCLK", "", about, "", "\\begindata", "", *lines, "", "\\begintext", ""])


def _triples(partition: list[ClockSegment], shift: float) -> list[str]:
    """Ticks since the first partition began, TT seconds since J2000, TT seconds per second of the clock.

    The first piece of a partition holds from count 0 on, since SPICE has nothing before a triple; it goes back in TT,
    which has no leap seconds.
    """
    first, back_ns = partition[0], partition[0].onboard_ns
    zero_ns = _tt_ns(first.utc_ns) - back_ns - round(back_ns * (first.rate - 1.0))
    starts = [(0, zero_ns), *((one.onboard_ns, _tt_ns(one.utc_ns)) for one in partition[1:])]
    return [
        f"{shift + _ticks(onboard_ns)!r} {_seconds(tt_ns)} {one.rate!r}"
        for (onboard_ns, tt_ns), one in zip(starts, partition, strict=True)
    ]


def _ticks(onboard_ns: int) -> float:
    return onboard_ns / _TICK_NS


def _tt_ns(utc_ns: int) -> int:
    """Nanoseconds of Terrestrial Time since J2000."""
    year, month, date, _, _ = erfa.ufunc.jd2cal(_UNIX_JD, float(utc_ns // _DAY_NS))
    leap_s, _ = erfa.ufunc.dat(year, month, date, 0.0)
    return utc_ns - _J2000_UNIX_NS + round(float(leap_s) * 1e9) + _TT_TAI_NS


def _seconds(ns: int) -> str:
    """As decimal digits to the nanosecond."""
    sign, size = ("-" if ns < 0 else ""), abs(ns)
    return f"{sign}{size // 1_000_000_000}.{size % 1_000_000_000:09d}"


def _list(values: list[str]) -> str:
    return "\n".join(["(", *(f"    {value}" for value in values), ")"])
