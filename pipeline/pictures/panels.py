"""One panel for each thing worth seeing of an instrument: a series in, axes drawn. A new one: a line in PANELS.

Kinds that the table does not name are drawn by `newest`: their `latest` quantities against time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.pictures.series import Series
from pipeline.pictures.style import COLOURS, FLAGGED, decibel, draw_lines, draw_time, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SPECTRA = 6  # drawn over one another; the newest ones


@dataclass(frozen=True, slots=True)
class Panel:
    """A titled picture of one kind of product."""

    title: str
    draw: Callable[[Axes, Series], None]


def radargram(axes: Axes, series: Series) -> None:
    """Amplitude of traces as received, against distance in traces and two-way time."""
    twt_ns = series.values("twt_ns")
    level = decibel(np.hypot(series.values("real"), series.values("imaginary")))
    finite = level[np.isfinite(level)]
    low, high = np.percentile(finite, (5, 99.5)) if len(finite) else (0.0, 1.0)
    extent = (-0.5, len(level) - 0.5, float(twt_ns[-1]), float(twt_ns[0]))
    axes.imshow(level.T, aspect="auto", extent=extent, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel="trace", ylabel=label("two-way time", "ns"))
    _amplitude_bar(axes)


def _amplitude_bar(axes: Axes) -> None:
    figure = axes.get_figure()
    if figure is not None:
        bar = figure.colorbar(axes.images[0], ax=axes, pad=0.01, fraction=0.04)
        bar.set_label("amplitude [dB]")
        bar.outline.set_visible(False)


def processed_radargram(axes: Axes, series: Series) -> None:
    """The gained quick-look against distance and depth."""
    picture = series.values("quicklook")
    finite = np.abs(picture[np.isfinite(picture)])
    limit = float(np.percentile(finite, 98)) if len(finite) else 1.0
    distance_m, depth_m = series.values("distance_m"), series.values("depth_m")
    extent = (float(distance_m[0]), float(distance_m[-1]), float(depth_m[-1]), float(depth_m[0]))
    axes.imshow(
        picture.T, aspect="auto", extent=extent, cmap="gray", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    axes.grid(visible=False)
    axes.set(xlabel=label("distance", "m"), ylabel=label("depth", "m"))


def magnetic_field(axes: Axes, series: Series) -> None:
    """Components in local axes, and the magnitude."""
    field = series.values("field_a_enu_nt")
    for axis, (word, colour) in enumerate(zip(("east", "north", "up"), COLOURS, strict=False)):
        axes.plot(series.time, field[:, axis], color=colour, label=word)
    axes.plot(series.time, series.values("field_a_magnitude_nt"), color="#20262d", label="magnitude")
    axes.set_ylabel(label("field", series.unit("field_a_enu_nt")))
    axes.legend(loc="upper right", ncols=4, borderaxespad=0.1)
    draw_time(axes, series)


def wind(axes: Axes, series: Series) -> None:
    """Speed as a line, the direction that it comes from as points."""
    axes.plot(series.time, series.values("wind_speed_m_s"), color=COLOURS[0])
    axes.set_ylabel(label("wind speed", series.unit("wind_speed_m_s")))
    direction = axes.twinx()
    direction.plot(series.time, series.values("wind_from_direction_deg"), ".", color=COLOURS[1], markersize=1.5)
    direction.set(ylim=(0, 360), yticks=(0, 90, 180, 270, 360), ylabel=label("from", "degree"))
    direction.grid(visible=False)
    draw_time(axes, series)


def lines(text: str, **names: str) -> Callable[[Axes, Series], None]:
    """Quantities against time: `names` maps arrays to words for the legend."""
    return lambda axes, series: draw_lines(axes, series, names, text)


def spectra(name: str, text: str) -> Callable[[Axes, Series], None]:
    """The newest spectra of an array over wavelength."""

    def draw(axes: Axes, series: Series) -> None:
        values, wavelength_nm = series.values(name), series.values("wavelength_nm")
        rows = range(max(0, len(values) - MAX_SPECTRA), len(values))
        for row, colour in zip(rows, COLOURS, strict=False):
            at = wavelength_nm[row] if wavelength_nm.ndim > 1 else wavelength_nm
            point = series.arrays["point_id"].values[row] if "point_id" in series.arrays else row
            axes.plot(at, values[row], color=colour, linewidth=0.6, label=f"point {point}")
        axes.set(xlabel=label("wavelength in vacuum", "nm"), ylabel=label(text, series.unit(name)))
        axes.legend(loc="best")

    return draw


def path(axes: Axes, series: Series) -> None:
    """The rover's way on a map, in metres; flagged rows are marked."""
    east, north = series.values("position_enu_m")[:, :2].T
    axes.plot(east, north, color=COLOURS[0])
    axes.plot(east[:1], north[:1], "o", color=COLOURS[2], markersize=4, label="start")
    axes.plot(east[-1:], north[-1:], "s", color=COLOURS[1], markersize=4, label="end")
    flagged = series.flagged
    axes.plot(east[flagged], north[flagged], "x", color=FLAGGED, markersize=3)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set(xlabel=label("east", "m"), ylabel=label("north", "m"))
    axes.legend(loc="best")


