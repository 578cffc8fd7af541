"""Several parameters drawn together: numbers by unit, enumerations as bars, arrays; their statistics, CSV and PNG.

In: keys of parameters and what is known of them. All figures against time share one range, which is that of the
selection: what comes is followed until the viewer zooms, and again after *live*.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import Button, CustomJS, Range1d
from numpy.typing import NDArray

from ..model.quality_words import QUALITY_NAMES
from . import theme
from .alarm_contexts import UNKNOWN, MissionAlarms, join_names
from .arrays_plot import NewestRow, Spectrogram
from .labels_plot import LabelsPlot
from .line_styles import LineStyle
from .lines_plot import MAX_UNITS, Drawn, LinesPlot
from .panels import ONE_INSTANT_MS, below, corrected, flagged, milliseconds
from .parameters import NUMBER, Parameter, Parameters
from .parameters import ONBOARD as ONBOARD_AXIS
from .plot_scripts import CSV, PNG
from .selection import RangeMs, Selection, checked_range_ms
from .series import runs
from .statistics_table import statistics_table
from .theme import sheet
from .vector_plot import MAX_COMPONENTS, VectorPlot
from .words import Words, ago

__all__ = ["NO_CLOCK", "ParameterPlot", "runs"]

NO_CLOCK = (
    'no onboard clock is set: for onboard time write [clock] epoch = "..." and terms = [{ parameter, unit_ns }] '
    "into mission.toml"
)
PADDING = 0.02
"""Of the range of x, beside the data, while it follows them."""
NO_ALARMS = MissionAlarms()
Figure = LinesPlot | LabelsPlot | NewestRow | Spectrogram | VectorPlot


class ParameterPlot:
    """The plot; its figures are made again when other parameters are drawn, or when one changes its shape."""

    def __init__(self, selection: Selection, *, title: str = "", of_display: str = "") -> None:
        """`title`, `of_display`: of a panel of a display, what its models are called begins with the latter; else each
        parameter has a button that takes it out.
        """
        self._selection, self._title, self._of_display = selection, title, of_display
        self._time, self._number = Range1d(0, 1, name=f"{of_display}parameter_range"), Range1d(0, 1)
        self._is_ours = False
        """Whether a change of a range comes from here, and not from the viewer."""
        for end in ("start", "end"):
            self._time.on_change(end, self._zoomed)
        self._caption = Words(theme.CAPTION_CSS, sizing_mode="stretch_width", height=20, margin=0)
        css: dict[str, Any] = {"height": 22, "margin": (0, 0, 0, 3), "stylesheets": [sheet(theme.WIDGET_CSS)]}
        self._live = Button(label="live", width=46, name=f"{of_display}live", **css)
        self._live.on_click(self._follow)
        self._csv, self._png = (
            Button(label=label, width=46, name=f"{of_display}plot_{label.lower()}", **css)
            for label in ("CSV", "PNG")
        )
        self._figures = below(name=f"{of_display}parameter_figures", stylesheets=[sheet(theme.FIGURES_CSS)])
        self._save = CustomJS(args=_csv_arguments([], self._time), code=CSV)
        self._csv.js_on_event("button_click", self._save)
        self._png.js_on_event("button_click", CustomJS(args={"figures": self._figures}, code=PNG))
        self._table = Words(
            theme.TABLE_CSS + theme.STATISTICS_CSS,
            lays_out=True,
            sizing_mode="stretch_width",
            margin=0,
            name=f"{of_display}statistics",
        )
        head = row(
            self._caption.root, self._live, self._csv, self._png,
            sizing_mode="stretch_width", height=24, margin=0, stylesheets=[sheet(theme.HEAD_CSS)],
        )  # fmt: skip
        self.root = column(
            head, self._figures, self._table.root,
            sizing_mode="stretch_both", margin=3, stylesheets=[sheet(theme.PANEL_CSS), sheet(theme.PLOT_CSS)],
            name=f"{of_display}parameter_plot", visible=False, css_classes=[] if of_display else ["drop-parameters"],
        )  # fmt: skip
        self._form: tuple[Any, ...] = ()
        self._state: tuple[Any, ...] = ()
        self._drawn: list[Figure] = []

    def show(
        self, parameters: Parameters, keys: Sequence[str], now_s: float, alarms: MissionAlarms = NO_ALARMS
    ) -> None:
        """Bring the plot up to what is known of parameters; without keys it is not there."""
        if self.root.visible != bool(keys):
            self.root.visible = bool(keys)
        if not keys:
            return
        known = [parameters.known[key] for key in keys if key in parameters.known]
        axes = [parameters.rows_of(one)[3] for one in known]
        form = (id(parameters), id(alarms), *map(_form_of, known, axes), *(tuple(keys) if not known else ()))
        if form != self._form:
            self._form, self._state = form, ()
            styles = [LineStyle.of(list(keys).index(one.key)) for one in known]
            drawn = [
                Drawn(one, style, alarms.of.get(one.key), alarms) for one, style in zip(known, styles, strict=True)
            ]
            self._drawn = list(figures(drawn, axes, self._time, self._number))
            for source in [source for one in self._drawn for source in one.sources if self._of_display]:
                source.name = f"{self._of_display}{source.name}"
            self._figures.children = [one.figure for one in self._drawn]
            self._save.args = _csv_arguments(self._drawn, self._time)
        state = (parameters.n_changes, self._selection.range_ms, tuple(keys))
        if state != self._state:
            self._state = state
            for figure in self._drawn:
                figure.fill(parameters)
            self._set_ranges(parameters, known)
            self._set_caption(parameters, keys, now_s)

    def _follow(self) -> None:
        self._selection.range_ms = None
        self._state = ()

    def _zoomed(self, _attr: str, _old: float, _new: float) -> None:
        if not self._is_ours and (found := checked_range_ms(float(self._time.start), float(self._time.end))):
            self._selection.range_ms = found

    def _set_ranges(self, parameters: Parameters, known: Sequence[Parameter]) -> None:
        places: dict[bool, list[NDArray[np.float64]]] = {True: [], False: []}
        for one in known:
            time_ns, axis = _times_of(parameters, one)
            if len(time_ns):
                ends = time_ns[[0, -1]]
                places[axis == NUMBER].append(ends.astype(float) if axis == NUMBER else milliseconds(ends))
        self._is_ours = True
        for target, found, wanted in (
            (self._time, places[False], self._selection.range_ms),
            (self._number, places[True], None),
        ):
            around = wanted or _around(found, 1.0 if target is self._number else ONE_INSTANT_MS)
            if around and (target.start, target.end) != around:
                target.update(start=around[0], end=around[1])
        self._is_ours = False
        if self._live.disabled != (self._selection.range_ms is None):
            self._live.disabled = self._selection.range_ms is None

    def _set_caption(self, parameters: Parameters, keys: Sequence[str], now_s: float) -> None:
        known = [parameters.known[key] for key in keys if key in parameters.known]
        rows = [parameters.rows_of(one) for one in known]
        title = self._title or (known[0].name if len(keys) == 1 and known else f"{len(keys)} parameters")
        newest = max((one.arrival.arrived_s for one in known), default=0.0)
        words = [f"<span class='age'>came {ago(now_s - newest)} ago</span>"] if newest else []
        words += [f"<span class='age'>{escape(known[0].about)}</span>"] if len(known) == 1 else []
        words += [f"<span class='age'>limits of the set {escape(name)}</span>" for name in self._limits_sets()]
        notes = (
            [f"✕ {text}" for text in (flagged(np.concatenate([found[2] for found in rows])),) if text]
            if rows
            else []
        )
        notes += [
            f"{one.name}: {text}" for one, found in zip(known, rows, strict=True) if (text := corrected(found[2]))
        ]
        notes += self._absent(parameters, known, rows)
        notes += self._contexts(parameters)
        notes += [NO_CLOCK] if any(len(found[0]) and found[3] != ONBOARD_AXIS for found in rows) else []
        lines = "".join(f"<div class='flag'>{escape(note)}</div>" for note in notes)
        self._caption.set(f"<div class='line'><b>{escape(title)}</b>{''.join(words)}</div>{lines}")
        self._table.set(
            statistics_table(parameters, keys, self._selection.range_ms, removable=not self._of_display)
        )

    def _absent(self, parameters: Parameters, known: Sequence[Parameter], rows: Sequence[Any]) -> list[str]:
        """Notes on rows of the range that are not here, or are being loaded."""
        asked = self._selection.range_ms
        if asked is None:
            return []
        if parameters.is_loading:
            return ["rows of this range are being loaded from the history"]
        found: list[str] = []
        firsts = [float(milliseconds(of[0][0])) for of in rows if len(of[0]) and of[3] != NUMBER]
        if firsts and parameters.unheard != "history" and asked[0] < min(firsts) - (asked[1] - asked[0]) * PADDING:
            first = np.datetime64(int(min(firsts)), "ms").astype("M8[s]")
            found.append(f"rows before {str(first).replace('T', ' ')} UTC are not kept here")
        empty = [one.name for one in known if not _is_in_sight(*_times_of(parameters, one), asked)]
        return [*found, *([f"no row in this range: {', '.join(empty)}"] if empty else [])]

    def _limits_sets(self) -> set[str]:
        """The limits set of the ranges that are drawn, where the dictionary has several."""
        drawn = [one for of in self._drawn if isinstance(of, LinesPlot) for one in of.drawn]
        return {one.mission_alarms.limits_set for one in drawn if one.alarms} - {""}

    def _contexts(self, parameters: Parameters) -> list[str]:
        """Which alarms by context apply, in words, and of which rows it is not known."""
        drawn = [one for of in self._drawn if isinstance(of, LinesPlot) for one in of.drawn if one.is_by_context]
        return [text for one in drawn for text in context_words(one, parameters)]


def context_words(one: Drawn, parameters: Parameters) -> list[str]:
    """Of a parameter with alarms by context: the one that applies to the newest row, and for how many rows that is not
    known.
    """
    if one.alarms is None:
        return []
    applied = one.mission_alarms.applied(one.parameter, parameters)
    if not len(applied):
        return []
    asked, n_unknown = join_names(one.alarms.asked), int(np.count_nonzero(applied == UNKNOWN))
    place = int(applied[-1])
    which = "its default ones" if not place else f"those for {one.alarms.contexts[place - 1].words}"
    found = [] if place == UNKNOWN else [f"{one.parameter.name}: ranges of alarms by context, now {which}"]
    if n_unknown:
        what = f"{n_unknown:,} of {len(applied):,} rows"
        found.append(f"{one.parameter.name}: no ranges of alarms for {what}: {asked} unknown there")
    return found


def _form_of(one: Parameter, axis: str) -> tuple[Any, ...]:
    n_axes = None if one.array is None else one.array.ndim
    return (one.key, axis, bool(one.labels), n_axes, one.history is not None, one.unit)


def figures(drawn: Sequence[Drawn], axes: Sequence[str], time: Range1d, number: Range1d) -> list[Figure]:
    """The figures of parameters: numbers together, by time and at most MAX_UNITS units each; all else apart."""
    made: list[Figure] = []
    lines: dict[tuple[str, int], list[Drawn]] = {}
    units: dict[str, list[str]] = {}
    others: list[tuple[Drawn, str]] = []
    for one, axis in zip(drawn, axes, strict=True):
        if one.parameter.array is not None or one.parameter.labels or one.parameter.shape:
            others.append((one, axis))
            continue
        of_axis = units.setdefault(axis, [])
        if one.unit not in of_axis:
            of_axis.append(one.unit)
        lines.setdefault((axis, of_axis.index(one.unit) // MAX_UNITS), []).append(one)
    n_lines = 0
    for (axis, _), some in lines.items():
        made.append(LinesPlot(some, axis, number if axis == NUMBER else time, n_lines))
        n_lines += len(some)
    for i, (one, axis) in enumerate((one, axis) for one, axis in others if one.parameter.labels):
        made.append(LabelsPlot(one, axis, number if axis == NUMBER else time, i))
    for i, one in enumerate(one for one, _ in others if not one.parameter.labels):
        history = one.parameter.history
        if history is not None and history.width <= MAX_COMPONENTS:
            made.append(VectorPlot(one, history.axis, time, i))
            continue
        made.append(NewestRow(one, i))
        if history is not None:
            made.append(Spectrogram(one, history.axis, time, i))
    return made


def _times_of(parameters: Parameters, one: Parameter) -> tuple[NDArray[np.int64], str]:
    """Times of the rows that are drawn of a parameter, and what they are."""
    if one.history is not None and len(one.history.ring):
        return one.history.ring.rows()["time_ns"], one.history.axis
    time_ns, _, _, axis = parameters.rows_of(one)
    return time_ns, axis


def _is_in_sight(time_ns: NDArray[np.int64], axis: str, asked: RangeMs) -> bool:
    """Whether any row is in a range of time; rows without a time always are."""
    return axis == NUMBER or bool(((time_ns >= asked[0] * 1e6) & (time_ns <= asked[1] * 1e6)).any())


def _around(found: Sequence[NDArray[np.float64]], least: float) -> RangeMs | None:
    """A range around all places, at least `least` wide; None where there are none."""
    if not found:
        return None
    first, last = float(min(one[0] for one in found)), float(max(one[-1] for one in found))
    padding = max((last - first) * PADDING, (least - (last - first)) / 2)
    return first - padding, last + padding


def _csv_arguments(drawn: Sequence[Figure], time: Range1d) -> dict[str, Any]:
    parts = [
        (source, getattr(figure, "axis", ""))
        for figure in drawn
        if not isinstance(figure, Spectrogram)
        for source in figure.sources
    ]
    names = {figure.drawn[0].parameter.name for figure in drawn if len(figure.drawn) == 1}
    return {
        "sources": [source for source, _ in parts],
        "names": [str(source.tags[0]) for source, _ in parts],
        "units": [str(source.tags[1]) for source, _ in parts],
        "clocks": [clock for _, clock in parts],
        "range": time,
        "words": list(QUALITY_NAMES),
        "file": f"{names.pop() if len(names) == len(drawn) == 1 else 'parameters'}.csv",
    }
