"""Parameters: every one that products bring, by container, with search and pins; those that are chosen as a plot."""

from __future__ import annotations

import time
from typing import Any

from bokeh.models import Button, CustomJS, Select, TextInput, UIElement

from . import print_page, theme
from .alarm_contexts import MissionAlarms
from .panels import Panel, below, beside_or_below, controls
from .parameter_plot import NO_ALARMS, NO_CLOCK, ParameterPlot
from .parameter_table import AlarmOf, Entry, entries, table, trend
from .parameters import ONBOARD, Parameters
from .plot_scripts import SAVE
from .save_display import display_toml
from .selection import MAX_SEARCH, Selection
from .stream import Stream
from .theme import sheet
from .words import Words, number_of

__all__ = ["ParametersLook", "trend"]

PAGE_ROWS = 100
"""Of the table: more are reached by its buttons, or by a search."""


class ParametersLook:
    """A search and a table; beside it the parameters that were chosen, against time."""

    title = "Parameters"
    shares_selection = True

    def __init__(self, selection: Selection | None = None) -> None:
        self.selection = selection if selection is not None else Selection()
        widget: dict[str, Any] = {"height": 28, "margin": (5, 2, 5, 4), "stylesheets": [sheet(theme.WIDGET_CSS)]}
        self.search = TextInput(
            placeholder="search: name, container, unit",
            value=self.selection.search,
            width=210,
            name="search",
            **widget,
        )
        self._back, self._on = (
            Button(label=label, width=width, **widget) for label, width in (("previous", 66), ("next", 46))
        )
        self._pinned = Button(label="pinned", width=84, name="pinned", **widget)
        self._fold = Button(label="fold all", width=60, name="fold", **widget)
        self._save = Button(
            label="save as display", width=102, name="save_display", tags=[""], disabled=True, **widget
        )
        self._save.js_on_event("button_click", CustomJS(code=SAVE))
        self._table = Words(
            theme.TABLE_CSS + theme.PARAMETERS_CSS, sizing_mode="stretch_both", margin=0, name="parameters"
        )
        self._panel = Panel("Parameters", self._table.root, None, {}, "")
        self._panel.root.stylesheets = [*self._panel.root.stylesheets, sheet(theme.TALL_CSS)]
        self._plot = ParameterPlot(self.selection)
        self._first = 0
        self._known: tuple[Any, ...] = ()
        self._listed: tuple[Any, ...] = ()
        self._entries: list[Entry] = []
        self._n_found = self._n_containers = 0
        self._stream: Stream | None = None
        self._limits = Select(width=150, name="limits_set", visible=False, **widget)
        self._limits.on_change("value", self._choose_limits)
        self._back.on_click(lambda: self._turn(-PAGE_ROWS))
        self._on.on_click(lambda: self._turn(PAGE_ROWS))
        self._pinned.on_click(self._show_pins)
        self._fold.on_click(self._fold_all)
        self.search.on_change("value_input", self._searched)
        left = below(
            controls(self.search, self._pinned, self._fold, self._limits, self._save, self._back, self._on),
            self._panel.root,
        )
        self.root: UIElement = beside_or_below(left, self._plot.root, css=print_page.BELOW)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        if stream is not self._stream:
            self._stream, self._first = stream, 0
        parameters = stream.parameters if stream else Parameters()
        alarms = stream.alarms if stream else {}
        one = self.selection
        self._list(parameters)
        self._offer_limits(stream)
        known = (
            stream,
            parameters.n_changes,
            self._listed,
            self._first,
            len(alarms),
            one.limits_set,
            tuple(one.chosen),
            tuple(one.pins),
        )
        if known != self._known:
            self._known = known
            self._fill(parameters, states_of(stream, one.limits_set), now_s)
        self._plot.show(parameters, one.chosen, now_s, alarms_of(stream, one.limits_set))

    def _list(self, parameters: Parameters) -> None:
        """Find which rows the table has, where that has changed."""
        one = self.selection
        pins = tuple(one.pins) if one.only_pins else ()
        listed = (
            id(parameters),
            len(parameters.known),
            one.search,
            one.only_pins,
            pins,
            one.fold_all,
            frozenset(one.unlike),
        )
        if listed == self._listed:
            return
        self._listed = listed
        self._entries, self._n_found = entries(parameters, one)
        self._n_containers = len({known.container for known in parameters.known.values()})
        if (self.search.value_input or "") != one.search:
            self.search.update(value=one.search, value_input=one.search)

    def _turn(self, n: int) -> None:
        self._first = max(self._first + n, 0)
        self._refresh_soon()

    def _searched(self, _attr: str, _old: object, words: str) -> None:
        if words[:MAX_SEARCH] != self.selection.search:
            self.selection.search, self._first = words[:MAX_SEARCH], 0
            self._refresh_soon()

    def _offer_limits(self, stream: Stream | None) -> None:
        """Offer the limits sets of the dictionary, where it has several."""
        sets = list(stream.mission.limits_sets) if stream and stream.mission else []
        chosen = self.selection.limits_set if self.selection.limits_set in sets else next(iter(sets), "")
        options = [(name, f"limits: {name}") for name in sets]
        if (self._limits.options, self._limits.value) != (options, chosen):
            self._limits.update(options=options, value=chosen, visible=len(sets) > 1)

    def _choose_limits(self, _attr: str, _old: object, name: str) -> None:
        sets = list(stream.mission.limits_sets) if (stream := self._stream) and stream.mission else []
        wanted = "" if name not in sets[1:] else name
        if name in sets and wanted != self.selection.limits_set:
            self.selection.limits_set = wanted
            self._refresh_soon()

    def _show_pins(self) -> None:
        self.selection.only_pins = not self.selection.only_pins
        self._first = 0
        self._refresh_soon()

    def _fold_all(self) -> None:
        """Fold up all containers, or open them all."""
        self.selection.fold_all, self.selection.unlike = not self.selection.fold_all, set()
        self._first = 0
        self._refresh_soon()

    def _refresh_soon(self) -> None:
        """Show what was asked for now: the next tick may be half a second away."""
        self.refresh(self._stream, time.monotonic())

    def _fill(self, parameters: Parameters, alarm_of: AlarmOf, now_s: float) -> None:
        n = len(self._entries)
        self._first = min(self._first, max(n - 1, 0) // PAGE_ROWS * PAGE_ROWS)
        shown = self._entries[self._first : self._first + PAGE_ROWS]
        for button, has_more in ((self._back, self._first > 0), (self._on, self._first + PAGE_ROWS < n)):
            _show(button, n > PAGE_ROWS, has_more)
        label = f"{'★' if self.selection.only_pins else '☆'} pinned ({len(self.selection.pins)})"
        if self._pinned.label != label:
            self._pinned.label = label
        if self._save.tags[0] != (text := display_toml(self.selection)):
            self._save.update(tags=[text], disabled=not text)
        axes = {one.axis for one in parameters.containers.values()}
        note = NO_CLOCK if axes and ONBOARD not in axes else ""
        self._panel.set_caption(self._count(parameters, len(shown)), note=note, arrived_s=0.0)
        self._table.set(table(shown, parameters, self.selection, alarm_of, now_s))

    def _count(self, parameters: Parameters, n_shown: int) -> str:
        n_all = len(parameters.known)
        if not n_all:
            return "none yet: they come with products and with what the broker has retained"
        words = [f"{n_all:,} in {number_of(self._n_containers, 'container')}"]
        words += [f"{self._n_found:,} match"] if self._n_found < n_all else []
        last = self._first + n_shown
        words += [f"{self._first + 1:,} to {last:,} shown"] if n_shown < len(self._entries) else []
        words += [f"{parameters.n_left_out:,} more have no room"] if parameters.n_left_out else []
        return " · ".join(words)


def alarms_of(stream: Stream | None, limits_set: str = "") -> MissionAlarms:
    """The alarms of the stream's mission by a limits set; none where the mission is not known."""
    return stream.mission.alarms_by(limits_set) if stream and stream.mission else NO_ALARMS


def states_of(stream: Stream | None, limits_set: str = "") -> AlarmOf:
    """What gives the alarm state of a parameter: its last event, else its newest rows; by another limits set than that
    of the services, whose events are not of it, its newest rows.
    """
    if stream is None:
        return lambda _: None
    alarms = alarms_of(stream, limits_set)
    if alarms is not alarms_of(stream):
        return lambda one: alarms.state(one, stream.parameters)
    return lambda one: stream.alarms.get(one.key) or alarms.state(one, stream.parameters)


def _show(button: Button, is_shown: bool, is_enabled: bool) -> None:
    if (button.visible, button.disabled) != (is_shown, not is_enabled):
        button.update(visible=is_shown, disabled=not is_enabled)