def picture(axes: Axes, series: Series) -> None:
    """The newest image; lines that are missing stay empty."""
    image = np.asarray(series.arrays["image"].values)[-1]
    if "line_quality" in series.arrays:
        lost = np.asarray(series.arrays["line_quality"].values)[-1] != 0
        image = np.ma.masked_array(image, np.broadcast_to(lost[:, *(None,) * (image.ndim - 1)], image.shape))
    axes.imshow(image, cmap="gray", interpolation="nearest")
    axes.set(xlabel="sample", ylabel="line")
    axes.grid(visible=False)


def newest(axes: Axes, series: Series) -> None:
    """The first quantities of any kind of product against time, up to three of one unit."""
    names = list(_drawable(series))
    if not names:
        axes.text(
            0.5, 0.5, f"{len(series.utc_ns):,} rows, no numbers to draw", ha="center", transform=axes.transAxes
        )
        axes.set_axis_off()
        return
    unit = series.unit(names[0])
    chosen = [name for name in names if series.unit(name) == unit][:3]
    draw_lines(axes, series, {name: name for name in chosen}, chosen[0] if len(chosen) == 1 else "value")


def _drawable(series: Series) -> Iterator[str]:
    for name in (*series.latest, *series.arrays):
        values = series.arrays[name].values
        is_number = values.ndim == 1 and len(values) == len(series.utc_ns) and values.dtype.kind in "fiu"
        if is_number and not name.startswith("time_"):
            yield name


PANELS: Mapping[tuple[str, str], tuple[Panel, ...]] = {
    ("gpr", "high_frequency"): (Panel("Radar, high frequency, as received", radargram),),
    ("gpr", "low_frequency"): (Panel("Radar, low frequency, as received", radargram),),
    ("gpr", "radargram_high"): (Panel("Radargram, high frequency, gained", processed_radargram),),
    ("gpr", "radargram_low"): (Panel("Radargram, low frequency, gained", processed_radargram),),
    ("magnetometer", "field"): (Panel("Magnetic field, local axes, sensor A", magnetic_field),),
    ("weather", "meteorology"): (
        Panel("Pressure", lines("pressure", pressure_pa="pressure")),
        Panel("Air", lines("temperature", air_temperature_k="air")),
        Panel("Wind", wind),
    ),
    ("libs", "mean"): (Panel("LIBS, mean of the shots", spectra("net_counts", "net counts")),),
    ("swir", "reflectance"): (Panel("Reflectance, short-wave infrared", spectra("reflectance", "reflectance")),),
    ("rover", "navigation"): (Panel("Traverse", path),),
    ("rover", "engineering"): (
        Panel(
            "Power",
            lines("voltage", bus_voltage_v="bus", battery_voltage_v="battery"),
        ),
    ),
    ("orbiter", "state"): (Panel("Orbiter", lines("altitude", altitude_km="altitude")),),
    ("mscam", "image"): (Panel("MSCam, newest image", picture),),
    ("natecam", "image"): (Panel("NaTeCam, newest image", picture),),
    ("moric", "strip"): (Panel("MoRIC, newest strip", picture),),
    ("hiric", "strip"): (Panel("HiRIC, newest strip", picture),),
}

REPLACED = {
    ("gpr", "radargram_high"): ("gpr", "high_frequency"),
    ("gpr", "radargram_low"): ("gpr", "low_frequency"),
}
"""Where a pass has the first, a page has no need of the second."""

LEFT_OUT = ("high_frequency_self_test", "low_frequency_self_test", "shot", "radiance", "event")
"""Products that a page has no room for: they are in the others, or are no picture."""


def panels_of(found: Sequence[Series]) -> list[tuple[Panel, Series]]:
    """The panels of a pass in the order of the table, then those of kinds that it does not name."""
    by_kind = {(one.instrument, one.product): one for one in found}
    hidden = {old for new, old in REPLACED.items() if new in by_kind}
    known = [kind for kind in PANELS if kind in by_kind and kind not in hidden]
    others = [kind for kind in by_kind if kind not in PANELS and kind[1] not in LEFT_OUT]
    drawn = [(panel, by_kind[kind]) for kind in known for panel in PANELS[kind]]
    return drawn + [(Panel(f"{kind[0]}/{kind[1]}", newest), by_kind[kind]) for kind in others]
