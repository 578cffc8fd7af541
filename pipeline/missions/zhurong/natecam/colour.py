"""From a colour mosaic to a picture: demosaic, resample, code for the eye. Vectorised over the whole image.

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
_LINES_AT_ONCE = 32
_F = np.float32


def demosaic(mosaic: Reals, *, bounded: bool = False) -> Reals:
    """Linear R, G, B float32[lines, samples, 3] of a mosaic by the filters of Malvar, He and Cutler.

    Source: Malvar, He, Cutler 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color
    images", ICASSP 3, 485. Each missing value is the mean of its nearest neighbours of that colour plus a share of the
    Laplacian of the colour that is known there: an edge is in the same place in all three. Edges of the image are
    mirrored. Values may lie outside the range of the mosaic, beside edges, unless they are `bounded`: then each lies
    between its nearest neighbours of the colour, as overshoots are dots along edges that the optics have not blurred.
    A value depends on two lines and samples on each side (`REACH`). In an image one line or one sample wide the
    colours that it does not hold are NaN.
    """
    lines, samples = mosaic.shape
    if min(lines, samples) < 2:
        return _too_thin(mosaic)
    padded = np.pad(mosaic.astype(np.float32, copy=False), REACH, mode="reflect")
    padded = np.pad(padded, ((0, lines % 2), (0, samples % 2)))
    out = np.empty((lines + lines % 2, samples + samples % 2, 3), np.float32)
    for first in range(0, lines, _LINES_AT_ONCE):  # what fits a cache
        part = out[first : first + _LINES_AT_ONCE]
        _fill(part, padded[first : first + len(part) + 2 * REACH], bounded=bounded)
    return out[:lines, :samples]


def _fill(out: Reals, padded: Reals, *, bounded: bool) -> None:
    """Fill `out [lines, samples, 3]` from the mosaic with a margin of `REACH`; even numbers of lines and samples."""
    planes = {(a, b): np.ascontiguousarray(padded[a::2, b::2]) for a in (0, 1) for b in (0, 1)}
    for line, sample in planes:
        here = out[line::2, sample::2]
        near = partial(_near, planes, line, sample, here.shape[:2])
        centre, ring_across, ring_along = near(0, 0), near(0, -2) + near(0, 2), near(-2, 0) + near(2, 0)
        across, along = (near(0, -1), near(0, 1)), (near(-1, 0), near(1, 0))
        aslant = near(-1, -1), near(-1, 1), near(1, -1), near(1, 1)
        beside, above, corners = across[0] + across[1], along[0] + along[1], sum(aslant[1:], aslant[0])
        here[..., line + sample] = centre
        if line == sample:  # red or blue: 1/8 of 4, 2, -1 for green; of 6, 2, -1.5 for the other
            ring = ring_across + ring_along
            here[..., 1] = centre * _F(4 / 8) + (beside + above) * _F(2 / 8) - ring * _F(1 / 8)
            here[..., 2 - line - sample] = centre * _F(6 / 8) + corners * _F(2 / 8) - ring * _F(1.5 / 8)
        else:  # green: the colour of its line, and that of its column; 1/8 of 5, 4, -1, and 1/2 or -1
            rest = centre * _F(5 / 8) - corners * _F(1 / 8)
            here[..., 2 * line] = rest + beside * _F(4 / 8) - ring_across * _F(1 / 8) + ring_along * _F(0.5 / 8)
            here[..., 2 - 2 * line] = rest + above * _F(4 / 8) - ring_along * _F(1 / 8) + ring_across * _F(0.5 / 8)
        if bounded and line == sample:
            _bound(here[..., 1], *across, *along)
            _bound(here[..., 2 - line - sample], *aslant)
        elif bounded:
            _bound(here[..., 2 * line], *across)
            _bound(here[..., 2 - 2 * line], *along)


def _bound(values: Reals, *neighbours: Reals) -> None:
    """Values in place, no lower than the lowest of their neighbours and no higher than the highest."""
    np.clip(values, reduce(np.minimum, neighbours), reduce(np.maximum, neighbours), out=values)


def _near(
    planes: Mapping[tuple[int, int], Reals], line: int, sample: int, shape: tuple[int, int], down: int, right: int
) -> Reals:
    """What the mosaic has `down` lines and `right` samples from each pixel at even places from (line, sample).

    `planes`: every second line and sample of the mosaic with a margin of `REACH`, by the first of them.
    """
    (i, from_line), (j, from_sample) = divmod(line + down, 2), divmod(sample + right, 2)
    return planes[from_line, from_sample][1 + i : 1 + i + shape[0], 1 + j : 1 + j + shape[1]]


def _too_thin(mosaic: Reals) -> Reals:
    colour = np.indices(mosaic.shape).sum(axis=0) % 2  # the other index is 0
    out = np.full((*mosaic.shape, 3), np.nan, np.float32)
    np.put_along_axis(out, colour[..., None], mosaic[..., None].astype(np.float32), axis=-1)
    return out


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


def srgb_codes(linear: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The same before it is rounded, 0 to 255; of values from 0 to 1."""
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055)
    return np.asarray(255 * coded, linear.dtype)


@lru_cache(maxsize=1)
def _curve() -> NDArray[np.uint8]:
    """The code of each 1/65535 of linear: steps a twentieth of a code apart where the curve is steepest."""
    return np.asarray(np.rint(srgb_codes(np.linspace(0, 1, 65536))).astype(np.uint8))
