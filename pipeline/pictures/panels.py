"""One panel for each thing worth seeing of an instrument: a series in, axes drawn. A new one: a line in PANELS.

Kinds that the table does not name are drawn by `generic`: what varies in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .generic import Panel, generic_panels, shared
from .series import Series
from .style import (
    COLOURS,
    FLAGGED,
    decibel,
    draw_line,
    draw_lines,
    draw_time,
    label,
    plain,
    without_gaps,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SPECTRA = 6  # drawn over one another; the newest ones


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
    """The envelope of the filtered traces, in dB and without gain, against distance and depth."""
    level = decibel(series.values("envelope"))
    finite = level[np.isfinite(level)]
    low, high = np.percentile(finite, (50, 99.8)) if len(finite) else (0.0, 1.0)
    distance_m, depth_m = series.values("distance_m"), series.values("depth_m")
    extent = (float(distance_m[0]), float(distance_m[-1]), float(depth_m[-1]), float(depth_m[0]))
    axes.imshow(level.T, aspect="auto", extent=extent, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel=label("distance", "m"), ylabel=label("depth", "m"))
    _amplitude_bar(axes)


def coherence(axes: Axes, series: Series) -> None:
    """Coherence of HH with VV, 0 to 1, against distance and two-way time."""
    distance_m, twt_ns = series.values("distance_m"), series.values("twt_ns")
    extent = (float(distance_m[0]), float(distance_m[-1]), float(twt_ns[-1]), float(twt_ns[0]))
    values = series.values("coherence_hh_vv")
    axes.imshow(values.T, aspect="auto", extent=extent, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel=label("distance", "m"), ylabel=label("two-way time", "ns"))


def magnetic_field(vector: str, magnitude: str, words: Sequence[str]) -> Callable[[Axes, Series], None]:
    """The components of an array against time, and its magnitude."""

    def draw(axes: Axes, series: Series) -> None:
        field = series.values(vector)
        for axis, (word, colour) in enumerate(zip(words, COLOURS, strict=False)):
            draw_line(axes, series, field[:, axis], color=colour, label=word)
        draw_line(axes, series, series.values(magnitude), color="#20262d", label="magnitude")
        axes.set_ylabel(label("field", series.unit(vector)))
        axes.legend(loc="best", ncols=2)
        draw_time(axes, series)

    return draw


def wind(axes: Axes, series: Series) -> None:
    """Speed as a line, the direction that it comes from as points."""
    draw_line(axes, series, series.values("wind_speed_m_s"), color=COLOURS[0])
    axes.set_ylabel(label("wind speed", series.unit("wind_speed_m_s")))
    direction = axes.twinx()
    direction.plot(series.place, series.values("wind_from_direction_deg"), ".", color=COLOURS[1], markersize=1.5)
    direction.set(ylim=(0, 360), yticks=(0, 90, 180, 270, 360), ylabel=label("from", "degree"))
    direction.grid(visible=False)
    draw_time(axes, series)


def lines(text: str, **names: str) -> Callable[[Axes, Series], None]:
    """Quantities against time: `names` maps arrays to words for the legend."""
    return lambda axes, series: draw_lines(axes, series, names, text)


def spectra(name: str, text: str, wavelength: str = "wavelength_nm") -> Callable[[Axes, Series], None]:
    """The newest spectra of an array over wavelength."""

    def draw(axes: Axes, series: Series) -> None:
        values, wavelength_nm = series.values(name), series.values(wavelength)
        rows = range(max(0, len(values) - MAX_SPECTRA), len(values))
        for row, colour in zip(rows, COLOURS, strict=False):
            at = wavelength_nm[row] if wavelength_nm.ndim > 1 else wavelength_nm
            axes.plot(at, values[row], color=colour, linewidth=0.6, label=_name(series, row))
        axes.set(xlabel=label("wavelength in vacuum", "nm"), ylabel=label(text, series.unit(name)))
        axes.legend(loc="best")

    return draw


def _name(series: Series, row: int) -> str:
    """What tells a spectrum from its neighbours."""
    for name, word in (("point_id", "point "), ("species", ""), ("bin", "bin ")):
        if name in series.arrays:
            return plain(f"{word}{series.arrays[name].values[row]}")
    return f"row {row}"


def flux(name: str, energy: str, unit: str) -> Callable[[Axes, Series], None]:
    """The newest energy spectra, both axes logarithmic; channels without a count have no point."""

    def draw(axes: Axes, series: Series) -> None:
        values, energies = series.values(name), series.values(energy)
        rows = range(max(0, len(values) - MAX_SPECTRA), len(values))
        for row, colour in zip(rows, COLOURS, strict=False):
            known = values[row] > 0
            axes.plot(
                energies[known], values[row][known], ".-", color=colour, markersize=2, label=_name(series, row)
            )
        axes.set(xlabel=label("energy", unit), ylabel=label("flux", series.unit(name)), xscale="log", yscale="log")
        axes.tick_params(which="minor", labelbottom=False, labelleft=False)
        axes.legend(loc="best")

    return draw


def echoes(axes: Axes, series: Series) -> None:
    """Echoes of the sounding radar in dB, against range."""
    level = decibel(series.values("amplitude_hann"))
    range_m = series.values("range_m")
    extent = (-0.5, len(level) - 0.5, float(range_m[-1]) / 1000, float(range_m[0]) / 1000)
    axes.imshow(level.T, aspect="auto", extent=extent, cmap="gray", interpolation="nearest")
    axes.grid(visible=False)
    axes.set(xlabel="trace", ylabel=label("range in free space", "km"))
    _amplitude_bar(axes)


def third_octaves(axes: Axes, series: Series) -> None:
    """The newest burst's level in each third-octave band."""
    centre_hz, level_db = series.values("band_centre_hz"), series.values("band_level_db")[-1]
    axes.step(centre_hz, level_db, where="mid", color=COLOURS[0])
    axes.set(xlabel=label("frequency", "Hz"), ylabel=label("level, to 20 uPa", "dB"), xscale="log")


