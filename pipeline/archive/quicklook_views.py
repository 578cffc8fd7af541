"""Views of a quick-look, by the arrays of a collection.

The first that fits of an image, a radargram, spectra, the map of a traverse, texts against time; else curves by unit.

Values that are not finite, or too large for Matplotlib, become NaN. Long curves are thinned; the flags of rows that are
left out are those of the row before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Quantity
from ..pictures.series import Series
from ..products.kinds import View
from .collection import ROW, SIGMAS, Collection, Column

MAX_PANELS, MAX_COMPONENTS, MAX_SPECTRA, MAX_POINTS = 6, 16, 3, 4000
_NOT_PLOTTED = ("onboard_ns", "utc_ns", "onboard_seconds", "onboard_milliseconds")
_SCALES = {
    "wavelength_nm": ("spectra", "wavelength", "wavelength"),
    "frequency_hz": ("spectra", "wavelength", "frequency"),
    "energy_ev": ("energies", "energy", "energy"),
    "energy_kev": ("energies", "energy", "energy"),
}
"""By the ending of the name of an abscissa: how spectra over it are drawn, the option that it is, and its word."""
_SPECTRUM_NAMES = ("point_id", "species", "bin")
_MOST = 1e30
_TRACES = ("quicklook", "envelope", "amplitude")
_DEPTHS = {"twt_ns": "two-way travel time", "range_m": "range"}
_PERCENT, _SIGNED_PERCENT = (2, 99.8), 98


@dataclass(frozen=True, slots=True)
class Quicklook:
    """Panels, and what they draw. `share_x`: they are one below the other, over one abscissa."""

    views: Sequence[View]
    series: Series
    share_x: bool = False
    note: str = ""


def quicklook_of(collection: Collection) -> Quicklook:
    """Choose the panels of a collection, and read the arrays for them; none if there is nothing to draw."""
    choices = (_image, _radargram, _spectra, _traverse, _texts, _curves) if sum(collection.n_rows) else ()
    made = (choose(collection) for choose in choices)
    return next(filter(None, made), None) or Quicklook((), _series(collection, {}))


def _image(collection: Collection) -> Quicklook | None:
    """The newest image, read alone."""
    column = collection.columns.get("image")
    if column is None or column.dims[:3] != (ROW, "line", "sample"):
        return None
    known = {name: one for name, one in collection.columns.items() if name in {"image", "line_quality"}}
    arrays = {name: _quantity(one, one.array.part(-1)) for name, one in known.items()}
    return Quicklook([View("", "picture", {"of": sum(collection.n_rows)})], _series(collection, arrays))


def _radargram(collection: Collection) -> Quicklook | None:
    """Traces side by side: in grey if values have a sign, else in dB; with a second axis for the depth if known."""
    columns = collection.columns
    known = columns.get("amplitude") or columns.get("real")
    down = next((name for name in _DEPTHS if name in columns), "")
    if known is None or len(known.dims) != 2 or not down:
        return None
    array = next((name for name in _TRACES if name in columns), "")
    arrays = {name: _whole(columns[name]) for name in ([array] if array else ["real", "imaginary"])}
    arrays |= {name: _scale(columns[name]) for name in (down, "depth_m") if name in columns}
    options: dict[str, Any] = {"down": down, "label": _DEPTHS[down]}
    options |= (
        {"array": array, "percent": _PERCENT} if array else {"pair": ("real", "imaginary"), "percent": _PERCENT}
    )
    if array and (arrays[array].values < 0).any():
        end = float(np.nanpercentile(np.abs(arrays[array].values), _SIGNED_PERCENT))
        options["range"] = (-end, end)
    if "depth_m" in columns:
        options["beside"] = ("depth_m", "depth, by the permittivity of the calibration")
    distance = columns.get("distance_m")
    if distance is not None and distance.dims == (ROW,) and sum(collection.n_rows) > 1:
        arrays["distance_m"] = _whole(distance)
        options["along"] = "distance_m"
    return Quicklook([View("", "section", options)], _series(collection, arrays))


def _spectra(collection: Collection) -> Quicklook | None:
    """Arrays of rows and channels against their abscissas."""
    columns = collection.columns
    scales = [name for name in columns if name.endswith(tuple(_SCALES))]
    pairs = [
        (name, scale)
        for name, one in _numbers(collection, 2)
        for scale in scales
        if name not in scales and one.dims[-1] == columns[scale].dims[-1]
    ][:MAX_SPECTRA]
    arrays: dict[str, Quantity] = {}
    for name, scale in pairs:
        by_row = columns[scale].dims[:1] == (ROW,)
        arrays |= {name: _whole(columns[name]), scale: (_whole if by_row else _scale)(columns[scale])}
    arrays |= {name: _whole(columns[name]) for name in _SPECTRUM_NAMES if pairs and name in columns}
    views = [_spectrum(name, scale, columns[scale].unit) for name, scale in pairs]
    return (
        Quicklook(views, _series(collection, arrays), share_x=len({scale for _, scale in pairs}) == 1)
        if pairs
        else None
    )


def _spectrum(name: str, scale: str, unit: str) -> View:
    draw, option, word = next(how for ending, how in _SCALES.items() if scale.endswith(ending))
    return View(
        "", draw, {"array": name, option: scale, "unit": unit, "word": word, "label": name.replace("_", " ")}
    )


def _traverse(collection: Collection) -> Quicklook | None:
    """The track on a map, and the distance driven against time."""
    names = ("position_enu_m", "distance_m")
    if not all(name in collection.columns for name in names):
        return None
    arrays = {name: _whole(collection.columns[name]) for name in names}
    distance = View("", "lines", {"arrays": {"distance_m": ""}, "label": "distance"})
    return Quicklook([View("", "path", {"array": "position_enu_m"}), distance], _series(collection, arrays))


def _texts(collection: Collection) -> Quicklook | None:
    if "text" not in collection.columns:
        return None
    arrays = {"text": _whole(collection.columns["text"])}
    return Quicklook([View("", "texts", {"array": "text"})], _series(collection, arrays))


def _curves(collection: Collection) -> Quicklook | None:
    """A panel for each unit, and for each array of few components; at most MAX_PANELS."""
    views: list[tuple[str, View]] = []
    names: dict[str, list[str]] = {}
    for name, column in _numbers(collection, 1):
        names.setdefault(column.unit, []).append(name)
    for unit, some in names.items():
        title = some[0] if len(some) == 1 else ""
        views.append((unit, _lines(title, {name: name for name in some})))
    for name, column in _numbers(collection, 2):
        if column.array.shape[1] <= MAX_COMPONENTS:
            parts = {f"{name}[{k}]": str(k) for k in range(column.array.shape[1])}
            views.append((column.unit, _lines(name, parts)))
    views.sort(key=lambda item: (item[0] in {"", "1"}, "_enu_" not in item[1].title))
    shown = [view for _, view in views[:MAX_PANELS]]
    note = f"{len(views) - MAX_PANELS} more panels are not shown" if len(views) > MAX_PANELS else ""
    wanted = dict.fromkeys(name.partition("[")[0] for view in shown for name in view.options["arrays"])
    step = max(1, sum(collection.n_rows) // MAX_POINTS)
    arrays = dict(_components(collection, wanted, step))
    return Quicklook(shown, _series(collection, arrays, step), share_x=True, note=note) if shown else None


def _lines(title: str, arrays: Mapping[str, str]) -> View:
    return View(title, "lines", {"arrays": arrays, "label": ""})


def _components(collection: Collection, names: Iterable[str], step: int) -> Iterator[tuple[str, Quantity]]:
    """Arrays of one axis; components of arrays of two axes are called `name[k]`."""
    for name in names:
        column = collection.columns[name]
        values = column.array.whole()[::step]
        parts = {name: values} if values.ndim == 1 else {f"{name}[{k}]": one for k, one in enumerate(values.T)}
        yield from ((part, _quantity(column, one)) for part, one in parts.items())


def _numbers(collection: Collection, dims: int) -> Iterator[tuple[str, Column]]:
    """Yield numeric arrays with rows and `dims` dimensions, without times and uncertainties."""
    for name, column in collection.columns.items():
        known = column.dims[:1] == (ROW,) and len(column.dims) == dims and column.array.dtype.kind in "iufb"
        if known and not name.endswith((*SIGMAS, *_NOT_PLOTTED)):
            yield name, column


def _whole(column: Column) -> Quantity:
    return _quantity(column, column.array.whole())


def _scale(column: Column) -> Quantity:
    """An abscissa; that of the first product or row, if each has its own."""
    values = next(column.array.parts())
    return _quantity(column, values.reshape(-1, values.shape[-1])[0])


def _quantity(column: Column, values: NDArray[Any]) -> Quantity:
    if values.dtype.kind == "f":
        values = np.where(np.abs(values) < _MOST, values, np.nan)
    return Quantity(values, column.unit, column.description, column.dims)


def _series(collection: Collection, arrays: Mapping[str, Quantity], step: int = 1) -> Series:
    """The series of every `step`-th row."""
    utc_ns = collection.columns["time_utc_ns"].array.whole()[::step]
    quality = collection.quality.whole()
    if len(quality):
        quality = np.bitwise_or.reduceat(quality, np.arange(0, len(quality), step))
    return Series(
        instrument=collection.instrument,
        product=collection.product,
        level=collection.level,
        arrays=arrays,
        utc_ns=utc_ns,
        quality=quality,
        latest=(),
        n_products=len(collection.ids),
        thinned=1,
        received_ns=np.zeros(len(utc_ns), np.int64),
        header=frozenset(),
    )
