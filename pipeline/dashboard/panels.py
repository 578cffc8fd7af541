"""What every look is made of: a figure with its caption, its age, its CSV button, and the source behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJS,
    DataRange1d,
    DatetimeTickFormatter,
    HoverTool,
    UIElement,
)
from bokeh.plotting import figure

from pipeline.dashboard import theme
from pipeline.dashboard.ring import Mark, Ring
from pipeline.dashboard.rows import QUALITY, TIME, Rows
from pipeline.dashboard.theme import sheet
from pipeline.dashboard.words import Words, ago

QUALITY_NAMES = (
    "corrected", "after gap", "undescribed", "unknown value", "out of range", "self-test", "saturated",
    "clock jump", "no attitude", "no reference", "fragment", "failed check",
)  # fmt: skip
N_TIMES = 4
"""Times of day below a figure: more would touch each other where it is narrow."""
TOOLS = "pan,wheel_zoom,box_zoom,reset,save"

_CSV = """
const columns = Object.entries(names)
const parted = (value) => value?.shape?.length !== 2 ? [value]  // an image: one array for each of its columns
  : Array.from({length: value.shape[1]}, (_, j) =>
      Array.from({length: value.shape[0]}, (_, i) => value[i * value.shape[1] + j]))
const cells = columns.map(([key]) => Array.from(source.data[key] ?? []).flatMap(parted))
const wide = cells.map((cell) => cell.length && cell[0] != null && typeof cell[0] === "object")
const text = (value, key) => value == null ? "" : key === "time" ? new Date(value).toISOString()
  : typeof value === "string" ? '"' + value.replaceAll('"', '""') + '"' : String(value)
