"""Draw the pictures of the cameras' pages: `python docs/instruments/draw_cameras.py PASS FOLDER`.

In: a pass with images, such as `replay_data/clean.cadu`. Out: one PNG a page, each below 100 kB.
They have no axes, as they are pictures.
"""

# ruff: noqa: INP001 - a script beside the pages that it draws for
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from downlink_pipeline import open_pass
from downlink_pipeline.archive.pictures import as_seen
from downlink_pipeline.model.batches import Product
from PIL import Image

COLOURS = 128


def of(products: Sequence[Product], instrument: str, product: str = "image") -> list[Any]:
    """Arrays of all products of a kind, their first row."""
    found = [one for one in products if (one.instrument, one.product) == (instrument, product)]
    return [{name: quantity.values[0] for name, quantity in one.arrays.items()} for one in found]


def mscam(products: Sequence[Product]) -> Any:
    """Nine filters, reflectance 0 to 0.4, by wavelength; the panchromatic last."""
    images = of(products, "mscam")
    images = sorted(images[:-1], key=lambda one: float(one["filter_nm"])) + images[-1:]
    tiles = [np.rint(255 * np.clip(one["reflectance"] / 0.4, 0, 1)).astype(np.uint8) for one in images]
    return np.vstack([np.hstack(tiles[k : k + 3]) for k in (0, 3, 6)])


def natecam(products: Sequence[Product]) -> Any:
    """The panorama above, the two of a stereo pair and two of the drive below."""
    images = of(products, "natecam")
    strip = of(products, "natecam", "panorama")[0]["image"]
    pair = [one["image"] for one in images if str(one["image_mode"]) == "STEREO"]
    drive = [one["image"] for one in images if str(one["image_mode"]) == "VIDEO"]
    tiles = [*pair, drive[0].repeat(3, 0).repeat(3, 1)[::2, ::2], drive[-1].repeat(3, 0).repeat(3, 1)[::2, ::2]]
    row = np.hstack(tiles)
    width = max(strip.shape[1], row.shape[1])
    return np.vstack([np.pad(one, ((0, 4), (0, width - one.shape[1]), (0, 0))) for one in (strip, row)])


def moric(products: Sequence[Product]) -> Any:
    """The strip."""
    return as_seen(of(products, "moric", "strip")[0]["image"])[0].repeat(2, 0).repeat(2, 1)


def hiric(products: Sequence[Product]) -> Any:
    """The strip."""
    return as_seen(of(products, "hiric", "strip")[0]["image"])[0]


def main(recording: str, folder: str) -> None:
    """Draw all pages."""
    products = list(open_pass(recording, mission="zhurong").products())
    for page in (mscam, natecam, moric, hiric):
        pixels = page(products)
        coarse = Image.fromarray(pixels & 0xFC) if pixels.ndim == 2 else Image.fromarray(pixels).quantize(COLOURS)
        coarse.save(Path(folder) / f"{page.__name__}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
