"""From a colour mosaic to a picture: demosaic, resample, code for the eye. Vectorised over the whole image.

The mosaic has R where line and sample are even, B where both are odd, G else.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]


def demosaic(mosaic: Reals) -> Reals:
    """Linear R, G, B float32[lines, samples, 3] of a mosaic, each missing value the mean of its nearest neighbours.

    Bilinear interpolation; at the edges the neighbours are mirrored.
    """
    lines, samples = mosaic.shape
    line, sample = np.arange(lines)[:, None] % 2, np.arange(samples)[None] % 2
    masks = ((line == 0) & (sample == 0), line != sample, (line == 1) & (sample == 1))
    return np.stack([_spread(mosaic, np.broadcast_to(mask, mosaic.shape)) for mask in masks], axis=-1)


def _spread(mosaic: Reals, mask: NDArray[np.bool_]) -> Reals:
    """Weights 1, 1/2 and 1/4 for the place itself, its neighbours and those across the corner.

    The sum of the weights is that of the first two lines and samples everywhere: mirrored edges go on with the mosaic.
    """
    weight = _blur(mask[:2, :2].astype(np.float32))
    found = _blur(np.where(mask, mosaic, np.float32(0)))
    return found / (weight[0, 0] if (weight == weight[0, 0]).all() else _blur(mask.astype(np.float32)))


def _blur(values: Reals) -> Reals:
    padded = np.pad(values, 1, mode="reflect")
    across = padded[:, 1:-1] + 0.5 * (padded[:, :-2] + padded[:, 2:])
    return across[1:-1] + np.float32(0.5) * (across[:-2] + across[2:])


def sample_bilinear(image: NDArray[np.generic], sample: Reals, line: Reals) -> tuple[Reals, NDArray[np.bool_]]:
    """Values [..., bands] of an image [lines, samples, bands] between its pixels, and where there are any.

    Up to half a pixel beyond the last centre counts as that centre.
    """
    lines, samples = image.shape[:2]
    inside = (sample >= -0.5) & (sample <= samples - 0.5) & (line >= -0.5) & (line <= lines - 0.5)
    at_sample = np.clip(np.where(inside, sample, 0), 0, samples - 1)
    at_line = np.clip(np.where(inside, line, 0), 0, lines - 1)
    s, n = (
        np.clip(at.astype(np.intp), 0, max(size - 2, 0)) for at, size in ((at_sample, samples), (at_line, lines))
    )
    part_s, part_n = (at_sample - s).astype(np.float32), (at_line - n).astype(np.float32)
    first = n * samples + s
    right, below = first + min(samples - 1, 1), samples * min(lines - 1, 1)
    bands = image.reshape(lines * samples, -1).T.astype(np.float32)
    found = np.empty((*first.shape, len(bands)), np.float32)
    for k, band in enumerate(bands):  # each by itself: long runs of one kind are quick
        upper = band.take(first) * (1 - part_s) + band.take(right) * part_s
        lower = band.take(first + below) * (1 - part_s) + band.take(right + below) * part_s
        found[..., k] = upper * (1 - part_n) + lower * part_n
    return found, inside


def srgb(linear: Reals) -> NDArray[np.uint8]:
    """Linear 0 to 1 by the curve of sRGB (IEC 61966-2-1) to 8 bits; beyond is clipped, NaN is black."""
    within = np.fmin(np.fmax(linear, np.float32(0)), np.float32(1))  # of NaN and 0, 0
    steps = within * np.float32(len(_curve()) - 1) + np.float32(0.5)
    return np.asarray(_curve().take(steps.astype(np.uint16)))


@lru_cache(maxsize=1)
def _curve() -> NDArray[np.uint8]:
    """The code of each 1/65535 of linear: steps a twentieth of a code apart where the curve is steepest."""
    value = np.linspace(0, 1, 65536)
    coded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * coded).astype(np.uint8))
