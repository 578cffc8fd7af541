"""Generic panels of product kinds without views: their arrays against time.

In: a series. Out: its panels, in the order of its arrays. Left out: fields of the packet header, constant arrays, texts
with more than MAX_STATES values. Related numbers (same unit, names that differ in the last letter or number) share a
panel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import GENERIC_INSTRUMENT, RAW_SUFFIX
from .series import Series
from .style import COLOURS, colour_bar, draw_line, draw_lines, draw_time, escape_dollars, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_LINES = 4  # in one panel
MAX_STATES = 12  # of an enumeration
MAX_STATE_ROWS = 100_000  # of texts, since unique texts are slow
_CANDIDATES = 4  # parameters that may be a clock, in a note
_STEM = re.compile(r"[\s._-]*(?:[xyzwXYZW]|\d+)$")


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel with a title. `names`: the arrays that it shows, if it is a generic one."""

    title: str
    draw: Callable[[Axes, Series], None]
    names: tuple[str, ...] = ()

    def of(self, series: Series) -> tuple[str, Callable[[Axes], None]]:
        """The title, and the function that draws the panel of a series."""
        return self.title, lambda axes: self.draw(axes, series)


def varying(series: Series) -> list[str]:
    """Arrays for generic panels: with rows that vary, without times, header fields and raw counts."""
    names = dict.fromkeys((*series.latest, *series.arrays))
    return [
        name for name in names if name not in series.header and not _is_raw(name, series) and _varies(name, series)
    ]


def _is_raw(name: str, series: Series) -> bool:
    base = name.removesuffix(RAW_SUFFIX)
    return base != name and base in series.arrays


def generic_panels(series: Series) -> list[Panel]:
    """Make a panel for each group of arrays that vary; if there are none, a panel with the number of rows."""
    kind = series.product if series.instrument == GENERIC_INSTRUMENT else f"{series.instrument}/{series.product}"
    panels = [replace(panel, title=_title(kind, panel)) for panel in _panels(series)]
    return panels or [replace(NOTHING, title=escape_dollars(kind))]


def select_panels(each: Sequence[Sequence[Panel]], series: Sequence[Series], n: int) -> list[tuple[Panel, Series]]:
    """Select at most `n` panels: the first of every kind, then the second, and so on. Returned sorted by kind."""
    rounds = zip_longest(*each)
    places = [(kind, turn) for turn, panels in enumerate(rounds) for kind, panel in enumerate(panels) if panel]
    return [(each[kind][turn], series[kind]) for kind, turn in sorted(places[: max(n, 0)])]


def omission_note(series: Series, n_drawn: int) -> str:
    """Note on arrays that vary and have no panel; empty if all have one."""
    n = len(varying(series))
    return f"{series.product}: {n_drawn:,} of {n:,} parameters that vary are drawn" if n_drawn < n else ""


def clock_note(found: Sequence[Series]) -> str:
    """Note on how to set a clock in the mission file; empty if no packets were decoded."""
    kinds = [one for one in found if one.instrument == GENERIC_INSTRUMENT]
    if not kinds:
        return ""
    counting = dict.fromkeys(name for one in kinds for name in varying(one) if _counts_up(one, name))
    such = f" (these only count up: {', '.join(list(counting)[:_CANDIDATES])})" if counting else ""
    against = "reception time" if all(one.is_received for one in kinds) else "packet number"
    return (
        f"no onboard clock is set, so plots are against {against}; for onboard time write into mission.toml: "
        f'[clock] epoch = "YYYY-MM-DDThh:mm:ssZ", terms = [{{ parameter = "NAME", unit_ns = 1_000_000_000 }}]{such}'
    )


def _counts_up(series: Series, name: str) -> bool:
    values = np.asarray(series.arrays[name].values)
    return values.ndim == 1 and values.dtype.kind in "iu" and bool((values[1:] >= values[:-1]).all())


def _title(kind: str, panel: Panel) -> str:
    first, *others = panel.names
    return escape_dollars(f"{kind}: {first}" if not others else f"{kind}: {_stem(first)} ({len(panel.names)})")


