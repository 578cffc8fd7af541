"""Reads a NAIF spacecraft clock kernel of type 1 as a clock correlation (SCLK Required Reading, NAIF).

In: the text of a kernel with one clock, whose first field counts seconds. Out: segments of an `OnboardClock`. The
parallel time, terrestrial or barycentric, is converted to UTC; a new segment begins at each leap second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import NamedTuple

import erfa
import numpy as np

from ..model.time_scales import DAY_NS, J2000_UNIX_NS, TT_TAI_NS
from .leap_seconds import leap_steps
from .onboard import ClockSegment

_DATA = re.compile(r"^\s*\\begindata\s*$(.*?)(?=^\s*\\begintext\s*$|\Z)", re.DOTALL | re.MULTILINE)
_VARIABLE = re.compile(r"([A-Z0-9_/]+)\s*(\+?)=\s*(?:\(([^)]*)\)|('[^']*'|[^\s(]+))")
_DAY = re.compile(r"@(\d{1,2})-([A-Z]{3})-(\d{4})[-/](\d\d:\d\d:\d\d(?:\.\d{1,9})?)$")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()  # noqa: SIM905 - a list of words
_SECOND_NS = 1_000_000_000

_TDB, _TDT = 1, 2
_MAX_NS = int(np.iinfo(np.int64).max)


class _Piece(NamedTuple):
    """TAI = tai_ns + rate (onboard - onboard_ns), for counts from `onboard_ns` on; TAI since 1970-01-01."""

    onboard_ns: int
    tai_ns: int
    rate: float
    partition: int


def read_kernel(text: str) -> tuple[ClockSegment, ...]:
    """Read the segments of the clock. Raises ValueError, in one line, for an invalid or unsupported kernel."""
    variables = _variables(text)
    clocks = [name.rpartition("_")[2] for name in variables if name.startswith("SCLK01_COEFFICIENTS_")]
    if len(clocks) != 1:
        raise ValueError(f"has {len(clocks) or 'no'} clocks of type 1 (SCLK01_COEFFICIENTS_n): one is supported")

    def numbers(name: str, default: Sequence[int] | None = None) -> list[Decimal]:
        values = variables.get(f"{name}_{clocks[0]}")
        if values is None and default is None:
            raise ValueError(f"has no {name}_{clocks[0]}")
        return [Decimal(one) for one in default or ()] if values is None else list(map(_number, values))

    pieces = list(_pieces(variables[f"SCLK01_COEFFICIENTS_{clocks[0]}"], numbers))
    ends = [*(after.onboard_ns if after.partition == one.partition else _MAX_NS for one, after in pairwise(pieces))]
    return tuple(
        segment for one, end in zip(pieces, [*ends, _MAX_NS], strict=True) for segment in _segments(one, end)
    )


def _variables(text: str) -> dict[str, list[str]]:
    """Values by name, as text; `+=` appends."""
    found: dict[str, list[str]] = {}
    for data in _DATA.findall(text):
        for name, more, many, one in _VARIABLE.findall(data):
            values = (many or one).replace(",", " ").split()
            found[name] = [*found.get(name, []), *values] if more else values
    return found


def _number(text: str) -> Decimal:
    try:
        return Decimal(text.upper().replace("D", "E"))
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a number") from error


def _pieces(values: Sequence[str], numbers: Callable[..., list[Decimal]]) -> Iterator[_Piece]:
    moduli, offsets = numbers("SCLK01_MODULI"), numbers("SCLK01_OFFSETS")
    weights = [Decimal(1)]
    for modulus in reversed(moduli[1:]):
        weights.insert(0, weights[0] * modulus)
    offset = sum((a * b for a, b in zip(offsets, weights, strict=False)), Decimal(0))
    starts, ends = numbers("SCLK_PARTITION_START"), numbers("SCLK_PARTITION_END")
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    before = [sum(lengths[:k], Decimal(0)) for k in range(len(lengths))]
    [system] = numbers("SCLK01_TIME_SYSTEM", (_TDB,))
    if len(values) % 3 or not values or system not in {_TDB, _TDT}:
        raise ValueError("has coefficients that are not triples, or a time system other than TDB (1) and TDT (2)")
    for encoded, when, rate in zip(*(iter(values),) * 3, strict=True):
        ticks = _number(encoded)
        k = max(i for i, shift in enumerate(before) if ticks >= shift or not i)
        count = ticks - before[k] + starts[k] + offset
        tai_ns = _tt_ns(when, barycentric=system == _TDB) + J2000_UNIX_NS - TT_TAI_NS
        yield _Piece(round(count * _SECOND_NS / weights[0]), tai_ns, float(_number(rate)), k + 1)


def _tt_ns(text: str, *, barycentric: bool) -> int:
    """Convert parallel time, in seconds since J2000 or as a date, to Terrestrial Time since J2000."""
    if text.startswith("@"):
        day = _DAY.match(text.upper())
        iso = f"{day[3]}-{_MONTHS.index(day[2]) + 1:02d}-{int(day[1]):02d}T{day[4]}" if day else text[1:]
        ns = int(np.datetime64(iso, "ns").astype(np.int64)) - J2000_UNIX_NS
    else:
        ns = round(_number(text) * _SECOND_NS)
    if not barycentric:
        return ns
    return ns - round(float(erfa.dtdb(2_451_545.0, ns / DAY_NS, 0.0, 0.0, 0.0, 0.0)) * _SECOND_NS)


def _segments(piece: _Piece, end_ns: int) -> Iterator[ClockSegment]:
    """Split a piece, which ends before the count `end_ns`, at leap seconds."""
    since_ns, ahead_ns = leap_steps(0)
    tai_ns = [piece.tai_ns, *(one for one in since_ns.tolist() if one > piece.tai_ns)]
    for start in tai_ns:
        onboard_ns = piece.onboard_ns + round((start - piece.tai_ns) / piece.rate)
        if onboard_ns < end_ns:
            ahead = int(ahead_ns[np.searchsorted(since_ns, start, "right") - 1])
            yield ClockSegment(onboard_ns, start - ahead, piece.rate, piece.partition)
