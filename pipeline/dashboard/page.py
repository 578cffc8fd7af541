"""One open page: the header, a tab for each look, and the tick that brings what is new to the look in sight.

A look is made when it is first seen, or ahead of that while few pages are open.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from html import escape
from typing import Any
from urllib.parse import parse_qs

import structlog
from bokeh.document import Document, without_document_lock
from bokeh.layouts import row
from bokeh.models import Button, CustomJS, Select, TabPanel, Tabs, TextInput

from ..model.batches import GENERIC_INSTRUMENT
from ..model.looks import Look
from ..model.printable import printable
from . import theme
from .admission import HiddenLooks
from .display_tabs import DisplayTabs
from .events_look import EventsLook
from .history_look import HistoryLook
from .intake import UNREADABLE
from .packets_look import PacketsLook
from .panels import age, below, beside
from .parameters_look import ParametersLook
from .pass_look import PassLook
from .past import Past
from .replay_bar import ReplayBar, Say
from .selection import MAX_NAME, MAX_SEARCH, Asked, read_address
from .state import State
from .stream import Stream
from .tabs import MadeTab
from .theme import sheet
from .time_bar import TimeBar
from .turns import Turns, in_turn
from .words import Words, ago, clock

TICK_MS = 500
LATEST = "latest heard"
MAX_PLAIN, MAX_ARRAYS = 4, 2
"""Of a kind of product that no look shows: numbers, and arrays, that are drawn first."""
MAX_QUERY, MAX_FIELDS = 8000, 200
"""Characters and fields of an address that a browser sends."""
FOLLOWED_S = 10.0
"""For how long the stream last followed may be silent before another one is."""
SILENT_S = 10.0
"""A stream from which more is expected, and that is silent for longer, is marked as stale."""
_log = structlog.get_logger("dashboard")
FIRST = (MadeTab(Look("Pass", is_row=True), PassLook, ""),)
LAST = (
    MadeTab(Look("Parameters", is_row=True), ParametersLook, ""),
    MadeTab(Look("Packets", is_row=True), PacketsLook, ""),
    MadeTab(Look("Events"), EventsLook, ""),
)
"""Tabs of any mission; those of its own stand between them."""
_SWAP = "document.documentElement.classList.toggle('light')"


class Page:
    """The models of one document over the state that all documents share."""

    def __init__(
        self,
        document: Document,
        state: State,
        say: Say,
        asked: Asked | None = None,
        hidden: HiddenLooks | None = None,
        turns: Turns | None = None,
        looks: Sequence[MadeTab] = (),
        past: Past | None = None,
    ) -> None:
        """`looks`: the tabs of missions, beside those of any mission. `past`: a history. `hidden` bounds the looks
        of all pages together,
        `turns` how long they block the event loop.
        """
        asked = asked or Asked()
        self._document, self._state, self._dark = document, state, asked.dark
        self._hidden = HiddenLooks() if hidden is None else hidden
        self._turns = Turns() if turns is None else turns
        self._makers = [*FIRST, *looks, *LAST]
        if past:
            history = partial(HistoryLook, past, asked.selection, self._soon)
            self._makers.append(MadeTab(Look("History", is_row=True), history, ""))
        self._looks: dict[int, Any] = {}
        self._unwanted: set[int] = set()
        """Looks to take from the page at the next tick."""
        self._dropped: set[int] = set()
        """Looks that were taken from the page: they are made again when they are seen, not ahead of that."""
        self._empty: set[int] = set()
        """Looks of kinds of products that never came."""
        self._selection = asked.selection
        self._replay = ReplayBar(say)
        self._past = past
        self._time = TimeBar(past, self._selection, self._soon)
        widget = sheet(theme.WIDGET_CSS)
        self._followed = ""
        self._shown_stream: Stream | None = None
        stream = printable(asked.stream[:MAX_NAME]) or LATEST
        self._stream = Select(
            options=list(dict.fromkeys((LATEST, stream))),
            value=stream,
            width=230,
            height=28,
            margin=(6, 6, 0, 6),
            name="stream",
            stylesheets=[widget],
        )
        self._header = Words(theme.HEADER_CSS, sizing_mode="stretch_width", margin=(2, 6, 0, 8), name="header")
        self._told: tuple[Any, ...] = ()
        self._address, self._goes_to, self._acted = self._unseen_inputs()
        titles = [one.look.title for one in self._makers]
        self._places: list[Any] = [(beside if one.look.is_row else below)() for one in self._makers]
        self._panels = [
            TabPanel(title=title, child=place) for title, place in zip(titles, self._places, strict=True)
        ]
        self._displays = DisplayTabs(self._makers, self._places, self._panels, self._selection)
        self._displays.follow(state.displays, self._make_anew)
        titles = [one.look.title for one in self._makers]
        self._shown = list(range(len(self._makers)))
        """Numbers of the tabs that are shown: those of the mission in sight, all where it has none of its own."""
        self._seen = titles.index(asked.look) if asked.look in titles else 0
        self._tabs = Tabs(
            tabs=list(self._panels),
            active=self._seen,
            sizing_mode="stretch_both",
            name="looks",
            stylesheets=[sheet(theme.TABS_CSS)],
        )
        self._tabs.on_change("active", self._turned)
        self._stream.on_change("value", self._chosen)
        header = row(
            self._header.root, self._stream, self._swapper(), self._address, self._goes_to, self._acted,
            sizing_mode="stretch_width", height=38, stylesheets=[sheet(theme.HEADER_ROW_CSS)],
        )  # fmt: skip
        self._dress(document)
        document.add_root(below(header, self._replay.root, self._time.root, self._tabs))
        self.tick()
        document.add_periodic_callback(without_document_lock(self._keep_up), TICK_MS)

    def _dress(self, document: Document) -> None:
        document.template = theme.TEMPLATE
        document.title = "downlink"
        document.theme = theme.theme(dark=self._dark)
        document.config.update(reconnect_session=False, notify_connection_status=False)  # page_script.py does both

    def _swapper(self) -> Button:
        """The button of the theme."""
        made = Button(label="dark / light", width=90, height=28, margin=(6, 6, 0, 6),
                      stylesheets=[sheet(theme.WIDGET_CSS)], name="theme")  # fmt: skip
        made.js_on_event("button_click", CustomJS(code=_SWAP))
        made.on_click(self._swap)
        return made

    def _unseen_inputs(self) -> tuple[TextInput, TextInput, TextInput]:
        """What page and browser tell each other: the query string that says what the page shows, which the page's
        script keeps in the browser's address; the one that its back and forward buttons came to; and what was done in
        a table: a number that goes on, a verb of `Selection.act`, and a key.
        """
        address, goes_to, acted = (TextInput(name=name, visible=False) for name in ("address", "goes_to", "acted"))
        address.js_on_change("value", CustomJS(code="keep_address()"))
        goes_to.on_change("value", self._went)
        acted.on_change("value", self._did)
        return address, goes_to, acted

    def tick(self) -> None:
        """Bring the header and the look in sight up to the state."""
        now_s = time.monotonic()
        state = self._state
        streams = state.streams
        wanted = self._stream.value
        stored = self._past.streams if self._past else {}
        options = [LATEST, *sorted({*streams, *stored, wanted} - {LATEST})]
        if options != self._stream.options:
            self._stream.options = options
        chosen = self._follow(now_s) if wanted == LATEST else wanted
        self._tell(chosen, now_s)
        self._displays.follow(state.displays, self._make_anew)
        self._show_tabs(chosen.partition("/")[0])
        self._hide_empty(streams.get(chosen), stored[chosen].kinds if chosen in stored else ())
        shown = self._time.stream(streams.get(chosen), chosen, self._wanted())
        self._shown_stream = shown
        try:
            self._replay.refresh(streams.get(chosen), now_s)
            self._look(self._seen).refresh(shown, now_s)
            self._time.show(self._places[self._seen], now_s)
        except UNREADABLE as error:  # messages that are what their topics say in form, and nonsense
            _log.warning("cannot be drawn and is forgotten", stream=chosen[:100], why=repr(error)[:200])
            self._state.give_up(chosen)
            self._selection.range_ms = None
        while self._unwanted:
            self._remove(self._unwanted.pop())
        self._keep_address()

    def _wanted(self) -> frozenset[str]:
        """Kinds that the look in sight draws, and those of the parameters that are chosen."""
        containers = {key.rpartition("/")[0] for key in self._selection.chosen}
        own = {one if "/" in one else f"{GENERIC_INSTRUMENT}/{one}" for one in containers}
        return frozenset({*self._makers[self._seen].look.kinds, *own})

    def _keep_address(self) -> None:
        stream = "" if self._stream.value == LATEST else self._stream.value
        asked = Asked(self._makers[self._seen].look.title, stream, self._dark, self._selection)
        if (query := asked.query()) != self._address.value:
            self._address.value = query

    def _went(self, _attr: str, _old: str, query: str) -> None:
        """Show what the address says that the viewer went back or forward to; the theme stays."""
        if not query:
            return
        with suppress(ValueError):  # more fields than any address of ours
            self._go_to(read_address(parse_qs(query[:MAX_QUERY].removeprefix("?"), max_num_fields=MAX_FIELDS)))
        self._keep_address()
        self._goes_to.value = ""
        self._soon()

    def _go_to(self, asked: Asked) -> None:
        self._selection.take(asked.selection)
        self._stream.value = asked.stream if asked.stream in self._stream.options else LATEST
        titles = {self._makers[i].look.title: place for place, i in enumerate(self._shown)}
        self._tabs.active = titles.get(asked.look, 0)

    def _did(self, _attr: str, _old: str, text: str) -> None:
        _, verb, key = [*text.split(" ", 2), "", ""][:3]
        if self._selection.act(verb, key):
            place = next(i for i, one in enumerate(self._makers) if one.look.title == "Parameters")
            if verb == "draw" and place in self._shown:
                self._tabs.active = self._shown.index(place)
            self._keep_address()
            self._soon()

    async def _keep_up(self) -> None:
        """Tick when it is this page's turn, and make a look ahead where no other page waits."""
        await in_turn(self._document, self._turns, self.tick)
        unmade = (i for i in self._shown if i not in self._looks and i not in self._dropped)
        missing = next((i for i in unmade if i not in self._empty), None)
        if missing is not None and not self._turns.taken and self._hidden.has_room_ahead():
            await in_turn(self._document, self._turns, lambda: self._make_ahead(missing))

    def _make_ahead(self, number: int) -> None:
        if number in self._looks:  # it was seen meanwhile
            return
        self._look(number)
        self._hidden.hide(self, number, self._unwanted.add)

    def _soon(self) -> None:
        """Bring what was chosen to the page when it is its turn: many viewers may choose at once."""
        self._document.add_next_tick_callback(without_document_lock(self._keep_up))

    def close(self) -> None:
        """Nobody looks at the page any more."""
        self._hidden.closed(self)

    def _look(self, number: int) -> Any:
        """A look, made and put into its place where it was not yet."""
        if number not in self._looks:
            make = self._makers[number].make
            look = self._looks[number] = make(*self._given(make))
            parts, look.root.children = look.root.children, []
            self._places[number].children = parts
        return self._looks[number]

    def _given(self, make: Any) -> Iterator[Any]:
        """What a look asks for: what opens other looks, the selection that looks share."""
        if getattr(make, "opens_others", False):
            yield self._go
        if getattr(make, "shares_selection", False):
            yield self._selection

    def _remove(self, number: int) -> None:
        """Let go a look that was not seen for long; it is made anew when it is seen again."""
        if number != self._seen and self._looks.pop(number, None):
            self._places[number].children = []
            self._dropped.add(number)

    def _make_anew(self, number: int) -> None:
        """A look is drawn otherwise from now on."""
        if self._looks.pop(number, None):
            self._places[number].children = []

    def _show_tabs(self, mission: str) -> None:
        """Show the tabs of a mission beside those of any; of all missions where it has none of its own."""
        of = [one.mission for one in self._makers]
        has_own = mission != "" and mission in of
        numbers = [i for i, one in enumerate(of) if not has_own or one in ("", mission)]
        numbers = [i for i in numbers if i not in self._displays.gone]
        panels = [self._panels[i] for i in numbers]
        if panels != self._tabs.tabs:
            self._shown = numbers
            seen = self._seen if self._seen in numbers else 0
            self._tabs.update(tabs=panels, active=numbers.index(seen))

    def _hide_empty(self, stream: Stream | None, stored: Sequence[str]) -> None:
        """Show no tabs of looks whose products never came on this stream, but for the one in sight. `stored`: kinds of
        it in the history.
        """
        came = {*(stream.n_products if stream else ()), *stored}
        kinds = [one.look.kinds for one in self._makers]
        self._empty = {i for i, of in enumerate(kinds) if of and came.isdisjoint(of) and i != self._seen}
        places = [place for place, i in enumerate(self._shown) if i in self._empty]
        if self._tabs.tags != [places]:
            self._tabs.tags = [places]

    def _turned(self, _attr: str, _old: int, active: int) -> None:
        """Another look is seen."""
        old, new = self._seen, self._shown[min(active, len(self._shown) - 1)]
        if old == new:
            return
        self._seen = new
        if old in self._looks:
            self._hidden.hide(self, old, self._unwanted.add)
        self._hidden.shown(self, new)
        self._unwanted.discard(new)
        self._keep_address()
        self._soon()

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

    def _go(self, kind: str, time_ns: int) -> None:
        """Open the look that shows a kind of product, at the one of a time (0: any); Parameters where none does."""
        if not any(kind in self._makers[i].look.kinds for i in self._shown):
            self._go_generic(kind)
            return
        for i in self._shown:
            if kind in self._makers[i].look.kinds:
                self._tabs.active = self._shown.index(i)
                self.tick()
                if time_ns:
                    self._look(i).seek(kind, time_ns)

    def _go_generic(self, kind: str) -> None:
        """Draw the arrays of a kind of product in Parameters: numbers and labels against time, arrays as they are."""
        container = kind.removeprefix(f"{GENERIC_INSTRUMENT}/")
        stream = self._shown_stream
        known = [one for one in stream.parameters.known.values() if one.container == container] if stream else []
        plain = [one.key for one in known if not one.shape and not one.name.startswith("time_")]
        arrays = [one.key for one in known if one.shape and one.array is not None]
        self._selection.chosen = [*plain[:MAX_PLAIN], *arrays[:MAX_ARRAYS]]
        self._selection.search = container[:MAX_SEARCH]
        titles = [self._makers[i].look.title for i in self._shown]
        self._tabs.active = titles.index("Parameters")
        self._soon()

    def _tell(self, chosen: str, now_s: float) -> None:
        """Write the header anew where something in it has changed, but for ages and the clock."""
        state = self._state
        stream = state.streams.get(chosen)
        known = (stream.arrived_s, stream.is_over, stream.onboard.get("utc")) if stream else None
        told = (chosen, known, state.connected, state.broker_text, dict(state.services), state.n_unread)
        if told != self._told:
            self._told = told
            self._header.set(self._words(chosen, stream, now_s))

    def _words(self, chosen: str, stream: Stream | None, now_s: float) -> str:
        words = [
            f"<b>downlink</b><span class='clock'>{clock(time.time())} UTC</span>",
            _broker_words(self._state),
            _stream_words(chosen, stream, now_s) if chosen else "<span class='muted'>no stream yet</span>",
            _trouble_words(self._state),
            _onboard_words(stream),
        ]
        return " &nbsp; ".join(word for word in words if word)

    def _chosen(self, _attr: str, _old: object, _new: object) -> None:
        self._keep_address()
        self._soon()

    def _swap(self) -> None:
        self._dark = not self._dark
        self._keep_address()
        self._document.theme = theme.theme(dark=self._dark)


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


def _onboard_words(stream: Stream | None) -> str:
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
    return f"<span class='onboard'>{escape(' · '.join(words))}</span>"


def _trouble_words(state: State) -> str:
    services = ", ".join(f"{name.split('/')[-1]} {what}" for name, what in sorted(state.services.items())[:6])
    words = f"<span class='muted'>{escape(services)}</span>" if services else ""
    if state.n_unread:
        words += f" <span class='bad'>{state.n_unread} message{'s' * (state.n_unread > 1)} not understood</span>"
    return words