def path(axes: Axes, series: Series) -> None:
    """The rover's way on a map, in metres; flagged rows are marked."""
    east, north = series.values("position_enu_m")[:, :2].T
    axes.plot(*without_gaps(series, east, north), color=COLOURS[0])
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
    shown = _colours(image) if image.ndim == 3 else image
    if "line_quality" in series.arrays:
        lost = np.asarray(series.arrays["line_quality"].values)[-1] != 0
        shown = np.ma.masked_array(shown, np.broadcast_to(lost[:, *(None,) * (shown.ndim - 1)], shown.shape))
    axes.imshow(shown, cmap="gray", interpolation="nearest")
    axes.set(xlabel="sample", ylabel="line")
    axes.grid(visible=False)


def _colours(image: NDArray[Any]) -> NDArray[Any]:
    """A picture of colours as it can be shown: bytes as they are, else from 0 to its largest values."""
    if image.dtype == np.uint8:
        return image
    top = float(np.nanpercentile(image, 99.5)) if np.isfinite(image).any() else 1.0
    return np.asarray(np.clip(np.nan_to_num(image[..., :3]) / (top or 1.0), 0.0, 1.0))


PANELS: Mapping[tuple[str, str], tuple[Panel, ...]] = {
    ("gpr", "high_frequency"): (Panel("Radar, high frequency, as received", radargram),),
    ("gpr", "low_frequency"): (Panel("Radar, low frequency, as received", radargram),),
    ("gpr", "radargram_high"): (Panel("Radargram, high frequency", processed_radargram),),
    ("gpr", "radargram_low"): (Panel("Radargram, low frequency", processed_radargram),),
    ("gpr", "traverse_high"): (Panel("Traverse by radar, high frequency", processed_radargram),),
    ("gpr", "traverse_low"): (Panel("Traverse by radar, low frequency", processed_radargram),),
    ("gpr", "polarimetry_high"): (Panel("Radar, coherence of HH and VV", coherence),),
    ("magnetometer", "field"): (
        Panel(
            "Magnetic field, sensor A",
            magnetic_field("field_a_enu_nt", "field_a_magnitude_nt", ("east", "north", "up")),
        ),
    ),
    ("weather", "meteorology"): (
        Panel("Pressure", lines("pressure", pressure_pa="pressure")),
        Panel("Air", lines("temperature", air_temperature_k="air")),
        Panel("Wind", wind),
    ),
    ("weather", "sound"): (Panel("Sound, newest burst", third_octaves),),
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
    ("natecam", "panorama"): (Panel("NaTeCam, panorama", picture),),
    ("moric", "strip"): (Panel("MoRIC, newest strip", picture),),
    ("hiric", "strip"): (Panel("HiRIC, newest strip", picture),),
    ("momag", "field"): (
        Panel(
            "Field at the orbiter",
            magnetic_field("field_ambient_nt", "field_ambient_magnitude_nt", ("x", "y", "z")),
        ),
    ),
    ("mms", "radiance"): (Panel("MMS, visible", spectra("visible_radiance", "radiance", "visible_wavelength_nm")),),
    ("minpa", "spectrum"): (Panel("MINPA, ions", flux("energy_flux", "energy_ev", "eV")),),
    ("mepa", "flux"): (Panel("MEPA, protons", flux("proton_flux", "proton_energy_low_mev", "MeV")),),
    ("mosir", "echo_10_15"): (Panel("MOSIR, 10 to 15 MHz", echoes),),
}

REPLACED = {
    ("gpr", "radargram_high"): ("gpr", "high_frequency"),
    ("gpr", "radargram_low"): ("gpr", "low_frequency"),
}
"""Where a pass has the first, a page has no need of the second."""

LEFT_OUT = frozenset(
    {
        *(("gpr", f"{channel}_frequency_self_test") for channel in ("high", "low")),
        *(("gpr", f"loss_tangent_{channel}") for channel in ("high", "low")),
        *(("libs", name) for name in ("shot", "drift", "lines", "spectrum")),
        *(("swir", name) for name in ("radiance", "bands")),
        *(("rover", name) for name in ("event", "power", "sol_drive", "sol_energy", "traverse")),
        *(("clock", name) for name in ("pairs", "correlation")),
        *(("mosir", f"echo_{band}") for band in ("15_20", "30_50")),
        ("magnetometer", "site_vector"),
        ("weather", "dust_devil"),
    }
)
"""Products that a page has no room for: they are in the others, or are no picture. The report lists them."""


def panels_of(found: Sequence[Series], max_panels: int) -> list[tuple[Panel, Series]]:
    """The panels of a pass in the order of the table, then those of kinds that it does not name, which share the room
    that is left.
    """
    by_kind = {(one.instrument, one.product): one for one in found}
    hidden = {old for new, old in REPLACED.items() if new in by_kind}
    known = [kind for kind in PANELS if kind in by_kind and kind not in hidden]
    others = [by_kind[kind] for kind in by_kind if kind not in PANELS and kind not in LEFT_OUT]
    drawn = [(panel, by_kind[kind]) for kind in known for panel in PANELS[kind]]
    return (drawn + shared([generic_panels(one) for one in others], others, max_panels - len(drawn)))[:max_panels]
