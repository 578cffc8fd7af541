"""A picture of each kind of product, with axes and units: PNG, drawn by Matplotlib without a display.

In: a collection. Out: what its arrays call for: an image, a radargram, spectra, the map of a traverse, words along
time, else curves along time. What is not a number leaves a hole; a picture says where it left rows or curves out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import ROW, SIGMA, Collection, Column, Origin
from pipeline.archive.libraries import science
from pipeline.archive.netcdf_attributes import iso
from pipeline.archive.whole import whole_path
from pipeline.batches import NO_TIME

MAX_PANELS, MAX_CURVES, MAX_WORDS, MAX_POINTS = 6, 8, 40, 4000
MAX_PIXELS = 2000  # of an image in each direction
_SIZE_INCHES, _DPI = (10.0, 7.0), 100
_MARGINS = {"left": 0.085, "right": 0.975, "bottom": 0.08, "top": 0.91, "hspace": 0.12, "wspace": 0.25}
_NOT_PLOTTED = ("time_onboard_ns", "time_utc_ns", "onboard_seconds", "onboard_milliseconds")
_SCALES = ("wavelength_nm", "frequency_hz", "energy_kev", "energy_ev")


@dataclass(frozen=True, slots=True)
class View:
    """A way to draw a collection: whether it `fits`, and how it is drawn on a figure."""

    fits: Callable[[Collection], bool]
    draw: Callable[[Any, Collection], None]


def write_quicklook(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the picture, whole or not at all. ConfigError without Matplotlib, RunError where it cannot be written."""
    figure = science("matplotlib.figure").Figure(figsize=_SIZE_INCHES, dpi=_DPI)
    figure.subplots_adjust(**_MARGINS)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noise makes odd axes, which Matplotlib tells of
        next(view for view in _VIEWS if view.fits(collection)).draw(figure, collection)
        figure.suptitle(_title(collection, origin), fontsize=10)
        about = {"Title": path.stem, "Source": ", ".join(origin.recordings), "Software": None}
        with whole_path(path) as part:
            figure.savefig(part, format="png", metadata=about)


def _title(collection: Collection, origin: Origin) -> str:
    start = iso(collection.start_ns, "s") if collection.start_ns != NO_TIME else "time unknown"
    sol = f", sol {int(collection.start_mars['sol'])}" if "sol" in collection.start_mars else ""
    what = f"{origin.mission} {collection.instrument}/{collection.product}, level {collection.level}"
    return f"{what}\nfrom {start}{sol}, {sum(collection.n_rows):,} rows, {', '.join(origin.recordings)}"


def _rows(collection: Collection, dims: int) -> Iterator[tuple[str, Column]]:
    """Numeric arrays by row with this many dimensions, not counting what only says when."""
    for name, column in collection.columns.items():
        known = column.dims[:1] == (ROW,) and len(column.dims) == dims and column.array.dtype.kind in "iufb"
        if known and name not in _NOT_PLOTTED and not name.endswith(SIGMA):
            yield name, column


