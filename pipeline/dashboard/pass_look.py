"""Pass: the link's counters by channel, gaps and other events, corrected symbols, and what came out."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, Div, Range1d, UIElement

from pipeline.dashboard import theme
from pipeline.dashboard.panels import TIME_TIP, Panel, age, hover, milliseconds, plot, sheet
from pipeline.dashboard.state import Stream

_COUNTERS = (
    "frames", "duplicates", "gaps", "lost_frames", "packets", "idle_packets", "truncated_packets", "bad_headers",
)  # fmt: skip
MAX_SHOWN = 100
"""Rows of a table; its CSV file has all that are held."""
_COLOURS = {"error": theme.RED, "warning": theme.FLAG}


class PassLook:
    """Counters on top; frames against time, corrected symbols, events and products below."""

    title = "Pass"

    def __init__(self) -> None:
        self.channels = ColumnDataSource({name: [] for name in ("channel", *_COUNTERS, "last")}, name="channels")
        self.frames = ColumnDataSource({name: [] for name in ("time", "frames", "lost", "channel")}, name="frames")
        self.symbols = ColumnDataSource({"symbols": [], "codewords": [], "share": []}, name="symbols")
        self.events = ColumnDataSource(
            {name: [] for name in ("at", "severity", "text", "time", "lost", "colour")}, name="events"
        )
        self.products = ColumnDataSource({"product": [], "messages": []}, name="products")
        self._n_changes: tuple[str, int] | None = None
        self._link = _Table("Link", self.channels, ("channel", *_COUNTERS, "last"))
        self._frames = Panel(
            "Frames and gaps", self._timeline(), self.frames,
            {"time": "utc", "channel": "channel", "frames": "frames", "lost": "lost_frames"}, "frames.csv",
        )  # fmt: skip
        self._symbols = Panel(
            "Corrected symbols", self._bars(), self.symbols,
            {"symbols": "corrected_symbols", "codewords": "codewords"}, "corrected_symbols.csv",
        )  # fmt: skip
        self._events = _Table("Events", self.events, ("at", "severity", "text"))
        self._products = _Table("Products", self.products, ("product", "messages"))
        self._link.root.sizing_mode, self._link.root.height = "stretch_width", 140
        plots = row(self._frames.root, self._symbols.root, sizing_mode="stretch_both")
        left = column(self._link.root, plots, sizing_mode="stretch_both")
        right = column(self._products.root, self._events.root, width=420, sizing_mode="stretch_height")
        self.root: UIElement = row(left, right, sizing_mode="stretch_both")

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        now = (stream.name, stream.n_changes) if stream else None
        if now != self._n_changes:
            self._n_changes = now
            self._fill(stream or Stream(""))
        self._tell(stream or Stream(""), now_s)

    def _fill(self, stream: Stream) -> None:
        self._link.fill(
            {
                "channel": [
                    f"{c.get('scid')}/{c.get('vcid')} {c.get('name') or ''}" for c in stream.channels.values()
                ],
                "last": [_clock(c.get("last_received_ns")) for c in stream.channels.values()],
                **{name: [c.get(name) for c in stream.channels.values()] for name in _COUNTERS},
            }
        )
        counts = [(name, c) for name, c in stream.counts if c.get("last_received_ns")]
        self.frames.data = {
            "time": [milliseconds(c["last_received_ns"]) for _, c in counts],
            "frames": [c.get("frames") for _, c in counts],
            "lost": [c.get("lost_frames") for _, c in counts],
            "channel": [name for name, _ in counts],
        }
        self._events.fill(_told(list(stream.events)[::-1], max(self.frames.data["frames"], default=1)))
        self.symbols.data = _histogram(stream.report)
        found = Counter(stream.n_products).most_common()
        self._products.fill({"product": [name for name, _ in found], "messages": [n for _, n in found]})

    def _tell(self, stream: Stream, now_s: float) -> None:
        def since(arrived_s: float) -> str:
            return f"came {age(now_s - arrived_s)} ago" if arrived_s else "nothing yet"

        n_lost = sum(int(c.get("lost_frames") or 0) for c in stream.channels.values())
        lost = f"{n_lost} frames lost" if n_lost else ""
        self._link.panel.tell(since(stream.link_arrived_s), lost)
        self._frames.tell(since(stream.link_arrived_s))
        frames = stream.report.get("frames") or {}
        detail = f"{frames.get('uncorrectable', 0):,} frames uncorrectable" if frames else ""
        shown = since(stream.report_arrived_s) if stream.report else "with the report, at the end of the pass"
        self._symbols.tell(shown, detail=detail)
        self._events.panel.tell(since(stream.event_arrived_s) if stream.events else "none")
        self._products.panel.tell(since(stream.arrived_s))

    def _timeline(self) -> Any:
        made = plot("received, UTC", "frames", is_time=True)
        drawn = made.scatter(
            "time", "frames", source=self.frames, color=theme.BLUE, size=6, legend_label="frames read"
        )
        made.line("time", "frames", source=self.frames, color=theme.BLUE)
        gaps = made.scatter(
            "time",
            "lost",
            source=self.events,
            marker="inverted_triangle",
            size=10,
            color="colour",
            legend_label="event",
        )
        made.y_range.start = 0
        made.legend.location = "top_left"
        hover(
            made, [drawn], [TIME_TIP, ("channel", "@channel"), ("frames", "@frames{0,0}"), ("lost", "@lost{0,0}")]
        )
        hover(made, [gaps], [TIME_TIP, ("event", "@text")])
        return made

    def _bars(self) -> Any:
        made = plot("corrected symbols of a codeword", "codewords", y_axis_type="log", x_range=Range1d(-0.8, 16.8))
        bars = made.vbar("symbols", top="codewords", bottom=0.8, width=0.8, source=self.symbols, color=theme.CYAN)
        made.y_range.start = 0.8
        hover(
            made, [bars], [("symbols", "@symbols"), ("codewords", "@codewords{0,0}"), ("share", "@share{0.00 %}")]
        )
        return made


class _Table:
    """Rows of a source as a small HTML table; what stands in it came from outside and is escaped."""

    def __init__(self, title: str, source: ColumnDataSource, columns: tuple[str, ...]) -> None:
        self._source, self._columns = source, columns
        self._body = Div(sizing_mode="stretch_both", margin=0, stylesheets=[sheet(theme.TABLE_CSS)])
        self.panel = Panel(title, self._body, source, {name: name for name in columns}, f"{title.lower()}.csv")
        self.root = self.panel.root

    def fill(self, data: dict[str, list[Any]]) -> None:
        self._source.data = data
        head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in self._columns)
        rows = zip(*(data[name][:MAX_SHOWN] for name in self._columns), strict=True)
        body = "".join("<tr>" + "".join(map(_cell, cells)) + "</tr>" for cells in rows)
        self._body.text = f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return (
        f"<td class='number'>{value:,}</td>" if isinstance(value, int) else f"<td>{escape(str(value or ''))}</td>"
    )


def _told(events: list[dict[str, Any]], height: float) -> dict[str, list[Any]]:
    times = [np.datetime64(event["time"].rstrip("Z"), "ms") if event["time"] else None for event in events]
    return {
        "at": [str(event["time"] or "").replace("T", " ").rstrip("Z") for event in events],
        "severity": [str(event["severity"]) for event in events],
        "text": [str(event["text"]) for event in events],
        "time": [float(time.astype(np.int64)) if time is not None else np.nan for time in times],
        "lost": [height / 2] * len(events),
        "colour": [_COLOURS.get(str(event["severity"]), theme.GREEN) for event in events],
    }


def _histogram(report: dict[str, Any]) -> dict[str, list[Any]]:
    counts = {
        int(n): int(count) for n, count in ((report.get("frames") or {}).get("corrected_symbols") or {}).items()
    }
    total = sum(counts.values())
    return {
        "symbols": list(counts),
        "codewords": list(counts.values()),
        "share": [count / total for count in counts.values()],
    }


def _clock(ns: int | None) -> str:
    return str(np.datetime64(int(ns), "ns").astype("M8[s]")).replace("T", " ") if ns else ""
