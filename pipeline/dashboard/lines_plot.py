"""Numbers against time in one figure: a line for each parameter, an axis for each unit, ranges of alarms as bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import (
    BoxAnnotation,
    BoxZoomTool,
    ColumnDataSource,
    DataRange1d,
    Label,
    Legend,
    LegendItem,
    LinearAxis,
    PanTool,
    Range1d,
    SaveTool,
    Span,
    WheelZoomTool,
)
from numpy.typing import NDArray

from ..model.looks import Rows
from . import theme
from .alarm_bands import Band, edges
from .alarm_contexts import MissionAlarms, ParameterAlarms
from .alarm_steps import AlarmSteps
from .line_styles import LineStyle
from .panels import (
    ONBOARD,
    QUALITY_TIP,
    RECEIVED,
    Tail,
    hover,
    mark_gaps,
    milliseconds,
    plot,
    where_doubtful,
)
from .parameters import NUMBER, VALUES, Parameter, Parameters
from .parameters import ONBOARD as ONBOARD_AXIS
from .parameters import RECEIVED as RECEIVED_AXIS
from .rows import QUALITY, TIME

AXIS_LABELS = {ONBOARD_AXIS: ONBOARD, RECEIVED_AXIS: RECEIVED, NUMBER: "row number"}
MAX_UNITS = 4
"""Axes of one figure: parameters of further units stand in the next one."""
_ONE_COLUMN = 3
"""Lines of a legend that stand one below the other; more take two columns."""
_WHOLE_DIGITS = 7
"""Of numbers beside an axis that are written out; larger ones stand with an exponent."""
_NEAR = 3.0
"""Limits that are no further from the data than so many times their span are in sight with them."""


class Drawn(NamedTuple):
    """A parameter of the plot, how it looks, its alarms, and those of the mission."""

    parameter: Parameter
    style: LineStyle
    alarms: ParameterAlarms | None = None
    mission_alarms: MissionAlarms = MissionAlarms()

    @property
    def has_bands(self) -> bool:
        return self.alarms is not None and self.alarms.has_bands

    @property
    def is_by_context(self) -> bool:
        """Whether its ranges of alarms change with time."""
        return self.alarms is not None and self.has_bands and bool(self.alarms.contexts)

    @property
    def bands(self) -> Sequence[Band]:
        """Ranges that hold all the time."""
        return self.alarms.bands if self.alarms and not self.alarms.contexts else ()

    @property
    def unit(self) -> str:
        return "" if self.parameter.unit == "1" else self.parameter.unit

    @property
    def tags(self) -> list[str]:
        """Of its source: what it is called in a CSV file, and its unit."""
        return [self.parameter.key, self.parameter.unit]

    @property
    def label(self) -> str:
        return f"{self.parameter.name} [{self.unit}]" if self.unit else self.parameter.name


def time_figure(axis: str, x_range: Range1d, label: str, height: int) -> Any:
    """A figure over the x range that all of them share; the wheel zooms time alone."""
    made = plot(AXIS_LABELS[axis], label, is_time=axis != NUMBER, x_range=x_range, min_height=height)
    wheel = WheelZoomTool(dimensions="width")
    made.tools = [
        PanTool(dimensions="width"),
        wheel,
        BoxZoomTool(dimensions="width"),
        SaveTool(filename="parameters"),
    ]
    made.toolbar.active_scroll = wheel
    made.window_axis = "x"  # the range of values is that of what is in sight
    return made


class LinesPlot:
    """One figure for at most MAX_UNITS units."""

    def __init__(self, drawn: Sequence[Drawn], axis: str, x_range: Range1d, number: int) -> None:
        """`number`: of the figure in the plot: sources are called parameter_line, parameter_line_1 ... in order."""
        self.axis, self.drawn = axis, drawn
        self.units = list(dict.fromkeys(one.unit for one in drawn))
        self.figure = time_figure(axis, x_range, "", 220)
        self._ranges = [self.figure.y_range, *(DataRange1d() for _ in self.units[1:])]
        self.figure.extra_y_ranges = {
            "marks": Range1d(0, 1),
            **{f"unit {i}": one for i, one in enumerate(self._ranges) if i},
        }
        self._tails: list[Tail] = []
        self.sources: list[ColumnDataSource] = []
        lines = [self._line(one, number + i) for i, one in enumerate(drawn)]
        for i, unit in enumerate(self.units):
            self._ranges[i].renderers = [line for line, one in zip(lines, drawn, strict=True) if one.unit == unit]
            self._axis(i, unit)
        self._mark_gaps()
        self._near = ColumnDataSource({"time": [], "limit": []})
        """Limits that are to be in sight, at the time of the last row."""
        self._draw_bands()
        if len(drawn) > 1:
            items = [LegendItem(label=one.label, renderers=[line]) for one, line in zip(drawn, lines, strict=True)]
            ncols, spacing = (1, 0) if len(drawn) <= _ONE_COLUMN else (2, 8)
            legend = Legend(items=items, ncols=ncols, padding=2, spacing=spacing, margin=2, name="parameter_legend")
            self.figure.add_layout(legend, "above")

    def _range_name(self, unit: str) -> str:
        place = self.units.index(unit)
        return f"unit {place}" if place else "default"

    def _line(self, one: Drawn, number: int) -> Any:
        name = f"parameter_line_{number}" if number else "parameter_line"
        source = ColumnDataSource(
            {key: [] for key in ("time", "value", "mark", "quality", "gap")}, name=name, tags=one.tags
        )
        on = {"source": source, "y_range_name": self._range_name(one.unit), "color": one.style.colour}
        line = self.figure.line("time", "value", line_width=1.5, line_dash=one.style.dash, **on)
        alpha = 1.0 if one.style.dash == "solid" else 0.0  # points would fill the dashes
        points = self.figure.scatter("time", "value", size=3, alpha=alpha, **on)
        marks = self.figure.scatter(
            "time", "mark", source=source, y_range_name="marks", marker=theme.FLAG_MARKER, color=theme.FLAG, size=6
        )
        form = "@time" if self.axis == NUMBER else "@time{%F %H:%M:%S.%3N}"
        hover(self.figure, [points], [(AXIS_LABELS[self.axis], form), (one.label, "@value")])
        hover(self.figure, [marks], [(AXIS_LABELS[self.axis], form), (one.label, "doubtful"), QUALITY_TIP])
        self.sources.append(source)
        self._tails.append(Tail(source, lambda rows: self._shown(one.parameter, rows)))
        return line

    def _axis(self, place: int, unit: str) -> None:
        """The axis of a unit: the first left, the second right, and so on; in the colour of its line, if it is one."""
        of_unit = [one for one in self.drawn if one.unit == unit]
        axis = self.figure.yaxis[0] if not place else LinearAxis(y_range_name=f"unit {place}")
        axis.formatter.power_limit_high = _WHOLE_DIGITS
        if len(of_unit) == 1:
            axis.axis_label = of_unit[0].label
        else:
            axis.axis_label = f"[{unit}]" if unit else ", ".join(one.parameter.name for one in of_unit)[:60]
        if len(of_unit) == 1 and len(self.drawn) > 1:
            axis.axis_line_color, axis.axis_line_width = of_unit[0].style.colour, 3
        if place:
            self.figure.add_layout(axis, "right" if place % 2 else "left")

    def _mark_gaps(self) -> None:
        """Bands where samples are missing: where all parameters are of one container."""
        if len({one.parameter.container for one in self.drawn}) == 1:
            self._tails[0].gaps = {mark_gaps(self.figure): "time"}

    def _draw_bands(self) -> None:
        """Ranges of alarms: as bands where one parameter has them, else the ends of each as lines of its colour."""
        with_bands = [one for one in self.drawn if one.has_bands]
        self._steps: list[AlarmSteps] = []
        for one in with_bands:
            on = self._range_name(one.unit)
            if one.is_by_context:
                only_edges = one.style.colour if len(with_bands) > 1 else ""
                self._steps.append(AlarmSteps(self.figure, one, on, self.axis, only_edges=only_edges))
            elif len(with_bands) > 1:
                self._draw_edges(one, on)
            else:
                for band in one.bands:
                    self._draw_band(band, on, one.parameter.name if len(self.drawn) > 1 else "")
            if len(with_bands) == 1:
                unseen = self.figure.scatter("time", "limit", source=self._near, y_range_name=on, alpha=0)
                self._ranges[self.units.index(one.unit)].renderers += [unseen]

    def _draw_edges(self, one: Drawn, range_name: str) -> None:
        for end in edges(one.bands):
            self.figure.add_layout(
                Span(
                    location=end,
                    dimension="width",
                    y_range_name=range_name,
                    line_color=one.style.colour,
                    line_dash="dotted",
                    line_width=1.5,
                )
            )

    def _draw_band(self, band: Band, range_name: str, whose: str) -> None:
        """`whose`: the name of the parameter, where others are drawn beside it."""
        low, high = (end if np.isfinite(end) else None for end in (band.low, band.high))
        colour = theme.RED if band.is_severe else theme.ORANGE
        self.figure.add_layout(
            BoxAnnotation(
                **{name: end for name, end in (("bottom", low), ("top", high)) if end is not None},
                y_range_name=range_name,
                fill_color=colour,
                fill_alpha=0.14,
                line_color=colour,
                line_dash="solid" if band.is_severe else "dashed",
                level="underlay",
                name="alarm_band",
                tags=[band.level],
            )
        )
        if low is None and high is None:
            return
        self.figure.add_layout(
            Label(
                x=6,
                x_units="screen",
                y=low if low is not None else high,
                y_range_name=range_name,
                y_offset=2 if low is not None else -2,
                text=f"{whose} {band.level}".strip(),
                text_baseline="bottom" if low is not None else "top",
                text_font_size="11px",
                name="alarm_label",
            )
        )

    def _shown(self, one: Parameter, rows: Rows) -> dict[str, Any]:
        time_ns = rows[TIME]
        return {
            "time": time_ns.astype(np.float64) if self.axis == NUMBER else milliseconds(time_ns),
            "value": rows[VALUES][:, one.column],
            "mark": where_doubtful(rows[QUALITY]),
            "quality": rows[QUALITY].astype(float),
        }

    def fill(self, parameters: Parameters) -> None:
        """Bring the lines up to the rows that are kept."""
        for one, tail in zip(self.drawn, self._tails, strict=True):
            container = parameters.containers.get(one.parameter.container)
            tail.follow(container.ring if container else None)
        for steps in self._steps:
            steps.fill(parameters)
        with_bands = [one for one in self.drawn if one.has_bands]
        if len(with_bands) == 1:
            bands = self._steps[0].newest if self._steps else with_bands[0].bands
            near = self._limits_near(*parameters.rows_of(with_bands[0].parameter)[:2], edges(bands))
            if near != self._near.data:
                self._near.data = near

    def _limits_near(
        self, time_ns: NDArray[np.int64], values: NDArray[np.float64], limits: list[float]
    ) -> dict[str, list[float]]:
        finite = values[np.isfinite(values)]
        if not len(finite):
            return {"time": [], "limit": []}
        low, high = float(finite.min()), float(finite.max())
        reach = _NEAR * (high - low or abs(high) or 1.0)
        near = [end for end in limits if low - reach <= end <= high + reach]
        last = float(time_ns[-1]) if self.axis == NUMBER else float(milliseconds(time_ns[-1]))
        return {"time": [last] * len(near), "limit": near}
