"""Panels of a pass, by the views of its product kinds (`View`); kinds without views get generic panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..products.kinds import ProductKind, View
from .generic import Panel, generic_panels, select_panels
from .series import Series
from .style import COLOURS, FLAGGED, decibel, draw_line, draw_lines, draw_time, escape_dollars, label, without_gaps

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Options = Mapping[str, Any]
Drawer = Callable[["Axes", Series, Options], None]
NO_KINDS: Mapping[str, ProductKind] = {}
MAX_SPECTRA = 6  # drawn over one another; the newest ones


def section(axes: Axes, series: Series, options: Options) -> None:
    """Draw traces side by side: `array`, or the magnitude of a `pair` of real and imaginary parts, in dB.

    `along`, `down`: arrays with the positions of traces and samples; `label`, `unit`, `scale`: of those of samples.
    `percent`: percentiles that the colours span; `range`: values that they span, drawn linearly.
    """
    values = (
        np.hypot(*map(series.values, options["pair"])) if "pair" in options else series.values(options["array"])
    )
    level = values if "range" in options else decibel(values)
    depth = series.values(options["down"]) * options.get("scale", 1.0)
    place = series.values(options["along"]) if "along" in options else np.array([-0.5, len(level) - 0.5])
    extent = (float(place[0]), float(place[-1]), float(depth[-1]), float(depth[0]))
    low, high = options.get("range") or _percentiles(level, options.get("percent", (0, 100)))
    axes.imshow(level.T, aspect="auto", extent=extent, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.grid(visible=False)
    along = label("distance", series.unit(options["along"])) if "along" in options else "trace"
    axes.set(xlabel=along, ylabel=label(options["label"], options.get("unit") or series.unit(options["down"])))
    if "range" not in options:
        _amplitude_bar(axes)


def _percentiles(level: NDArray[np.float64], percent: Sequence[float]) -> tuple[float, float]:
    finite = level[np.isfinite(level)]
    low, high = np.percentile(finite, percent) if len(finite) else (0.0, 1.0)
    return float(low), float(high)


def _amplitude_bar(axes: Axes) -> None:
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(axes.images[0], ax=axes, pad=0.01, fraction=0.04)
        bar.set_label("amplitude [dB]")
        bar.outline.set_visible(False)


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
    """Draw the newest spectra of an `array` against `wavelength`, in nm."""
    values, wavelength_nm = (
        series.values(options["array"]),
        series.values(options.get("wavelength", "wavelength_nm")),
    )
    rows = range(max(0, len(values) - MAX_SPECTRA), len(values))
    for row, colour in zip(rows, COLOURS, strict=False):
        at = wavelength_nm[row] if wavelength_nm.ndim > 1 else wavelength_nm
        axes.plot(at, values[row], color=colour, linewidth=0.6, label=_name(series, row))
    axes.set(
        xlabel=label("wavelength in vacuum", "nm"), ylabel=label(options["label"], series.unit(options["array"]))
    )
    axes.legend(loc="best")


def _name(series: Series, row: int) -> str:
    """Legend text of a spectrum."""
    for name, word in (("point_id", "point "), ("species", ""), ("bin", "bin ")):
        if name in series.arrays:
            return escape_dollars(f"{word}{series.arrays[name].values[row]}")
    return f"row {row}"


def energies(axes: Axes, series: Series, options: Options) -> None:
    """Draw the newest spectra of an `array` against `energy` in `unit`, on logarithmic axes, without zero counts."""
    values, energy = series.values(options["array"]), series.values(options["energy"])
    rows = range(max(0, len(values) - MAX_SPECTRA), len(values))
    for row, colour in zip(rows, COLOURS, strict=False):
        known = values[row] > 0
        axes.plot(energy[known], values[row][known], ".-", color=colour, markersize=2, label=_name(series, row))
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


def picture(axes: Axes, series: Series, _: Options) -> None:
    """Draw the newest image; missing lines stay empty."""
    image = np.asarray(series.arrays["image"].values)[-1]
    shown = _colours(image) if image.ndim == 3 else image
    if "line_quality" in series.arrays:
        lost = np.asarray(series.arrays["line_quality"].values)[-1] != 0
        shown = np.ma.masked_array(shown, np.broadcast_to(lost[:, *(None,) * (shown.ndim - 1)], shown.shape))
    axes.imshow(shown, cmap="gray", interpolation="nearest")
    axes.set(xlabel="sample", ylabel="line")
    axes.grid(visible=False)


def _colours(image: NDArray[Any]) -> NDArray[Any]:
    """Convert a colour image for drawing: bytes stay, other values are scaled from 0 to their 99.5th percentile."""
    if image.dtype == np.uint8:
        return image
    top = float(np.nanpercentile(image, 99.5)) if np.isfinite(image).any() else 1.0
    return np.asarray(np.clip(np.nan_to_num(image[..., :3]) / (top or 1.0), 0.0, 1.0))


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
