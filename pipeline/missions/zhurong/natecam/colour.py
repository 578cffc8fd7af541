"""From a colour mosaic to a picture: demosaic, code for the eye. Vectorised over the whole image.

The mosaic has R where line and sample are even, B where both are odd, G else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]
REACH = 2
"""How many lines and samples on each side a demosaiced value depends on."""
_PIXELS_AT_ONCE = 1 << 16
"""What fits a cache."""
_F = np.float32


def demosaic(mosaic: Reals, *, bounded: bool = False) -> Reals:
    """Linear R, G, B float32[..., lines, samples, 3] of mosaics [..., lines, samples], by Malvar, He and Cutler.

    Source: Malvar, He, Cutler 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color
    images", ICASSP 3, 485. Each missing value is the mean of its nearest neighbours of that colour plus a share of the
    Laplacian of the colour that is known there: an edge is in the same place in all three. Edges of the image are
    mirrored. Values may lie outside the range of the mosaic, beside edges, unless they are `bounded`: then each lies
    between its nearest neighbours of the colour, as overshoots are dots along edges that the optics have not blurred.
    A value depends on two lines and samples on each side (`REACH`). In an image one line or one sample wide the
    colours that it does not hold are NaN.
    """
    lines, samples = mosaic.shape[-2:]
    if min(lines, samples) < 2:
        return _too_thin(mosaic)
    padded = _padded(mosaic)
    out = np.empty((*mosaic.shape[:-2], lines + lines % 2, samples + samples % 2, 3), np.float32)
    n_at_once = max(_PIXELS_AT_ONCE // (out.size // lines) // 2 * 2, 2 * REACH)
    for first in range(0, lines, n_at_once):
        part = out[..., first : first + n_at_once, :, :]
        _fill(part, padded[..., first : first + part.shape[-3] + 2 * REACH, :], bounded=bounded)
    return out[..., :lines, :samples, :]


def _padded(mosaic: Reals) -> Reals:
    """The mosaics with a margin of `REACH` that mirrors them, then zeros up to even numbers of lines and samples."""
    lines, samples = mosaic.shape[-2:]
    still = [(0, 0)] * (mosaic.ndim - 2)
    padded = np.pad(mosaic.astype(np.float32, copy=False), [*still, (REACH, REACH), (REACH, REACH)], mode="reflect")
    if not lines % 2 and not samples % 2:
        return padded
    return np.pad(padded, [*still, (0, lines % 2), (0, samples % 2)])


def _fill(out: Reals, padded: Reals, *, bounded: bool) -> None:
    """Fill `out [..., lines, samples, 3]` from mosaics with a margin of `REACH`; even numbers of lines and samples."""
    planes = {(a, b): np.ascontiguousarray(padded[..., a::2, b::2]) for a in (0, 1) for b in (0, 1)}
    for line, sample in planes:
        here = out[..., line::2, sample::2, :]
        near = partial(_near, planes, line, sample, here.shape[-3:-1])
        centre, ring_across, ring_along = near(0, 0), near(0, -2) + near(0, 2), near(-2, 0) + near(2, 0)
        across, along = (near(0, -1), near(0, 1)), (near(-1, 0), near(1, 0))
        aslant = near(-1, -1), near(-1, 1), near(1, -1), near(1, 1)
        beside, above, corners = across[0] + across[1], along[0] + along[1], sum(aslant[1:], aslant[0])
        here[..., line + sample] = centre
        if line == sample:  # red or blue: 1/8 of 4, 2, -1 for green; of 6, 2, -1.5 for the other
            ring = ring_across + ring_along
            green = centre * _F(4 / 8) + (beside + above) * _F(2 / 8) - ring * _F(1 / 8)
            other = centre * _F(6 / 8) + corners * _F(2 / 8) - ring * _F(1.5 / 8)
            here[..., 1] = _within(green, *across, *along) if bounded else green
            here[..., 2 - line - sample] = _within(other, *aslant) if bounded else other
        else:  # green: the colour of its line, and that of its column; 1/8 of 5, 4, -1, and 1/2 or -1
            rest = centre * _F(5 / 8) - corners * _F(1 / 8)
            of_line = rest + beside * _F(4 / 8) - ring_across * _F(1 / 8) + ring_along * _F(0.5 / 8)
            of_column = rest + above * _F(4 / 8) - ring_along * _F(1 / 8) + ring_across * _F(0.5 / 8)
            here[..., 2 * line] = _within(of_line, *across) if bounded else of_line
            here[..., 2 - 2 * line] = _within(of_column, *along) if bounded else of_column


def _within(values: NDArray[Any], *neighbours: Reals) -> NDArray[Any]:
    """Values, changed: no lower than the lowest of their neighbours and no higher than the highest."""
    np.maximum(values, reduce(np.minimum, neighbours), out=values)
    return np.asarray(np.minimum(values, reduce(np.maximum, neighbours), out=values))


def _near(
    planes: Mapping[tuple[int, int], Reals], line: int, sample: int, shape: tuple[int, int], down: int, right: int
) -> Reals:
    """What the mosaic has `down` lines and `right` samples from each pixel at even places from (line, sample).

    `planes`: every second line and sample of the mosaic with a margin of `REACH`, by the first of them.
    """
    (i, from_line), (j, from_sample) = divmod(line + down, 2), divmod(sample + right, 2)
    return planes[from_line, from_sample][..., 1 + i : 1 + i + shape[0], 1 + j : 1 + j + shape[1]]


def _too_thin(mosaic: Reals) -> Reals:
    colour = np.indices(mosaic.shape[-2:]).sum(axis=0) % 2  # the other index is 0
    at = np.broadcast_to(colour[..., None], (*mosaic.shape, 1))
    out = np.full((*mosaic.shape, 3), np.nan, np.float32)
    np.put_along_axis(out, at, mosaic[..., None].astype(np.float32), axis=-1)
    return out


def srgb(linear: Reals) -> NDArray[np.uint8]:
    """Linear 0 to 1 by the curve of sRGB (IEC 61966-2-1) to 8 bits; beyond is clipped, NaN is black."""
    within = np.fmin(np.fmax(linear, np.float32(0)), np.float32(1))  # of NaN and 0, 0
    steps = within * np.float32(len(_curve()) - 1) + np.float32(0.5)
    return np.asarray(_curve().take(steps.astype(np.uint16)))


def srgb_codes(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The same before it is rounded, 0 to 255; of values from 0 to 1."""
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return np.asarray(255 * coded, linear.dtype)


@lru_cache(maxsize=1)
def _curve() -> NDArray[np.uint8]:
    """The code of each 1/65535 of linear: steps a twentieth of a code apart where the curve is steepest."""
    return np.asarray(np.rint(srgb_codes(np.linspace(0, 1, 65536))).astype(np.uint8))
