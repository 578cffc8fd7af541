"""Rotations of vectors and angles of attitude, for arrays of any leading shape.

Quaternions are scalar first and rotate body vectors (X forward, Y right, Z down) to north-east-down; the angles are
the aerospace ones, yaw about Z, then pitch about Y, then roll about X. NaN in, NaN out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def rotate(quaternion: Floats, vector: Floats) -> Floats:
    """Rotate vectors: q v q*, [..., 3]. `quaternion [..., 4]` of length 1, `vector [..., 3]`."""
    return np.stack(_rotated(quaternion, vector), axis=-1)


def rotate_to_enu(quaternion: Floats, vector: Floats) -> Floats:
    """As `rotate` and `east_north_up`: body vectors [..., 3] to east, north, up."""
    north, east, down = _rotated(quaternion, vector)
    return np.stack([east, north, -down], axis=-1)


def _rotated(quaternion: Floats, vector: Floats) -> tuple[Floats, Floats, Floats]:
    w, x, y, z = (quaternion[..., i] for i in range(4))
    a, b, c = (vector[..., i] for i in range(3))
    ta, tb, tc = 2 * (y * c - z * b), 2 * (z * a - x * c), 2 * (x * b - y * a)  # v + w t + u x t, t = 2 u x v
    return a + w * ta + y * tc - z * tb, b + w * tb + z * ta - x * tc, c + w * tc + x * tb - y * ta


@dataclass(frozen=True, slots=True)
class MastTurn:
    """Cosines and sines of the yaw and pitch of a mast, for vectors of several sensors on it."""

    cos_yaw: Floats
    sin_yaw: Floats
    cos_pitch: Floats
    sin_pitch: Floats

    @staticmethod
    def of(yaw_deg: Floats, pitch_deg: Floats) -> MastTurn:
        """From angles in degrees: yaw positive from X to Y, pitch positive upwards."""
        yaw, pitch = np.deg2rad(yaw_deg), np.deg2rad(pitch_deg)
        return MastTurn(np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch))

    def rotate(self, vector: Floats) -> Floats:
        """Rotate `vector [..., 3]`: Rz(yaw) Ry(pitch) v."""
        x = self.cos_pitch * vector[..., 0] + self.sin_pitch * vector[..., 2]
        z = -self.sin_pitch * vector[..., 0] + self.cos_pitch * vector[..., 2]
        y = vector[..., 1]
        return np.stack([self.cos_yaw * x - self.sin_yaw * y, self.sin_yaw * x + self.cos_yaw * y, z], axis=-1)


def east_north_up(north_east_down: Floats) -> Floats:
    """Convert components north, east, down to east, north, up; both [..., 3]."""
    return np.stack([north_east_down[..., 1], north_east_down[..., 0], -north_east_down[..., 2]], axis=-1)


def roll_pitch_yaw_deg(quaternion: Floats) -> Floats:
    """Roll, pitch and yaw [..., 3] in degrees, of `quaternion [..., 4]`; yaw 0 is north, 90 east, -180 to 180."""
    w, x, y, z = np.moveaxis(quaternion, -1, 0)
    roll = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = np.arcsin(np.clip(2 * (w * y - z * x), -1, 1))
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return np.asarray(np.rad2deg(np.stack([roll, pitch, yaw], axis=-1)))


def normalized(quaternion: Floats) -> Floats:
    """Scale `quaternion [..., 4]` to length 1; NaN if its length is 0."""
    w, x, y, z = (quaternion[..., i] for i in range(4))
    length = np.sqrt(w * w + x * x + y * y + z * z)  # ten times as fast as a sum along an axis of four
    length = np.where(length > 0, length, np.nan)
    unit = np.empty(quaternion.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, part in enumerate((w, x, y, z)):
            np.divide(part, length, out=unit[..., i])
    return unit
