"""Rows of parameters as HTML: containers that fold, a box that draws, a pin, value, quality in words, trend.

In: parameters and what the viewer chose. Out: the rows in sight, escaped, since names and values come from outside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, RAW_SUFFIX
from ..model.quality_words import quality_words
from .parameters import Parameter, Parameters, matching
from .selection import Selection
from .words import ago

N_TREND = 40
"""Rows that a trend shows."""
_WIDTH, _HEIGHT = 80, 16
"""Of a trend, in pixels."""
HEADS = (
    "",
    "parameter",
    "value",
    "raw",
    "unit",
    "alarm",
    "trend",
    "quality",
    "age",
    "onboard time, UTC",
    "received, UTC",
)
_DATES = HEADS.index("onboard time, UTC"), HEADS.index("received, UTC")
_HEAD_TITLES = {"": "draw, pin"}
Cell = tuple[str, str]
"""Attributes and content of a cell, as HTML."""
Alarm = tuple[str, str]
"""Level of concern and severity."""
AlarmOf = Callable[[Parameter], Alarm | None]
"""The state of a parameter; None: normal, or not known."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table: a parameter, or a container that is folded up (`parameter` None, `n` parameters in it)."""

    container: str
    parameter: Parameter | None
    n: int = 1


def entries(parameters: Parameters, selection: Selection) -> tuple[list[Entry], int]:
    """The rows of the whole table, by container, and how many parameters match: those that are pinned, or searched."""
    if selection.only_pins:
        some = [parameters.known[key] for key in selection.pins if key in parameters.known]
    else:
        some = sorted(parameters.known.values(), key=lambda one: one.container)
    found = matching(some, selection.search)
    if not selection.only_pins and RAW_SUFFIX not in selection.search.lower():
        found = [one for one in found if not parameters.is_raw(one)]
    n_of = Counter(one.container for one in found)
    folded = {container for container in n_of if selection.is_folded(container)}
    rows: list[Entry] = []
    for one in found:
        if one.container not in folded:
            rows.append(Entry(one.container, one))
        elif not rows or rows[-1].container != one.container:
            rows.append(Entry(one.container, None, n_of[one.container]))
    return rows, len(found)


def table(
    shown: Sequence[Entry], parameters: Parameters, selection: Selection, alarm_of: AlarmOf, now_s: float
) -> str:
    """These rows; a column in which nothing stands is left out."""
    if not shown:
        return ""
    cells = [
        _cells(one.parameter, parameters, selection, alarm_of(one.parameter), now_s) if one.parameter else None
        for one in shown
    ]
    columns = [i for i in range(len(HEADS)) if any(row and row[i][1] for row in cells)] or [1]
    days = {i: _common_day([row[i][1] for row in cells if row]) for i in _DATES}
    for row in filter(None, cells):
        for i in _DATES:
            row[i] = row[i][0], row[i][1].removeprefix(days[i]).lstrip()
    head = "".join(_head(i, days.get(i, "")) for i in columns)
    rows = "".join(_rows(shown, cells, columns, selection))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _head(i: int, day: str) -> str:
    title = f" title='{_HEAD_TITLES[HEADS[i]]}'" if HEADS[i] in _HEAD_TITLES else ""
    return f"<th scope=col{title}>{HEADS[i]}{f'<br>{day}' if day else ''}</th>"


def _common_day(dates: Sequence[str]) -> str:
    """The date that all times share, so that it is written once; empty where there are several."""
    days = {date[:10] for date in dates if date}
    return days.pop() if len(days) == 1 else ""


def _rows(
    shown: Sequence[Entry], cells: Sequence[list[Cell] | None], columns: Sequence[int], selection: Selection
) -> Iterator[str]:
    container = None
    for one, of in zip(shown, cells, strict=True):
        if one.container != container:
            container = one.container
            yield _group(one, len(columns))
        if one.parameter is None or of is None:
            continue
        key = escape(one.parameter.key, quote=True)
        is_drawn = one.parameter.key in selection.chosen
        mark = f" aria-selected={str(is_drawn).lower()}" + (" class=chosen" if is_drawn else "")
        inner = "".join(f"<td{of[i][0]}>{of[i][1]}</td>" for i in columns)
        yield f"<tr tabindex=0 draggable=true data-pick='{key}'{mark} aria-keyshortcuts='Enter Space P'>{inner}</tr>"


def _group(one: Entry, n_columns: int) -> str:
    """The row of a container: a click, Enter or Space folds it up or opens it."""
    is_open = one.parameter is not None
    name = escape(one.container)
    count = "" if is_open else f" <span class=count>{one.n:,}</span>"
    return (
        f"<tr class=group tabindex=0 data-act='fold {escape(one.container, quote=True)}' "
        f"aria-expanded={str(is_open).lower()}>"
        f"<th scope=rowgroup colspan={n_columns}>{'▾' if is_open else '▸'} {name}{count}</th></tr>"
    )


def _cells(
    one: Parameter, parameters: Parameters, selection: Selection, alarm: Alarm | None, now_s: float
) -> list[Cell]:
    """The cells of one row, in order of their heads."""
    about = f" title='{escape(one.about, quote=True)}'" if one.about else ""
    severity = "error" if alarm and alarm[1] == "error" else "warning"
    doubt = " class=doubt" if one.arrival.quality & DOUBTFUL else ""
    values = parameters.rows_of(one)[1][-N_TREND:]
    return [
        (" class=choose", _choices(one, selection)),
        (about, f"<span class=name>{escape(one.name)}</span>"),
        (" class=value", escape(one.value)),
        (" class=value", escape(parameters.raw_of(one))),
        ("", escape(one.unit) if one.unit != "1" else ""),
        ("", f"<b class='{severity}'>▲ {escape(alarm[0])}</b>" if alarm else ""),
        ("", trend(values)),
        (doubt, escape(quality_words(one.arrival.quality) or "good")),
        (" class=number", ago(now_s - one.arrival.arrived_s) if one.arrival.arrived_s else parameters.unheard),
        (f" class=number title='{escape(one.arrival.onboard, quote=True)}'", escape(one.arrival.onboard[:19])),
        (f" class=number title='{escape(one.arrival.received, quote=True)}'", escape(one.arrival.received[:19])),
    ]


def _choices(one: Parameter, selection: Selection) -> str:
    """A box that draws the parameter beside others, and its pin. Both are keys of the row, too: Space and P."""
    key, name = escape(one.key, quote=True), escape(one.name, quote=True)
    checked = " checked" if one.key in selection.chosen else ""
    is_pinned = one.key in selection.pins
    pin = "★" if is_pinned else "☆"
    return (
        f"<input type=checkbox tabindex=-1 data-act='toggle {key}' aria-label='draw {name}'{checked}>"
        f"<button tabindex=-1 data-act='pin {key}' aria-label='pin {name}' "
        f"aria-pressed={str(is_pinned).lower()}>{pin}</button>"
    )


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
