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
    CustomJSHover,
    DataRange1d,
    DatetimeTickFormatter,
    Div,
    HoverTool,
    LogAxis,
    NoOverlap,
    NumeralTickFormatter,
    Range1d,
    SaveTool,
    UIElement,
)
from bokeh.plotting import figure

from ..model.batches import DOUBTFUL, NO_TIME, Quality
from ..model.gaps import gap_starts, interrupted
from ..model.looks import Rows
from ..model.quality_words import QUALITY_NAMES, quality_words
from . import print_page, theme
from .ring import Mark, Ring
from .rows import QUALITY, TIME
from .theme import sheet
from .words import Words, ago

ONBOARD, RECEIVED = "onboard time, UTC", "received, UTC"
"""What a time axis shows: when it was on board, by the onboard clock put to UTC, or when a station received it."""
MARKS_AT = 0.03
"""Of the height of a figure: where doubtful rows are marked."""
N_TIMES = 4
"""Times of day below a figure: more would touch each other where it is narrow."""
ONE_INSTANT_MS = 60_000.0
"""What a time axis spans where all that is drawn is of one instant."""
LABELS_APART_PX = 6
"""Of labels of an axis: where they would be nearer, some are left out."""
TOOLS = "pan,wheel_zoom,box_zoom,reset,save"

_CSV = """
const columns = Object.entries(names)
const parted = (value) => value?.shape?.length !== 2 ? [value]  // an image: one array for each of its columns
  : Array.from({length: value.shape[1]}, (_, j) =>
      Array.from({length: value.shape[0]}, (_, i) => value[i * value.shape[1] + j]))
const cells = columns.map(([key]) => Array.from(source.data[key] ?? []).flatMap(parted))
const wide = cells.map((cell) => cell.length && cell[0] != null && typeof cell[0] === "object")
const inert = (word) => /^[=+\\-@\\t\\r\\n]/.test(word) ? "'" + word : word  // no formula in a spreadsheet
const text = (value, key) => value == null || Number.isNaN(value) ? "" : key === "time" ? new Date(value).toISOString()
  : typeof value === "string" ? '"' + inert(value).replaceAll('"', '""') + '"' : String(value)
const n_rows = Math.max(0, ...cells.map((cell, i) => wide[i] ? cell[0].length : cell.length))
const heads = columns.flatMap(([_, name], i) => wide[i] ? cells[i].map((_, k) => name + " " + (k + 1)) : [name])
const lines = [heads.map(inert)]
const gaps = source.data.gap ?? []  // rows that interrupt lines, and are no data
for (let i = 0; i < n_rows; i++)
  if (!gaps[i]) lines.push(cells.flatMap((cell, j) => wide[j] ? cell.map((v) => text(v[i], columns[j][0]))
    : [text(cell[i], columns[j][0])]))
const link = document.createElement("a")
link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join(",")).join("\\n") + "\\n"], {type: "text/csv"}))
link.download = file
link.click()
URL.revokeObjectURL(link.href)
window.downlink_csv = lines.length
"""


