"""Panels of a pass, by the views of its product kinds (`View`); kinds without views get generic panels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..products.kinds import ProductKind, View
from .generic import Panel, generic_panels, select_panels
from .series import Series
from .style import (
    COLOURS,
    FLAGGED,
    colour_bar,
    decibel,
    draw_line,
    draw_lines,
    draw_time,
    escape_dollars,
    label,
    without_gaps,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Options = Mapping[str, Any]
Drawer = Callable[["Axes", Series, Options], None]
NO_KINDS: Mapping[str, ProductKind] = {}
MAX_SPECTRA = 6  # drawn over one another
MAX_PIXELS = 2000  # of an image in each direction
MAX_TEXTS = 40


def section(axes: Axes, series: Series, options: Options) -> None:
    """Draw traces side by side: `array`, or the magnitude of a `pair` of real and imaginary parts, in dB.

    `along`, `down`: arrays with the positions of traces and samples; `label`, `unit`, `scale`: of those of samples;
    `beside`: an array with other positions of the samples, and its label. `percent`: percentiles that the colours span;
    `range`: values that they span, drawn linearly.
    """
    values = (
        np.hypot(*map(series.values, options["pair"])) if "pair" in options else series.values(options["array"])
    )
    shown = _thinned(values, 1)
    level = shown if "range" in options else decibel(shown)
    scale = options.get("scale", 1.0)
    low, high = options.get("range") or _percentiles(level, options.get("percent", (0, 100)))
    place = _ends(series.values(options["along"])) if "along" in options else (-0.5, len(values) - 0.5)
    down = _ends(series.values(options["down"]) * scale)[::-1]
    extent = (*place, *down)
    axes.imshow(level.T, aspect="auto", extent=extent, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.grid(visible=False)
    along = label("distance", series.unit(options["along"])) if "along" in options else "trace"
    axes.set(xlabel=along, ylabel=label(options["label"], options.get("unit") or series.unit(options["down"])))
    name = str(options.get("array", "amplitude")).replace("_", " ")
    words = label(name, series.unit(options["array"])) if "range" in options else "amplitude [dB]"
    colour_bar(axes, words, 0.1 if "beside" in options else 0.01)
    if "beside" in options:
        other, text = options["beside"]
        right = axes.twinx()
        right.set(ylim=_ends(series.values(other))[::-1], ylabel=label(text, series.unit(other)))
        right.grid(visible=False)


def _percentiles(level: NDArray[np.float64], percent: Sequence[float]) -> tuple[float, float]:
    finite = level[np.isfinite(level)]
    low, high = np.percentile(finite, percent) if len(finite) else (0.0, 1.0)
    return float(low), float(high)


def _ends(positions: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of an axis of these positions; something about one position."""
    known = positions[np.isfinite(positions)]
    first, last = (float(known[0]), float(known[-1])) if len(known) else (0.0, 1.0)
    return (first, last) if first != last else (first - 0.5, last + 0.5)


