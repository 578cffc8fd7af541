"""The moment that a viewer chose, of an event: a line in every plot against time, on the clock that the plot shows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from bokeh.models import DatetimeAxis, Plot, Span

from . import theme
from .panels import ONBOARD, RECEIVED

AROUND_MS = 300_000.0
"""Of the range that is drawn, before and behind a moment."""


class Moment(NamedTuple):
    """UTC in ms since 1970, NaN where it is not known."""

    onboard_ms: float = math.nan
    received_ms: float = math.nan

    @property
    def around_ms(self) -> tuple[float, float] | None:
        """A range around it, of onboard time; None where that is not known."""
        at = self.onboard_ms
        return (at - AROUND_MS, at + AROUND_MS) if math.isfinite(at) else None


class MomentMarks:
    """The lines in the figures of one page."""

    def __init__(self) -> None:
        self._lines: dict[str, Span] = {}
        """By id of the figure."""

    def show(self, root: Any, moment: Moment | None) -> None:
        """Mark a moment in the figures below a model; None: nothing."""
        for figure in root.select({"type": Plot}):
            at = _of_axis(figure, moment)
            line = self._lines.get(figure.id)
            if line is None and at is not None:
                line = self._lines[figure.id] = Span(dimension="height", line_color=theme.PINK, line_width=2,
                                                     line_dash="dashed", name="moment")  # fmt: skip
                figure.add_layout(line)
            if line is not None:
                if at is not None and line.location != at:
                    line.location = at
                if line.visible != (at is not None):
                    line.visible = at is not None


def _of_axis(figure: Plot, moment: Moment | None) -> float | None:
    """Where a moment is on the x axis of a figure, by what that shows."""
    if moment is None:
        return None
    labels = [axis.axis_label for axis in figure.below if isinstance(axis, DatetimeAxis)]
    at = {ONBOARD: moment.onboard_ms, RECEIVED: moment.received_ms}.get(labels[0], math.nan) if labels else math.nan
    return at if math.isfinite(at) else None


def onboard_at(received_ns: float, pairs: Iterable[tuple[int, int]]) -> float:
    """The onboard time (UTC, ns) of what was received then; NaN beyond `pairs` of reception and onboard time."""
    known = np.array(sorted(pairs), np.float64).reshape(-1, 2)
    if not len(known):
        return math.nan
    return float(np.interp(received_ns, known[:, 0], known[:, 1], left=math.nan, right=math.nan))
