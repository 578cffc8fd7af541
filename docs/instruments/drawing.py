"""What the scripts beside it share: products of a pass by kind, and the main of a script that draws pages."""

# ruff: noqa: INP001 - beside the scripts that use it
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from downlink_pipeline import open_pass
from downlink_pipeline.model.batches import Product
from matplotlib.figure import Figure

Products = Sequence[Product]
Page = Callable[[Products, Figure], None]


def of(products: Products, instrument: str, product: str) -> list[Product]:
    """All products of a kind."""
    return [one for one in products if (one.instrument, one.product) == (instrument, product)]


def rows(products: Products, instrument: str, product: str, array: str) -> Any:
    """One array over all products of a kind."""
    return np.concatenate([one.arrays[array].values for one in of(products, instrument, product)])


def minutes(products: Products, instrument: str, product: str) -> Any:
    """Time of the rows from the first on."""
    time_ns = rows(products, instrument, product, "time_utc_ns")
    return (time_ns - time_ns[0]) / 6e10


def save_png(figure: Figure, path: Path) -> None:
    """As it is, 80 dots an inch."""
    figure.savefig(path, dpi=80)


def draw(
    pages: Sequence[Page],
    recording: str,
    folder: str,
    size_inches: tuple[float, float],
    save: Callable[[Figure, Path], None] = save_png,
) -> None:
    """Draw all pages of a pass: a PNG for each, of its function's name."""
    products = list(open_pass(recording, mission="zhurong").products())
    for page in pages:
        figure = Figure(figsize=size_inches, layout="constrained")
        page(products, figure)
        save(figure, Path(folder) / f"{page.__name__}.png")
