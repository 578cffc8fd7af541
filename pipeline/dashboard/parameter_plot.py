"""One parameter against time: a number as a line, an enumeration as bands, an array as it was in the newest row."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, FixedTicker
from numpy.typing import NDArray

from ..model.gaps import gap_starts, interrupted
from . import theme
from .panels import (
    ONBOARD,
    RECEIVED,
    Panel,
    corrected,
    flagged,
    hover,
    mark_doubtful,
    mark_gaps,
    milliseconds,
    plot,
    where_doubtful,
)
from .parameters import NUMBER, Parameter, Parameters
from .parameters import ONBOARD as ONBOARD_AXIS
from .parameters import RECEIVED as RECEIVED_AXIS
from .theme import sheet

NO_CLOCK = (
    'no onboard clock is set: for onboard time write [clock] epoch = "..." and terms = [{ parameter, unit_ns }] '
    "into mission.toml"
)
_LABELS = {ONBOARD_AXIS: ONBOARD, RECEIVED_AXIS: RECEIVED, NUMBER: "row number"}


class ParameterPlot:
    """The place of the plot; the figure is made anew where another parameter is chosen, or another form of it came."""

    def __init__(self) -> None:
        self.root = column(
            [],
            sizing_mode="stretch_height",
            stylesheets=[sheet(theme.NARROW_CSS)],
            name="parameter_plot",
            visible=False,
        )
        self._form: tuple[Any, ...] = ()
        self._state: tuple[Any, ...] = ()
        self._drawn: _Line | _Bands | _Array | None = None

    def show(self, parameters: Parameters, chosen: Parameter | None, now_s: float) -> None:
        """Bring the plot up to what is known of a parameter; None: nothing is chosen."""
        if self.root.visible != (chosen is not None):
            self.root.visible = chosen is not None
        if chosen is None:
            return
        axis = parameters.rows_of(chosen)[3]
        shape = None if chosen.array is None else chosen.array.ndim
        form = (id(parameters), chosen.key, axis, bool(chosen.labels), shape, chosen.unit)
        if form != self._form:
            self._form, self._state = form, ()
            kind = _Array if shape is not None else _Bands if chosen.labels else _Line
            self._drawn = kind(chosen, axis)
            self.root.children = [self._drawn.panel.root]
        state = (parameters.n_changes,)
        if state != self._state and self._drawn is not None:
            self._state = state
            self._drawn.fill(parameters, chosen)
            self._drawn.tell(parameters, chosen, now_s)


class _Plot:
    """What the three have in common."""

    def __init__(self, one: Parameter, axis: str, columns: tuple[str, ...], source: str) -> None:
        self.axis = axis
        self.source = ColumnDataSource({name: [] for name in columns}, name=source)
        label = f"{one.name} [{one.unit}]" if one.unit not in ("", "1") else one.name
        self.figure = plot(_LABELS[axis], label, is_time=axis != NUMBER)
        self.panel = Panel(one.name, self.figure, self.source, {name: name for name in columns}, f"{one.name}.csv")

    def place(self, time_ns: NDArray[np.int64]) -> Any:
        return time_ns.astype(np.float64) if self.axis == NUMBER else milliseconds(time_ns)

    def tell(self, parameters: Parameters, one: Parameter, now_s: float) -> None:
        _, values, quality, axis = parameters.rows_of(one)
        known = values[np.isfinite(values)]
        detail = ""
        if len(known) and not one.labels:
            detail = f"{len(known):,} rows: {known.min():.6g} to {known.max():.6g}, mean {known.mean():.6g}"
        detail = " · ".join(filter(None, (detail, corrected(quality))))
        note = NO_CLOCK if axis != ONBOARD_AXIS and one.array is None else ""
        self.panel.tell(
            one.about, flagged(quality), detail, note=note, arrived_s=one.arrival.arrived_s, now_s=now_s
        )


class _Line(_Plot):
    def __init__(self, one: Parameter, axis: str) -> None:
        super().__init__(one, axis, ("time", "value", "mark", "quality", "gap"), "parameter_line")
        drawn = self.figure.line("time", "value", source=self.source, color=theme.BLUE, line_width=1.5)
        points = self.figure.scatter("time", "value", source=self.source, color=theme.BLUE, size=3)
        self._bands = mark_gaps(self.figure)
        mark_doubtful(self.figure, self.source)
        form = "@time" if axis == NUMBER else "@time{%F %H:%M:%S.%3N}"
        hover(self.figure, [points], [(_LABELS[axis], form), (one.name, "@value")])
        self.figure.y_range.renderers = [drawn]

    def fill(self, parameters: Parameters, one: Parameter) -> None:
        time_ns, values, quality, axis = parameters.rows_of(one)
        starts = gap_starts(time_ns) if axis != NUMBER else np.empty(0, np.int64)
        place = self.place(time_ns)
        columns = {
            "time": place,
            "value": values,
            "mark": where_doubtful(quality),
            "quality": quality.astype(float),
        }
        made = {name: interrupted(column, starts) for name, column in columns.items()}
        made["gap"] = np.zeros(len(made["time"]))
        made["gap"][starts + np.arange(len(starts))] = 1.0
        self.source.data = made
        self._bands.data = {"left": place[starts - 1], "right": place[starts]}


class _Bands(_Plot):
    """A bar for each run of rows with the same label, in a lane of its own, so that shape tells it and not colour."""

    def __init__(self, one: Parameter, axis: str) -> None:
        super().__init__(one, axis, ("left", "right", "lane", "label"), "parameter_bands")
        self.figure.hbar(
            "lane",
            left="left",
            right="right",
            height=0.7,
            source=self.source,
            color=theme.BLUE,
            line_color=theme.BLUE,
        )
        form = "{%F %H:%M:%S}" if axis != NUMBER else ""
        hover(
            self.figure,
            list(self.figure.renderers),
            [("from", f"@left{form}"), ("to", f"@right{form}"), (one.name, "@label")],
        )
        self._labels: list[str] = []

    def fill(self, parameters: Parameters, one: Parameter) -> None:
        time_ns, codes, _, axis = parameters.rows_of(one)
        first, last = runs(codes, gap_starts(time_ns) if axis != NUMBER else np.empty(0, np.int64))
        place = self.place(time_ns)
        end = np.where(np.isin(last + 1, first) & (last + 1 < len(place)), last + 1, last)
        known = np.isfinite(codes[first])
        lanes = codes[first][known]
        names = [one.labels[int(code)] for code in lanes]
        self.source.data = {"left": place[first][known], "right": place[end][known], "lane": lanes, "label": names}
        if self._labels != one.labels:
            self._labels = list(one.labels)
            axis_of = self.figure.yaxis[0]
            axis_of.ticker = FixedTicker(ticks=list(range(len(self._labels))))
            axis_of.major_label_overrides = dict(enumerate(self._labels))


def runs(codes: NDArray[np.float64], gaps: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last index of each run of equal codes; a run ends where a gap lies before the next row."""
    if not len(codes):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.union1d(np.flatnonzero(np.diff(codes, prepend=np.nan) != 0), gaps).astype(np.int64)
    return starts, np.append(starts[1:] - 1, len(codes) - 1)


class _Array(_Plot):
    """The newest row: of one dimension as a line over its elements, of more as an image."""

    def __init__(self, one: Parameter, axis: str) -> None:
        del axis
        super().__init__(one, NUMBER, ("element", "value"), "parameter_array")
        self.figure.xaxis.axis_label = "element"
        self._image = one.array is not None and one.array.ndim > 1
        if self._image:
            self.source.data = {"image": [], "width": [], "height": []}
            self.figure.image("image", x=0, y=0, dw="width", dh="height", source=self.source, palette="Greys256")
            self.figure.yaxis.axis_label = "line"
            self.figure.y_range.flipped = True
        else:
            self.figure.line("element", "value", source=self.source, color=theme.BLUE, line_width=1.5)

    def fill(self, parameters: Parameters, one: Parameter) -> None:
        del parameters
        array = one.array
        if array is None:
            return
        if self._image:
            picture = (
                array.reshape(array.shape[0], -1) if array.ndim != 3 or array.shape[2] > 4 else array.mean(axis=2)
            )
            self.source.data = {"image": [picture], "width": [picture.shape[1]], "height": [picture.shape[0]]}
        else:
            self.source.data = {"element": np.arange(len(array)), "value": array}
