"""Ranges of alarms by context in a figure: a rectangle for each range, as long as its context lasts.

In: the rows of a parameter, and which of its alarms applies to each. Where that is not known nothing is drawn; the
caption of the plot has a note.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, LabelSet

from ..model.gaps import gap_starts
from . import theme
from .alarm_bands import Band
from .panels import hover, milliseconds
from .parameters import NUMBER, Parameters
from .series import runs

if TYPE_CHECKING:
    from .lines_plot import Drawn

_COLUMNS = ("left", "right", "bottom", "top", "level", "context", "colour", "dash")
_NAMED_SHARE = 0.08
"""Of the time of all rows: the level stands in words beside rectangles that last so long."""
_BEYOND = 1000.0
"""An endless range is drawn so many times as far as the values and the finite ends of ranges reach."""


class AlarmSteps:
    """The rectangles of one parameter."""

    def __init__(self, figure: Any, drawn: Drawn, range_name: str, axis: str, *, only_edges: str) -> None:
        """`only_edges`: the colour of lines at the finite ends of ranges, in place of rectangles; empty: rectangles."""
        self._drawn, self._axis = drawn, axis
        self.newest: Sequence[Band] = ()
        """The ranges that apply to the newest row."""
        self.source = ColumnDataSource({name: [] for name in _COLUMNS}, name="alarm_steps")
        self.words = ColumnDataSource({name: [] for name in ("time", "value", "level")}, name="alarm_words")
        on: dict[str, Any] = {"source": self.source, "y_range_name": range_name, "level": "underlay"}
        if only_edges:
            for end in ("bottom", "top"):
                figure.segment(
                    "left", end, "right", end, line_color=only_edges, line_dash="dotted", line_width=1.5, **on
                )
            return
        made = figure.quad(
            "left", "right", "top", "bottom", fill_color="colour", fill_alpha=0.14, line_color="colour",
            line_dash="dash", **on,
        )  # fmt: skip
        form = "{%F %H:%M:%S}" if axis != NUMBER else ""
        name = drawn.parameter.name
        tips = [
            (f"alarm of {name}", "@level"),
            ("where", "@context"),
            ("from", f"@left{form}"),
            ("to", f"@right{form}"),
        ]
        hover(figure, [made], tips, times=("left", "right") if form else ())
        figure.add_layout(
            LabelSet(
                x="time", y="value", text="level", source=self.words, y_range_name=range_name, x_offset=3,
                text_baseline="bottom", text_font_size="11px", name="alarm_words",
            )
        )  # fmt: skip

    def fill(self, parameters: Parameters) -> None:
        """Bring the rectangles up to the rows that are kept."""
        one, alarms = self._drawn.parameter, self._drawn.alarms
        time_ns, values, _, _ = parameters.rows_of(one)
        if alarms is None or not len(time_ns):
            self.newest = ()
            self._set({name: [] for name in _COLUMNS}, 0.0)
            return
        applied = self._drawn.mission_alarms.applied(one, parameters)
        gaps = gap_starts(time_ns) if self._axis != NUMBER else np.empty(0, np.int64)
        first, last = runs(applied.astype(np.float64), gaps)
        place = time_ns.astype(np.float64) if self._axis == NUMBER else np.asarray(milliseconds(time_ns))
        until = np.where(np.isin(last + 1, gaps) | (last + 1 >= len(place)), last, last + 1)
        low, high = _reach(values, [band for at in range(len(alarms.contexts) + 1) for band in alarms.bands_at(at)])
        data: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        for begin, end in zip(first.tolist(), until.tolist(), strict=True):
            at = int(applied[begin])
            words = alarms.contexts[at - 1].words if at > 0 else "default"
            for band in alarms.bands_at(at):
                row = (
                    place[begin], place[end], max(band.low, low), min(band.high, high), band.level, words,
                    theme.RED if band.is_severe else theme.ORANGE, "solid" if band.is_severe else "dashed",
                )  # fmt: skip
                for name, cell in zip(_COLUMNS, row, strict=True):
                    data[name].append(cell)
        self.newest = alarms.bands_at(int(applied[-1]))
        self._set(data, float(place[-1] - place[0]))

    def _set(self, data: dict[str, list[Any]], span: float) -> None:
        if data == self.source.data:
            return
        self.source.data = data
        named = [
            (left, _finite_end(bottom, top, self._finite), level)
            for left, right, bottom, top, level in zip(*(data[name] for name in _COLUMNS[:5]), strict=True)
            if right - left >= _NAMED_SHARE * span
        ]
        self.words.data = {
            "time": [left for left, _, _ in named],
            "value": [end for _, end, _ in named],
            "level": [level for _, _, level in named],
        }

    @property
    def _finite(self) -> set[float]:
        """All finite ends of ranges."""
        alarms = self._drawn.alarms
        places = range(len(alarms.contexts) + 1) if alarms else ()
        bands = [band for at in places for band in (alarms.bands_at(at) if alarms else ())]
        return {end for band in bands for end in (band.low, band.high) if np.isfinite(end)}


def _finite_end(bottom: float, top: float, finite: set[float]) -> float:
    """Where the level of a range stands in words: at its lower end, of one that has none at its upper one."""
    return bottom if bottom in finite else top


def _reach(values: Any, bands: Sequence[Band]) -> tuple[float, float]:
    """How far endless ranges are drawn."""
    ends = [end for band in bands for end in (band.low, band.high) if np.isfinite(end)]
    known = np.concatenate([values[np.isfinite(values)], np.array(ends, np.float64)])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    beyond = _BEYOND * (high - low or abs(high) or 1.0)
    return low - beyond, high + beyond
