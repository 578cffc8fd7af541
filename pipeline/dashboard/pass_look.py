"""Pass: lock and lag, counters by channel, gaps on a timeline, corrected symbols, events, and products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Range1d, TextInput, UIElement

from ..model.batches import event_clock
from . import theme
from .history_source import StoredPass
from .intake import MAX_KINDS
from .panels import (
    RECEIVED,
    RECEIVED_TIP,
    Panel,
    age,
    below,
    beside,
    beside_or_below,
    hover,
    milliseconds,
    plot,
    utc_text,
)
from .past_pass import chosen_pass, stream_of_pass, words_of_pass
from .selection import Selection
from .stream import ONBOARD_KIND, Stream
from .table import Table
from .theme import sheet
from .words import number_of

_COUNTERS = (
    "frames", "duplicates", "gaps", "lost_frames", "packets", "idle_packets", "truncated_packets", "bad_headers",
)  # fmt: skip
LOCK_S = 3.5
"""Counts come every second while frames do."""
MAX_LISTED = 500
"""Kinds of product in the table and its CSV file."""
MAX_LAG_S = 86_400.0
"""More is no lag: an old recording, sent as if it were live."""
_PASS_COLUMNS = ("pass", "received", "rows")
_COLOURS = {"error": theme.RED, "warning": theme.WARNING}


class PassLook:
    """Counters on top; frames against time, corrected symbols, events and products below."""

    title = "Pass"
    opens_others = shares_selection = True

    def __init__(self, go: Callable[[str, int], None] | None = None, selection: Selection | None = None) -> None:
        """`go`: opens the look that shows a kind of product, at a time. `selection`: with the pass of a history."""
        self._selection = selection if selection is not None else Selection()
        self._past: tuple[StoredPass, Stream] | None = None
        """The pass of a history that is shown, and its books."""
        self.passes = ColumnDataSource({name: [] for name in _PASS_COLUMNS}, name="passes")
        self.picked_pass = TextInput(name="picked_pass", visible=False)
        self.picked_pass.on_change("value", self._choose)
        self._passes = Table(
            "Passes of the range",
            self.passes,
            _PASS_COLUMNS,
            {"received": "received, UTC"},
            key="pass",
            picked=self.picked_pass,
        )
        self._passes.root.visible = False
        self.channels = ColumnDataSource({name: [] for name in ("channel", *_COUNTERS, "last")}, name="channels")
        self.frames = ColumnDataSource(
            {name: [] for name in ("time", "frames", "lost", "channel", "colour")}, name="frames"
        )
        self.lines = ColumnDataSource({"time": [], "frames": [], "channel": [], "colour": []}, name="frame lines")
        self.symbols = ColumnDataSource({"symbols": [], "codewords": [], "share": []}, name="symbols")
        columns = ("at", "clock", "severity", "text", "time", "frames", "size", "colour")
        self.events = ColumnDataSource({name: [] for name in columns}, name="events")
        self.products = ColumnDataSource({"product": [], "messages": [], "text": []}, name="products")
        self._n_changes: tuple[str, int, int, str] | None = None
        self._link = Table("Link", self.channels, ("channel", *_COUNTERS, "last"), {"last": "last received, UTC"})
        self._frames = Panel(
            "Frames and gaps", self._timeline(), self.frames,
            {"time": "received_utc", "channel": "channel", "frames": "frames", "lost": "lost_frames"}, "frames.csv",
        )  # fmt: skip
        self._symbols = Panel(
            "Corrected symbols", self._bars(), self.symbols,
            {"symbols": "corrected_symbols", "codewords": "codewords"}, "corrected_symbols.csv",
        )  # fmt: skip
        self._events = Table("Events", self.events, ("at", "severity", "text"), {"at": RECEIVED})
        self.picked = TextInput(name="picked_product", visible=False)
        self._products = Table(
            "Products",
            self.products,
            ("product", "messages", "text"),
            {"text": "described in the dictionary"},
            max_shown=MAX_LISTED,
            key="product",
            picked=self.picked,
        )
        self._go = go
        self.picked.on_change("value", self._open)
        self.books = ColumnDataSource({"what": [], "count": []}, name="books")
        self._books = Table("Books of the pass", self.books, ("what", "count"))
        self._link.root.sizing_mode, self._link.root.height = "stretch_width", 150
        plots = beside(self._frames.root, self._symbols.root)
        left = below(self._link.root, plots)
        right = below(
            self._passes.root,
            self.picked_pass,
            self._products.root,
            self._books.root,
            self._events.root,
            self.picked,
            width=420,
            sizing_mode="stretch_height",
        )
        right.stylesheets = [*right.stylesheets, sheet(theme.SIDE_CSS)]
        self.root: UIElement = beside_or_below(left, right, css=theme.SIDE_BELOW_CSS)

    def _open(self, _attr: str, _old: str, kind: str) -> None:
        """Show a kind of product that was chosen; the same one may be chosen again."""
        if kind and self._go:
            self.picked.value = ""
            self._go(kind, 0)

    def _choose(self, _attr: str, _old: str, name: str) -> None:
        """Show the books of another pass of the range."""
        if name:
            self._selection.pass_name = name
            self._n_changes = None

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        now = (stream.name, stream.n_changes, id(stream), self._selection.pass_name) if stream else None
        if now != self._n_changes:
            self._n_changes = now
            self._list_passes(stream.passes if stream else ())
            self._past = self._chosen(stream) if stream else None
            self._fill(self._past[1] if self._past else stream or Stream(""))
        self._set_captions(self._past[1] if self._past else stream or Stream(""), now_s)

    def _chosen(self, stream: Stream) -> tuple[StoredPass, Stream] | None:
        stored = chosen_pass(stream.passes, self._selection.pass_name)
        return (stored, stream_of_pass(stream.name, stored)) if stored else None

    def _list_passes(self, passes: Sequence[StoredPass]) -> None:
        if self._passes.root.visible != (len(passes) > 1):
            self._passes.root.visible = len(passes) > 1
        chosen = chosen_pass(passes, self._selection.pass_name)
        if chosen and self.picked_pass.value != chosen.name:
            self.picked_pass.value = chosen.name
        newest_first = list(reversed(passes))
        self._passes.fill(
            {
                "pass": [one.name for one in newest_first],
                "received": [one.received[0][:19].replace("T", " ") for one in newest_first],
                "rows": [sum(one.rows.values()) for one in newest_first],
            }
        )
        self._passes.panel.set_caption("a click shows its books")

    def _fill(self, stream: Stream) -> None:
        self._link.fill(
            {
                "channel": [
                    f"{c.get('scid')}/{c.get('vcid')} {c.get('name') or ''}" for c in stream.channels.values()
                ],
                "last": [
                    utc_text(c["last_received_ns"]) if c.get("last_received_ns") else ""
                    for c in stream.channels.values()
                ],
                **{name: [c.get(name) for c in stream.channels.values()] for name in _COUNTERS},
            }
        )
        counts = [(name, c) for name, c in stream.counts if c.get("last_received_ns")]
        names = dict.fromkeys(name for name, _ in counts)
        colours = {name: theme.LINES[i % len(theme.LINES)] for i, name in enumerate(names)}
        self.frames.data = {
            "time": [milliseconds(c["last_received_ns"]) for _, c in counts],
            "frames": [c.get("frames") for _, c in counts],
            "lost": [c.get("lost_frames") for _, c in counts],
            "channel": [name for name, _ in counts],
            "colour": [colours[name] for name, _ in counts],
        }
        self.lines.data = _lines(counts, colours)
        self._events.fill(
            _listed([one for one in reversed(stream.events) if one["kind"] != ONBOARD_KIND], self.lines.data)
        )
        self.symbols.data = _histogram(_frames(stream))
        self._books.fill(books(stream.report))
        found = Counter(stream.n_products).most_common(MAX_LISTED)
        self._products.fill(
            {
                "product": [name for name, _ in found],
                "messages": [n for _, n in found],
                "text": [stream.described.get(name, "") for name, _ in found],
            },
            {"messages": "rows"} if self._past else None,
        )

    def _set_captions(self, stream: Stream, now_s: float) -> None:
        where = words_of_pass(self._past[0]) if self._past else "retained by the broker"

        def set_caption(
            panel: Panel,
            has: object,
            arrived_s: float,
            flags: str = "",
            detail: str = "",
            none: str = "nothing yet",
        ) -> None:
            text = none if not has else "" if arrived_s else where
            panel.set_caption(text, flags, detail, arrived_s=arrived_s if has else 0.0, now_s=now_s)

        frames = _frames(stream)
        is_of_packets = bool(stream.report) and not frames.get("read") and not stream.channels
        no_frames = "packets alone came, no frames" if is_of_packets else "nothing yet"
        lost = sum(int(c.get("lost_frames") or 0) for c in stream.channels.values())
        detail = " · ".join(word for word in (_lock(stream, now_s), _lag(stream, now_s)) if word)
        set_caption(
            self._link.panel,
            stream.channels,
            stream.link_arrived_s,
            f"{number_of(lost, 'frame')} lost" if lost else "",
            detail,
            none=no_frames,
        )
        gaps = sum(event["kind"] == "gap" for event in stream.events)
        ends = "a history keeps the ends of each line" if self._past and stream.counts else ""
        set_caption(
            self._frames,
            stream.counts,
            stream.link_arrived_s,
            number_of(gaps, "gap") if gaps else "",
            ends,
            no_frames,
        )
        bad = int(frames.get("uncorrectable") or 0)
        arrived_s = stream.frames_arrived_s or stream.report_arrived_s
        uncorrectable = f"{number_of(bad, 'frame')} uncorrectable" if bad else ""
        later = (
            "the history has no report of this pass" if self._past else "with the report, at the end of the pass"
        )
        has_symbols = bool(self.symbols.data["symbols"])
        if is_of_packets or (frames and not has_symbols):
            no_symbols = no_frames if is_of_packets else "frames came without codewords to correct"
        else:
            no_symbols = later
        set_caption(self._symbols, has_symbols, arrived_s, uncorrectable, none=no_symbols)
        set_caption(self._events.panel, stream.events, stream.event_arrived_s, none="none")
        set_caption(
            self._books.panel,
            stream.report,
            stream.report_arrived_s,
            none=later,
        )
        n_kinds = len(stream.n_products)
        beyond = stream.n_unlisted
        more = [f"the most frequent {MAX_LISTED} of {n_kinds:,} kinds"] if n_kinds > MAX_LISTED else []
        more += [f"{number_of(beyond, 'product')} of kinds beyond {MAX_KINDS:,}"] if beyond else []
        set_caption(self._products.panel, stream.n_products, stream.arrived_s, detail=" · ".join(more))

    def _timeline(self) -> Any:
        made = plot(RECEIVED, "frames read", is_time=True)
        drawn = made.scatter("time", "frames", source=self.frames, color="colour", size=5)
        made.multi_line(
            "time", "frames", source=self.lines, line_color="colour", line_width=2, legend_field="channel"
        )
        gaps = made.scatter(
            "time", "frames", source=self.events, marker="inverted_triangle", size="size", color="colour",
            line_color=None, alpha=0.8,
        )  # fmt: skip
        made.y_range.start = 0
        made.legend.location = "top_left"
        hover(
            made,
            [drawn],
            [RECEIVED_TIP, ("channel", "@channel"), ("frames", "@frames{0,0}"), ("lost", "@lost{0,0}")],
        )
        hover(made, [gaps], [RECEIVED_TIP, ("event", "@text")])
        return made

    def _bars(self) -> Any:
        made = plot("corrected symbols of a codeword", "codewords", y_axis_type="log", x_range=Range1d(-0.8, 16.8))
        bars = made.vbar("symbols", top="codewords", bottom=0.8, width=0.8, source=self.symbols, color=theme.CYAN)
        made.y_range.start = 0.8
        hover(
            made, [bars], [("symbols", "@symbols"), ("codewords", "@codewords{0,0}"), ("share", "@share{0.00 %}")]
        )
        return made


def books(report: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Every count of a pass report but for those of channels, which have a table: what is not 0, and what was read."""
    found: list[tuple[str, Any]] = []
    for part in ("bytes", "frames", "synchronizer", "packets"):
        for name, n in (report.get(part) or {}).items():
            if isinstance(n, int) and (n or name == "read"):
                found.append((f"{part}: {name.replace('_', ' ')}", n))
    found += [
        (f"other channel {one.get('scid')}/{one.get('vcid')}: frames", one.get("frames"))
        for one in report.get("other_channels", ())
    ]
    return {"what": [what for what, _ in found], "count": [n for _, n in found]}


