"""Quick-looks of images, radargrams and spectra: for each, whether a collection is one, and how to draw it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .collection import ROW, SIGMAS, Collection, Column

MAX_CURVES = 8
MAX_PIXELS = 2000  # of an image in each direction
LEGEND = {"fontsize": 7, "ncols": 4, "loc": "upper right"}
_NOT_PLOTTED = ("onboard_ns", "utc_ns", "onboard_seconds", "onboard_milliseconds")
_SCALES = {"wavelength_nm": "linear", "frequency_hz": "linear", "energy_ev": "log", "energy_kev": "log"}
"""Scale of both axes of spectra, by the ending of the name of the array that is their abscissa."""
_MOST = 1e30
_DEPTHS = {"twt_ns": "two-way travel time (ns)", "range_m": "range (m)"}


def drawable(values: NDArray[Any]) -> NDArray[np.float64]:
    """Convert to float64; values that are not finite, or too large for Matplotlib, become NaN."""
    numbers = np.asarray(values, np.float64)
    return np.where(np.abs(numbers) < _MOST, numbers, np.nan)


def numbers_by_row(collection: Collection, dims: int) -> Iterator[tuple[str, Column]]:
    """Yield numeric arrays with rows and `dims` dimensions, without times and uncertainties."""
    for name, column in collection.columns.items():
        known = column.dims[:1] == (ROW,) and len(column.dims) == dims and column.array.dtype.kind in "iufb"
        if known and not name.endswith((*SIGMAS, *_NOT_PLOTTED)):
            yield name, column


def is_image(collection: Collection) -> bool:
    """Whether each row has an image."""
    column = collection.columns.get("image")
    return column is not None and column.dims[:3] == (ROW, "line", "sample")


def draw_image(figure: Any, collection: Collection) -> None:
    """Draw the first image of the collection."""
    column = collection.columns["image"]
    image = next(column.array.parts())[0]
    step = max(1, -(-max(image.shape[:2]) // MAX_PIXELS))
    axes = figure.subplots()
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    image = image if image.dtype.kind == "u" else drawable(image)
    colour = image.ndim == 3 and image.shape[2] in {3, 4}
    shown = image[::step, ::step] if colour or image.ndim == 2 else image[::step, ::step, 0]
    if colour and shown.dtype.kind == "f":
        bright = float(np.nanpercentile(shown, 99.5)) if np.isfinite(shown).any() else 1.0
        shown = np.clip(np.nan_to_num(shown / (bright or 1.0)), 0.0, 1.0)
    drawn = axes.imshow(shown, cmap="gray", extent=extent, interpolation="nearest")
    if not colour:
        figure.colorbar(drawn, ax=axes, label=column.unit or "counts", shrink=0.8)
    n_images = sum(collection.n_rows)
    more = f"; the first of {n_images} images" if n_images > 1 else ""
    axes.set(xlabel=f"sample (pixel){more}", ylabel="line (pixel)")


def draw_radargram(figure: Any, collection: Collection) -> None:
    """Draw traces side by side: in grey if values have a sign, else in dB; with a second axis for depth if known."""
    values, name, unit = _traces(collection)
    depth_name = next(one for one in _DEPTHS if one in collection.columns)
    depth, deep = _scale(collection, depth_name), "depth_m" in collection.columns
    shown = drawable(values[:: max(1, -(-len(values) // MAX_PIXELS))]).T
    look = _grey(shown) if (shown < 0).any() else _decibel(shown)
    label = f"{name} ({unit or 'counts'})" if (shown < 0).any() else f"{name}, dB to one {unit or 'count'}"
    axes = figure.subplots()
    along, along_label = _along(collection, len(values))
    extent = (*_ends(along), *_ends(depth)[::-1])
    drawn = axes.imshow(aspect="auto", extent=extent, interpolation="nearest", **look)
    figure.colorbar(drawn, ax=axes, label=label, pad=0.1 if deep else 0.02)
    axes.set(xlabel=along_label, ylabel=_DEPTHS[depth_name])
    if deep:
        metres = _scale(collection, "depth_m")
        right = axes.twinx()
        right.set_ylim(*_ends(metres)[::-1])
        right.set_ylabel("depth (m), with the permittivity of the calibration")


def _grey(shown: NDArray[Any]) -> dict[str, Any]:
    end = float(np.nanpercentile(np.abs(shown), 98)) if np.isfinite(shown).any() else 1.0
    return {"X": shown, "cmap": "gray", "vmin": -end, "vmax": end}


def _decibel(shown: NDArray[Any]) -> dict[str, Any]:
    size_db = 20 * np.log10(np.maximum(np.abs(shown), 1e-12))
    top = float(np.nanmax(size_db, initial=-240.0))
    return {"X": size_db, "cmap": "viridis", "vmin": top - 80, "vmax": top}


def _traces(collection: Collection) -> tuple[NDArray[Any], str, str]:
    columns = collection.columns
    for name in ("quicklook", "envelope", "amplitude"):
        if name in columns:
            return columns[name].array.whole(), name, columns[name].unit.replace("1", "")
    return np.hypot(columns["real"].array.whole(), columns["imaginary"].array.whole()), "magnitude", ""


def _along(collection: Collection, n_rows: int) -> tuple[NDArray[Any], str]:
    column = collection.columns.get("distance_m")
    if column is not None and column.dims == (ROW,) and n_rows > 1:
        return drawable(column.array.whole()), "distance along the track (m)"
    return np.arange(n_rows), "trace"


def _ends(along: NDArray[Any]) -> tuple[float, float]:
    known = along[np.isfinite(along)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _scale(collection: Collection, name: str) -> NDArray[np.float64]:
    """An abscissa; that of the first product or row, if each has its own."""
    values = next(collection.columns[name].array.parts())
    return drawable(values.reshape(-1, values.shape[-1])[0])


def draw_spectra(figure: Any, collection: Collection) -> None:
    """Draw up to three arrays against their abscissas: MAX_CURVES rows, evenly spread."""
    found = spectra(collection)[:3]
    panels = np.atleast_1d(figure.subplots(len(found), 1))
    for axes, (name, one, scale_name, scale) in zip(panels, found, strict=True):
        values, xs = drawable(one.array.whole()), drawable(scale.array.whole())
        shown = np.unique(np.linspace(0, len(values) - 1, MAX_CURVES).astype(np.int64))
        for row in shown.tolist():
            x = xs[row] if scale.dims[:1] == (ROW,) else xs.reshape(-1, xs.shape[-1])[0]
            axes.plot(x, values[row], linewidth=0.7, label=f"row {row}")
        divided = next(how for ending, how in _SCALES.items() if scale_name.endswith(ending))
        axes.set(xscale=divided, yscale=divided if (values > 0).any() else "linear")
        axes.set(ylabel=_label(name, one.unit), xlabel=_label(scale_name, scale.unit) if axes is panels[-1] else "")
        axes.legend(**LEGEND)


def spectra(collection: Collection) -> list[tuple[str, Column, str, Column]]:
    """Arrays of rows and channels, each with name and array of its abscissa."""
    scales = [(name, one) for name, one in collection.columns.items() if name.endswith(tuple(_SCALES))]
    return [
        (name, one, scale_name, scale)
        for name, one in numbers_by_row(collection, 2)
        for scale_name, scale in scales
        if name != scale_name and one.dims[-1] == scale.dims[-1] and not name.endswith(tuple(_SCALES))
    ]


def is_radargram(collection: Collection) -> bool:
    """Whether there are traces with an abscissa of time or range."""
    columns = collection.columns
    known = columns.get("amplitude") or columns.get("real")
    return known is not None and len(known.dims) == 2 and any(name in columns for name in _DEPTHS)


def _label(name: str, unit: str) -> str:
    words = name.replace("_", " ")
    return f"{words} ({unit})" if unit not in {"", "1"} else words
