"""Draw the pictures of the orbiter's pages: `python docs/instruments/draw_orbiter.py PASS FOLDER` (extra `pictures`).

In: a pass with the orbiter's packets, such as `replay_data/clean.cadu`. Out: one PNG a page, each below 100 kB.
"""

# ruff: noqa: INP001 - a script beside the pages that it draws for
from __future__ import annotations

import sys

import numpy as np
from drawing import Products, draw, minutes, rows
from matplotlib.figure import Figure


def orbiter(products: Products, figure: Figure) -> None:
    """Height and speed."""
    above, below = figure.subplots(2, 1, sharex=True)
    time = minutes(products, "orbiter", "state")
    above.plot(time, rows(products, "orbiter", "state", "altitude_km"))
    above.set_ylabel("altitude, km")
    below.plot(time, rows(products, "orbiter", "state", "latitude_deg"), label="latitude")
    below.plot(time, rows(products, "orbiter", "state", "longitude_deg"), label="longitude")
    below.set(ylabel="point below, deg", xlabel="minutes")
    below.legend()


def momag(products: Products, figure: Figure) -> None:
    """Both sensors, and what is left without the spacecraft."""
    axes = figure.subplots(3, 1, sharex=True)
    time = minutes(products, "momag", "field")
    for name, axis in zip(("outer", "inner", "ambient"), axes, strict=True):
        axis.plot(time, rows(products, "momag", "field", f"field_{name}_nt"), linewidth=0.4)
        axis.set_ylabel(f"{name}, nT")
    axes[0].legend("xyz", loc="upper right", ncols=3)
    axes[-1].set_xlabel("minutes")


def mms(products: Products, figure: Figure) -> None:
    """The mean spectrum of both detectors."""
    axis = figure.subplots()
    for name in ("visible", "infrared"):
        one = next(product for product in products if product.instrument == "mms")
        radiance = rows(products, "mms", "radiance", f"{name}_radiance")
        axis.semilogy(one.arrays[f"{name}_wavelength_nm"].values, np.nanmean(radiance, axis=0), label=name)
    axis.set(xlabel="wavelength, nm", ylabel="radiance, W m-2 sr-1 um-1")
    axis.legend()


def minpa(products: Products, figure: Figure) -> None:
    """Energy flux of each species."""
    axis = figure.subplots()
    one = next(product for product in products if product.instrument == "minpa")
    species = rows(products, "minpa", "spectrum", "species")
    for name in np.unique(species):
        flux = rows(products, "minpa", "spectrum", "energy_flux")[species == name].mean(axis=0)
        axis.loglog(
            one.arrays["energy_ev"].values, np.where(flux > 0, flux, np.nan), drawstyle="steps-mid", label=name
        )
    axis.set(xlabel="energy per charge, eV", ylabel="eV cm-2 s-1 sr-1 eV-1")
    axis.legend()


def mepa(products: Products, figure: Figure) -> None:
    """Flux of each kind with what counting leaves."""
    axis = figure.subplots()
    one = next(product for product in products if product.instrument == "mepa")
    for k, kind in enumerate(("electron", "proton", "ion")):
        low, high = (one.arrays[f"{kind}_energy_{end}_mev"].values for end in ("low", "high"))
        flux, sigma = (rows(products, "mepa", "flux", f"{kind}_flux{end}")[0] for end in ("", "_sigma"))
        axis.errorbar(np.sqrt(low * high), flux, sigma, (high - low) / 2, fmt="none", color=f"C{k}", label=kind)
    axis.set(xscale="log", yscale="log", xlabel="MeV", ylabel="cm-2 s-1 sr-1 MeV-1")
    axis.legend()


def mosir(products: Products, figure: Figure) -> None:
    """A trace of the high band, with and without side lobes."""
    axis = figure.subplots()
    one = next(product for product in products if product.product == "echo_30_50")
    for name in ("amplitude", "amplitude_hann"):
        axis.plot(
            one.arrays["range_m"].values, 20 * np.log10(one.arrays[name].values[0]), linewidth=0.8, label=name
        )
    axis.set(xlabel="range from the first sample, m", ylabel="dB", ylim=(-10, None))
    axis.legend()


if __name__ == "__main__":
    draw((orbiter, momag, mms, minpa, mepa, mosir), sys.argv[1], sys.argv[2], (7, 4))
