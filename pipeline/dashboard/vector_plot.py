"""An array of few elements a row, such as a vector: a line against time for each element."""

from __future__ import annotations

from functools import partial
from typing import Any

from bokeh.models import ColumnDataSource, Legend, LegendItem, Range1d

from ..model.looks import Rows
from .array_rows import VALUES
from .line_styles import LineStyle
from .lines_plot import AXIS_LABELS, Drawn, time_figure
from .panels import Tail, hover, mark_gaps, milliseconds
from .parameters import Parameters
from .rows import TIME

MAX_COMPONENTS = 6
"""Elements of a row; of more the newest row is drawn, and a spectrogram."""
_NAMES = "xyz"


class VectorPlot:
    """Elements are called x, y and z where there are three, else by their numbers from 0."""

    def __init__(self, drawn: Drawn, axis: str, x_range: Range1d, number: int) -> None:
        """`axis`: which times the rows have: onboard or received."""
        self.axis, self.drawn = axis, (drawn,)
        one = drawn.parameter
        width = one.history.width if one.history else 0
        self.figure = time_figure(axis, x_range, drawn.label, 200)
        self.sources: list[ColumnDataSource] = []
        self._tails: list[Tail] = []
        lines = []
        for i in range(width):
            element = _NAMES[i] if width == len(_NAMES) else str(i)
            source = ColumnDataSource(
                {key: [] for key in ("time", "value", "gap")},
                name=f"parameter_vector_{number}_{element}",
                tags=[f"{one.key}[{element}]", one.unit],
            )
            lines.append(self._line(source, i, element))
            self.sources.append(source)
            self._tails.append(Tail(source, partial(_shown, element=i)))
        self._tails[0].gaps = {mark_gaps(self.figure): "time"}
        items = [LegendItem(label=str(line.name), renderers=[line]) for line in lines]
        legend = Legend(items=items, ncols=MAX_COMPONENTS, padding=2, spacing=12, margin=2)
        self.figure.add_layout(legend, "above")

    def _line(self, source: ColumnDataSource, place: int, element: str) -> Any:
        colour = LineStyle.of(place).colour
        line = self.figure.line("time", "value", source=source, color=colour, line_width=1.5, name=element)
        points = self.figure.scatter("time", "value", source=source, color=colour, size=3)
        tips = [(AXIS_LABELS[self.axis], "@time{%F %H:%M:%S.%3N}"), (element, "@value")]
        hover(self.figure, [points], tips)
        return line

    def fill(self, parameters: Parameters) -> None:
        """Bring the lines up to the rows that are kept."""
        del parameters
        history = self.drawn[0].parameter.history
        for tail in self._tails:
            tail.follow(history.ring if history else None)


def _shown(rows: Rows, element: int) -> dict[str, Any]:
    return {"time": milliseconds(rows[TIME]), "value": rows[VALUES][:, element].astype(float)}
