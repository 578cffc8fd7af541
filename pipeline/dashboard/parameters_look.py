"""Parameters: every one that products bring, by container, with search; the one that was chosen as a plot."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
from bokeh.models import Button, TextInput, UIElement
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL
from ..model.quality_words import quality_words
from . import theme
from .panels import Panel, below, beside, controls
from .parameter_plot import ParameterPlot
from .parameters import Parameter, Parameters, matching
from .stream import Stream
from .theme import sheet
from .words import Words, ago

PAGE_ROWS = 100
"""Of the table: more are reached by its buttons, or by a search."""
N_TREND = 40
"""Rows that a trend shows."""
_WIDTH, _HEIGHT = 80, 16
"""Of a trend, in pixels."""
_HEADS = ("parameter", "value", "unit", "alarm", "quality", "onboard time, UTC", "received, UTC", "age", "trend")


class ParametersLook:
    """A search and a table; beside it the parameter that was chosen, against time."""

    title = "Parameters"

    def __init__(self) -> None:
        widget = sheet(theme.WIDGET_CSS)
        self.search = TextInput(
            placeholder="search: name, container, unit", width=260, height=28, name="search", stylesheets=[widget]
        )
        self.picked = TextInput(name="picked", visible=False)
        self._back, self._on = (
            Button(label=label, width=80, height=28, stylesheets=[widget]) for label in ("previous", "next")
        )
        self._table = Words(
            theme.TABLE_CSS + theme.PARAMETERS_CSS, sizing_mode="stretch_both", margin=0, name="parameters"
        )
        self._panel = Panel("Parameters", self._table.root, None, {}, "")
        self._plot = ParameterPlot()
        self._first = 0
        self._known: tuple[Any, ...] = ()
        self._shown: list[Parameter] = []
        self._stream: Stream | None = None
        self._back.on_click(lambda: self._turn(-PAGE_ROWS))
        self._on.on_click(lambda: self._turn(PAGE_ROWS))
        self.search.on_change("value_input", self._asked)
        self.picked.on_change("value", self._asked)
        left = below(controls(self.search, self._back, self._on, self.picked), self._panel.root)
        self._plot.root.width = 520
        self.root: UIElement = beside(left, self._plot.root)

    def refresh(self, stream: Stream | None, now_s: float) -> None:
        if stream is not self._stream:
            self._stream, self._first = stream, 0
        parameters = stream.parameters if stream else Parameters()
        alarms = stream.alarms if stream else {}
        known = (stream, parameters.n_changes, self.search.value_input, self._first, len(alarms), self.picked.value)
        if known != self._known:
            self._known = known
            self._fill(parameters, alarms, now_s)
        chosen = parameters.known.get(self.picked.value)
        self._plot.show(parameters, chosen, now_s)

    def _turn(self, n: int) -> None:
        self._first = max(self._first + n, 0)
        self._refresh_soon()

    def _asked(self, _attr: str, _old: object, _new: object) -> None:
        self._first = 0 if _attr == "value_input" else self._first
        self._refresh_soon()

    def _refresh_soon(self) -> None:
        """Show what was asked for now: the next tick may be half a second away."""
        import time  # noqa: PLC0415

        self.refresh(self._stream, time.monotonic())

    def _fill(self, parameters: Parameters, alarms: dict[str, tuple[str, str]], now_s: float) -> None:
        ordered = sorted(parameters.known.values(), key=lambda one: one.container)
        found = matching(ordered, self.search.value_input or "")
        self._first = min(self._first, max(len(found) - 1, 0) // PAGE_ROWS * PAGE_ROWS)
        shown = found[self._first : self._first + PAGE_ROWS]
        self._back.disabled, self._on.disabled = self._first == 0, self._first + PAGE_ROWS >= len(found)
        self._panel.tell(_count(parameters, len(found), self._first, len(shown)), arrived_s=0.0)
        shown_cells = [
            _cells(one, parameters.rows_of(one)[1][-N_TREND:], alarms.get(one.key), now_s) for one in shown
        ]
        columns = [i for i in range(len(_HEADS)) if any(cells[i][1] for cells in shown_cells)]
        head = "".join(f"<th scope=col>{_HEADS[i]}</th>" for i in columns)
        rows = "".join(self._rows(shown, shown_cells, columns))
        self._table.set(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if shown else "")

    def _rows(self, shown: list[Parameter], cells: list[list[_Cell]], columns: list[int]) -> Iterator[str]:
        """Rows as HTML, a line with the container above those of each."""
        container = None
        for one, of in zip(shown, cells, strict=True):
            if one.container != container:
                container = one.container
                yield f"<tr class=group><th scope=rowgroup colspan={len(columns)}>{escape(container)}</th></tr>"
            mark = " class=chosen aria-selected=true" if one.key == self.picked.value else ""
            inner = "".join(f"<td{of[i][0]}>{of[i][1]}</td>" for i in columns)
            yield f"<tr tabindex=0 data-pick='{escape(one.key, quote=True)}'{mark}>{inner}</tr>"


_Cell = tuple[str, str]
"""Attributes and content of a cell, as HTML."""


def _count(parameters: Parameters, n_found: int, first: int, n_shown: int) -> str:
    n_all = len(parameters.known)
    if not n_all:
        return "none yet: they come with products and with what the broker has retained"
    words = [f"{n_all:,} in {len({one.container for one in parameters.known.values()}):,} containers"]
    words += [f"{n_found:,} match"] if n_found < n_all else []
    words += [f"{first + 1:,} to {first + n_shown:,} shown"] if n_shown < n_found else []
    words += [f"{parameters.n_left_out:,} more have no room"] if parameters.n_left_out else []
    return " · ".join(words)


def _cells(one: Parameter, values: NDArray[np.float64], alarm: tuple[str, str] | None, now_s: float) -> list[_Cell]:
    """The cells of one row, in order of their heads; what has no content in any row is left out."""
    about = f" title='{escape(one.about, quote=True)}'" if one.about else ""
    kind = "error" if alarm and alarm[1] == "error" else "warning"
    return [
        (about, f"<span class=name>{escape(one.name)}</span>"),
        (" class=value", escape(one.value)),
        ("", escape(one.unit) if one.unit != "1" else ""),
        ("", f"<b class='{kind}'>▲ {escape(alarm[0])}</b>" if alarm else ""),
        (
            " class=doubt" if one.arrival.quality & DOUBTFUL else "",
            escape(quality_words(one.arrival.quality) or "good"),
        ),
        (f" class=number title='{escape(one.arrival.onboard, quote=True)}'", escape(one.arrival.onboard[:19])),
        (f" class=number title='{escape(one.arrival.received, quote=True)}'", escape(one.arrival.received[:19])),
        (" class=number", ago(now_s - one.arrival.arrived_s) if one.arrival.arrived_s else "retained"),
        ("", trend(values)),
    ]


def trend(values: NDArray[np.float64]) -> str:
    """Finite values as a small line, interrupted where one is not finite; nothing where there are fewer than two."""
    finite = values[np.isfinite(values)]
    if len(finite) < 2:
        return ""
    low, span = float(finite.min()), float(np.ptp(finite)) or 1.0
    x = np.linspace(1, _WIDTH - 1, len(values))
    y = _HEIGHT - 2 - (values - low) / span * (_HEIGHT - 4)
    edges = np.flatnonzero(np.diff(np.isfinite(values).astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    lines = [" ".join(f"{a:.0f},{b:.1f}" for a, b in zip(x[i:j], y[i:j], strict=True)) for i, j in edges.tolist()]
    drawn = "".join(f"<polyline points='{line}'/>" for line in lines)
    return f"<svg width={_WIDTH} height={_HEIGHT} aria-hidden=true>{drawn}</svg>"
