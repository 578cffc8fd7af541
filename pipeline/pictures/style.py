"""Style of pictures: colours, axes with units, lines with gaps, marks of doubtful rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import GENERIC_INSTRUMENT
from ..model.gaps import interrupted
from ..system.software import optional_module
from .series import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b63b5", "#c8501e", "#2b8a57", "#7a4fa3", "#8a6d1d", "#5b6770", "#c2417f", "#1f97a3")
FLAGGED = "#e0a100"
GAP = "#5b6770"
MAX_GAPS = 1000  # drawn as bands
_WIDE_INCHES = 6.0  # a panel with room for more times below it
_ROUNDING = 1e-10  # a smaller range, relative to its values, is of rounding
_FEW_ROWS = 60  # drawn as points on their line
_BESIDE = np.timedelta64(30, "s")  # around rows of one time
ONBOARD, RECEIVED = "onboard time, UTC", "received, UTC"
"""Labels of time axes: onboard time converted to UTC, or receive time."""
SETTINGS = {
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.formatter.useoffset": False,  # full numbers, no offset such as "+4.8e8"
    "axes.formatter.limits": (-5, 10),
    "grid.color": "#dfe3e8",
    "grid.linewidth": 0.5,
    "lines.linewidth": 0.9,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "svg.hashsalt": "downlink",
}


def check_available() -> None:
    """Raise ConfigError if Matplotlib is missing."""
    optional_module("matplotlib", "pictures need matplotlib", "pictures")


def label(text: str, unit: str) -> str:
    """Label of an axis, with the unit in brackets."""
    return escape_dollars(f"{text} [{unit}]".lstrip() if unit not in ("", "1") else text)


def escape_dollars(text: str) -> str:
    """Escape dollar signs, which begin formulas in Matplotlib."""
    return text.replace("$", r"\$")


def time_axis(axes: Axes, text: str = ONBOARD) -> None:
    """Set up an axis of short dates. `text`: its label."""
    from matplotlib.dates import (  # noqa: PLC0415 - as in check_available
        HOURLY,
        MINUTELY,
        SECONDLY,
        AutoDateLocator,
        ConciseDateFormatter,
    )

    figure = axes.get_figure()
    width_inches = axes.bbox.width / figure.dpi if figure else 0.0
    locator = AutoDateLocator(minticks=3, maxticks=4 if width_inches < _WIDE_INCHES else 8)
    for unit, more in ((SECONDLY, (2, 60)), (MINUTELY, (2, 60)), (HOURLY, (24,))):  # or it warns of 2.5 minutes
        locator.intervald[unit] = sorted({*locator.intervald[unit], *more})
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel(text, loc="left")  # the date is on the right


def draw_time(axes: Axes, series: Series) -> None:
    """Set up the abscissa for `series.place`, mark doubtful rows, and draw a band for each gap."""
    if series.is_timed:
        time_axis(axes)
    elif series.is_received:
        time_axis(axes, RECEIVED)
    else:
        row = "packet" if series.instrument == GENERIC_INSTRUMENT else "row"
        axes.set_xlabel(f"{row} number (no onboard time)")
    known = series.place[~np.isnat(series.place)] if series.place.dtype.kind == "M" else series.place[:0]
    if len(known) and known.min() == known.max():
        axes.set_xlim(known[0] - _BESIDE, known[0] + _BESIDE)
    for first, last in series.spans.astype("datetime64[ns]")[:MAX_GAPS]:
        axes.axvspan(first, last, color=GAP, alpha=0.18, linewidth=0, zorder=0)
    flagged = series.place[series.flagged]
    if len(flagged):
        at = axes.get_xaxis_transform()
        axes.plot(
            flagged, np.full(len(flagged), 0.02), "|", color=FLAGGED, transform=at, markersize=4, clip_on=False
        )


def draw_line(axes: Axes, series: Series, values: NDArray[np.float64], **look: Any) -> None:
    """Draw values of rows as a line against `series.place`, interrupted at gaps; a row between two gaps as a point."""
    x, y = without_gaps(series, series.place, values)
    (line,) = axes.plot(x, y, **look)
    known = np.isfinite(np.asarray(y, np.float64))
    beside = np.concatenate([[False], known, [False]])
    single = known & ~beside[:-2] & ~beside[2:]
    if single.any():
        axes.plot(x[single], y[single], ".", color=line.get_color(), markersize=2)


def without_gaps(series: Series, *columns: NDArray[Any]) -> list[NDArray[Any]]:
    """Insert a row without value into columns at each gap."""
    starts = series.gaps
    return [interrupted(column, starts) if len(starts) else column for column in columns]


def draw_lines(axes: Axes, series: Series, names: Mapping[str, str], text: str) -> None:
    """Draw arrays against time, as many as there are colours. `names`: legend text by name; `text`: of the axis.
    Arrays of integers have ticks at whole numbers alone.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - as in check_available

    look = {"marker": ".", "markersize": 3} if len(series.place) < _FEW_ROWS else {}
    for (name, word), colour in zip(names.items(), COLOURS, strict=False):
        draw_line(axes, series, series.values(name), color=colour, label=escape_dollars(word), **look)
    if len(names) > len(COLOURS):
        axes.plot([], [], " ", label=f"and {len(names) - len(COLOURS)} more")
    if all(series.is_whole(name) for name in names):
        axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    first = next(iter(names))
    axes.set_ylabel(label(text, series.unit(first)))
    if len(names) > 1:
        axes.legend(loc="best", ncols=1 + (len(names) > 4))
    low, high = axes.get_ylim()
    if high - low < _ROUNDING * abs(low + high):  # else its numbers are too long for the panel
        axes.set_ylim(*sorted((0.9995 * low, 1.0005 * high)))
    draw_time(axes, series)


def colour_bar(axes: Axes, text: str, pad: float = 0.01) -> None:
    """Draw the scale of the image of a panel beside it, with a label. `pad`: between, as a part of the width."""
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(axes.images[0], ax=axes, pad=pad, fraction=0.04)
        bar.set_label(text)
        bar.outline.set_visible(False)


def decibel(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 20 log10 of amplitudes; NaN for values that are not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 20 * np.log10(amplitude)
    return np.where(np.isfinite(level), level, np.nan)
