"""Statistics of the values in sight: an HTML table with a row for each drawn parameter, the legend of the plot too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from .line_styles import LineStyle
from .panels import milliseconds
from .parameters import NUMBER, Parameter, Parameters
from .selection import RangeMs
from .series import in_sight, statistics

_HEADS = ("", "parameter", "unit", "n", "min", "max", "mean", "sigma", "last")


def statistics_table(
    parameters: Parameters, keys: Sequence[str], range_ms: RangeMs | None, *, removable: bool
) -> str:
    """Statistics of the values in sight as an HTML table: a row for each parameter, with a sample of its line."""
    rows = "".join(_statistics_row(parameters, key, LineStyle.of(i), range_ms, removable=removable)
                   for i, key in enumerate(keys))  # fmt: skip
    head = "".join(f"<th scope=col>{one}</th>" for one in _HEADS)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _statistics_row(
    parameters: Parameters, key: str, style: LineStyle, range_ms: RangeMs | None, *, removable: bool
) -> str:
    one = parameters.known.get(key)
    name = escape(one.name if one else key)
    of = f"data-act='drop {escape(key, quote=True)}' aria-label='take {name} out'"
    drop = f"<button {of}>\N{MULTIPLICATION SIGN}</button>"
    cells = [
        f"<span class=key>{drop if removable else ''}{style.key()}</span>",
        f"<span title='{escape(key, quote=True)}'>{name}</span>",
        *_numbers(parameters, one, range_ms),
    ]
    inner = "".join(
        f"<td class=number>{cell}</td>" if i > 1 else f"<td>{cell}</td>" for i, cell in enumerate(cells)
    )
    return f"<tr>{inner}</tr>"


def _numbers(parameters: Parameters, one: Parameter | None, range_ms: RangeMs | None) -> list[str]:
    """Unit, n, min, max, mean, sigma and last of a parameter, as text."""
    if one is None:
        return ["", "not here yet", "", "", "", "", ""]
    unit = "" if one.unit == "1" else escape(one.unit)
    if one.shape:
        n_rows = len(one.history.ring) if one.history else 1
        return [unit, f"{n_rows:,}", "", "", "", "", escape(one.value)]
    time_ns, values, _, axis = parameters.rows_of(one)
    binned = parameters.binned.get(one.key)
    if binned is not None and range_ms is not None:
        found = binned.statistics(time_ns, values, int(range_ms[0] * 1e6), int(range_ms[1] * 1e6))
    else:
        found = statistics(
            values[in_sight(np.asarray(milliseconds(time_ns)), range_ms if axis != NUMBER else None)]
        )
    if found is None:
        return [unit, "0", "", "", "", "", "" if range_ms else escape(one.value)]
    if one.labels:
        return [unit, f"{found.n:,}", "", "", "", "", escape(one.labels[int(found.last)])]
    numbers = (found.low, found.high, found.mean, found.sigma, found.last)
    return [unit, f"{found.n:,}", *(f"{number:.6g}" if np.isfinite(number) else "" for number in numbers)]
