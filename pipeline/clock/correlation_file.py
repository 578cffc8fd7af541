"""A clock correlation as a file: what `downlink clock` writes and `[clock] correlation` of a mission names.

    version = 1
    epoch = "2015-12-31T16:00:00.000000000Z"
    id = "16 hex digits"              # digest of the segments, to detect edits by hand
    [[segment]]
    partition = 1
    onboard_ns = 170338800601000000   # counts from here on
    utc = "2021-05-25T04:20:00.601000000Z"
    rate = 1.0000023                  # UTC seconds per onboard second
    stop_ns = 170339160601000000      # the last count that the partition was made from
    sigma_ns = 310000                 # of the UTC
    rate_sigma = 2e-07

This module converts between text and values; it reads and writes no files.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from .correlation import Correlation
from .onboard import ClockSegment, OnboardClock

_Count = Annotated[int, Field(ge=-(1 << 62), le=(1 << 63) - 1)]
_Utc = Annotated[str, Field(pattern=r"^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")]
_MOST_DRIFT = 0.01


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SegmentTable(_Strict):
    """`[[segment]]`."""

    partition: Annotated[int, Field(ge=1, le=100_000)]
    onboard_ns: _Count
    utc: _Utc
    rate: Annotated[float, Field(ge=1 - _MOST_DRIFT, le=1 + _MOST_DRIFT)]
    stop_ns: _Count
    sigma_ns: Annotated[int, Field(ge=0, le=1 << 62)]
    rate_sigma: Annotated[float, Field(ge=0, le=_MOST_DRIFT)]


class CorrelationTable(_Strict):
    """The whole file."""

    version: Literal[1]
    epoch: _Utc
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    segment: Annotated[list[SegmentTable], Field(min_length=1, max_length=100_000)]


def clock_of(table: CorrelationTable) -> tuple[OnboardClock, list[tuple[str, str]]]:
    """Return the clock that a file describes, and the problems of the file: (key, problem)."""
    problems = list(_problems(table))
    if problems:
        return OnboardClock(0), problems
    segments = tuple(
        ClockSegment(
            one.onboard_ns, _ns(one.utc), one.rate, one.partition, one.stop_ns, one.sigma_ns, one.rate_sigma
        )
        for one in table.segment
    )
    clock = OnboardClock(_ns(table.epoch), segments)
    if clock.correlation_id != table.id:
        problems.append(("id", f"the segments make the id {clock.correlation_id}: was the file changed by hand?"))
    return clock, problems


def _problems(table: CorrelationTable) -> Iterator[tuple[str, str]]:
    places = [("epoch", table.epoch), *((f"segment.{k}.utc", one.utc) for k, one in enumerate(table.segment))]
    yield from ((key, f"'{text}' is not a valid time") for key, text in places if not _is_time(text))
    for k, (before, after) in enumerate(pairwise(table.segment), 1):
        if after.partition < before.partition:
            yield f"segment.{k}.partition", "partitions must be in ascending order"
        elif after.partition == before.partition and after.onboard_ns <= before.onboard_ns:
            yield f"segment.{k}.onboard_ns", "segments of a partition must be in ascending order of their counts"


def text_of(clock: OnboardClock, correlation: Correlation, mission: str) -> str:
    """Return the text of the file; comments have the numbers of pairs."""
    made = [
        f"# partition {one.number}: {one.n_pairs} pairs, {one.n_outliers} outliers, {one.n_mended} mended"
        for one in correlation.partitions
    ]
    head = [
        f"# Clock correlation of {mission}, from the correlation packets of recorded passes.",
        *made,
        "version = 1",
        f'epoch = "{iso_ns(clock.epoch_utc_ns)}"',
        f'id = "{clock.correlation_id}"',
    ]
    return "\n".join([*head, *(line for one in clock.segments for line in _lines(one))]) + "\n"


def _lines(segment: ClockSegment) -> list[str]:
    return [
        "",
        "[[segment]]",
        f"partition = {segment.partition}",
        f"onboard_ns = {segment.onboard_ns}",
        f'utc = "{iso_ns(segment.utc_ns)}"',
        f"rate = {segment.rate!r}",
        f"stop_ns = {segment.stop_ns}",
        f"sigma_ns = {segment.sigma_ns}",
        f"rate_sigma = {segment.rate_sigma!r}",
    ]


def iso_ns(utc_ns: int) -> str:
    """UTC as ISO 8601 to the nanosecond."""
    return f"{np.datetime64(utc_ns, 'ns')}Z"


def _ns(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _is_time(text: str) -> bool:
    try:
        _ns(text)
    except ValueError:
        return False
    return 1680 <= int(text[:4]) < 2260  # the range of int64 nanoseconds
