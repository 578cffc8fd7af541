"""Alarm levels from batch to batch: an event when a level begins, changes or ends, not for every value.

A level holds once it has been there for as many values in a row as the dictionary asks for. For alarms on the change of
a value the last values of the batches before are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import NO_TIME, Column, Event, Ragged
from ..model.parameter_types import CONCERN_LEVELS, Change, Range
from ..run.steps import Slot
from ..run.values import Values
from .limits import NORMAL, Check, Limit

SEVERITIES = ("info", "warning", "warning", "error", "error", "error")
MAX_EVENTS = 1000
"""Of one batch: a value that flutters about its limit should not drown everything else."""
MAX_PAST = 4096
"""Values remembered: the longest span in samples, and what a span in seconds may look back to."""


def _value_at(column: Column, row: int) -> Any:
    """As plain Python, for an event."""
    if isinstance(column, Ragged):
        return _without_nan(column.values[column.start[row] : column.start[row] + column.length[row]].tolist())
    return _without_nan(column[row].tolist())


def _without_nan(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN


@dataclass(slots=True)
class _State:
    level: int = 0
    limit: Limit = NORMAL
    candidate: int = 0
    n_candidates: int = 0


@dataclass(slots=True)
class LimitWatch:
    """Remembers the alarm level of each parameter, and makes events of changes."""

    states: dict[str, _State] = field(default_factory=dict)
    past: dict[str, Past] = field(default_factory=dict)
    """Of parameters whose changes are watched: the last values."""

    def events(
        self,
        container: str,
        check: Check,
        values: Values,
        unit: str,
        received_ns: NDArray[np.int64],
        time_ns: NDArray[np.int64],
    ) -> Iterator[tuple[int, Event]]:
        """(row, event) for each change of the level, up to MAX_EVENTS of them.

        The limit is that of the higher level: the one crossed when it begins, the one crossed back when it ends.
        """
        level = check.levels(values)
        if level is None:
            return
        if check.has_changes:
            self._add_changes(check, values, level, received_ns, time_ns)
        for row, before, now, place in islice(self._changes(check, values, level), MAX_EVENTS):
            state, value = self.states[check.key], _value_at(values.calibrated[Slot(check.key)], row)
            left, state.limit = state.limit, check.limit(place, value, now)
            limit = state.limit if now > before else left
            times = int(received_ns[row]), int(time_ns[row])
            yield row, event_of(container, check, before, now, value, *times, limit, unit)

    def _add_changes(
        self,
        check: Check,
        values: Values,
        level: NDArray[np.int8],
        received_ns: NDArray[np.int64],
        time_ns: NDArray[np.int64],
    ) -> None:
        """Raise `level` where a value changes more or less than it should."""
        rows = np.flatnonzero(level >= 0)
        found = single_values(values.calibrated[Slot(check.key)], rows)
        if found is None or not len(rows):
            return
        own = time_ns[rows]
        times = own if bool((own != NO_TIME).all()) else received_ns[rows]
        past = self.past.get(check.key)
        past = Past(found, times) if past is None else past.and_then(found, times)
        places = check.places(values)
        for place, alarm in enumerate(check.alarms):
            for change in alarm.changes:
                its = levels_of_change(past, len(rows), change)
                here = its if places is None else np.where(places[rows] == place, its, np.int8(0))
                level[rows] = np.maximum(level[rows], here)
        self.past[check.key] = past.end()

    def _changes(
        self, check: Check, values: Values, level: NDArray[np.int8]
    ) -> Iterator[tuple[int, int, int, int]]:
        """(row, level before, level now, place of the alarm that applies to the row) for each change.

        A level lasts as many rows in a row as the alarm asks for that applies to the last of them.
        """
        state = self.states.setdefault(check.key, _State())
        there = np.flatnonzero(level >= 0)
        level = level[there]
        if not len(level) or (state.level == state.candidate and bool((level == state.level).all())):
            state.n_candidates += len(level)
            return
        places = check.places(values)
        place = np.zeros(len(there), np.int8) if places is None else places[there]
        counts = check.counts(place)
        begins = np.concatenate([[0], np.flatnonzero(level[1:] != level[:-1]) + 1])
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(level)], strict=True):
            now = int(level[begin])
            if now != state.candidate:
                state.candidate, state.n_candidates = now, 0
            so_far = state.n_candidates + np.arange(1, end - begin + 1)
            state.n_candidates += end - begin
            enough = np.flatnonzero(so_far >= counts[begin:end, 0 if now else 1])
            if now != state.level and len(enough):
                at = begin + int(enough[0])
                yield int(there[at]), state.level, now, int(place[at])
                state.level = now


def event_of(
    container: str,
    check: Check,
    before: int,
    now: int,
    value: Any,
    received_ns: int,
    time_ns: int,
    limit: Limit = NORMAL,
    unit: str = "",
) -> Event:
    """A change of the alarm level as an event; its time is that of the receipt, its details have the onboard time."""
    level = CONCERN_LEVELS[now]
    text = f"{check.name} is back to normal" if now == 0 else f"{check.name} is at level {level}"
    details = {
        "parameter": check.name,
        "container": container,
        "level": level,
        "before": CONCERN_LEVELS[before],
        "value": value,
        "unit": unit,
        "limit": limit[0],
        "limit_kind": limit[1],
        "onboard_ns": time_ns if time_ns != NO_TIME else None,
        "received_ns": received_ns or None,
    }
    return Event(SEVERITIES[now], "limit", text, received_ns, details)


def single_values(column: Column, rows: NDArray[np.intp]) -> NDArray[np.float64] | None:
    """float64[len(rows)] of values that come once; None for arrays."""
    values = column.values[column.start[rows]] if isinstance(column, Ragged) else column[rows]
    return values.astype(np.float64) if values.ndim == 1 and values.dtype.kind in "biuf" else None


@dataclass(frozen=True, slots=True)
class Past:
    """Values and their times (ns), those of earlier batches first."""

    values: NDArray[np.float64]
    times: NDArray[np.int64]

    def and_then(self, values: NDArray[np.float64], times: NDArray[np.int64]) -> Past:
        return Past(np.concatenate([self.values, values]), np.concatenate([self.times, times]))

    def end(self) -> Past:
        return Past(self.values[-MAX_PAST:].copy(), self.times[-MAX_PAST:].copy())


def levels_of_change(past: Past, n: int, change: Change) -> NDArray[np.int8]:
    """int8[n]: the level of concern of each of the last `n` values, by how they differ from the ones before."""
    place = np.arange(len(past.values) - n, len(past.values))
    before = place - change.n_samples
    if change.span_s:
        ages = np.maximum.accumulate(past.times)
        before = np.minimum(before, np.searchsorted(ages, ages[place] - int(change.span_s * 1e9), "right") - 1)
    there = before >= 0
    first = past.values[np.maximum(before, 0)]
    x = past.values[place] - first
    with np.errstate(divide="ignore", invalid="ignore"):
        if change.in_percent:
            x = x / np.abs(first) * 100
        if change.by_time:
            seconds = (past.times[place] - past.times[np.maximum(before, 0)]) / 1e9
            there &= seconds > 0
            x = x / seconds
    level = np.zeros(n, np.int8)
    for its_level, where, inside in change.bands:
        hits = _is_in(x, where) == inside
        level = np.where(there & ~np.isnan(x) & hits, np.maximum(level, np.int8(its_level)), level)
    return level


def _is_in(x: NDArray[Any], where: Range) -> NDArray[np.bool_]:
    """Whether changes are in a range; one that has no negative end is of their magnitude, up or down."""
    if where.low >= 0 or (where.low == -inf and where.high >= 0):
        x = np.abs(x)
    return where.holds(x)