def _thinned(image: NDArray[Any], n_axes: int) -> NDArray[Any]:
    """Every k-th line, and with two axes also every k-th sample, so that none of them has more than MAX_PIXELS."""
    step = slice(None, None, max(1, -(-max(image.shape[:n_axes]) // MAX_PIXELS)))
    return image[(step,) * n_axes]


def vector(axes: Axes, series: Series, options: Options) -> None:
    """Draw the components of the array `vector` against time, named by `axes`, and its `magnitude`."""
    values = series.values(options["vector"])
    for axis, (word, colour) in enumerate(zip(options["axes"], COLOURS, strict=False)):
        draw_line(axes, series, values[:, axis], color=colour, label=word)
    if "magnitude" in options:
        draw_line(axes, series, series.values(options["magnitude"]), color="#20262d", label="magnitude")
    axes.set_ylabel(label(options.get("label", "field"), series.unit(options["vector"])))
    axes.legend(loc="best", ncols=2)
    draw_time(axes, series)


def direction(axes: Axes, series: Series, options: Options) -> None:
    """Draw the array `size` as a line, and the array `from`, its direction in degrees, as points."""
    draw_line(axes, series, series.values(options["size"]), color=COLOURS[0])
    axes.set_ylabel(label(options["label"], series.unit(options["size"])))
    whence = axes.twinx()
    whence.plot(series.place, series.values(options["from"]), ".", color=COLOURS[1], markersize=1.5)
    whence.set(ylim=(0, 360), yticks=(0, 90, 180, 270, 360), ylabel=label("from", "degree"))
    whence.grid(visible=False)
    draw_time(axes, series)


def lines(axes: Axes, series: Series, options: Options) -> None:
    """Draw `arrays` (legend text by name) against time; `label`: of the axis."""
    draw_lines(axes, series, options["arrays"], options["label"])


def spectra(axes: Axes, series: Series, options: Options) -> None:
    """Draw spectra of an `array` against `wavelength`, in nm; `word` and `unit`: if this is another quantity."""
    scale, unit = options.get("wavelength", "wavelength_nm"), options.get("unit", "nm")
    for x, y, look in _spectra(series, options["array"], scale):
        axes.plot(x, y, linewidth=0.6, **look)
    xlabel = label(options.get("word", "wavelength in vacuum"), unit)
    axes.set(xlabel=xlabel, ylabel=label(options["label"], series.unit(options["array"])))
    axes.legend(loc="best")


def _spectra(series: Series, array: str, scale: str) -> Iterator[tuple[Any, Any, Options]]:
    """Yield abscissa, values, and colour and legend of up to MAX_SPECTRA rows, evenly spread."""
    values, at = series.values(array), series.values(scale)
    rows = np.unique(np.linspace(len(values) - 1, 0, MAX_SPECTRA).astype(np.int64)).tolist()
    for row, colour in zip(rows, COLOURS, strict=False):
        yield at[row] if at.ndim > 1 else at, values[row], {"color": colour, "label": _name(series, row)}


def _name(series: Series, row: int) -> str:
    """Legend text of a spectrum."""
    for name, word in (("point_id", "point "), ("species", ""), ("bin", "bin ")):
        if name in series.arrays:
            return escape_dollars(f"{word}{series.arrays[name].values[row]}, row {row}")
    return f"row {row}"


def energies(axes: Axes, series: Series, options: Options) -> None:
    """Draw spectra of an `array` against `energy` in `unit`, on logarithmic axes, without zero counts."""
    for x, y, look in _spectra(series, options["array"], options["energy"]):
        axes.plot(x[y > 0], y[y > 0], ".-", markersize=2, **look)
    ylabel = label(options.get("label", "flux"), series.unit(options["array"]))
    axes.set(xlabel=label("energy", options["unit"]), ylabel=ylabel, xscale="log", yscale="log")
    axes.tick_params(which="minor", labelbottom=False, labelleft=False)
    axes.legend(loc="best")


def bands(axes: Axes, series: Series, options: Options) -> None:
    """Draw the newest `level` of each band against the `centre` frequencies in Hz."""
    centre_hz, level = series.values(options["centre"]), series.values(options["level"])[-1]
    axes.step(centre_hz, level, where="mid", color=COLOURS[0])
    unit = series.unit(options["level"])
    axes.set(xlabel=label("frequency", "Hz"), ylabel=label(options["label"], unit), xscale="log")


def path(axes: Axes, series: Series, options: Options) -> None:
    """Draw a track on a map, in metres, from an `array` of east, north and up; doubtful rows are marked."""
    east, north = series.values(options["array"])[:, :2].T
    axes.plot(*without_gaps(series, east, north), color=COLOURS[0])
    axes.plot(east[:1], north[:1], "o", color=COLOURS[2], markersize=4, label="start")
    axes.plot(east[-1:], north[-1:], "s", color=COLOURS[1], markersize=4, label="end")
    flagged = series.flagged
    axes.plot(east[flagged], north[flagged], "x", color=FLAGGED, markersize=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=label("east", "m"), ylabel=label("north", "m"))
    axes.legend(loc="best")


def picture(axes: Axes, series: Series, options: Options) -> None:
    """Draw the newest image; missing lines stay empty. `of`: how many there are, if not all are in the series."""
    images = series.arrays["image"]
    image = np.asarray(images.values)[-1]
    is_colour = image.ndim == 3 and image.shape[2] in {3, 4}
    shown = _colours(image) if is_colour else image.reshape(*image.shape[:2], -1)[..., 0]
    if "line_quality" in series.arrays:
        lost = np.asarray(series.arrays["line_quality"].values)[-1] != 0
        shown = np.ma.masked_array(shown, np.broadcast_to(lost[:, *(None,) * (shown.ndim - 1)], shown.shape))
    extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
    axes.imshow(_thinned(shown, 2), cmap="gray", interpolation="nearest", extent=extent)
    n = options.get("of", len(images.values))
    axes.set(xlabel=f"sample (the newest of {n:,} images)" if n > 1 else "sample", ylabel="line")
    axes.grid(visible=False)
    if not is_colour:
        colour_bar(axes, label("" if images.unit else "counts", images.unit))


def texts(axes: Axes, series: Series, options: Options) -> None:
    """Draw the first MAX_TEXTS texts of an `array` against time, from top to bottom."""
    words = np.asarray(series.arrays[options["array"]].values)[:MAX_TEXTS].tolist()
    axes.plot(series.place[: len(words)], np.arange(len(words)), "o", color=COLOURS[0], markersize=4)
    for level, (when, text) in enumerate(zip(series.place, words, strict=False)):
        plain = escape_dollars(str(text).encode("ascii", "replace").decode())  # the font has no other scripts
        axes.annotate(plain, (when, level), xytext=(6, -3), textcoords="offset points")
    more = f" (the first {len(words)} of {len(series.quality):,})" if len(words) < len(series.quality) else ""
    axes.set(ylabel=f"{escape_dollars(options['array'])}{more}", yticks=[])
    axes.invert_yaxis()
    axes.margins(x=0.4)
    draw_time(axes, series)


def _colours(image: NDArray[Any]) -> NDArray[Any]:
    """Convert a colour image for drawing: bytes stay, other values are scaled from 0 to their 99.5th percentile."""
    if image.dtype == np.uint8:
        return image
    top = float(np.nanpercentile(image, 99.5)) if np.isfinite(image).any() else 1.0
    return np.asarray(np.clip(np.nan_to_num(image[..., :3] / (top or 1.0)), 0.0, 1.0))


DRAWERS: Mapping[str, Drawer] = {
    "section": section,
    "vector": vector,
    "direction": direction,
    "lines": lines,
    "spectra": spectra,
    "energies": energies,
    "bands": bands,
    "path": path,
    "picture": picture,
    "texts": texts,
}
"""By `View.draw`."""


def panel_of(view: View) -> Panel:
    """Make the panel of a view. Raises KeyError for an unknown `draw`."""
    draw, options = DRAWERS[view.draw], view.options
    return Panel(view.title, lambda axes, series: draw(axes, series, options))


def panels_of(
    found: Sequence[Series], max_panels: int, kinds: Mapping[str, ProductKind] = NO_KINDS
) -> list[tuple[Panel, Series]]:
    """Make the panels of a pass: views in the order of the mission's kinds, then generic panels as space is left.

    A kind that another one `replaces` is left out if the pass has both.
    """
    by_kind = {f"{one.instrument}/{one.product}": one for one in found}
    declared = {topic: kind for topic, kind in kinds.items() if topic in by_kind and kind.view is not None}
    hidden = {f"{kind.instrument}/{kind.replaces}" for kind in declared.values() if kind.replaces}
    views = [(view, topic) for topic, kind in declared.items() if topic not in hidden for view in kind.view or ()]
    drawn = [(panel_of(view), by_kind[topic]) for view, topic in views]
    others = [one for topic, one in by_kind.items() if topic not in declared]
    generic = select_panels([generic_panels(one) for one in others], others, max_panels - len(drawn))
    return [*drawn, *generic][:max_panels]
