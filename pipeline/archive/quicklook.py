"""Quick-looks: a picture of a collection, PNG, drawn by Matplotlib without a display.

Depending on its arrays: an image, a radargram, spectra, the map of a traverse, texts against time, else curves against
time. Values that are not finite are not drawn; the picture says if rows or curves are left out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..system.files import whole_path
from .collection import Collection, Origin
from .libraries import science
from .netcdf_attributes import iso
from .provenance import notes
from .quicklook_shapes import (
    LEGEND,
    MAX_CURVES,
    draw_image,
    draw_radargram,
    draw_spectra,
    drawable,
    is_image,
    is_radargram,
    numbers_by_row,
    spectra,
)

MAX_PANELS, MAX_WORDS, MAX_POINTS = 6, 40, 4000
_SIZE_INCHES, _DPI = (10.0, 7.0), 100
_MARGINS = {"left": 0.085, "right": 0.975, "bottom": 0.08, "top": 0.91, "hspace": 0.12, "wspace": 0.25}


def write_quicklook(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the picture, atomically. Raises ConfigError without Matplotlib, RunError if it cannot be written."""
    figure = science("matplotlib.figure").Figure(figsize=_SIZE_INCHES, dpi=_DPI)
    figure.subplots_adjust(**_MARGINS)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Matplotlib warns of unusual axes, which noise can cause
        next(draw for fits, draw in _VIEWS if fits(collection))(figure, collection)
        figure.suptitle(_title(collection, origin), fontsize=10)
        about = {"Title": path.stem, "Source": ", ".join(origin.recordings), "Software": None}
        about |= {key.replace("_", " ").capitalize(): one for key, one in notes(collection, origin).items()}
        with whole_path(path) as part:
            figure.savefig(part, format="png", metadata=about)


def _title(collection: Collection, origin: Origin) -> str:
    start = iso(collection.start_ns, "s") if collection.start_ns != NO_TIME else "time unknown"
    sol = f", sol {int(collection.start_local['sol'])}" if "sol" in collection.start_local else ""
    what = f"{origin.mission} {collection.instrument}/{collection.product}, level {collection.level}"
    what += ", SIMULATED" if origin.simulated else ""
    return f"{what}\nfrom {start}{sol}, {sum(collection.n_rows):,} rows, {', '.join(origin.recordings)}"


def _draw_traverse(figure: Any, collection: Collection) -> None:
    """Draw the track on a map, and the distance driven against time."""
    left, right = figure.subplots(1, 2)
    place = drawable(collection.columns["position_enu_m"].array.whole())
    left.plot(place[:, 0], place[:, 1], marker=".", markersize=3, linewidth=0.8)
    left.set(xlabel="east (m), from where the position was last re-zeroed", ylabel="north (m)")
    left.set(aspect="equal", adjustable="datalim")
    left.grid(visible=True, alpha=0.3)
    distance = collection.columns["distance_m"]
    _curves(right, _time(collection), [("distance_m", distance.array.whole())], distance.unit)
    right.set_xlabel("UTC")


def _draw_words(figure: Any, collection: Collection) -> None:
    """Draw texts against time, one line each."""
    axes = figure.subplots()
    seconds = _time(collection)
    texts = collection.columns["text"].array.whole()[:MAX_WORDS]
    levels = np.arange(len(texts))
    axes.plot(seconds[: len(texts)], levels, "o", markersize=4)
    for when, level, text in zip(seconds[: len(texts)].tolist(), levels.tolist(), texts.tolist(), strict=True):
        plain = str(text).encode("ascii", "replace").decode()  # the default font has no other scripts
        axes.annotate(
            plain.replace("$", r"\$"), (when, level), xytext=(6, -3), textcoords="offset points", fontsize=8
        )
    axes.set(ylabel="event", yticks=[])
    axes.invert_yaxis()
    axes.margins(x=0.4)
    _dates(axes, seconds)
    axes.set_xlabel("UTC")


