"""Small pictures side by side, of which one is chosen by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS, HoverTool, LabelSet, Range1d, TapTool
from bokeh.plotting import figure

from ..model.batches import DOUBTFUL
from . import theme
from .album import Picture
from .panels import ONBOARD, utc_text
from .theme import sheet

CELL_PX = 78
_LABEL = 0.16  # of a cell's height
_INNER = 0.94
_SQUARE = """
const across = figure.inner_width / cell, n = source.data.x.length
range.setv(n <= across ? {start: 0, end: across} : {start: n - across, end: n})
"""
"""Square cells: as many as there is room for, the last ones where there are more."""


class Thumbnails:
    """A row of cells, or rows of `n_across`; the first line of each picture on top."""

    def __init__(self, name: str, chosen: Callable[[str], None], *, n_across: int = 0) -> None:
        self._n_across = n_across
        self._chosen = chosen
        self._ids: list[str] = []
        self.images = ColumnDataSource({key: [] for key in ("image", "x", "y", "dw", "dh")}, name=name)
        cells = ("x", "y", "label", "what", "at", "line", "width", "dash")
        self.cells = ColumnDataSource({key: [] for key in cells}, name=f"{name} cells")
        self._x_range, self._y_range = Range1d(0, n_across or 1), Range1d(1, 0)
        self.figure = self._drawn()
        self.cells.selected.on_change("indices", self._picked)

    def fill(self, pictures: Sequence[Picture], shown: str, labels: Sequence[str]) -> None:
        """Show these, the one of the id `shown` framed."""
        self._ids = [one.id for one in pictures]
        across = self._n_across or max(len(pictures), 1)
        boxes = [_box(one, i % across, i // across) for i, one in enumerate(pictures)]
        self.images.data = {
            "image": [one.thumbnail for one in pictures],
            **{key: [box[k] for box in boxes] for k, key in enumerate(("x", "y", "dw", "dh"))},
        }
        self.cells.data = {
            "x": [i % across + 0.5 for i in range(len(pictures))],
            "y": [i // across + 0.5 for i in range(len(pictures))],
            "label": list(labels),
            "what": [one.key + (", doubtful" if _is_doubtful(one) else "") for one in pictures],
            "at": [utc_text(one.time_ns) for one in pictures],
            "line": [_frame(one, shown) for one in pictures],
            "width": [2 if one.id == shown else 0.5 for one in pictures],
            "dash": ["dashed" if _is_doubtful(one) else "solid" for one in pictures],
        }
        n_rows = max(-(-len(pictures) // across), 1)
        if self._n_across:
            self._y_range.start = n_rows
            self.figure.height = n_rows * CELL_PX

    def _picked(self, _attr: str, _old: object, new: list[int]) -> None:
        if new and new[0] < len(self._ids):
            self.cells.selected.indices = []
            self._chosen(self._ids[new[0]])

    def _drawn(self) -> Any:
        made = figure(
            x_range=self._x_range, y_range=self._y_range, tools="xpan,xwheel_pan" if not self._n_across else "",
            toolbar_location=None, min_border=0, outline_line_color=None, height=CELL_PX,
            **({"width": CELL_PX * self._n_across} if self._n_across else {"sizing_mode": "stretch_width"}),
        )  # fmt: skip
        made.stylesheets = [sheet("@media print { :host { overflow: clip; } }")]
        made.axis.visible = made.grid.visible = False
        made.image_rgba("image", "x", "y", "dw", "dh", source=self.images)
        frames = made.rect(
            "x", "y", width=_INNER, height=_INNER, source=self.cells, fill_alpha=0, line_color="line",
            line_width="width", line_dash="dash", nonselection_fill_alpha=0, nonselection_line_alpha=1,
            selection_fill_alpha=0,
        )  # fmt: skip
        made.add_layout(
            LabelSet(
                x="x", y="y", text="label", source=self.cells, y_offset=5 - CELL_PX // 2, text_font_size="10px",
                text_align="center", text_baseline="bottom",
            )
        )  # fmt: skip
        made.add_tools(
            TapTool(renderers=[frames]),
            HoverTool(renderers=[frames], tooltips=[("", "@what"), (ONBOARD, "@at")], attachment="above"),
        )
        if not self._n_across:
            square = CustomJS(
                args={"range": self._x_range, "cell": CELL_PX, "figure": made, "source": self.images}, code=_SQUARE
            )
            made.js_on_change("inner_width", square)
            self.images.js_on_change("data", square)
        return made


def _box(picture: Picture, column: int, row: int) -> tuple[float, float, float, float]:
    """x, y, width and height of a picture in its cell, in shape; y is that of its last line, since rows go down."""
    lines, samples = picture.thumbnail.shape
    room = _INNER - 0.06, _INNER - 0.06 - _LABEL
    scale = min(room[0] / samples, room[1] / lines)
    width, height = samples * scale, lines * scale
    middle = row + (1 - _LABEL) / 2
    return column + (1 - width) / 2, middle - height / 2, width, height


def _frame(picture: Picture, shown: str) -> str:
    return theme.BLUE if picture.id == shown else theme.MUTED


def _is_doubtful(picture: Picture) -> bool:
    return bool(picture.flagged or picture.quality & int(DOUBTFUL))
