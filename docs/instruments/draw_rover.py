"""Draw the pictures of three pages: `python docs/instruments/draw_rover.py PASS FOLDER` (extra `pictures`).

In: a pass of the rover, such as `replay_data/clean.cadu`. Out: one PNG a page, each below 100 kB.
"""

# ruff: noqa: INP001 - a script beside the pages that it draws for
from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from drawing import Products, draw, minutes, rows
from matplotlib.figure import Figure
from PIL import Image


def gpr(products: Products, figure: Figure) -> None:
    """Both radargrams: amplitudes as they are, and with gain."""
    axes = figure.subplots(2, 2, width_ratios=(3, 2))
    for column, band in enumerate(("high", "low")):
        one = next(product for product in products if product.product == f"radargram_{band}")
        along, depth = one.arrays["distance_m"].values, one.arrays["depth_m"].values
        level = 20 * np.log10(np.maximum(one.arrays["envelope"].values, 1))
        gained = one.arrays["quicklook"].values
        limit = np.percentile(np.abs(gained), 99)
        extent = (along[0], along[-1], depth[-1], depth[0])
        axes[0, column].imshow(
            level.T, aspect="auto", extent=extent, vmin=level.max() - (35 if band == "high" else 60)
        )
        axes[1, column].imshow(gained.T, aspect="auto", extent=extent, vmin=-limit, vmax=limit, cmap="gray")
        permittivity = one.lineage["permittivity"][0]
        axes[0, column].set_title(f"{band} frequency: envelope, dB", fontsize=9)
        axes[1, column].set_title("quick-look (AGC)", fontsize=9)
        axes[1, column].set_xlabel("along the track, m")
        for row in (0, 1):
            axes[row, column].set(ylabel=f"depth, m (eps {permittivity:g})", ylim=(4 if band == "high" else 80, 0))


def magnetometer(products: Products, figure: Figure) -> None:
    """Sensor A: as measured in the rover's axes, in local axes without interference; the circle of the mast's turn."""
    grid = figure.add_gridspec(2, 2, width_ratios=(3, 2))
    time = minutes(products, "magnetometer", "field")
    found = {
        name: rows(products, "magnetometer", "field", name)
        for name in ("field_a_rover_nt", "interference_a_rover_nt", "field_a_enu_nt")
    }
    measured = found["field_a_rover_nt"] + found["interference_a_rover_nt"]
    for row, (values, label, names) in enumerate(
        ((measured, "measured, nT", "xyz"), (found["field_a_enu_nt"], "field, nT", ("east", "north", "up")))
    ):
        axis = figure.add_subplot(grid[row, 0])
        axis.plot(time[::8], values[::8], linewidth=0.6, label=list(names))
        axis.set(ylabel=label, xlabel="minutes")
        axis.legend(fontsize=7, ncols=3)
    site = next(product for product in products if product.product == "site_vector")
    axis = figure.add_subplot(grid[:, 1], aspect="equal")
    east, north, _ = site.arrays["field_a_enu_nt"].values[0]
    values, vectors = np.linalg.eigh(site.arrays["covariance_a_nt2"].values[0, :2, :2])
    circle = np.stack([np.cos(np.linspace(0, 2 * np.pi, 90)), np.sin(np.linspace(0, 2 * np.pi, 90))])
    ellipse = vectors @ (np.sqrt(values)[:, None] * circle) + np.array([[east], [north]])
    axis.plot(east, north, "+", label="site vector")
    axis.plot(*ellipse, label="one sigma")
    axis.scatter(*found["field_a_enu_nt"][::320, :2].T, s=4, color="gray", label="each 10 s")
    axis.set(xlabel="east, nT", ylabel="north, nT")
    axis.legend(fontsize=7)


def rover(products: Products, figure: Figure) -> None:
    """The way with its uncertainty; power and what was used of it."""
    left, right = figure.subplots(1, 2)
    enu = rows(products, "rover", "traverse", "position_enu_m")
    sigma = rows(products, "rover", "traverse", "position_enu_m_sigma")
    left.plot(enu[:, 0], enu[:, 1])
    left.errorbar(enu[::20, 0], enu[::20, 1], sigma[::20, 1], sigma[::20, 0], fmt="none", linewidth=0.7)
    distance = rows(products, "rover", "sol_drive", "odometer_m")[-1]
    left.set(xlabel="east, m", ylabel="north, m", aspect="equal", title=f"odometer {distance:.2f} m")
    time = minutes(products, "rover", "power")
    for name, label in (("generated_w", "from the wings"), ("used_w", "used")):
        right.plot(time, rows(products, "rover", "power", name), label=label)
    right.set(xlabel="minutes", ylabel="W")
    right.legend()


def save_small(figure: Figure, path: Path) -> None:
    """In few colours, as small as can be."""
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=75)
    Image.open(picture).convert("RGB").quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    draw((gpr, magnetometer, rover), sys.argv[1], sys.argv[2], (8, 4.5), save_small)
