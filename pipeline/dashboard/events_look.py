"""Events: one list of what the link, the dictionary's limits, instruments and the spacecraft itself report."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Select, TextInput, UIElement

from ..model.batches import event_clock
from . import theme
from .moment import Moment, onboard_at
from .panels import below, controls
from .selection import Selection, checked_range_ms
from .stream import ONBOARD_KIND, SEVERITIES, Stream
from .table import Table
from .theme import sheet

_COLUMNS = ("at", "clock", "severity", "source", "text")
_LEVELS = {"all severities": 3, "warnings and errors": 2, "errors": 1}
_CLOCKS = ("newest first", "by onboard time", "by time of reception")
_SOURCES = ("all sources", "link", "limits", "instruments", "spacecraft")
_LINK_KINDS = frozenset({"gap", "settings", "bad_headers", "damage", "quarantine", "late", "duplicate", "restart"})
MAX_SHOWN = 500
SINCE = {"of all times": 0, "last 10 min": 600, "last hour": 3600, "last day": 86_400}
"""Seconds before the newest event."""


class EventsLook:
    """Severity, source, time, order and search above the table. An event that is chosen is marked in all plots."""

    title = "Events"
    shares_selection = True

    def __init__(self, selection: Selection | None = None) -> None:
        self._selection = selection if selection is not None else Selection()
        css: dict[str, Any] = {"height": 28, "stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.severity = Select(options=list(_LEVELS), value="all severities", width=160, name="severity", **css)
        self.source = Select(options=list(_SOURCES), value=_SOURCES[0], width=120, name="event_source", **css)
        self.since = Select(options=list(SINCE), value="of all times", width=120, name="event_since", **css)
        self.order = Select(options=list(_CLOCKS), value=_CLOCKS[0], width=160, name="event_order", **css)
        self.search = TextInput(placeholder="search", width=220, name="event_search", **css)
        self.events = ColumnDataSource({name: [] for name in _COLUMNS}, name="all_events")
        self.picked = TextInput(name="picked_event", visible=False)
        self._table = Table(
            "Events", self.events, _COLUMNS, {"at": "time, UTC"}, max_shown=MAX_SHOWN, key="key", picked=self.picked,
            css=theme.EVENTS_CSS,
        )  # fmt: skip
        self._table.root.stylesheets = [*self._table.root.stylesheets, sheet(theme.TALL_CSS)]
        self._events: dict[str, Mapping[str, Any]] = {}
        self._known: tuple[Any, ...] = ()
        self._stream: Stream | None = None
        for widget in (self.severity, self.source, self.since, self.order):
            widget.on_change("value", self._asked)
        self.picked.on_change("value", self._pick)
        self.search.on_change("value_input", self._asked)
        self.root: UIElement = below(
            controls(self.severity, self.source, self.since, self.order, self.search, self.picked),
            self._table.root,
        )

    def _pick(self, _attr: str, _old: str, key: str) -> None:
        """Mark the moment of an event in all plots, and draw what was around it."""
        event = self._events.get(key)
        if event is None:
            return
        moment = moment_of(event, self._stream)
        self._selection.moment_ms = moment.onboard_ms, moment.received_ms
        around = moment.around_ms
        if around and (found := checked_range_ms(*around)):
            self._selection.range_ms = found
        self._known = ()
        self._asked("", None, None)

    def _asked(self, _attr: str, _old: object, _new: object) -> None:
        self.refresh(self._stream, time.monotonic())

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        self._stream = stream
        stream = stream or Stream("")
        asked = (self.severity.value, self.source.value, self.order.value, self.search.value_input or "",
                 self.since.value)  # fmt: skip
        known = (stream.name, stream.n_changes, *asked)
        if known == self._known:
            return
        self._known = known
        events = ordered(list(stream.events), asked[2])
        first = since(events, SINCE[asked[4]])
        found = [
            one for one in events if str(one["time"] or "") >= first and _wanted(one, *asked[:2], asked[3].lower())
        ]
        self._events = {_key(one): one for one in found}
        self._table.fill(rows_of(found))
        chosen = self._events.get(self.picked.value)
        words = _marked(moment_of(chosen, stream)) if chosen else "a click marks an event in all plots"
        self._table.panel.set_caption(
            counted(found, len(events)),
            detail=words if found else "",
            arrived_s=stream.event_arrived_s,
            now_s=now_s,
        )


def _key(event: Mapping[str, Any]) -> str:
    """The identity of an event among others."""
    text = repr((event["time"], event["kind"], event["text"], event.get("received_ns")))
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def moment_of(event: Mapping[str, Any], stream: Stream | None) -> Moment:
    """When an event was, by both clocks. Of one of the link the onboard time is that of what was received then."""
    received_ns = event.get("received_ns")
    at = np.nan
    if event["time"]:
        at = float(np.datetime64(str(event["time"]).rstrip("Z"), "ns").astype(np.int64))
    if event_clock(event) == "onboard":
        return Moment(at / 1e6, float(received_ns) / 1e6 if received_ns else np.nan)
    return Moment(onboard_at(at, stream.clocks if stream else ()) / 1e6, at / 1e6)


def _marked(moment: Moment) -> str:
    clocks = zip(("onboard time", "reception"), moment, strict=True)
    known = [name for name, at in clocks if np.isfinite(at)]
    return f"marked in all plots against {' and '.join(known)}" if known else "its time is not known"


def since(events: Sequence[Mapping[str, Any]], seconds: int) -> str:
    """ISO 8601 time so many seconds before the newest event; empty for 0."""
    newest = max((str(one["time"]) for one in events if one["time"]), default="")
    if not seconds or not newest:
        return ""
    return (datetime.fromisoformat(newest) - timedelta(seconds=seconds)).isoformat()[:19]


def _wanted(event: Mapping[str, Any], severity: str, source: str, words: str) -> bool:
    known = SEVERITIES[: _LEVELS[severity]]
    if _LEVELS[severity] < len(SEVERITIES) and event["severity"] not in known:
        return False
    if source not in (_SOURCES[0], source_of(event)):
        return False
    text = " ".join(str(value) for value in event.values()).lower()
    return all(word in text for word in words.split())


def source_of(event: Mapping[str, Any]) -> str:
    """Who reports an event: link, limits, instruments or spacecraft."""
    kind = str(event["kind"])
    if kind == ONBOARD_KIND:
        return "spacecraft"
    if kind == "limit":
        return "limits"
    return "link" if kind in _LINK_KINDS or "vcid" in event else "instruments"


def ordered(events: Sequence[Mapping[str, Any]], how: str) -> list[Mapping[str, Any]]:
    """The newest first: as they came, by onboard time, or by reception; those without such a time last."""
    newest = list(events)[::-1]
    if how == _CLOCKS[0]:
        return newest
    wanted = "onboard" if how == _CLOCKS[1] else "received"
    return sorted(newest, key=lambda one: _time_of(one, wanted), reverse=True)


def _time_of(event: Mapping[str, Any], clock: str) -> str:
    """ISO 8601, empty where an event has no time of that clock."""
    return str(event["time"] or "") if event["time"] and event_clock(event) == clock else ""


def rows_of(events: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Events as columns of the table; the time is onboard time or that of reception, by `clock`."""
    return {
        "at": [str(one["time"] or "unknown").replace("T", " ").rstrip("Z") for one in events],
        "clock": [event_clock(one) if one["time"] else "" for one in events],
        "severity": [str(one["severity"]) for one in events],
        "source": [
            str(one.get("source") or one.get("channel") or one.get("container") or one["kind"]) for one in events
        ],
        "text": [str(one["text"]) for one in events],
        "key": [_key(one) for one in events],
    }


def counted(events: Sequence[Mapping[str, Any]], n_all: int) -> str:
    """How many of each severity, of how many, and since when."""
    if not n_all:
        return "none"
    n_of = Counter(str(one["severity"]) for one in events)
    words = [f"{n_of[severity]:,} {severity}" for severity in SEVERITIES if n_of[severity]] or ["none of them"]
    words += [f"of {n_all:,}"] if len(events) < n_all else []
    times = [str(one["time"]) for one in events if one["time"]]
    words += [f"since {min(times)[:19].replace('T', ' ')}"] if times else []
    return " · ".join(words)
