"""How pictures look: one small set of colours and marks, axes with their units, and flagged rows told apart."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.pictures.series import Series
from pipeline.software import to_install

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0b63b5", "#c8501e", "#2b8a57", "#7a4fa3", "#8a6d1d", "#5b6770")
FLAGGED = "#e0a100"
SETTINGS = {
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dfe3e8",
    "grid.linewidth": 0.5,
    "lines.linewidth": 0.9,
    "legend.fontsize": 6,
    "legend.frameon": False,
    "svg.hashsalt": "downlink",
    "text.parse_math": False,  # a name with dollar signs is no formula
}


def check_available() -> None:
    """Raise ConfigError, with what to install, where the library that draws is missing."""
    if find_spec("matplotlib") is None:
        raise ConfigError(f"pictures need matplotlib: {to_install('pictures')}")


def label(text: str, unit: str) -> str:
    """An axis's label with its unit in brackets."""
    return f"{text} [{unit}]" if unit not in ("", "1") else text


def time_axis(axes: Axes, text: str = "UTC") -> None:
    """A few short dates along the bottom."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415 - as in check_available

    locator = AutoDateLocator(minticks=3, maxticks=6)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.set_xlabel(text)


def draw_time(axes: Axes, series: Series) -> None:
    """A UTC axis, and a mark below for each row that is flagged."""
    time_axis(axes)
    flagged = series.time[series.flagged]
    if len(flagged):
        at = axes.get_xaxis_transform()
        axes.plot(
            flagged, np.full(len(flagged), 0.02), "|", color=FLAGGED, transform=at, markersize=4, clip_on=False
        )


def draw_lines(axes: Axes, series: Series, names: Mapping[str, str], text: str) -> None:
    """Quantities against UTC; `names` maps arrays to words for the legend."""
    for (name, word), colour in zip(names.items(), COLOURS, strict=False):
        axes.plot(series.time, series.values(name), color=colour, label=word)
    first = next(iter(names))
    axes.set_ylabel(label(text, series.unit(first)))
    if len(names) > 1:
        axes.legend(loc="best")
    draw_time(axes, series)


def decibel(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """20 log10, NaN for what is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        level = 20 * np.log10(amplitude)
    return np.where(np.isfinite(level), level, np.nan)
