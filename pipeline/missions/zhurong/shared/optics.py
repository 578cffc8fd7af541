"""Where a pixel looks: pixels of an image as sent, the focal plane with its distortion, directions, and the ground.

Places in the focal plane are (x, y) = (u, v) / f, to the right and down, undistorted ones x', y' (Brown-Conrady):

    x = x' (1 + k1 r^2 + k2 r^4) + 2 p1 x' y' + p2 (r^2 + 2 x'^2)
    y = y' (1 + k1 r^2 + k2 r^4) + p1 (r^2 + 2 y'^2) + 2 p2 x' y'

Brown 1966 (Photogramm. Eng. 32, 444), Conrady 1919 (MNRAS 79, 384). A direction is (1, x', y') of mast axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quantity
from ....products.calibration import Finite, Positive, Source, Table
from ....products.rotations import Floats, MastTurn, east_north_up, rotate
from .attitude import AttitudeLimit, attitude_of
from .images import whole

LINES_AT_ONCE = 64
"""Of a whole picture, so that what is in between stays small."""
_ITERATIONS = 20
POINTS = "first line's first and last sample, last line's last and first, centre"


class Optics(Table):
    """A pinhole with distortion before a square detector."""

    source: Source
    detector_pixels: Annotated[int, Field(ge=16, le=65535)]
    pixel_mm: Positive
    focal_length_mm: Positive
    principal_point_mm: Annotated[list[Finite], Field(min_length=2, max_length=2)]
    distortion: Annotated[list[Finite], Field(min_length=4, max_length=4)]  # k1, k2, p1, p2

    def focal_plane(self, sample: Floats, line: Floats) -> Floats:
        """Places (x, y) [..., 2] of places in detector pixels."""
        middle = self.detector_pixels / 2
        place = np.stack([sample - middle, line - middle], axis=-1) * self.pixel_mm
        return np.asarray((place - np.array(self.principal_point_mm)) / self.focal_length_mm)

    def detector_place(self, place: Floats, axis: int) -> Floats:
        """Detector sample (axis 0) or line (axis 1) of places x or y, the inverse of `focal_plane`."""
        millimetres = place * self.focal_length_mm + self.principal_point_mm[axis]
        return np.asarray(millimetres / self.pixel_mm + self.detector_pixels / 2)

    def distort(self, place: Floats) -> Floats:
        """Where the lens puts what a pinhole would put at `place` [..., 2]."""
        k1, k2, p1, p2 = self.distortion
        x, y = place[..., 0], place[..., 1]
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + k2 * r2)
        return np.stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
            ],
            axis=-1,
        )

    def undistort(self, place: Floats) -> Floats:
        """The inverse of `distort`, by fixed-point iteration."""
        found = place
        for _ in range(_ITERATIONS):
            found = found + place - self.distort(found)
        return found

    def words(self, *, undistorted: bool) -> dict[str, Any]:
        """The numbers as lineage of an image, with where they come from; `undistorted`: the image is a pinhole's."""
        return {
            "model": "pinhole; distortion of Brown and Conrady (k1, k2, p1, p2) in units of the focal length",
            "focal_length_mm": self.focal_length_mm,
            "pixel_mm": self.pixel_mm,
            "detector_pixels": self.detector_pixels,
            "principal_point_mm": list(self.principal_point_mm),
            "distortion": list(self.distortion),
            "undistorted": undistorted,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the detector that an image is, and its size as sent."""

    first_line: int
    first_sample: int
    binning: int
    n_lines: int
    n_samples: int

    def detector(self, sample: Floats, line: Floats) -> tuple[Floats, Floats]:
        """Detector places of the centres of pixels of the image as sent."""
        return self.first_sample + self.binning * (sample + 0.5), self.first_line + self.binning * (line + 0.5)

    def lens_map(self, optics: Optics) -> NDArray[np.float32]:
        """Where in the image as sent (sample, line) each pixel of a pinhole's picture is: [lines, samples, 2]."""
        samples, found = np.arange(float(self.n_samples)), []
        for first in range(0, self.n_lines, LINES_AT_ONCE):
            lines = np.arange(float(first), min(first + LINES_AT_ONCE, self.n_lines))
            place = optics.focal_plane(*self.detector(*np.meshgrid(samples, lines)))
            found.append(self.pixels(optics, optics.distort(place)).astype(np.float32))
        return np.concatenate(found)

    def pixels(self, optics: Optics, place: Floats) -> Floats:
        """Where in the image as sent (sample, line) places of the focal plane are; whole numbers are centres."""
        found = np.empty(place.shape)
        for i, first in enumerate((self.first_sample, self.first_line)):  # two numbers at a time are slow
            found[..., i] = (optics.detector_place(place[..., i], i) - first) / self.binning - 0.5
        return found


def window_of(rows: ColumnBatch) -> Window:
    """Of the first row."""
    names = ("WINDOW_LINE", "WINDOW_SAMPLE", "BINNING", "IMAGE_LINES", "IMAGE_SAMPLES")
    return Window(*(whole(rows, name) for name in names))


def vignetting(window: Window, optics: Optics, terms: tuple[float, float]) -> Floats:
    """1 + a rho^2 + b rho^4 of each pixel, rho from the detector's centre over half its diagonal. Not to be changed."""
    return _vignetting(window, optics.detector_pixels, terms)


@lru_cache(maxsize=1)
def _vignetting(window: Window, detector_pixels: int, terms: tuple[float, float]) -> Floats:
    half = detector_pixels / 2
    samples, lines = window.detector(np.arange(float(window.n_samples)), np.arange(float(window.n_lines)))
    rho2 = (((samples - half) ** 2)[None] + ((lines - half) ** 2)[:, None]) / (2 * half * half)
    return np.asarray(1 + rho2 * (terms[0] + terms[1] * rho2))


def corners(window: Window, optics: Optics, *, distorted: bool) -> Floats:
    """Directions [5, 3] in mast axes of corner pixels and centre, as in POINTS."""
    right, bottom = window.n_samples - 1.0, window.n_lines - 1.0
    sample = np.array([0, right, right, 0, right / 2])
    line = np.array([0, 0, bottom, bottom, bottom / 2])
    place = optics.focal_plane(*window.detector(sample, line))
    return directions(optics.undistort(place) if distorted else place)


def directions(place: Floats) -> Floats:
    """Unit vectors [..., 3] in mast axes (forward, right, down) of undistorted places."""
    vector = np.concatenate([np.ones((*place.shape[:-1], 1)), place], axis=-1)
    return np.asarray(vector / np.sqrt((vector * vector).sum(axis=-1, keepdims=True)))


class Agreement(AttitudeLimit):
    """How far the angles in an image record and those of navigation may be apart."""

    most_apart_deg: Positive


@dataclass(frozen=True, slots=True)
class Pointing:
    """How the camera of one image stood, by the angles in its record."""

    quaternion: Floats
    mast_yaw_deg: Floats
    mast_pitch_deg: Floats

    def enu(self, direction: Floats) -> Floats:
        """Directions [..., 3] of mast axes in east, north, up."""
        body = MastTurn.of(self.mast_yaw_deg, self.mast_pitch_deg).rotate(direction)
        return east_north_up(rotate(self.quaternion, body))


def pointing_of(rows: ColumnBatch) -> Pointing:
    """Of the first row: its angles are those of the exposure itself."""
    yaw, pitch, roll, mast_yaw, mast_pitch = (
        np.asarray(rows.columns[name], np.float64)[0]
        for name in ("ROVER_YAW", "ROVER_PITCH", "ROVER_ROLL", "MAST_YAW", "MAST_PITCH")
    )
    return Pointing(_quaternion(yaw, pitch, roll), mast_yaw, mast_pitch)


def navigation_apart_deg(rows: ColumnBatch, pointing: Pointing, limit: AttitudeLimit) -> float:
    """Angle between the middle of the view and where navigation has it; NaN where navigation is too far in time.

    The first row has an attitude from `with_attitude`.
    """
    attitude = attitude_of(rows)
    if bool(attitude.doubtful(limit)[0, 0]):
        return float("nan")
    other = Pointing(attitude.quaternion[0, 0], attitude.mast_yaw_deg[0, 0], attitude.mast_pitch_deg[0, 0])
    ahead = np.array([1.0, 0.0, 0.0])
    return float(np.rad2deg(np.arccos(np.clip(pointing.enu(ahead) @ other.enu(ahead), -1, 1))))


def pointing_arrays(pointing: Pointing, mast_directions: Floats, apart_deg: float) -> dict[str, Quantity]:
    """`pointing_enu` of five directions, and how far navigation has it from there."""
    found = pointing.enu(mast_directions)[None]
    return {
        "pointing_enu": Quantity(found, "1", f"unit vectors: {POINTS}", ("row", "point", "east_north_up")),
        "navigation_apart_deg": Quantity(np.array([apart_deg]), "degree", "navigation against the image's record"),
    }


def _quaternion(yaw_deg: float, pitch_deg: float, roll_deg: float) -> Floats:
    """Of Rz(yaw) Ry(pitch) Rx(roll), scalar first."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.deg2rad([yaw_deg, pitch_deg, roll_deg]) / 2) for f in (np.cos, np.sin))
    return np.array(
        [
            cy * cp * cr + sy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
        ]
    )


def saturated_share(counts: NDArray[np.uint16], full_scale_counts: int) -> float:
    """Part of the pixels that is at the end of the converter's scale."""
    return float((counts >= full_scale_counts).mean())