def _lock(stream: Stream, now_s: float) -> str:
    """Whether frames come: the synchroniser has lock where they do."""
    progress = stream.replaying(now_s)
    if progress and progress.state in {"paused", "ended"}:
        return f"replay {progress.state}"
    if not stream.frames_arrived_s:
        return ""
    silent_s = now_s - stream.frames_arrived_s
    return "● in lock" if silent_s < LOCK_S else f"○ no frames for {age(silent_s)}"


def _lag(stream: Stream, now_s: float) -> str:
    """Lag of what is shown behind the link: of a replay as it publishes it, of a live stream by the clock."""
    progress = stream.replaying(now_s)
    if progress:
        return "" if progress.behind_s is None else f"{progress.behind_s:.1f} s behind"
    if stream.progress or stream.lag_s is None:
        return ""
    return f"{stream.lag_s:.1f} s behind the link" if 0 <= stream.lag_s < MAX_LAG_S else ""


def _frames(stream: Stream) -> Mapping[str, Any]:
    """Counts of frames: of a running replay, else of the report."""
    return (stream.progress.frames if stream.progress else {}) or stream.report.get("frames") or {}


def _lines(counts: list[tuple[str, dict[str, Any]]], colours: Mapping[str, str]) -> dict[str, list[Any]]:
    """Of each channel its counts in order of time, from none at its first frame on. `colours`: by channel."""
    names = list(colours)
    lines = []
    for name in names:
        of = sorted((c["last_received_ns"], c.get("frames") or 0) for other, c in counts if other == name)
        first_ns = next(
            (c["first_received_ns"] for other, c in counts if other == name and c.get("first_received_ns")),
            of[0][0],
        )
        lines.append([(first_ns, 0), *of])
    return {
        "time": [[milliseconds(ns) for ns, _ in line] for line in lines],
        "frames": [[n for _, n in line] for line in lines],
        "channel": names,
        "colour": list(colours.values()),
    }


