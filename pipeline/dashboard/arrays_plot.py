"""An array that has several values a row: its newest row as a line or an image, and its last rows as a spectrogram."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.models import ColorBar, ColumnDataSource, LinearColorMapper, Range1d
from bokeh.palettes import Cividis256

from ..model.looks import Rows
from .lines_plot import Drawn, time_figure
from .panels import milliseconds, plot
from .parameters import Parameters
from .rows import TIME
from .series import columns_in_time

VALUES = "values"
MAX_COLUMNS, MAX_LINES = 400, 256
"""Pixels of a spectrogram: of rows and elements that share one the nearest and the mean are drawn."""


class NewestRow:
    """The newest row: of one axis as a line over its elements, of two as an image."""

    def __init__(self, drawn: Drawn, number: int) -> None:
        self.drawn = (drawn,)
        one = drawn.parameter
        name = f"parameter_array_{number}" if number else "parameter_array"
        self.source = ColumnDataSource({"element": [], "value": []}, name=name, tags=drawn.tags)
        self.sources = [self.source]
        self.figure = plot("element", drawn.label, min_height=200)
        self._image = one.array is not None and one.array.ndim > 1
        self._seen: Any = None
        if self._image:
            self.source.data = {"image": [], "width": [], "height": []}
            mapper = LinearColorMapper(palette="Greys256")
            self.figure.image("image", x=0, y=0, dw="width", dh="height", source=self.source, color_mapper=mapper)
            self.figure.yaxis.axis_label = "line"
            self.figure.y_range.flipped = True
            self.figure.add_layout(ColorBar(color_mapper=mapper, width=8), "right")
        else:
            self.figure.line("element", "value", source=self.source, color=drawn.style.colour, line_width=1.5)

    def fill(self, parameters: Parameters) -> None:
        """Bring it up to the newest row."""
        del parameters
        array = self.drawn[0].parameter.array
        if array is None or array is self._seen:
            return
        self._seen = array
        if not self._image:
            self.source.data = {"element": np.arange(len(array)), "value": array}
            return
        is_colour = array.ndim == 3 and array.shape[2] <= 4
        picture = array.mean(axis=2) if is_colour else array.reshape(array.shape[0], -1)
        self.source.data = {"image": [picture], "width": [picture.shape[1]], "height": [picture.shape[0]]}


class Spectrogram:
    """The last rows against time, a column each; where no row is near it is left open."""

    def __init__(self, drawn: Drawn, axis: str, x_range: Range1d, number: int) -> None:
        self.drawn, self.axis = (drawn,), axis
        name = f"parameter_spectrogram_{number}" if number else "parameter_spectrogram"
        self.source = ColumnDataSource(
            {key: [] for key in ("image", "left", "width", "height")}, name=name, tags=drawn.tags
        )
        self.sources = [self.source]
        self.figure = time_figure(axis, x_range, f"{drawn.parameter.name}, element", 200)
        mapper = LinearColorMapper(palette=Cividis256, nan_color="rgba(0, 0, 0, 0)")
        self.figure.image(
            "image", x="left", y=-0.5, dw="width", dh="height", source=self.source, color_mapper=mapper
        )
        self.figure.add_layout(ColorBar(color_mapper=mapper, width=8), "right")
        self._known: tuple[Any, ...] = ()

    def fill(self, parameters: Parameters) -> None:
        """Bring it up to the rows that are kept."""
        del parameters
        history = self.drawn[0].parameter.history
        known = (id(history), history.ring.mark if history else None)
        if known == self._known or history is None or not len(history.ring):
            return
        self._known = known
        rows = history.ring.rows()
        self.source.data = spectrogram(rows, history.step)


def spectrogram(rows: Rows, step: int) -> dict[str, Any]:
    """Rows as one image: columns in time, lines of elements; elements that share a line are averaged."""
    values = rows[VALUES]
    joined = -(-values.shape[1] // MAX_LINES)
    if joined > 1:
        n = values.shape[1] // joined * joined
        values = values[:, :n].reshape(len(values), -1, joined).mean(axis=2)
    which, first, last = columns_in_time(np.asarray(milliseconds(rows[TIME])), min(MAX_COLUMNS, 2 * len(values)))
    image = np.where(which[:, None] >= 0, values[which], np.float32(np.nan)).T.astype(np.float32)
    height = image.shape[0] * joined * step
    return {"image": [image], "left": [first], "width": [last - first], "height": [height]}
