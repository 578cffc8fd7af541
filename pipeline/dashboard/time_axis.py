"""The time axis that the figures of a page share: a zoom or pan of one chooses the range of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bokeh.events import RangesUpdate, Reset
from bokeh.models import DataRange1d, DatetimeAxis, Plot, Range1d

from .panels import ONBOARD
from .selection import RangeMs, checked_range_ms


class TimeAxis:
    """The x range of all figures against onboard time. While a range is chosen they share one `Range1d`; else each has
    its own `DataRange1d`, which follows what comes, and a zoom or pan of it chooses a range.
    """

    def __init__(self, zoomed: Callable[[RangeMs], None], reset: Callable[[], None]) -> None:
        """`zoomed`: called with the range (UTC, ms since 1970) that a viewer zoomed or panned to; `reset`: called after
        the reset tool of a figure.
        """
        self._zoomed, self._reset = zoomed, reset
        self.range = Range1d(0, 1, name="time_range")
        self._own: dict[str, tuple[Plot, Any]] = {}
        """By id, figures and the range that they have while they follow what comes."""
        self._watched: set[str] = set()
        """Ids of figures whose zoom, pan and reset are noticed."""
        self._is_ours = False
        for end in ("start", "end"):
            self.range.on_change(end, self._moved)

    def _moved(self, _attr: str, _old: float, _new: float) -> None:
        found = checked_range_ms(float(self.range.start), float(self.range.end))
        if not self._is_ours and found:
            self._zoomed(found)

    def _moved_own(self, event: RangesUpdate) -> None:
        """A viewer zoomed or panned a figure; one that shares the common range changes that too, as `_moved` sees."""
        if event.model is not None and event.model.id not in self._own and _is_onboard(event.model):
            found = checked_range_ms(*(float("nan") if one is None else float(one) for one in (event.x0, event.x1)))
            if found:
                self._zoomed(found)

    def show(self, root: Any, wanted: RangeMs | None) -> None:
        """Give the figures of a look the range; None: their own one again, which follows what comes."""
        if wanted is None:
            self._release()
        elif (self.range.start, self.range.end) != wanted:
            self._is_ours = True
            self.range.update(start=wanted[0], end=wanted[1], reset_start=wanted[0], reset_end=wanted[1])
            self._is_ours = False
        for figure in root.select({"type": Plot}):
            is_time = _is_onboard(figure)
            if is_time and isinstance(figure.x_range, DataRange1d):
                self._watch(figure)
                if wanted is not None:
                    self._own[figure.id] = figure, figure.x_range
                    figure.x_range = self.range
            elif not is_time and figure.id in self._own:
                figure.x_range = self._own.pop(figure.id)[1]

    def _watch(self, figure: Plot) -> None:
        if figure.id not in self._watched:
            self._watched.add(figure.id)
            figure.on_event(RangesUpdate, self._moved_own)
            figure.on_event(Reset, lambda _: self._reset())
            for event in (RangesUpdate, Reset):  # a figure of a document reports no event that is added later
                if figure.document is not None:
                    figure.document.callbacks.subscribe(event.event_name, figure)

    def _release(self) -> None:
        for figure, own in self._own.values():
            figure.x_range = own
        for own in {own.id: own for _, own in self._own.values()}.values():
            # BokehJS follows no data after a pan until one of a range's properties changes; without `follow` this one
            # has no other effect
            own.follow_interval = (own.follow_interval or 0.0) + 1.0
        self._own.clear()


def _is_onboard(figure: Plot) -> bool:
    return any(isinstance(one, DatetimeAxis) and one.axis_label == ONBOARD for one in figure.below)