def _listed(events: list[dict[str, Any]], lines: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Events as rows; on the timeline on the line of their channel (or the first), a gap as large as what it lost."""
    at = [_received_ms(event) for event in events]
    lost = np.array([float(event.get("lost_frames") or 1) for event in events])
    return {
        "at": [_when(event) for event in events],
        "clock": [event_clock(event) if event["time"] else "" for event in events],
        "severity": [str(event["severity"]) for event in events],
        "text": [str(event["text"]) for event in events],
        "time": at,
        "frames": [_height(event, time, lines) for event, time in zip(events, at, strict=True)],
        "size": np.clip(7 + 4 * np.log2(np.maximum(lost, 1)), 7, 30).tolist(),
        "colour": [_COLOURS.get(str(event["severity"]), theme.GREEN) for event in events],
    }


def _when(event: Mapping[str, Any]) -> str:
    """An event's own time, with a word where it is not that of reception."""
    time = str(event["time"] or "unknown").replace("T", " ").rstrip("Z")
    return f"{time} onboard" if event_clock(event) == "onboard" else time


def _received_ms(event: Mapping[str, Any]) -> float:
    """When an event was received, NaN where that is not known: its own time may be the onboard one."""
    if event_clock(event) == "onboard":
        return float(event["received_ns"]) / 1e6 if event.get("received_ns") else np.nan
    return float(np.datetime64(event["time"].rstrip("Z"), "ms").astype(np.int64)) if event["time"] else np.nan


def _height(event: Mapping[str, Any], at: float, lines: dict[str, list[Any]]) -> float:
    if not lines["channel"]:
        return 0.0
    name = str(event.get("channel") or "").lower().replace(" ", "_")
    i = lines["channel"].index(name) if name in lines["channel"] else 0
    return float(np.interp(at, lines["time"][i], lines["frames"][i]))


def _histogram(frames: Mapping[str, Any]) -> dict[str, list[Any]]:
    counts = {int(n): int(count) for n, count in (frames.get("corrected_symbols") or {}).items()}
    total = sum(counts.values())
    return {
        "symbols": list(counts),
        "codewords": list(counts.values()),
        "share": [count / total for count in counts.values()],
    }