def _draw_image(figure: Any, collection: Collection) -> None:
    """The first image of the collection."""
    column = collection.columns["image"]
    image = next(column.array.parts())[0]
    step = max(1, -(-max(image.shape[:2]) // MAX_PIXELS))
    axes = figure.subplots()
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    colour = image.ndim == 3 and image.shape[2] in {3, 4}
    shown = image[::step, ::step] if colour or image.ndim == 2 else image[::step, ::step, 0]
    drawn = axes.imshow(shown, cmap="gray", extent=extent, interpolation="nearest")
    if not colour:
        figure.colorbar(drawn, ax=axes, label=column.unit or "counts", shrink=0.8)
    axes.set(xlabel="sample (pixel)", ylabel="line (pixel)")
    n_images = sum(collection.n_rows)
    axes.set_title(f"image 1 of {n_images}" if n_images > 1 else "", fontsize=9)


def _draw_radargram(figure: Any, collection: Collection) -> None:
    """Size of the traces along the track, in dB, over two-way time; depth on the right, where there is one."""
    values, name = _traces(collection)
    step = max(1, -(-len(values) // MAX_PIXELS))
    twt_ns = _scale(collection, "twt_ns")
    power_db = 20 * np.log10(np.maximum(np.abs(values[::step].T), 1e-12))
    top = float(np.nanmax(power_db, initial=-240.0))
    axes = figure.subplots()
    along, label = _along(collection, len(values))
    extent = (*_ends(along), float(twt_ns[-1]), float(twt_ns[0]))
    drawn = axes.imshow(power_db, aspect="auto", cmap="viridis", vmin=top - 80, vmax=top, extent=extent)
    figure.colorbar(
        drawn, ax=axes, label=f"{name}, dB to one count", pad=0.08 if "depth_m" in collection.columns else 0.02
    )
    axes.set(xlabel=label, ylabel="two-way travel time (ns)")
    if "depth_m" in collection.columns:
        depth = _scale(collection, "depth_m")
        right = axes.twinx()
        right.set_ylim(float(depth[-1]), float(depth[0]))
        right.set_ylabel("depth (m), with the permittivity of the calibration")


def _traces(collection: Collection) -> tuple[NDArray[Any], str]:
    columns = collection.columns
    for name in ("quicklook", "envelope", "amplitude"):
        if name in columns:
            return columns[name].array.whole(), name
    return np.hypot(columns["real"].array.whole(), columns["imaginary"].array.whole()), "magnitude"


def _along(collection: Collection, n_rows: int) -> tuple[NDArray[Any], str]:
    column = collection.columns.get("distance_m")
    if column is not None and column.dims == (ROW,) and n_rows > 1:
        return column.array.whole(), "distance along the track (m)"
    return np.arange(n_rows), "trace"


def _ends(along: NDArray[Any]) -> tuple[float, float]:
    known = along[np.isfinite(along)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _scale(collection: Collection, name: str) -> NDArray[np.float64]:
    """A scale: of the first product or row, where each has its own."""
    values = next(collection.columns[name].array.parts())
    return np.asarray(values.reshape(-1, values.shape[-1])[0], np.float64)


def _draw_spectra(figure: Any, collection: Collection) -> None:
    """Each array along the scale: some rows, spread over all."""
    scale = next(name for name in _SCALES if name in collection.columns)
    column = collection.columns[scale]
    named = [(name, one) for name, one in _rows(collection, 2) if _is_spectrum(name, one, column)]
    panels = _panels(figure, min(len(named), 3))
    for axes, (name, one) in zip(panels, named, strict=False):
        values = one.array.whole()
        shown = np.unique(np.linspace(0, len(values) - 1, MAX_CURVES).astype(np.int64))
        xs = column.array.whole()
        for row in shown.tolist():
            x = xs[row] if column.dims[:1] == (ROW,) else _scale(collection, scale)
            axes.plot(x, values[row], linewidth=0.7, label=f"row {row}")
        axes.set_ylabel(_label(name, one.unit))
        axes.legend(fontsize=7, ncols=4, loc="upper right")
    panels[-1].set_xlabel(_label(scale, column.unit))


def _is_spectrum(name: str, one: Column, scale: Column) -> bool:
    return name not in _SCALES and one.dims[-1:] == scale.dims[-1:] and one.array.shape[-1] == scale.array.shape[-1]


def _draw_traverse(figure: Any, collection: Collection) -> None:
    """The track from above, and the distance driven along time."""
    left, right = figure.subplots(1, 2)
    place = collection.columns["position_enu_m"].array.whole()
    left.plot(place[:, 0], place[:, 1], marker=".", markersize=3, linewidth=0.8)
    left.set(xlabel="east (m)", ylabel="north (m)", aspect="equal", adjustable="datalim")
    left.set_title("from where the frame was last re-zeroed", fontsize=9)
    left.grid(visible=True, alpha=0.3)
    shown = [
        (name, one) for name, one in _rows(collection, 1) if name in {"distance_m", "speed_m_s", "heading_deg"}
    ]
    _curves(
        right,
        _time(collection),
        [(name, one.array.whole()) for name, one in shown[:1]],
        shown[0][1].unit if shown else "",
    )
    right.set_xlabel("UTC")


def _draw_words(figure: Any, collection: Collection) -> None:
    """Words along time, a line each."""
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
    """Curves along time, one panel for each unit, the first MAX_PANELS."""
    panels: dict[tuple[str, int], list[tuple[str, NDArray[Any]]]] = {}
    for dims in (1, 2):
        for name, column in _rows(collection, dims):
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
        figure.subplots().set(xlabel="no array that could be drawn", xticks=[], yticks=[])
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
        axes.plot(seconds[::step], values[::step].astype(np.float64), marker=marker, linewidth=0.8, label=name)
    if len(curves) > MAX_CURVES:
        axes.plot([], [], " ", label=f"and {len(curves) - MAX_CURVES} more")
    if len(curves) == 1:
        axes.set_ylabel(_label(curves[0][0], unit))
    else:
        axes.set_ylabel(unit if unit not in {"", "1"} else "value")
        axes.legend(fontsize=7, ncols=2, loc="upper right")
    axes.grid(visible=True, alpha=0.3)
    _dates(axes, seconds)


def _panels(figure: Any, n: int) -> list[Any]:
    return list(np.atleast_1d(figure.subplots(max(n, 1), 1, sharex=True)))


def _time(collection: Collection) -> NDArray[Any]:
    """UTC as datetime64, rows without time as NaT; row numbers where no row has one."""
    utc_ns = collection.columns["time_utc_ns"].array.whole()
    if collection.start_ns == NO_TIME:
        return np.arange(len(utc_ns))
    return utc_ns.view("M8[ns]").astype("M8[us]")  # NO_TIME is NaT


def _dates(axes: Any, seconds: NDArray[Any]) -> None:
    if seconds.dtype.kind == "M":
        dates = science("matplotlib.dates")
        locator = dates.AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _label(name: str, unit: str) -> str:
    words = name.replace("_", " ")
    return f"{words} ({unit})" if unit not in {"", "1"} else words


def _has(*names: str) -> Callable[[Collection], bool]:
    return lambda collection: all(name in collection.columns for name in names)


def _is_image(collection: Collection) -> bool:
    column = collection.columns.get("image")
    return column is not None and column.dims[:3] == (ROW, "line", "sample")


def _is_radargram(collection: Collection) -> bool:
    return "twt_ns" in collection.columns and any(name in collection.columns for name in ("amplitude", "real"))


def _has_spectra(collection: Collection) -> bool:
    scales = [collection.columns[name] for name in _SCALES if name in collection.columns]
    return bool(scales) and any(_is_spectrum(name, one, scales[0]) for name, one in _rows(collection, 2))


_VIEWS = (
    View(_is_image, _draw_image),
    View(_is_radargram, _draw_radargram),
    View(_has_spectra, _draw_spectra),
    View(_has("position_enu_m", "distance_m"), _draw_traverse),
    View(_has("text"), _draw_words),
    View(lambda _: True, _draw_curves),
)
"""Ways to draw, the first that fits; a new one is a pair of functions and a line here."""
