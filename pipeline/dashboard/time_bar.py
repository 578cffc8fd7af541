"""The bar of the time axis: live, or a range of the past, for all looks of a page together.

Buttons and two fields choose the range; a zoom or pan of a plot against time does too. It shows what is being loaded,
and how the rows that are drawn were thinned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any

import numpy as np
from bokeh.layouts import row
from bokeh.models import Button, TextInput, UIElement

from . import theme
from .history_source import Range, StoredStream
from .moment import Moment, MomentMarks
from .panels import age, utc_text
from .past import Past, PastStream, append_live
from .selection import RangeMs, Selection, read_range_ms
from .stream import Stream
from .theme import sheet
from .time_axis import TimeAxis
from .words import Words, number_of

HOUR_NS = 3600 * 10**9
SPANS = {"1 h": HOUR_NS, "1 day": 24 * HOUR_NS}
"""Buttons, and how long before the newest row they begin."""
LIVE = "live"
LOOK_AGAIN_S = 2.0
"""For figures that were made since."""


class TimeBar:
    """Shown where there is a history, or a range is chosen. `selection.range_ms` is what it and the plots change."""

    def __init__(self, past: Past | None, selection: Selection, update_soon: Callable[[], None]) -> None:
        """`update_soon`: shows what was chosen."""
        self._past, self._selection, self._update_soon = past, selection, update_soon
        self._stored: Mapping[str, StoredStream] = past.streams if past else {}
        self._name = ""
        self._live: Stream | None = None
        self._last: PastStream | None = None
        """What the looks draw."""
        self._label = LIVE
        """Of the button that chose the range; empty: the viewer chose it otherwise."""
        self._span_ns = 0
        """How long before the newest row the range begins that follows; 0: the range stands still."""
        self._given_to: tuple[Any, ...] = ()
        """What the figures of which look were given last."""
        self._given: RangeMs | None = None
        """The range as it was given to the plots last: another one is the viewer's."""
        self._before_zoom: RangeMs | None = None
        """The range that a button, the fields or the address chose, to which a plot's reset returns; None: live."""
        css = [sheet(theme.WIDGET_CSS)]
        size: dict[str, Any] = {"height": 26, "margin": (0, 3, 0, 3), "stylesheets": css}
        self.buttons = [
            Button(label=label, width=56, name=f"span {label}", **size) for label in (LIVE, *SPANS, "all")
        ]
        for button in self.buttons:
            button.on_click(lambda label=button.label: self._press(label))
        self.begin, self.end = (
            TextInput(placeholder=f"{word}, UTC", width=158, name=f"range {word}", **size)
            for word in ("from", "to")
        )
        for field in (self.begin, self.end):
            field.on_change("value", self._typed)
        self._written: tuple[float, float] | None = None
        """The range that the fields were given last."""
        self._writing, self._trouble = False, ""
        self._words = Words(
            theme.TIME_CSS, lays_out=True, sizing_mode="stretch_width", margin=(4, 6, 0, 6), name="history_words"
        )
        self.root: UIElement = row(
            *self.buttons, self.begin, self.end, self._words.root,
            sizing_mode="stretch_width", height=30, name="time_bar", stylesheets=[sheet(theme.TIME_BAR_CSS)],
        )  # fmt: skip
        self.axis, self._marks = TimeAxis(self._zoomed, self._reset), MomentMarks()

    def stream(self, live: Stream | None, name: str, kinds: frozenset[str] = frozenset()) -> Stream | None:
        """What the looks draw: what comes, or a range of the past. `live`: what comes of the stream `name`. `kinds`:
        those that the look in sight needs.
        """
        self._name, self._live = name, live
        if self._span_ns and (newest := self._newest_ns()):
            self._selection.range_ms = self._given = ((newest - self._span_ns) / 1e6, newest / 1e6)
        if self._selection.range_ms != self._given:
            self._span_ns, self._label = 0, ""
            self._before_zoom = self._selection.range_ms
        self._given = self._selection.range_ms
        wanted = self._selection.range_ms
        if self._trouble:
            self._words.set(f"<span class=bad>{escape(self._trouble)}</span>")
            return self._last.stream if self._last and wanted else live
        self._mark(wanted)
        is_shown = self._past is not None or wanted is not None or self._selection.moment_ms is not None
        if self.root.visible != is_shown:
            self.root.visible = is_shown
        if self._past is None:
            self._words.set(kept_words(live, wanted))
            return live
        if wanted is None:
            self._words.set(self._live_words())
            self._last = None
            return live
        found = self._past.range_of(live, name, _to_ns(wanted), kinds)
        if found is None:
            self._words.set(self._no_words(name))
            return live
        append_live(found, live)
        self._words.set("".join((*words_of(found), *self._beyond(found, wanted))))
        if self._last is None or found.is_complete or not _overlaps(self._last, found):
            self._last = found
        return self._last.stream  # what was loaded before, until the new range is

    def show(self, root: Any, now_s: float) -> None:
        """Give the figures below a model the range and the mark of the moment that are chosen."""
        wanted, moment = self._selection.range_ms, self._selection.moment_ms
        state = (wanted, moment, root.id, len(root.children), now_s // LOOK_AGAIN_S if wanted or moment else 0.0)
        if state == self._given_to:
            return
        self._given_to = state
        self.axis.show(root, wanted)
        self._marks.show(root, Moment(*moment) if moment else None)

    def _newest_ns(self) -> int:
        """The latest onboard time that is known, of what comes and of the history."""
        stored = self._stored.get(self._name)
        known = [stored.last_ns] if stored else []
        if self._live and (utc := self._live.onboard.get("utc")):
            known.append(int(np.datetime64(str(utc).rstrip("Z"), "ns").astype(np.int64)))
        return max(known, default=0)

    def _press(self, label: str) -> None:
        self._span_ns, self._label, self._trouble = SPANS.get(label, 0), label, ""
        stored = self._stored.get(self._name)
        if label == LIVE:
            self._selection.range_ms = self._selection.moment_ms = self._given = None
            self._before_zoom = None
        elif label == "all" and stored:
            last = max(stored.last_ns, self._newest_ns())
            edge = max((last - stored.first_ns) // 50, 10**9)
            self._selection.range_ms = self._given = ((stored.first_ns - edge) / 1e6, (last + edge) / 1e6)
            self._before_zoom = self._given
        self._update_soon()

    def _typed(self, _attr: str, _old: str, _new: str) -> None:
        if self._writing:
            return
        found = read_range_ms(self.begin.value.strip().replace(" ", "T"), self.end.value.strip().replace(" ", "T"))
        both = self.begin.value.strip() and self.end.value.strip()
        self._trouble = "" if found or not both else "from and to: two times in order, such as 2026-11-24 08:00:00"
        if found:
            self._span_ns, self._selection.range_ms = 0, found
        self._update_soon()

    def _zoomed(self, found: RangeMs) -> None:
        """Choose the range that a viewer zoomed or panned a plot to; `stream` loads what is missing of it."""
        self._span_ns, self._label = 0, ""
        self._selection.range_ms = self._given = found
        self._update_soon()

    def _reset(self) -> None:
        """Choose what was chosen before a viewer zoomed or panned."""
        self._selection.range_ms = self._given = self._before_zoom
        self._update_soon()

    def _mark(self, wanted: tuple[float, float] | None) -> None:
        """Show what is chosen in the buttons and the fields."""
        chosen = LIVE if wanted is None else self._label
        for button in self.buttons:
            kind = "primary" if button.label == chosen else "default"
            if button.button_type != kind:
                button.button_type = kind
        if wanted == self._written:
            return
        self._written = wanted
        texts = ("", "") if wanted is None else tuple(utc_text(int(ms * 1e6)) for ms in wanted)
        self._writing = True
        for field, text in zip((self.begin, self.end), texts, strict=True):
            if field.value != text:
                field.value = text
        self._writing = False

    def _live_words(self) -> str:
        stored = self._stored.get(self._name)
        if self._past and self._past.trouble:
            return f"<span class=bad>{escape(self._past.trouble)}</span>"
        if stored is None:
            return "<span class=muted>the history has nothing of this stream</span>"
        return f"<span class=muted>history from {utc_text(stored.first_ns)} to {utc_text(stored.last_ns)}</span>"

    def _beyond(self, past: PastStream, wanted: RangeMs) -> Iterator[str]:
        """Where a range that is loaded begins before the first row that there is of the stream, or ends after the last
        one.
        """
        stored, last_ns = past.stored, max(past.stored.last_ns, self._newest_ns())
        if not past.is_complete or past.trouble:
            return
        if wanted[0] < stored.first_ns / 1e6:
            yield f"<span class=muted>· the history begins {utc_text(stored.first_ns)}</span> "
        if wanted[1] > last_ns / 1e6:
            yield f"<span class=muted>· the last row is of {utc_text(last_ns)}</span> "

    def _no_words(self, name: str) -> str:
        if name not in self._stored:
            return "<span class=bad>the history has nothing of this stream: what came since is shown</span>"
        return "<span class=bad>other viewers look at as many ranges as are kept: waiting for one</span>"


def kept_words(live: Stream | None, wanted: RangeMs | None) -> str:
    """What a page without a history has of the range: its rows are those that came since it is served."""
    known = live.parameters.onboard_span() if live and wanted else None
    if known is None or wanted is None:
        return "<span class=muted>what this page holds: no history is looked into</span>"
    first, last = (utc_text(ns) for ns in known)
    words = f"this page holds rows from {first} to {last}; others need a history (downlink dashboard --history DIR)"
    is_beyond = wanted[0] < known[0] / 1e6 or wanted[1] > known[1] / 1e6
    return f"<span class={'bad' if is_beyond else 'muted'}>{words}</span>"


def words_of(past: PastStream) -> Iterator[str]:
    """What was loaded of a range, how it was thinned, and what was left out."""
    if past.trouble:
        yield f"<span class=bad>{escape(past.trouble)}</span>"
        return
    if not past.is_complete:
        yield f"<b>loading {past.n_loaded} of {past.n_kinds} kinds</b> "
    if left_out := len(past.stored.kinds) - past.n_kinds:
        yield f"<span class=bad>{number_of(left_out, 'kind')} more not loaded: choose their parameters first</span> "
    found = past.loaded.values()
    n_rows, n_drawn = sum(one.n_rows for one in found), sum(one.n_drawn for one in found)
    if not n_rows and past.is_complete:
        yield "<span class=muted>the history has no rows in this range</span>"
        return
    widths = sorted({one.bin_ns for one in found if one.bin_ns})
    if widths:
        ends = dict.fromkeys(age(width / 1e9) for width in (widths[0], widths[-1]))
        yield (
            f"<span class=muted>{n_drawn:,} of {n_rows:,} rows drawn: least and greatest of every "
            f"{' to '.join(ends)}</span> "
        )
    elif n_rows:
        yield f"<span class=muted>{number_of(n_rows, 'row')}, all drawn</span> "
    steps = sorted({one.step for one in found if one.step > 1})
    if steps:
        ends = dict.fromkeys(str(step) for step in (steps[0], steps[-1]))
        yield f"<span class=muted>· arrays: 1 row in {' to '.join(ends)}</span> "
    notes = dict.fromkeys(one.note for one in found if one.note)
    for note in list(notes)[:3]:
        yield f"<span class=bad>{escape(note)}</span> "
    if len(notes) > 3:
        yield f"<span class=bad>and {len(notes) - 3} more</span>"


def _overlaps(one: PastStream, other: PastStream) -> bool:
    same = one.stored.key == other.stored.key
    return same and one.start < other.end and other.start < one.end


def _to_ns(range_ms: tuple[float, float]) -> Range:
    return int(range_ms[0] * 1e6), max(int(range_ms[1] * 1e6), int(range_ms[0] * 1e6) + 1)
