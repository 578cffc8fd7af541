"""Draw the pictures of weather, LIBS and SWIR: `python docs/instruments/draw_mcs_marscode.py PASS FOLDER` (`pictures`).

In: a pass of Zhurong, such as `replay_data/clean.cadu`. Out: one PNG a page, each below 100 kB.
"""

# ruff: noqa: INP001 - a script beside the pages that it draws for
from __future__ import annotations

import sys

import numpy as np
from drawing import Products, draw, of, rows
from matplotlib.figure import Figure


def weather(products: Products, figure: Figure) -> None:
    """Pressure with its dust devils, temperature, wind, and the third octaves of sound."""
    left, right = figure.subplots(2, 2).T
    time_ns = rows(products, "weather", "meteorology", "time_utc_ns")
    minutes = (time_ns - time_ns[0]) / 6e10
    left[0].plot(minutes, rows(products, "weather", "meteorology", "pressure_pa"), linewidth=0.7)
    for one in of(products, "weather", "dust_devil"):
        at = (one.arrays["time_utc_ns"].values[0] - time_ns[0]) / 6e10
        bottom = one.arrays["background_pressure_pa"].values[0] - one.arrays["depth_pa"].values[0]
        left[0].annotate("dust devil", (at, bottom), (at - 1.7, bottom), arrowprops={"arrowstyle": "->"})
    left[0].set(ylabel="pressure, Pa")
    left[1].plot(minutes, rows(products, "weather", "meteorology", "air_temperature_k"), linewidth=0.7)
    left[1].set(ylabel="air temperature, K", xlabel="minutes")
    speed = rows(products, "weather", "meteorology", "wind_speed_m_s")
    right[0].scatter(
        minutes, speed, 3, rows(products, "weather", "meteorology", "wind_from_direction_deg"), cmap="twilight"
    )
    right[0].set(ylabel="wind, m/s", xlabel="minutes; colour: where from")
    for one in of(products, "weather", "sound"):
        centre, level = one.arrays["band_centre_hz"].values, one.arrays["band_level_db"].values[0]
        right[1].semilogx(centre, level, drawstyle="steps-mid", label=f"burst {one.arrays['burst_id'].values[0]}")
    right[1].set(xlabel="Hz", ylabel="third octaves, dB to 20 uPa")
    right[1].legend()


def libs(products: Products, figure: Figure) -> None:
    """The rock's spectrum without continuum and its lines, and what the titanium target left."""
    above, below = figure.subplots(2, 1, height_ratios=(3, 2))
    spectrum, lines = of(products, "libs", "spectrum")[1].arrays, of(products, "libs", "lines")[1].arrays
    above.plot(spectrum["wavelength_nm"].values[0], spectrum["signal_counts"].values[0], linewidth=0.7)
    named = zip(*(lines[name].values for name in ("species", "found_wavelength_nm", "height_counts")), strict=True)
    for species, nm, height in named:
        above.text(nm, height * 1.15, species, rotation=90, ha="center", fontsize=6)
    above.set(ylabel="signal, counts", yscale="log", ylim=(20, 80_000), xlabel="vacuum wavelength, nm")
    drift = of(products, "libs", "drift")[0].arrays
    nm, residual, used = (drift[f"line_{name}"].values for name in ("wavelength_nm", "residual_px", "used"))
    below.plot(nm[used], residual[used], "o", markersize=3, label="used")
    below.plot(nm[~used], residual[~used], "x", label="not used")
    below.set(ylabel="titanium, px off the fit", xlabel="vacuum wavelength, nm", ylim=(-0.3, 0.3))
    below.legend()


def swir(products: Products, figure: Figure) -> None:
    """Reflectance of the targets with one sigma, and the bands that are there."""
    axis = figure.subplots()
    reflectance, bands = of(products, "swir", "reflectance")[0].arrays, of(products, "swir", "bands")[0].arrays
    for k, one in enumerate(reflectance["reflectance"].values):
        nm, sigma = reflectance["wavelength_nm"].values[k], reflectance["reflectance_sigma"].values[k]
        axis.fill_between(nm, one - sigma, one + sigma, color=f"C{k}", alpha=0.4)
        present = bands["band_present"].values[k]
        what = ", ".join(bands["band"].values[present]) or "no band"
        axis.plot(nm, one, color=f"C{k}", linewidth=0.7, label=f"target {k + 1}: {what}")
        for centre in bands["band_centre_nm"].values[present]:
            axis.plot(centre, np.interp(centre, nm, one) - 0.01, "^", color=f"C{k}")
    axis.set(xlabel="vacuum wavelength, nm", ylabel="reflectance against the panel", ylim=(0.05, 0.4))
    axis.legend()


if __name__ == "__main__":
    draw((weather, libs, swir), sys.argv[1], sys.argv[2], (8, 5))
