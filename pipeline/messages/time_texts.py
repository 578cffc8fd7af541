"""Instants and local times as the texts of messages. A message has up to six of them, so each takes about 1 us."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

from ..model.batches import NO_TIME, TimeRange

_LENGTHS = {"s": 19, "ms": 23, "us": 26, "ns": 29}
"""Characters of an instant that is cut to a unit."""
_MINUTES = [f"{hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60)]
_SECONDS = [f"{second:02d}." for second in range(60)]
_MILLISECONDS = [f"{ms:03d}" for ms in range(1000)]
_DAYS_BEFORE_1970 = date(1970, 1, 1).toordinal()
_MAX_DAYS = 64


def iso_utc(ns: int, unit: str = "ns") -> str | None:
    """Nanoseconds since 1970 UTC as ISO 8601, cut to `unit` ("ns", "us", "ms", "s"); None for no time."""
    if ns == NO_TIME:
        return None
    minutes, rest_ns = divmod(int(ns), 60_000_000_000)
    day, minute = divmod(minutes, 1440)
    second, fraction_ns = divmod(rest_ns, 1_000_000_000)
    text = f"{_date(day)}T{_MINUTES[minute]}{_SECONDS[second]}{fraction_ns:09d}"
    return f"{text[: _LENGTHS[unit]]}Z"


@lru_cache(_MAX_DAYS)
def _date(day: int) -> str:
    """The date of a day since 1970-01-01."""
    return date.fromordinal(_DAYS_BEFORE_1970 + day).isoformat()


def time_map(time: TimeRange) -> dict[str, Any]:
    """First and last instant of a product on each clock that it has, as in a message."""
    utc = _both(time.utc_ns, iso_utc)
    fields: dict[str, Any] = {"onboard_ns": [*map(int, time.onboard_ns)], "utc": utc}
    if time.sol is not None:
        fields["sol"] = [*map(int, time.sol)]
    if time.lmst_h is not None:
        fields["lmst"] = _both(time.lmst_h, clock_text)
    if time.ltst_h is not None:
        fields["ltst"] = _both(time.ltst_h, clock_text)
        if (sols := time.ltst_sol) is not None:
            fields["ltst_sol"] = [*sols]
    if time.ls_deg is not None:
        fields["ls_deg"] = [*map(float, time.ls_deg)]
    return fields


def _both(ends: tuple[Any, Any], text: Any) -> list[Any]:
    """The texts of both ends, of which many products of a single row have one."""
    first, last = ends
    of_first = text(first)
    return [of_first, of_first if last == first else text(last)]


def clock_text(hours: float) -> str:
    """Hours of 1/24 sol as hh:mm:ss.fff; never 24:00, which would be the next sol's."""
    total_ms = min(max(round(hours * 3_600_000), 0), 86_399_999)
    minute, rest_ms = divmod(total_ms, 60_000)
    second, ms = divmod(rest_ms, 1000)
    return _MINUTES[minute] + _SECONDS[second] + _MILLISECONDS[ms]
