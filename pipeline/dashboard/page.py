"""One open page: the header, a tab for each look, and the tick that brings what is new to the look in sight."""

from __future__ import annotations

import time
from html import escape
from typing import Any

import structlog
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Button, CustomJS, Select, TabPanel, Tabs

from pipeline.dashboard import theme
from pipeline.dashboard.cameras_look import CamerasLook
from pipeline.dashboard.field_look import FieldLook
from pipeline.dashboard.pass_look import PassLook
from pipeline.dashboard.radar_look import RadarLook
from pipeline.dashboard.replay_bar import ReplayBar, Say
from pipeline.dashboard.spectra_look import SpectraLook
from pipeline.dashboard.state import UNREADABLE, State
from pipeline.dashboard.theme import sheet
from pipeline.dashboard.traverse_look import TraverseLook
from pipeline.dashboard.words import Words, ago

TICK_MS = 500
LATEST = "latest heard"
_log = structlog.get_logger("dashboard")
_SWAP = "document.documentElement.classList.toggle('light')"


class Page:
    """The models of one document over the state that all documents share."""

    def __init__(self, document: Document, state: State, say: Say, *, dark: bool = True) -> None:
        self._document, self._state, self._dark = document, state, dark
        self._looks: list[Any] = [
            PassLook(), RadarLook(), FieldLook(), SpectraLook(), CamerasLook(), TraverseLook(self._go),
        ]  # fmt: skip
        self._replay = ReplayBar(say)
        widget = sheet(theme.WIDGET_CSS)
        self._stream = Select(
            options=[LATEST],
            value=LATEST,
            width=230,
            height=28,
            margin=(6, 6, 0, 6),
            name="stream",
            stylesheets=[widget],
        )
        self._header = Words(theme.HEADER_CSS, sizing_mode="stretch_width", margin=(8, 6, 0, 8), name="header")
        self._told: tuple[Any, ...] = ()
        swap = Button(
            label="dark / light", width=90, height=28, margin=(6, 6, 0, 6), stylesheets=[widget], name="theme"
        )
        swap.js_on_event("button_click", CustomJS(code=_SWAP))
        swap.on_click(self._swap)
        self._tabs = Tabs(
            tabs=[TabPanel(title=look.title, child=look.root) for look in self._looks],
            sizing_mode="stretch_both",
            name="looks",
            stylesheets=[sheet(theme.TABS_CSS)],
        )
        self._tabs.on_change("active", self._chosen)
        self._stream.on_change("value", self._chosen)
        header = row(self._header.root, self._stream, swap, sizing_mode="stretch_width", height=38)
        document.template = theme.TEMPLATE
        document.title = "downlink"
        document.theme = theme.theme(dark=dark)
        document.add_root(column(header, self._tabs, self._replay.root, sizing_mode="stretch_both"))
        self.tick()
        document.add_periodic_callback(self.tick, TICK_MS)

    def tick(self) -> None:
        """Bring the header and the look in sight up to the state."""
        now_s = time.monotonic()
        streams = self._state.streams
        options = [LATEST, *sorted(streams)]
        if options != self._stream.options:
            self._stream.options = options
        chosen = self._stream.value
        if chosen not in streams:
            chosen = max(streams, key=lambda name: streams[name].arrived_s, default="")
        self._tell(chosen, now_s)
        try:
            self._replay.refresh(streams.get(chosen), now_s)
            self._looks[self._tabs.active].refresh(streams.get(chosen), now_s)
        except UNREADABLE as error:  # messages that are what their topics say in form, and nonsense
            _log.warning("cannot be drawn and is forgotten", stream=chosen[:100], why=repr(error)[:200])
            self._state.give_up(chosen)

    def _go(self, kind: str, time_ns: int) -> None:
        """Open the look that shows a kind of product, at the one of a time."""
        for i, look in enumerate(self._looks):
            if kind in getattr(look, "kinds", ()):
                self._tabs.active = i
                look.seek(kind, time_ns)

    def _tell(self, chosen: str, now_s: float) -> None:
        """Write the header anew where something in it has changed, but for ages."""
        state = self._state
        heard_s = state.streams[chosen].arrived_s if chosen else 0.0
        told = (chosen, heard_s, state.connected, state.broker_text, dict(state.services), state.n_unread)
        if told != self._told:
            self._told = told
            self._header.set(self._words(chosen, now_s - heard_s))

    def _words(self, chosen: str, heard_s: float) -> str:
        state = self._state
        broker = "broker connected" if state.connected else f"broker lost: {state.broker_text}"
        words = [f"<b>downlink</b><span class='{'good' if state.connected else 'bad'}'>● {escape(broker)}</span>"]
        if chosen:
            heard = f"<span class='muted'>last heard {ago(heard_s)} ago</span>"
            words.append(f"<span>{escape(chosen)}</span> {heard}")
        elif state.connected:
            words.append("<span class='muted'>no stream yet</span>")
        services = ", ".join(f"{name.split('/')[-1]} {what}" for name, what in sorted(state.services.items())[:6])
        words.append(f"<span class='muted'>{escape(services)}</span>")
        if state.n_unread:
            words.append(
                f"<span class='bad'>{state.n_unread} message{'s' * (state.n_unread > 1)} not understood</span>"
            )
        return " &nbsp; ".join(words)

    def _chosen(self, _attr: str, _old: object, _new: object) -> None:
        self.tick()

    def _swap(self) -> None:
        self._dark = not self._dark
        self._document.theme = theme.theme(dark=self._dark)
