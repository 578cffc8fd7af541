"""Values of an image between its pixels, at places that are the same for many images.

What depends on the places alone (neighbours and their weights) is computed once. Vectorised over all places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats
from ..shared.optics import LINES_AT_ONCE, Optics, Window, corners

_NOISE_PIXELS = 64
Reals = NDArray[np.float32]
Bands = tuple[Reals, ...]


@dataclass(frozen=True, slots=True)
class Resampling:
    """Places [...] in an image of some size: `inside bool[...]` where it has values, and their neighbours.

    `first intp[...]`: the pixel above and to the left, in an image of one dimension; the next ones are `right` and
    `below` it. `part_sample` and `part_line float32[...]`: weights of those. Up to half a pixel beyond the last centre
    counts as that centre.
    """

    inside: NDArray[np.bool_]
    first: NDArray[np.intp]
    right: int
    below: int
    part_sample: Reals
    part_line: Reals

    @staticmethod
    def of(size: tuple[int, int], sample: Reals, line: Reals) -> Resampling:
        """At these samples and lines of an image of `size` (lines, samples); whole numbers are centres of pixels."""
        lines, samples = size
        inside = (sample >= -0.5) & (sample <= samples - 0.5) & (line >= -0.5) & (line <= lines - 0.5)
        at_sample = np.clip(np.where(inside, sample, 0), 0, samples - 1)
        at_line = np.clip(np.where(inside, line, 0), 0, lines - 1)
        s, n = (
            np.clip(at.astype(np.intp), 0, max(size - 2, 0))
            for at, size in ((at_sample, samples), (at_line, lines))
        )
        parts = (at_sample - s).astype(np.float32), (at_line - n).astype(np.float32)
        return Resampling(inside, n * samples + s, min(samples - 1, 1), samples * min(lines - 1, 1), *parts)

    def __call__(self, bands: Bands) -> Reals:
        """Values float32[..., bands] of an image, by its `bands_of`; of no meaning where not `inside`."""
        part_sample, part_line, first = self.part_sample, self.part_line, self.first
        rest_sample, rest_line = 1 - part_sample, 1 - part_line
        starts = 0, self.right, self.below, self.right + self.below
        found = np.empty((*first.shape, len(bands)), np.float32)
        for k, band in enumerate(bands):
            above, above_right, under, under_right = (band[start:].take(first) for start in starts)
            upper = np.multiply(above, rest_sample, out=above)
            upper += np.multiply(above_right, part_sample, out=above_right)
            lower = np.multiply(under, rest_sample, out=under)
            lower += np.multiply(under_right, part_sample, out=under_right)
            upper *= rest_line
            lower *= part_line
            np.add(upper, lower, out=found[..., k])
        return found


def bands_of(image: NDArray[np.generic]) -> Bands:
    """Each band of an image [lines, samples, bands] by itself: float32[lines samples], as `Resampling` reads them."""
    return tuple(np.ascontiguousarray(image[..., k], np.float32).ravel() for k in range(image.shape[-1]))


@dataclass(frozen=True, slots=True)
class Remap:
    """From the picture that the lens drew of a window of the detector to that of a pinhole.

    `blocks`: lines of the pinhole's picture, and where the lens drew them. `source_line uint16[lines, samples]`: the
    line that each of its pixels is from, or the one after it too. `middle`: lines and samples of a square in the
    middle, `in_middle` of the square alone; `drawn float32[n, n]`: a standard normal noise for it, always the same.
    `corners [5, 3]`: directions of corner pixels and centre of the pinhole's picture.
    """

    window: Window
    blocks: tuple[tuple[slice, Resampling], ...]
    source_line: NDArray[np.uint16]
    middle: tuple[slice, slice]
    in_middle: Resampling
    drawn: Reals
    corners: Floats

    @staticmethod
    def of(window: Window, optics: Optics) -> Remap:
        at = window.lens_map(optics)
        sample, line = at[..., 0], at[..., 1]
        n_lines, n_samples = line.shape
        blocks = [slice(first, first + LINES_AT_ONCE) for first in range(0, n_lines, LINES_AT_ONCE)]
        n = min(_NOISE_PIXELS, n_lines // 2 * 2, n_samples // 2 * 2)
        top, left = (n_lines - n) // 4 * 2, (n_samples - n) // 4 * 2
        middle = slice(top, top + n), slice(left, left + n)
        return Remap(
            window,
            tuple((block, Resampling.of((n_lines, n_samples), sample[block], line[block])) for block in blocks),
            np.clip(np.floor(line), 0, n_lines - 1).astype(np.uint16),
            middle,
            Resampling.of((n, n), sample[middle] - left, line[middle] - top),
            np.random.default_rng(0).standard_normal((n, n), np.float32),
            corners(window, optics, distorted=False),
        )
