"""The header of a page: clock, broker, stream in sight, services, latest onboard time; and the choice of a stream."""

from __future__ import annotations

import time
from html import escape
from typing import Any

from bokeh.models import Select

from ..model.printable import printable
from . import print_page, theme
from .panels import age
from .past import Past
from .selection import MAX_NAME
from .state import State
from .stream import Stream
from .theme import sheet
from .words import Words, ago, clock

LATEST = "latest heard"
FOLLOWED_S = 10.0
"""For how long the stream last followed may be silent before another one is."""
SILENT_S = 10.0
"""A stream from which more is expected, and that is silent for longer, is marked as stale."""


class StreamChoice:
    """The list of streams, of which one is chosen, or the one that was heard last."""

    def __init__(self, state: State, past: Past | None, stream: str) -> None:
        """`stream`: that is chosen at first; empty for the one heard last."""
        self._state, self._past = state, past
        self._followed = ""
        value = printable(stream[:MAX_NAME]) or LATEST
        self.root = Select(
            options=list(dict.fromkeys((LATEST, value))),
            value=value,
            width=230,
            height=28,
            margin=(6, 6, 0, 6),
            name="stream",
            stylesheets=[sheet(theme.WIDGET_CSS + print_page.HIDDEN)],
        )

    @property
    def chosen(self) -> str:
        """The stream that the viewer chose; empty for the one heard last."""
        return "" if self.root.value == LATEST else str(self.root.value)

    def choose(self, stream: str) -> None:
        """Choose a stream of the list; the one heard last where it has no such stream."""
        self.root.value = stream if stream in self.root.options else LATEST

    def refresh(self, now_s: float) -> str:
        """Bring the list up to the state, and give the stream to be shown."""
        stored = self._past.streams if self._past else {}
        options = [LATEST, *sorted({*self._state.streams, *stored, self.root.value} - {LATEST})]
        if options != self.root.options:
            self.root.options = options
        return self.chosen or self._follow(now_s)

    def _follow(self, now_s: float) -> str:
        """The stream last heard; the one that was followed while it is heard too."""
        streams = self._state.streams
        followed = streams.get(self._followed)
        if followed is None or not followed.arrived_s or now_s - followed.arrived_s > FOLLOWED_S:
            heard = {name: (one.arrived_s, one.last_received_ns) for name, one in streams.items()}
            stored = self._past.streams if self._past else {}
            latest = max(stored, key=lambda name: stored[name].last_ns, default="")
            self._followed = max(heard, key=heard.__getitem__, default=latest)
        return self._followed


class Header:
    """Text, written anew where something in it has changed; ages and the clock count up in the browser."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._words = Words(
            theme.HEADER_CSS, lays_out=True, sizing_mode="stretch_width", margin=(2, 6, 0, 8), name="header"
        )
        self.root = self._words.root
        self._known: tuple[Any, ...] = ()

    def refresh(self, chosen: str, now_s: float) -> None:
        """Bring it up to the state. `chosen`: the stream in sight."""
        state = self._state
        stream = state.streams.get(chosen)
        of_stream = (stream.arrived_s, stream.is_over, stream.onboard.get("utc")) if stream else None
        known = chosen, of_stream, state.connected, state.broker_text, dict(state.services), state.n_unread
        if known != self._known:
            self._known = known
            self._words.set(_header_words(state, chosen, now_s))


def _header_words(state: State, chosen: str, now_s: float) -> str:
    stream = state.streams.get(chosen)
    words = [
        f"<b>downlink</b><span class='clock'>{clock(time.time())} UTC</span>",
        _broker_words(state),
        _stream_words(chosen, stream, now_s) if chosen else "<span class='muted'>no stream yet</span>",
        _trouble_words(state, chosen.partition("/")[0]),
        onboard_words(stream),
    ]
    return " &nbsp; ".join(word for word in words if word)


def _broker_words(state: State) -> str:
    if state.connected:
        return "<span class='good'>● broker connected</span>"
    how = "● broker lost" if state.was_connected else "○ no broker yet"
    return f"<span class='bad'>{how}: {escape(state.broker_text)}</span>"


def _stream_words(chosen: str, stream: Stream | None, now_s: float) -> str:
    name = f"<span>{escape(chosen)}</span>"
    if stream is None:
        return f"{name} <span class='muted'>nothing heard</span>"
    if not stream.arrived_s:
        return f"{name} <span class='muted'>retained by the broker; nothing heard since this page is served</span>"
    age = ago(now_s - stream.arrived_s, None if stream.is_over else SILENT_S)
    return f"{name} <span class='muted'>last heard {age} ago</span>"


def onboard_words(stream: Stream | None) -> str:
    """The latest onboard time, as far as products carry it."""
    known = stream.onboard if stream else {}
    if not known:
        return ""
    words = [f"onboard {known['utc'][:19].replace('T', ' ')} UTC"]
    sol = known.get("ltst_sol", known.get("sol"))
    words += [f"sol {sol}"] if sol else []
    words += [f"LTST {known['ltst'][:8]}"] if "ltst" in known else []
    if stream and stream.clocks:
        received_ns, onboard_ns = stream.clocks[-1]
        words += [f"received {age((received_ns - onboard_ns) / 1e9)} later"] if received_ns > onboard_ns else []
    if stream and stream.light_time_s is not None:
        words += [f"light time {stream.light_time_s:.4g} s {stream.light_time_of}".rstrip()]
    whole = " · ".join(f"<span>{escape(one)}</span>" for one in words)  # a line ends between them
    return f"<span class='onboard'>{whole}</span>"


def _trouble_words(state: State, mission: str) -> str:
    """How the services of a mission are (of all where none is chosen), and messages that could not be read."""
    of_mission = (name for name in sorted(state.services) if not mission or name.startswith(f"{mission}/"))
    states = {name.split("/")[-1]: state.services[name] for name in of_mission}
    services = ", ".join(f"{name} {what}" for name, what in list(states.items())[:6])
    words = f"<span class='muted'>{escape(services)}</span>" if services else ""
    if state.n_unread:
        words += f" <span class='bad'>{state.n_unread} message{'s' * (state.n_unread > 1)} not understood</span>"
    return words
