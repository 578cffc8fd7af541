"""An enumeration against time: a bar for each run of equal labels, a lane for each label."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, Range1d
from numpy.typing import NDArray

from ..model.gaps import gap_starts
from .lines_plot import AXIS_LABELS, Drawn, time_figure
from .panels import hover, milliseconds
from .parameters import NUMBER, Parameters
from .series import runs

_LANE_PX, _LEAST_PX, _MOST_PX = 22, 90, 400
MAX_LETTERS = 18
"""Of a label beside the axis; the whole one shows under the pointer and in the CSV file."""


class LabelsPlot:
    """Shape and place distinguish the labels, not colour."""

    def __init__(self, drawn: Drawn, axis: str, x_range: Range1d, number: int) -> None:
        self.axis, self.drawn = axis, (drawn,)
        name = f"parameter_bands_{number}" if number else "parameter_bands"
        self.source = ColumnDataSource(
            {key: [] for key in ("left", "right", "lane", "label")}, name=name, tags=drawn.tags
        )
        self.sources = [self.source]
        self._y_range = Range1d(-0.6, 0.6)
        self.figure = time_figure(axis, x_range, drawn.parameter.name, _LEAST_PX)
        self.figure.y_range = self._y_range
        self.figure.update(sizing_mode="stretch_width", height=_LEAST_PX)
        self.figure.hbar(
            "lane",
            left="left",
            right="right",
            height=0.7,
            source=self.source,
            color=drawn.style.colour,
            line_color=drawn.style.colour,
        )
        form = "{%F %H:%M:%S}" if axis != NUMBER else ""
        tips = [("from", f"@left{form}"), ("to", f"@right{form}"), (drawn.parameter.name, "@label")]
        hover(self.figure, list(self.figure.renderers), tips, times=("left", "right") if form else ())
        self._labels: list[str] = []
        self._known: tuple[Any, ...] = ()

    def fill(self, parameters: Parameters) -> None:
        """Bring the bars up to the rows that are kept."""
        one = self.drawn[0].parameter
        container = parameters.containers.get(one.container)
        known = (id(container), container.ring.mark if container else None)
        if known == self._known:
            return
        self._known = known
        time_ns, codes, _, axis = parameters.rows_of(one)
        first, last = runs(codes, gap_starts(time_ns) if axis != NUMBER else np.empty(0, np.int64))
        place = self._place(time_ns)
        end = np.where(np.isin(last + 1, first) & (last + 1 < len(place)), last + 1, last)
        is_known = np.isfinite(codes[first])
        lanes = codes[first][is_known]
        names = [one.labels[int(code)] for code in lanes]
        self.source.data = {
            "left": place[first][is_known],
            "right": place[end][is_known],
            "lane": lanes,
            "label": names,
        }
        if self._labels != one.labels:
            self._name_lanes(list(one.labels))

    def _name_lanes(self, labels: list[str]) -> None:
        self._labels = labels
        of = self.figure.yaxis[0]
        of.ticker = FixedTicker(ticks=list(range(len(labels))))
        of.major_label_overrides = {
            i: text if len(text) <= MAX_LETTERS else f"{text[: MAX_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
            for i, text in enumerate(labels)
        }
        self._y_range.end = len(labels) - 0.4
        self.figure.height = min(_LEAST_PX + _LANE_PX * len(labels), _MOST_PX)

    def _place(self, time_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        return time_ns.astype(np.float64) if self.axis == NUMBER else np.asarray(milliseconds(time_ns))

    @property
    def x_label(self) -> str:
        return AXIS_LABELS[self.axis]
