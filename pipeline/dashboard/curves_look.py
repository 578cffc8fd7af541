"""Curves against time, as a mission declares them: a plot for each `Curves`, all over one time axis."""

from __future__ import annotations

from typing import Any

from bokeh.models import ColumnDataSource, DataRange1d, UIElement

from ..model.looks import Curves, Look, Rows
from . import theme
from .panels import (
    ONBOARD,
    QUALITY_TIP,
    TIME_TIP,
    Panel,
    Tail,
    below,
    beside,
    hover,
    mark_doubtful,
    mark_gaps,
    milliseconds,
    plot,
    where_doubtful,
)
from .rows import QUALITY, TIME
from .stream import Stream

MOST_CURVES = 8
_COLOURS = (theme.BLUE, theme.ORANGE, theme.GREEN, theme.VIOLET, theme.RED, theme.CYAN)


class CurvesLook:
    """Plots below one another, in columns of three."""

    def __init__(self, look: Look) -> None:
        self.title, self.kinds = look.title, look.kinds
        x_range = DataRange1d(range_padding=0.02)
        self._plots = [_Plot(curves, x_range) for curves in look.curves]
        stacks = [self._plots[start : start + 3] for start in range(0, len(self._plots), 3)]
        columns = beside(*(below(*(one.panel.root for one in stack)) for stack in stacks))
        self.root: UIElement = below(columns)

    def seek(self, kind: str, time_ns: int) -> None:
        """All of it is in sight."""

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        for one in self._plots:
            ring = stream.products.get(one.kind) if stream else None
            one.tail.follow(ring)
            one.panel.set_caption_of(ring, now_s)


class _Plot:
    """One `Curves`: how many there are of a vector is known with its first rows."""

    def __init__(self, curves: Curves, x_range: DataRange1d) -> None:
        self.kind = curves.kind
        self._curves = curves
        labels = curves.labels or curves.arrays
        names = [f"curve_{k}" for k in range(min(len(labels), MOST_CURVES))]
        source = ColumnDataSource({name: [] for name in ("time", "quality", "mark", "gap", *names)})
        made = plot(ONBOARD, curves.unit, is_time=True, x_range=x_range)
        drawn = [
            made.line("time", name, source=source, color=_COLOURS[k % len(_COLOURS)], legend_label=label)
            for k, (name, label) in enumerate(zip(names, labels, strict=False))
        ]
        made.legend.orientation = "horizontal"
        made.add_layout(made.legend[0], "above")
        made.legend.click_policy = "hide"
        tips = [(label, f"@{name}{{0.000}} {curves.unit}") for name, label in zip(names, labels, strict=False)]
        hover(made, drawn[:1], [TIME_TIP, *tips, QUALITY_TIP], "vline")
        mark_doubtful(made, source)
        headers = {"time": "utc", **dict(zip(names, labels, strict=False)), "quality": "quality"}
        self._names = names
        self.panel = Panel(curves.title, made, source, headers, f"{curves.kind.replace('/', '_')}.csv")
        self.tail = Tail(source, self._shown, {mark_gaps(made): "time"})

    def _shown(self, rows: Rows) -> dict[str, Any]:
        parts = [part for name in self._curves.arrays for part in rows[name].reshape(len(rows[TIME]), -1).T]
        return {
            "time": milliseconds(rows[TIME]),
            "quality": rows[QUALITY].astype(float),
            "mark": where_doubtful(rows[QUALITY]),
            **dict(zip(self._names, parts, strict=True)),
        }
