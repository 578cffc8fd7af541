"""A display that a mission declares: its panels on a grid, in one column where the page is narrow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

from bokeh.layouts import column
from bokeh.models import GridBox, UIElement

from ..model.displays import Display, DisplayPanel
from ..model.quality_words import quality_words
from . import theme
from .arrays_plot import NewestRow
from .line_styles import LineStyle
from .lines_plot import Drawn
from .panels import Panel, below
from .parameter_plot import ParameterPlot
from .parameter_table import Alarm, AlarmOf, Entry, table
from .parameters import Parameter, Parameters
from .parameters_look import alarms_of, states_of
from .selection import Selection
from .stream import Stream
from .theme import sheet
from .words import Words, ago


class DisplayLook:
    """Shows the parameters that its panels name, and lists those of which nothing came."""

    def __init__(self, display: Display, selection: Selection) -> None:
        self.title = display.title
        self._problems = Words(theme.PROBLEMS_CSS, sizing_mode="stretch_width", margin=6, name="display_problems")
        self._panels = [_PANELS[one.kind](one, selection, i) for i, one in enumerate(display.panels)]
        places = [
            (panel.root, one.row, one.column, one.height, one.width)
            for panel, one in zip(self._panels, display.panels, strict=True)
        ]
        grid = GridBox(
            children=places, sizing_mode="stretch_both", name="display", stylesheets=[sheet(theme.GRID_CSS)]
        )
        if display.problems:
            lines = "".join(f"<li>{escape(one)}</li>" for one in display.problems)
            self._problems.set(f"<p role=alert>This display cannot be shown:</p><ul>{lines}</ul>")
        self.root: UIElement = below(self._problems.root if display.problems else grid)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        """Bring all panels up to the stream."""
        for one in self._panels:
            one.refresh(stream, now_s)


class _Plot:
    """Parameters against time, as in the Parameters look."""

    def __init__(self, panel: DisplayPanel, selection: Selection, number: int) -> None:
        self._keys, self._selection = panel.parameters, selection
        self._plot = ParameterPlot(selection, title=panel.title, of_display=f"display_{number}_")
        self.root = self._plot.root

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        parameters = stream.parameters if stream else Parameters()
        self._plot.show(parameters, self._keys, now_s, alarms_of(stream, self._selection.limits_set))


class _Text:
    """A panel of HTML, written anew where something in it has changed."""

    def __init__(
        self, panel: DisplayPanel, selection: Selection, number: int, *, css: str, html: Callable[..., str]
    ) -> None:
        """`html(parameters, selection, alarm_of, now_s)`: of those of the panel that are there."""
        self._keys, self._selection, self._html = panel.parameters, selection, html
        name = f"display_{number}_{panel.kind}"
        self._body = Words(theme.TABLE_CSS + css, sizing_mode="stretch_both", margin=0, name=name)
        self._panel = Panel(panel.title or panel.kind, self._body.root, None, {}, "")
        self._panel.set_caption("")
        self.root = self._panel.root
        self._known: tuple[Any, ...] = ()

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        parameters = stream.parameters if stream else Parameters()
        alarms = stream.alarms if stream else {}
        one = self._selection
        chosen = tuple(one.chosen), tuple(one.pins), one.limits_set
        known = (stream, parameters.n_changes, tuple(alarms.items()), chosen)
        if known == self._known:
            return
        self._known = known
        there = [parameters.known[key] for key in self._keys if key in parameters.known]
        missing = ", ".join(key for key in self._keys if key not in parameters.known)
        words = f"<p class=missing>not here yet: {escape(missing)}</p>" if missing else ""
        self._body.set(self._html(there, parameters, one, states_of(stream, one.limits_set), now_s) + words)


def _rows(
    there: Sequence[Parameter], parameters: Parameters, selection: Selection, alarm_of: AlarmOf, now_s: float
) -> str:
    """Rows as in the table of all parameters."""
    return table([Entry(one.container, one) for one in there], parameters, selection, alarm_of, now_s)


def _values(
    there: Sequence[Parameter], parameters: Parameters, selection: Selection, alarm_of: AlarmOf, now_s: float
) -> str:
    """Newest values in large type, with unit, alarm, doubt and age."""
    del parameters, selection
    return "".join(_value(one, alarm_of(one), now_s) for one in there)


def _value(one: Parameter, alarm: Alarm | None, now_s: float) -> str:
    unit = escape(one.unit) if one.unit != "1" else ""
    severity = "error" if alarm and alarm[1] == "error" else "warning"
    notes = [f"<b class={severity}>▲ {escape(alarm[0])}</b>"] if alarm else []
    notes += [escape(quality_words(one.arrival.quality))] if one.arrival.quality else []
    notes += [f"{ago(now_s - one.arrival.arrived_s)} ago" if one.arrival.arrived_s else "retained"]
    return (
        f"<div class=one title='{escape(one.about, quote=True)}'><span class=label>{escape(one.name)}</span>"
        f"<span class=large>{escape(one.value)} <small>{unit}</small></span>"
        f"<span class=label>{' · '.join(notes)}</span></div>"
    )


class _Image:
    """The newest row of an array; of one with a single axis as a line."""

    def __init__(self, panel: DisplayPanel, selection: Selection, number: int) -> None:
        del selection
        self._number = number
        self._key, self._title = panel.parameters[0], panel.title
        self._place = column([], sizing_mode="stretch_both", margin=0)
        self._panel = Panel(panel.title or panel.parameters[0], self._place, None, {}, "")
        self.root = self._panel.root
        self._form: tuple[Any, ...] = ()
        self._drawn: NewestRow | None = None

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        parameters = stream.parameters if stream else Parameters()
        one = parameters.known.get(self._key)
        if one is None or one.array is None:
            self._panel.set_caption("not here yet" if one is None else "no array")
            return
        form = (id(one), one.array.ndim)
        if form != self._form:
            self._form, self._drawn = form, NewestRow(Drawn(one, LineStyle.of(0)), 0)
            self._drawn.source.name = f"display_{self._number}_{self._drawn.source.name}"
            self._place.children = [self._drawn.figure]
        if self._drawn:
            self._drawn.fill(parameters)
        self._panel.set_caption(one.arrival.onboard[:19], arrived_s=one.arrival.arrived_s, now_s=now_s)


_PANELS: dict[str, Any] = {
    "plot": _Plot,
    "table": partial(_Text, css=theme.PARAMETERS_CSS, html=_rows),
    "value": partial(_Text, css=theme.VALUES_CSS, html=_values),
    "image": _Image,
}
