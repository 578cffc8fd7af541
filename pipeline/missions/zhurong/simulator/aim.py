"""Pointing of the mast's cameras: pixels to rays (geometry as on the packets' page), and the rover's true attitude."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .arrays import Reals
from .image_records import DETECTOR_PIXELS, Shot
from .timeline import Timeline
from .traverse import Traverse, body_to_ned, rotation

MAST_HEIGHT_M = 1.8
BASELINE_M = 0.27
"""Both recalled (fact sheet 7)."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Millimetres and the four terms of Brown-Conrady."""

    pixel_mm: float
    focal_mm: float
    offset_mm: tuple[float, float]
    k1: float = 0.0
    k2: float = 0.0
    p1: float = 0.0
    p2: float = 0.0

    def bend(self, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """Distorted position of an undistorted one."""
        r2 = x**2 + y**2
        radial = 1.0 + self.k1 * r2 + self.k2 * r2**2
        return (
            x * radial + 2.0 * self.p1 * x * y + self.p2 * (r2 + 2.0 * x**2),
            y * radial + self.p1 * (r2 + 2.0 * y**2) + 2.0 * self.p2 * x * y,
        )

    def straighten(self, x: Reals, y: Reals) -> tuple[Reals, Reals]:
        """The inverse of `bend`, by Newton's method with its slopes from differences."""
        a, b, step = x.copy(), y.copy(), 1e-6
        for _ in range(6):
            at, right, down = self.bend(a, b), self.bend(a + step, b), self.bend(a, b + step)
            xa, ya, xb, yb = ((end[i] - at[i]) / step for end in (right, down) for i in (0, 1))
            miss_x, miss_y = x - at[0], y - at[1]
            determinant = xa * yb - xb * ya
            a = a + (miss_x * yb - miss_y * xb) / determinant
            b = b + (miss_y * xa - miss_x * ya) / determinant
        return a, b

    def all_rays(self, shot: Shot) -> Reals:
        """The rays [lines, samples, 3] of all pixels of the image as sent, with the distortion of the lens."""
        return _all_rays(self, shot.side_pixels, shot.binning)

    def rays(self, shot: Shot, sample: Reals, line: Reals, *, bent: bool) -> Reals:
        """Unit vectors [..., 3] of mast axes for places in the image as sent."""
        sample, line = (shot.window_first + shot.binning * (at + 0.5) for at in (sample, line))
        x, y = (
            ((at - DETECTOR_PIXELS / 2) * self.pixel_mm - offset) / self.focal_mm
            for at, offset in zip((sample, line), self.offset_mm, strict=True)
        )
        if bent:
            x, y = self.straighten(x, y)
        ray = np.stack([np.ones_like(x), x, y], axis=-1)
        unit: Reals = ray / np.linalg.norm(ray, axis=-1, keepdims=True)
        return unit


@lru_cache(maxsize=4)
def _all_rays(lens: Lens, side: int, binning: int) -> Reals:
    line, sample = np.mgrid[0.0:side, 0.0:side]
    return lens.rays(Shot(0, 0, 0, 0, side, binning, 0, 0, 0), sample, line, bent=True)


@dataclass(frozen=True, slots=True)
class Stance:
    """The rover and its mast at one instant."""

    angles_deg: tuple[float, ...]
    """Rover yaw, pitch, roll, mast yaw, pitch, roll."""
    mast_to_ned: Reals
    position_m: Reals
    """North and east."""

    def eye(self, right_m: float = 0.0) -> Reals:
        """North, east and height above ground of a camera `right_m` to the right of the mast's centre."""
        return np.append(self.position_m + (self.mast_to_ned @ [0.0, right_m, 0.0])[:2], MAST_HEIGHT_M)


def stance(timeline: Timeline, rover: Traverse, time_ns: int) -> Stance:
    """Position and attitude of rover and mast at a time."""
    at = np.array([(time_ns - timeline.start_ns) / 1e9])
    attitude, mast = rover.at(rover.attitude_deg, at), rover.at(rover.mast_deg, at)
    matrix = body_to_ned(attitude)[0] @ (rotation("z", mast[:, 0]) @ rotation("y", mast[:, 1]))[0]
    return Stance((*attitude[0], *mast[0], 0.0), matrix, rover.at(rover.position_ned_m, at)[0, :2])


def target(how: Stance) -> Reals:
    """North and east of the intersection of the mast's line of sight with the ground."""
    ahead = how.mast_to_ned[:, 0]
    place: Reals = how.position_m + ahead[:2] * MAST_HEIGHT_M / max(ahead[2], 0.1)
    return place


def corner_vectors(lens: Lens, shot: Shot, how: Stance, *, bent: bool) -> Reals:
    """East, north, up [5, 3] of the corner pixels, clockwise from the first, and the middle."""
    last = shot.side_pixels - 1.0
    sample, line = (np.array(at) for at in ((0.0, last, last, 0.0, last / 2.0), (0.0, 0.0, last, last, last / 2.0)))
    north_east_down = lens.rays(shot, sample, line, bent=bent) @ how.mast_to_ned.T
    return north_east_down[:, [1, 0, 2]] * [1.0, 1.0, -1.0]
