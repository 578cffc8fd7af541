"""Writes a clock correlation as a NAIF spacecraft clock kernel of type 1, for SPICE (SCLK Required Reading, NAIF).

In: the segments of an `OnboardClock`. Out: the text of a kernel. Its parallel time is Terrestrial Time (system 2),
which SPICE converts to UTC with its own leap seconds kernel. A tick is 1/1000 s; clock strings are
`partition/seconds:milliseconds`.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from ..model.time_scales import tt_ns
from .correlation_file import iso_ns
from .onboard import ClockSegment, OnboardClock

TICKS_PER_SECOND = 1000
_TICK_NS = 1_000_000_000 // TICKS_PER_SECOND
_MODULUS_S = 1 << 32


def kernel_text(clock: OnboardClock, mission: str, spacecraft: int) -> str:
    """Make the kernel of a clock. `spacecraft`: its NAIF id, negative.

    All partitions except the last end with the last count that they were made from. Raises ValueError for an id of 0 or
    more, negative counts, or a clock without segments.
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
    """Coefficients: ticks since the first partition began, TT seconds since J2000, TT seconds per clock second.

    The first triple of a partition is extrapolated back to count 0, since SPICE rejects times before the first one.
    """
    first, back_ns = partition[0], partition[0].onboard_ns
    first_tt_ns, *later_tt_ns = tt_ns(np.array([one.utc_ns for one in partition])).tolist()
    starts = [(0, first_tt_ns - back_ns - round(back_ns * (first.rate - 1.0)))]
    starts += zip((one.onboard_ns for one in partition[1:]), later_tt_ns, strict=True)
    return [
        f"{shift + _ticks(onboard_ns)!r} {_seconds(time_ns)} {one.rate!r}"
        for (onboard_ns, time_ns), one in zip(starts, partition, strict=True)
    ]


def _ticks(onboard_ns: int) -> float:
    return onboard_ns / _TICK_NS


def _seconds(ns: int) -> str:
    """Seconds in decimal notation, exact to the nanosecond."""
    sign, size = ("-" if ns < 0 else ""), abs(ns)
    return f"{sign}{size // 1_000_000_000}.{size % 1_000_000_000:09d}"


def _list(values: list[str]) -> str:
    return "\n".join(["(", *(f"    {value}" for value in values), ")"])