def _panels(series: Series) -> Iterator[Panel]:
    for names in _groups(varying(series), series):
        values = series.arrays[names[0]].values
        if values.dtype.kind in "UOb":
            yield Panel("", partial(states, names[0]), names)
        elif values.ndim == 1:
            text = names[0] if len(names) == 1 else _stem(names[0])
            yield Panel("", partial(_lines, names, text), names)
        else:
            yield Panel(
                "", partial(image if values.ndim > 2 or values.shape[1] > MAX_LINES else vector, names[0]), names
            )


def _groups(names: Sequence[str], series: Series) -> Iterator[tuple[str, ...]]:
    group: list[str] = []
    for name in names:
        if group and (len(group) == MAX_LINES or not _belongs(name, group[-1], series)):
            yield tuple(group)
            group = []
        group.append(name)
    if group:
        yield tuple(group)


def _belongs(name: str, before: str, series: Series) -> bool:
    one, other = series.arrays[name], series.arrays[before]
    is_number = all(array.values.ndim == 1 and array.values.dtype.kind in "iuf" for array in (one, other))
    return is_number and one.unit == other.unit and _stem(name) == _stem(before) and _stem(name) != name


def _stem(name: str) -> str:
    return _STEM.sub("", name) or name


def _varies(name: str, series: Series) -> bool:
    values = np.asarray(series.arrays[name].values)
    if name.startswith("time_") or values.shape[:1] != series.quality.shape or not values.size:
        return False
    if series.arrays[name].dims[:1] != ("row",):
        return False
    if values.dtype.kind in "UO":
        return values.ndim == 1 and len(values) <= MAX_STATE_ROWS and 1 < len(_labels(values)) <= MAX_STATES
    if values.dtype.kind not in "biuf":
        return False
    known = values[np.isfinite(values)]
    return bool(len(known)) and bool((known != known[0]).any())


def _labels(values: NDArray[Any]) -> NDArray[np.str_]:
    return np.unique(values.astype(np.str_))


def _lines(names: Sequence[str], text: str, axes: Axes, series: Series) -> None:
    draw_lines(axes, series, {name: name for name in names}, text)


def vector(name: str, axes: Axes, series: Series) -> None:
    """Draw a few components as lines."""
    values = series.values(name)
    for component, colour in zip(range(values.shape[1]), COLOURS, strict=False):
        draw_line(axes, series, values[:, component], color=colour, label=f"{component}")
    axes.set_ylabel(label(name, series.unit(name)))
    axes.legend(loc="best", ncols=2)
    draw_time(axes, series)


def states(name: str, axes: Axes, series: Series) -> None:
    """Draw an enumeration as bars from each row to the next."""
    values = np.asarray(series.arrays[name].values).astype(np.str_)
    labels, codes = np.unique(values, return_inverse=True)
    draw_line(axes, series, codes.astype(np.float64), drawstyle="steps-post", color=COLOURS[0], linewidth=3.0)
    axes.set_yticks(range(len(labels)), [escape_dollars(text[:24]) for text in labels])
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_ylabel(escape_dollars(name))
    draw_time(axes, series)


def image(name: str, axes: Axes, series: Series) -> None:
    """Draw rows of values side by side; of rows that are images, the newest one."""
    values = series.values(name)
    is_picture = values.ndim > 2
    shown = values[-1].reshape(values.shape[1], -1) if is_picture else values.T
    axes.imshow(shown, aspect="auto", cmap="gray", interpolation="nearest", origin="lower")
    axes.set(
        xlabel="column of the newest" if is_picture else "row number", ylabel="line" if is_picture else "element"
    )
    axes.grid(visible=False)
    colour_bar(axes, label(name, series.unit(name)))


def _draw_nothing(axes: Axes, series: Series) -> None:
    n = len(series.utc_ns)
    text = "1 row" if n == 1 else f"{n:,} rows, nothing in them varies" if n else "no rows"
    axes.text(0.5, 0.5, text, ha="center", transform=axes.transAxes)
    axes.set_axis_off()


NOTHING = Panel("", _draw_nothing)
"""In place of panels, if there is nothing to draw."""
