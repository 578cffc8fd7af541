"""One open page: the header, a tab for each look, and the tick that brings what is new to the look in sight."""

from __future__ import annotations

import time
from html import escape
from typing import Any

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Button, CustomJS, Div, Select, TabPanel, Tabs

from pipeline.dashboard import theme
from pipeline.dashboard.field_look import FieldLook
from pipeline.dashboard.panels import age, sheet
from pipeline.dashboard.pass_look import PassLook
from pipeline.dashboard.radar_look import RadarLook
from pipeline.dashboard.spectra_look import SpectraLook
from pipeline.dashboard.state import State
from pipeline.dashboard.traverse_look import TraverseLook

TICK_MS = 500
LATEST = "latest heard"
_SWAP = "document.documentElement.classList.toggle('light')"


class Page:
    """The models of one document over the state that all documents share."""

    def __init__(self, document: Document, state: State, *, dark: bool = True) -> None:
        self._document, self._state, self._dark = document, state, dark
        self._looks: list[Any] = [PassLook(), RadarLook(), FieldLook(), SpectraLook(), TraverseLook()]
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
        self._header = Div(text="", sizing_mode="stretch_width", margin=(8, 6, 0, 8), name="header")
        self._header.stylesheets = [sheet(theme.HEADER_CSS)]
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
        header = row(self._header, self._stream, swap, sizing_mode="stretch_width", height=38)
        document.template = theme.TEMPLATE
        document.title = "downlink"
        document.theme = theme.theme(dark=dark)
        document.add_root(column(header, self._tabs, sizing_mode="stretch_both"))
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
        text = self._told(chosen, now_s)
        if text != self._header.text:
            self._header.text = text
        self._looks[self._tabs.active].refresh(streams.get(chosen), now_s)

    def _told(self, chosen: str, now_s: float) -> str:
        state = self._state
        broker = "broker connected" if state.connected else f"broker lost: {state.broker_text}"
        words = [f"<b>downlink</b><span class='{'good' if state.connected else 'bad'}'>● {escape(broker)}</span>"]
        if chosen:
            heard = age(now_s - state.streams[chosen].arrived_s)
            words.append(f"<span>{escape(chosen)}</span> <span class='muted'>last heard {heard} ago</span>")
        elif state.connected:
            words.append("<span class='muted'>no stream yet</span>")
        services = ", ".join(f"{name.split('/')[-1]} {what}" for name, what in sorted(state.services.items())[:6])
        words.append(f"<span class='muted'>{escape(services)}</span>")
        if state.n_unread:
            words.append(f"<span class='bad'>{state.n_unread} messages not understood</span>")
        return " &nbsp; ".join(words)

    def _chosen(self, _attr: str, _old: object, _new: object) -> None:
        self.tick()

    def _swap(self) -> None:
        self._dark = not self._dark
        self._document.theme = theme.theme(dark=self._dark)