def _draw_curves(figure: Any, collection: Collection) -> None:
    """Draw curves against time, one panel for each unit, at most MAX_PANELS."""
    panels: dict[tuple[str, int], list[tuple[str, NDArray[Any]]]] = {}
    for dims in (1, 2):
        for name, column in numbers_by_row(collection, dims):
            width = int(np.prod(column.array.shape[1:]))
            if width > 16:
                continue
            key = (column.unit, 0 if dims == 1 else len(panels) + 1)
            values = column.array.whole().reshape(len(collection.quality.whole()), -1)
            parts = [name] if dims == 1 else [f"{name}[{k}]" for k in range(width)]
            panels.setdefault(key, []).extend(zip(parts, values.T, strict=True))
    ordered = sorted(panels.items(), key=lambda item: (item[0][0] in {"", "1"}, "_enu_" not in item[1][0][0]))
    if len(ordered) > MAX_PANELS:
        figure.text(0.01, 0.01, f"{len(ordered) - MAX_PANELS} more panels are not shown", fontsize=8)
    ordered = ordered[:MAX_PANELS]
    if not ordered:
        _draw_nothing(figure, collection)
        return
    seconds = _time(collection)
    drawn = _panels(figure, len(ordered))
    for axes, ((unit, _), curves) in zip(drawn, ordered, strict=True):
        _curves(axes, seconds, curves, unit)
    drawn[-1].set_xlabel("UTC" if collection.start_ns != NO_TIME else "row")


def _curves(axes: Any, seconds: NDArray[Any], curves: list[tuple[str, NDArray[Any]]], unit: str) -> None:
    step = max(1, len(seconds) // MAX_POINTS)
    marker = "." if len(seconds) < 60 else ""
    for name, values in curves[:MAX_CURVES]:
        axes.plot(seconds[::step], drawable(values[::step]), marker=marker, linewidth=0.8, label=name)
    if len(curves) > MAX_CURVES:
        axes.plot([], [], " ", label=f"and {len(curves) - MAX_CURVES} more")
    axes.set_ylabel("" if unit in {"", "1"} else unit, fontsize=8)
    axes.legend(**LEGEND)
    axes.grid(visible=True, alpha=0.3)
    _dates(axes, seconds)


def _panels(figure: Any, n: int) -> list[Any]:
    return list(np.atleast_1d(figure.subplots(max(n, 1), 1, sharex=True)))


def _time(collection: Collection) -> NDArray[Any]:
    """UTC as datetime64 (NaT: none), or row numbers if no row has a time."""
    utc_ns = collection.columns["time_utc_ns"].array.whole()
    if collection.start_ns == NO_TIME:
        return np.arange(len(utc_ns))
    return utc_ns.view("M8[ns]").astype("M8[us]")  # NO_TIME is NaT


def _dates(axes: Any, seconds: NDArray[Any]) -> None:
    if seconds.dtype.kind == "M":
        dates = science("matplotlib.dates")
        known = seconds[~np.isnat(seconds)]
        if len(known) and known.min() == known.max():
            axes.set_xlim(known[0] - np.timedelta64(30, "s"), known[0] + np.timedelta64(30, "s"))
        locator = dates.AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _has(*names: str) -> Callable[[Collection], bool]:
    return lambda collection: all(name in collection.columns for name in names)


def _draw_nothing(figure: Any, _: Collection) -> None:
    figure.subplots().set(xlabel="there is nothing to draw", xticks=[], yticks=[])


_VIEWS: tuple[tuple[Callable[[Collection], bool], Callable[[Any, Collection], None]], ...] = (
    (lambda collection: not sum(collection.n_rows), _draw_nothing),
    (is_image, draw_image),
    (is_radargram, draw_radargram),
    (lambda collection: bool(spectra(collection)), draw_spectra),
    (_has("position_enu_m", "distance_m"), _draw_traverse),
    (_has("text"), _draw_words),
    (lambda _: True, _draw_curves),
)
"""Conditions and types of pictures; the first condition that is true decides."""
