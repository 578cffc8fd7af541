"""What every look is made of: a figure with its caption, its age, its CSV button, and the source behind it."""

from __future__ import annotations

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
    Div,
    HoverTool,
    InlineStyleSheet,
    UIElement,
)
from bokeh.plotting import figure

from pipeline.dashboard import theme
from pipeline.dashboard.ring import Mark, Ring
from pipeline.dashboard.rows import QUALITY, TIME, Rows

QUALITY_NAMES = (
    "corrected", "after gap", "undescribed", "unknown value", "out of range", "self-test", "saturated",
    "clock jump", "no attitude", "no reference", "fragment",
)  # fmt: skip
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


def sheet(css: str) -> InlineStyleSheet:
    """Style of one model: a page's own style does not reach into Bokeh's shadow trees."""
    return InlineStyleSheet(css=css)


def plot(x_label: str, y_label: str, *, is_time: bool = False, **options: Any) -> Any:
    """A figure with units on both axes, that zooms and saves its picture."""
    options.setdefault("x_range", DataRange1d(range_padding=0.02))
    made = figure(
        sizing_mode="stretch_both",
        tools=TOOLS,
        active_scroll="wheel_zoom",
        x_axis_type="datetime" if is_time else "linear",
        toolbar_location="right",
        min_border=2,
        **options,
    )
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.xaxis.axis_label, made.yaxis.axis_label = x_label, y_label
    if is_time:
        made.xaxis.formatter = DatetimeTickFormatter(
            milliseconds="%H:%M:%S.%3N",
            seconds="%H:%M:%S",
            minsec="%H:%M:%S",
            minutes="%H:%M",
            hourmin="%H:%M",
            hours="%H:%M",
            days="%m-%d",
        )
    return made


def hover(made: Any, renderers: Sequence[Any], tips: Sequence[tuple[str, str]], mode: str = "mouse") -> None:
    """Show `tips` over `renderers`; a tip of the column `time` is UTC."""
    formatters: dict[str, Any] = {"@time": "datetime"}
    made.add_tools(HoverTool(renderers=list(renderers), tooltips=list(tips), formatters=formatters, mode=mode))


TIME_TIP = ("UTC", "@time{%F %H:%M:%S.%3N}")


class Panel:
    """A figure (or table) below a caption that says what it is, how old, and how much of it is flagged."""

    def __init__(
        self, title: str, content: UIElement, source: ColumnDataSource, names: Mapping[str, str], file: str
    ) -> None:
        """`names`: the columns of `source` that the CSV file has, and what they are called there."""
        self.title = title
        self._caption = Div(text=escape(title), sizing_mode="stretch_width", height=20, margin=0)
        self._caption.stylesheets = [sheet(theme.CAPTION_CSS)]
        button = Button(label="CSV", width=46, height=22, margin=0, stylesheets=[sheet(theme.WIDGET_CSS)])
        button.js_on_event(
            "button_click", CustomJS(args={"source": source, "names": dict(names), "file": file}, code=_CSV)
        )
        self.button = button
        head = row(self._caption, button, sizing_mode="stretch_width", height=24, margin=0)
        self.root = column(
            head, content, sizing_mode="stretch_both", margin=3, stylesheets=[sheet(theme.PANEL_CSS)]
        )

    def tell(self, age: str, flagged: str = "", detail: str = "") -> None:
        text = f"<b>{escape(self.title)}</b> {escape(detail)}<span class='age'>{escape(age)}</span>"
        if flagged:
            text += f"<span class='flag'>● {escape(flagged)}</span>"
        if text != self._caption.text:
            self._caption.text = text

    def tell_of(self, ring: Ring | None, now_s: float, detail: str = "") -> None:
        """Tell of the rows of a ring."""
        if ring is None or not len(ring):
            self.tell("nothing yet")
            return
        rows = ring.rows()
        until = np.datetime_as_string(rows[TIME][-1:].astype("M8[ns]"), unit="s")[0].replace("T", " ")
        self.tell(f"to {until} UTC, came {age(now_s - ring.arrived_s)} ago", flagged(rows[QUALITY]), detail)


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
    return f"{n_flagged:,} of {len(quality):,} rows flagged: {', '.join(why)}"


class Tail:
    """Keeps a source up with a ring: it sends what is new, and everything where that is not enough."""

    def __init__(self, source: ColumnDataSource, shown: Callable[[Rows], dict[str, Any]]) -> None:
        """`shown`: rows of the ring as columns of the source, row by row."""
        self.source = source
        self._shown = shown
        self._empty: dict[str, list[Any]] = {name: [] for name in source.data}
        self._ring: Ring | None = None
        self._mark: Mark | None = None

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