def plot(
    x_label: str, y_label: str, *, is_time: bool = False, print_px: int = print_page.FIGURE_PX, **options: Any
) -> Any:
    """A figure with units on both axes, that zooms and saves its picture. `print_px`: its height on paper."""
    options = {
        "x_range": DataRange1d(range_padding=0.02, default_span=ONE_INSTANT_MS if is_time else 2.0),
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
    made.stylesheets = [sheet(print_page.figure(print_px))]
    made.toolbar.logo = None
    made.toolbar.autohide = True
    made.xaxis.axis_label, made.yaxis.axis_label = x_label, y_label
    for axis in made.axis:
        axis.major_label_policy = NoOverlap(min_distance=LABELS_APART_PX)
        if isinstance(axis, LogAxis):  # powers of ten would have small exponents
            axis.formatter = NumeralTickFormatter(format="0,0.[0000]")
    if is_time:
        clock_axis(made, x_label, dates=True)
        made.xaxis.ticker.desired_num_ticks = N_TIMES
    return made


def beside(*children: UIElement, **layout: Any) -> Any:
    """A row that fills its place; on a narrow page a column."""
    return row(*children, **{"sizing_mode": "stretch_both", "stylesheets": [sheet(theme.NARROW_CSS)], **layout})


def beside_or_below(*children: UIElement, css: str) -> Any:
    """Parts side by side, which `css` puts below one another on some pages: a row in one that has no such style."""
    both = beside(*children)
    both.stylesheets = [*both.stylesheets, sheet(css)]
    return beside(both)


def below(*children: UIElement, **layout: Any) -> Any:
    """A column that fills its place."""
    return column(*children, **{"sizing_mode": "stretch_both", "stylesheets": [sheet(theme.NARROW_CSS)], **layout})


UNMADE = "unmade"
"""CSS class of the place of a look that is not made yet, which shows a note."""


def empty_place(*, is_row: bool = False) -> Any:
    """The place of a look that is not made yet."""
    place = (beside if is_row else below)(css_classes=[UNMADE])
    place.stylesheets = [*place.stylesheets, sheet(theme.UNMADE_CSS)]
    return place


def controls(*children: UIElement) -> Any:
    """A row of controls, in as many lines as it takes."""
    return row(*children, height=44, margin=(4, 0, 0, 6), stylesheets=[sheet(theme.CONTROLS_CSS)])


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


def hover(
    made: Any,
    renderers: Sequence[Any],
    tips: Sequence[tuple[str, str]],
    mode: str = "mouse",
    *,
    times: Sequence[str] = ("time", "solar"),
) -> None:
    """Show `tips` over `renderers`; those of the columns `times` are times, of `quality` words."""
    formatters: dict[str, Any] = {f"@{name}": "datetime" for name in times} | {"@quality": _quality_words()}
    made.add_tools(HoverTool(renderers=list(renderers), tooltips=list(tips), formatters=formatters, mode=mode))


def _quality_words() -> CustomJSHover:
    code = "return value ? names.filter((_, bit) => value >> bit & 1).join(', ') : 'good'"
    return CustomJSHover(args={"names": list(QUALITY_NAMES)}, code=code)


QUALITY_TIP = ("quality", "@quality{custom}")


def mark_doubtful(made: Any, source: ColumnDataSource, x: str = "time") -> Any:
    """Draw an x at the foot of a figure for each row whose column `mark` is a number, with its quality in words."""
    _keep_scale(made)
    made.extra_y_ranges = {**made.extra_y_ranges, "marks": Range1d(0, 1)}
    marks = made.scatter(
        x, "mark", source=source, y_range_name="marks", marker=theme.FLAG_MARKER, color=theme.FLAG, size=6
    )
    hover(made, [marks], [TIME_TIP, QUALITY_TIP])
    return marks


def mark_gaps(made: Any) -> ColumnDataSource:
    """Draw bands where a series is interrupted; gives their source: `left` and `right`, on the x axis."""
    _keep_scale(made)
    source = ColumnDataSource({"left": [], "right": []})
    made.vstrip(
        x0="left",
        x1="right",
        source=source,
        fill_color=theme.MUTED,
        fill_alpha=0.18,
        line_color=None,
        level="underlay",
    )
    return source


def _keep_scale(made: Any) -> None:
    """Let the range of values be that of what is drawn so far, whatever is drawn over it."""
    if made.y_range.renderers == []:
        made.y_range.renderers = list(made.renderers)


_DATE = re.compile(r"\d{4}-\d\d-\d\d ")
_DATED = r"<span class='date'>\g<0></span>"
TIME_TIP = (ONBOARD, "@time{%F %H:%M:%S.%3N}")
RECEIVED_TIP = (RECEIVED, TIME_TIP[1])


class Panel:
    """A figure (or table) below a caption: its title, the age of its data, and how much of it is flagged."""

    def __init__(
        self, title: str, content: UIElement, source: ColumnDataSource | None, names: Mapping[str, str], file: str
    ) -> None:
        """`names`: the columns of `source` that the CSV file has, and what they are called there; none: no file."""
        self.title = title
        self._caption = Words(theme.CAPTION_CSS, lays_out=True, sizing_mode="stretch_width", height=20, margin=0)
        self._last_caption: tuple[Any, ...] = ()
        for tool in getattr(content, "tools", ()):
            if isinstance(tool, SaveTool):  # it asks for a name else
                tool.filename = file.removesuffix(".csv") or title
        button = Button(label="CSV", width=46, height=22, margin=0, stylesheets=[sheet(theme.WIDGET_CSS)])
        self._save = CustomJS(args={"source": source, "names": dict(names), "file": file}, code=_CSV)
        button.js_on_event("button_click", self._save)
        buttons = [button] if source is not None else []
        head = row(
            self._caption.root, *buttons,
            sizing_mode="stretch_width", height=24, margin=0, stylesheets=[sheet(theme.HEAD_CSS)],
        )  # fmt: skip
        self.root = column(
            head,
            content,
            sizing_mode="stretch_both",
            margin=3,
            stylesheets=[sheet(theme.PANEL_CSS + ("" if isinstance(content, Div) else print_page.WHOLE))],
        )

    def name_columns(self, names: Mapping[str, str]) -> None:
        """What the columns are called in the CSV file from now on."""
        self._save.args = {**self._save.args, "names": dict(names)}

    def set_caption(
        self,
        caption: str,
        flagged: str = "",
        detail: str = "",
        *,
        note: str = "",
        arrived_s: float = 0.0,
        now_s: float = 0.0,
    ) -> None:
        """Write a detail, the age and `caption` in one line, of which the last is hidden first where there is no room;
        below it, on lines of their own, why rows are doubtful (`flagged`), and a note.
        """
        caption_now = (self.title, caption, flagged, detail, note, arrived_s)
        if caption_now == self._last_caption:
            return
        self._last_caption = caption_now
        words = [
            ("detail", escape(detail)),
            ("age", f"came {ago(now_s - arrived_s)} ago" if arrived_s else ""),
            ("age", _DATE.sub(_DATED, escape(caption))),
        ]
        line = "".join(f"<span class='{kind}'>{text}</span>" for kind, text in words if text)
        why = f"<div class='flag'>✕ {escape(flagged)}</div>" if flagged else ""
        why += f"<div class='flag'>{escape(note)}</div>" if note else ""
        self._caption.set(f"<div class='line'><b>{escape(self.title)}</b>{line}</div>{why}")

    def set_caption_of(self, ring: Ring | None, now_s: float, detail: str = "") -> None:
        """Write the caption of the rows of a ring: up to which time, how old, how many doubtful and corrected."""
        if ring is None or not len(ring):
            self.set_caption("nothing yet")
            return
        rows = ring.rows()
        until = f"to {utc_text(rows[TIME][-1])} {ONBOARD}"
        details = " · ".join(word for word in (detail, corrected(rows[QUALITY])) if word)
        self.set_caption(until, flagged(rows[QUALITY]), details, arrived_s=ring.arrived_s, now_s=now_s)


def utc_text(time_ns: int) -> str:
    """A time to the second, without its zone."""
    if time_ns == NO_TIME:
        return "unknown"
    return str(np.datetime64(int(time_ns), "ns").astype("M8[s]")).replace("T", " ")


def age(seconds: float) -> str:
    """A duration in the largest unit of which it has two: `3 min`, `45 s`."""
    for unit, n_seconds in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * n_seconds:
            return f"{seconds / n_seconds:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def flagged(quality: Any) -> str:
    """How many rows are doubtful, and why; nothing where none is."""
    doubt = np.asarray(quality).astype(np.int64) & int(DOUBTFUL)
    n_doubtful = int(np.count_nonzero(doubt))
    if not n_doubtful:
        return ""
    return f"{n_doubtful:,} of {len(doubt):,} doubtful: {quality_words(int(np.bitwise_or.reduce(doubt)))}"


def corrected(quality: Any) -> str:
    """How many rows came with corrected symbols; they are as good as others."""
    n_corrected = int(np.count_nonzero(np.asarray(quality).astype(np.int64) & int(Quality.CORRECTED)))
    return f"{n_corrected:,} of {len(quality):,} corrected" if n_corrected else ""


class Tail:
    """Keeps a source up with a ring: it sends what is new, and everything where that is not enough.

    Where samples are missing a row of NaN interrupts the lines of the source; its column `gap` is 1 in such rows.
    """

    def __init__(
        self,
        source: ColumnDataSource,
        shown: Callable[[Rows], dict[str, Any]],
        gaps: Mapping[ColumnDataSource, str] | None = None,
    ) -> None:
        """`shown`: rows of the ring as columns of numbers, row by row. `gaps`: sources of bands (`mark_gaps`), each
        with the column of `source` that its axis shows.
        """
        self.source = source
        self.gaps = dict(gaps or {})
        self._shown = shown
        self._empty: dict[str, list[Any]] = {name: [] for name in source.data}
        self._ring: Ring | None = None
        self._mark: Mark | None = None

    def again(self) -> None:
        """Send all rows at the next update, since they are to be drawn differently."""
        self._mark = None

    def follow(self, ring: Ring | None) -> bool:
        """Whether there was anything new."""
        if ring is None or not len(ring):
            self.source.data = dict(self._empty)
            self._show_gaps({}, np.empty(0, np.int64))
            changed, self._ring, self._mark = self._ring is not None, None, None
            return changed
        n_new = ring.n_since(self._mark) if ring is self._ring else None
        self._ring, self._mark = ring, ring.mark
        if n_new == 0:
            return False
        rows = ring.rows()
        starts = gap_starts(rows[TIME])
        if n_new is None:
            self.source.data = _interrupted(self._shown(rows), starts)
        else:
            first = len(ring) - n_new
            fresh = self._shown({name: values[first:] for name, values in rows.items()})
            self.source.stream(_interrupted(fresh, starts[starts >= first] - first), rollover=ring.capacity)
        self._show_gaps(rows, starts)
        return True

    def _show_gaps(self, rows: Rows, starts: Any) -> None:
        if not self.gaps:
            return
        ends = np.stack([starts - 1, starts], axis=1).ravel()
        beside = self._shown({name: values[ends] for name, values in rows.items()}) if len(ends) else {}
        for source, x in self.gaps.items():
            values = np.asarray(beside.get(x, []), np.float64)
            bands = {"left": values[::2], "right": values[1::2]}
            if any(not np.array_equal(bands[side], source.data[side]) for side in bands):
                source.data = bands


def _interrupted(columns: dict[str, Any], starts: Any) -> dict[str, Any]:
    made = {name: interrupted(np.asarray(values), starts) for name, values in columns.items()}
    n_rows = len(next(iter(made.values())))
    made["gap"] = np.zeros(n_rows)
    made["gap"][starts + np.arange(len(starts))] = 1.0
    return made


def milliseconds(time_ns: Any) -> Any:
    """Time as Bokeh has it: ms since 1970, from ns."""
    return time_ns / 1e6


def where_doubtful(quality: Any) -> Any:
    """The place of a mark for each row that is doubtful, NaN for the others."""
    return np.where(quality & int(DOUBTFUL), MARKS_AT, np.nan)
