"""One open page: the header, bars, a tab for each look, and the tick that brings what is new to the look in sight."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from urllib.parse import parse_qs

import structlog
from bokeh.document import Document, without_document_lock
from bokeh.layouts import row
from bokeh.models import Button, CustomJS, TextInput

from ..model.batches import GENERIC_INSTRUMENT
from ..model.looks import Look
from . import theme
from .admission import HiddenLooks
from .events_look import EventsLook
from .history_look import HistoryLook
from .intake import UNREADABLE
from .look_tabs import LookTabs
from .packets_look import PacketsLook
from .page_header import Header, StreamChoice
from .panels import below
from .parameters_look import ParametersLook
from .pass_look import PassLook
from .past import Past
from .progress import SendCommand
from .replay_bar import ReplayBar
from .selection import MAX_SEARCH, Asked, read_address
from .state import State
from .stream import Stream
from .tabs import MadeTab
from .theme import sheet
from .time_bar import TimeBar
from .turns import Turns, in_turn, is_destroyed

TICK_MS = 500
MAX_PLAIN, MAX_ARRAYS = 4, 2
"""Of a kind of product that no look shows: numbers, and arrays, that are drawn first."""
MAX_QUERY, MAX_FIELDS = 8000, 200
"""Characters and fields of an address that a browser sends."""
_log = structlog.get_logger("dashboard")
PARAMETERS = "Parameters"
"""The look that draws any kind of product."""
FIRST = (MadeTab(Look("Pass", is_row=True), PassLook, ""),)
LAST = (
    MadeTab(Look(PARAMETERS, is_row=True), ParametersLook, ""),
    MadeTab(Look("Packets", is_row=True), PacketsLook, ""),
    MadeTab(Look("Events"), EventsLook, ""),
)
"""Tabs of any mission; those of its own stand between them."""
_SWITCH_THEME = "document.documentElement.classList.toggle('light')"


class Page:
    """The models of one document over the state that all documents share."""

    def __init__(
        self,
        document: Document,
        state: State,
        send_command: SendCommand,
        asked: Asked | None = None,
        hidden: HiddenLooks | None = None,
        turns: Turns | None = None,
        looks: Sequence[MadeTab] = (),
        past: Past | None = None,
    ) -> None:
        """`looks`: the tabs of missions, beside those of any mission. `past`: a history. `hidden` bounds the looks of
        all pages together, `turns` how long they block the event loop.
        """
        asked = asked or Asked()
        self._document, self._state, self._dark = document, state, asked.dark
        self._hidden = HiddenLooks() if hidden is None else hidden
        self._turns = Turns() if turns is None else turns
        makers = [*FIRST, *looks, *LAST]
        if past:
            history = partial(HistoryLook, past, asked.selection, self._update_soon)
            makers.append(MadeTab(Look("History", is_row=True), history, ""))
        self._selection = asked.selection
        self._replay = ReplayBar(send_command)
        self._past = past
        self._time = TimeBar(past, self._selection, self._update_soon)
        self._shown_stream: Stream | None = None
        self._stream = StreamChoice(state, past, asked.stream)
        self._header = Header(state)
        self._address, self._goes_to, self._acted = self._hidden_inputs()
        self.looks = LookTabs(
            makers, state.displays, asked.look, self._selection, self._hidden,
            self._open_kind, self._chosen,
        )  # fmt: skip
        self._stream.root.on_change("value", lambda _attr, _old, _new: self._chosen())
        header = row(
            self._header.root, self._stream.root, self._theme_button(), self._address, self._goes_to, self._acted,
            self.looks.scripts.wanted, self.looks.scripts.loaded,
            sizing_mode="stretch_width", height=38, stylesheets=[sheet(theme.HEADER_ROW_CSS)],
        )  # fmt: skip
        self._dress(document)
        document.add_root(below(header, self._replay.root, self._time.root, self.looks.root))
        self.tick()
        document.add_periodic_callback(without_document_lock(self._update), TICK_MS)

    def _dress(self, document: Document) -> None:
        document.template = theme.TEMPLATE
        document.title = "downlink"
        document.theme = theme.theme(dark=self._dark)
        document.config.update(reconnect_session=False, notify_connection_status=False)  # page_script.py does both

    def _theme_button(self) -> Button:
        """The button of the theme."""
        made = Button(label="dark / light", width=90, height=28, margin=(6, 6, 0, 6),
                      stylesheets=[sheet(theme.WIDGET_CSS)], name="theme")  # fmt: skip
        made.js_on_event("button_click", CustomJS(code=_SWITCH_THEME))
        made.on_click(self._switch_theme)
        return made

    def _hidden_inputs(self) -> tuple[TextInput, TextInput, TextInput]:
        """Values that page and browser exchange: the query string of what the page shows, which the page's script
        writes to the browser's address; the query string after a step back or forward in the browser; and an action
        in a table: a running number, a verb of `Selection.act`, and a key.
        """
        address, goes_to, acted = (TextInput(name=name, visible=False) for name in ("address", "goes_to", "acted"))
        address.js_on_change("value", CustomJS(code="keep_address()"))
        goes_to.on_change("value", self._navigate)
        acted.on_change("value", self._act)
        return address, goes_to, acted

    def tick(self) -> None:
        """Bring the header and the look in sight up to the state."""
        now_s = time.monotonic()
        chosen = self._stream.refresh(now_s)
        stream = self._state.streams.get(chosen)
        self._header.refresh(chosen, now_s)
        stored = self._past.streams if self._past else {}
        came = [*(stream.n_products if stream else ()), *(stored[chosen].kinds if chosen in stored else ())]
        self.looks.follow(self._state.displays, chosen.partition("/")[0], came)
        shown = self._shown_stream = self._time.stream(stream, chosen, self._wanted())
        try:
            self._replay.refresh(stream, now_s)
            self.looks.in_sight.refresh(shown, now_s)
            self._time.show(self.looks.place, now_s)
        except UNREADABLE as error:  # messages that are well-formed, with values that cannot be drawn
            _log.warning("cannot be drawn and is forgotten", stream=chosen[:100], why=repr(error)[:200])
            self._state.give_up(chosen)
            self._selection.range_ms = None
        self.looks.drop_unwanted()
        self._keep_address()

    def _wanted(self) -> frozenset[str]:
        """Kinds that the look in sight draws, and those of the parameters that are chosen."""
        containers = {key.rpartition("/")[0] for key in self._selection.chosen}
        own = {one if "/" in one else f"{GENERIC_INSTRUMENT}/{one}" for one in containers}
        return frozenset({*self.looks.kinds, *own})

    def _keep_address(self) -> None:
        asked = Asked(self.looks.title, self._stream.chosen, self._dark, self._selection)
        if (query := asked.query()) != self._address.value:
            self._address.value = query

    def _navigate(self, _attr: str, _old: str, query: str) -> None:
        """Show what the address describes after a step back or forward in the browser; the theme stays."""
        if not query:
            return
        with suppress(ValueError):  # more fields than any address of ours
            self._show(read_address(parse_qs(query[:MAX_QUERY].removeprefix("?"), max_num_fields=MAX_FIELDS)))
        self._keep_address()
        self._goes_to.value = ""
        self._update_soon()

    def _show(self, asked: Asked) -> None:
        self._selection.take(asked.selection)
        self._stream.choose(asked.stream)
        self.looks.turn_to_title(asked.look)

    def _act(self, _attr: str, _old: str, text: str) -> None:
        """Carry out an action of the viewer in a table."""
        _, verb, key = [*text.split(" ", 2), "", ""][:3]
        if self._selection.act(verb, key):
            if verb == "draw":
                self.looks.turn_to_title(PARAMETERS)
            self._chosen()

    async def _update(self) -> None:
        """Tick when it is this page's turn, and make a look ahead where no other page waits."""
        await in_turn(self._document, self._turns, self.tick)
        unmade = self.looks.unmade()
        if unmade is not None and not self._turns.taken and self._hidden.has_room_ahead():
            await in_turn(self._document, self._turns, partial(self.looks.make_ahead, unmade))

    def _update_soon(self) -> None:
        """Update the page when it is its turn: many viewers may choose at once."""
        if not is_destroyed(self._document):  # rows of a history may be there after the viewer has left
            self._document.add_next_tick_callback(without_document_lock(self._update))

    def _chosen(self) -> None:
        """Another look, stream or parameter is chosen."""
        self._keep_address()
        self._update_soon()

    def close(self) -> None:
        """The viewer has left."""
        self.looks.close()

    def _open_kind(self, kind: str, time_ns: int) -> None:
        """Open the look that shows a kind of product, at the one of a time (0: any); Parameters where none does."""
        number = self.looks.showing(kind)
        if number is None:
            self._open_generic(kind)
            return
        self.looks.turn_to(number)
        self.tick()
        if time_ns:
            self.looks.in_sight.seek(kind, time_ns)

    def _open_generic(self, kind: str) -> None:
        """Draw the arrays of a kind of product in Parameters: numbers and labels against time, arrays as they are."""
        container = kind.removeprefix(f"{GENERIC_INSTRUMENT}/")
        stream = self._shown_stream
        known = [one for one in stream.parameters.known.values() if one.container == container] if stream else []
        plain = [one.key for one in known if not one.shape and not one.name.startswith("time_")]
        arrays = [one.key for one in known if one.shape and one.array is not None]
        self._selection.chosen = [*plain[:MAX_PLAIN], *arrays[:MAX_ARRAYS]]
        self._selection.search = container[:MAX_SEARCH]
        self.looks.turn_to_title(PARAMETERS)
        self._update_soon()

    def _switch_theme(self) -> None:
        self._dark = not self._dark
        self._keep_address()
        self._document.theme = theme.theme(dark=self._dark)