const n_rows = Math.max(0, ...cells.map((cell, i) => wide[i] ? cell[0].length : cell.length))
const lines = [columns.flatMap(([_, name], i) => wide[i] ? cells[i].map((_, k) => name + " " + (k + 1)) : [name])]
for (let i = 0; i < n_rows; i++)
  lines.push(cells.flatMap((cell, j) => wide[j] ? cell.map((v) => text(v[i], columns[j][0]))
    : [text(cell[i], columns[j][0])]))
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\\n") + "\\n"], {type: "text/csv"}))
link.download = file
link.click()
URL.revokeObjectURL(link.href)
window.downlink_csv = lines.length
"""


def plot(x_label: str, y_label: str, *, is_time: bool = False, **options: Any) -> Any:
    """A figure with units on both axes, that zooms and saves its picture."""
    options = {
        "x_range": DataRange1d(range_padding=0.02),
        "x_axis_type": "datetime" if is_time else "linear",
        "sizing_mode": "stretch_both",
        **options,
    }
    made = figure(
        tools=TOOLS,
        active_scroll="wheel_zoom",
        toolbar_location="right",
        min_border=2,
        **options,
    )
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.xaxis.axis_label, made.yaxis.axis_label = x_label, y_label
    if is_time:
        clock_axis(made, x_label, dates=True)
        made.xaxis.ticker.desired_num_ticks = N_TIMES
    return made


def clock_axis(made: Any, label: str, *, dates: bool) -> None:
    """Times of day below a figure, and dates where they are ones."""
    made.xaxis.axis_label = label
    made.xaxis.formatter = DatetimeTickFormatter(
        milliseconds="%H:%M:%S.%3N",
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%m-%d" if dates else "%H:%M",
    )


def hover(made: Any, renderers: Sequence[Any], tips: Sequence[tuple[str, str]], mode: str = "mouse") -> None:
    """Show `tips` over `renderers`; a tip of the column `time` is UTC."""
    formatters: dict[str, Any] = {"@time": "datetime", "@solar": "datetime"}
    made.add_tools(HoverTool(renderers=list(renderers), tooltips=list(tips), formatters=formatters, mode=mode))


_DATE = re.compile(r"\d{4}-\d\d-\d\d ")
_DATED = r"<span class='date'>\g<0></span>"
TIME_TIP = ("UTC", "@time{%F %H:%M:%S.%3N}")


class Panel:
    """A figure (or table) below a caption that says what it is, how old, and how much of it is flagged."""

    def __init__(
        self, title: str, content: UIElement, source: ColumnDataSource | None, names: Mapping[str, str], file: str
    ) -> None:
        """`names`: the columns of `source` that the CSV file has, and what they are called there; none: no file."""
        self.title = title
        self._caption = Words(theme.CAPTION_CSS, sizing_mode="stretch_width", height=20, margin=0)
        self._told: tuple[Any, ...] = ()
        button = Button(label="CSV", width=46, height=22, margin=0, stylesheets=[sheet(theme.WIDGET_CSS)])
        self._save = CustomJS(args={"source": source, "names": dict(names), "file": file}, code=_CSV)
        button.js_on_event("button_click", self._save)
        buttons = [button] if source is not None else []
        head = row(self._caption.root, *buttons, sizing_mode="stretch_width", height=24, margin=0)
        self.root = column(
            head, content, sizing_mode="stretch_both", margin=3, stylesheets=[sheet(theme.PANEL_CSS)]
        )

    def name_columns(self, names: Mapping[str, str]) -> None:
        """What the columns are called in the CSV file from now on."""
        self._save.args = {**self._save.args, "names": dict(names)}

    def tell(
        self, told: str, flagged: str = "", detail: str = "", *, arrived_s: float = 0.0, now_s: float = 0.0
    ) -> None:
        """Say what of it is flagged, a detail, when it came, what it shows: the last gives way first, as a whole."""
        told_now = (self.title, told, flagged, detail, arrived_s)
        if told_now == self._told:
            return
        self._told = told_now
        words = [
            ("flag", f"<span title='{escape(flagged)}'>● {escape(flagged)}</span>" if flagged else ""),
            ("detail", escape(detail)),
            ("age", f"{ago(now_s - arrived_s)} ago" if arrived_s else ""),
            ("age", _DATE.sub(_DATED, escape(told))),
        ]
        said = "".join(f"<span class='{kind}'>{text}</span>" for kind, text in words if text)
        self._caption.set(f"<div><b>{escape(self.title)}</b>{said}</div>")

    def tell_of(self, ring: Ring | None, now_s: float, detail: str = "") -> None:
        """Tell of the rows of a ring."""
        if ring is None or not len(ring):
            self.tell("nothing yet")
            return
        rows = ring.rows()
        until = f"to {utc_text(rows[TIME][-1])} UTC"
        self.tell(until, flagged(rows[QUALITY]), detail, arrived_s=ring.arrived_s, now_s=now_s)


def utc_text(time_ns: int) -> str:
    """A time to the second, without its zone."""
    return str(np.datetime64(int(time_ns), "ns").astype("M8[s]")).replace("T", " ")


def age(seconds: float) -> str:
    """A duration in the unit that a person would say."""
    for unit, n_seconds in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * n_seconds:
            return f"{seconds / n_seconds:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def flagged(quality: Any) -> str:
    """How many rows have a quality that is not 0, and why; nothing where all are good."""
    n_flagged = int(np.count_nonzero(quality))
    if not n_flagged:
        return ""
    bits = int(np.bitwise_or.reduce(quality))
    why = [name for bit, name in enumerate(QUALITY_NAMES) if bits >> bit & 1]
    return f"{n_flagged:,} of {len(quality):,} flagged: {', '.join(why)}"


class Tail:
    """Keeps a source up with a ring: it sends what is new, and everything where that is not enough."""

    def __init__(self, source: ColumnDataSource, shown: Callable[[Rows], dict[str, Any]]) -> None:
        """`shown`: rows of the ring as columns of the source, row by row."""
        self.source = source
        self._shown = shown
        self._empty: dict[str, list[Any]] = {name: [] for name in source.data}
        self._ring: Ring | None = None
        self._mark: Mark | None = None

    def again(self) -> None:
        """Send everything the next time: it is to be shown otherwise."""
        self._mark = None

    def follow(self, ring: Ring | None) -> bool:
        """Whether there was anything new."""
        if ring is None or not len(ring):
            self.source.data = dict(self._empty)
            changed, self._ring, self._mark = self._ring is not None, None, None
            return changed
        n_new = ring.n_since(self._mark) if ring is self._ring else None
        self._ring, self._mark = ring, ring.mark
        if n_new == 0:
            return False
        rows = ring.rows()
        if n_new is None:
            self.source.data = self._shown(rows)
        else:
            fresh = {name: values[-n_new:] for name, values in rows.items()}
            self.source.stream(self._shown(fresh), rollover=ring.capacity)
        return True


def milliseconds(time_ns: Any) -> Any:
    """Bokeh's time."""
    return time_ns / 1e6


def where_flagged(values: Any, quality: Any) -> Any:
    """The values of rows that are not good, NaN for the others."""
    return np.where(quality != 0, values, np.nan)
