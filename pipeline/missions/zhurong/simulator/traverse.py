"""Motion of the rover: positions, attitude and mast at each whole second, linear in between.

North-east-down; yaw clockwise from north, pitch nose up, roll right side down: Rz(yaw) Ry(pitch) Rx(roll).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Flags, Reals
from .timeline import Timeline

DRIVE_SPEED_M_S = 0.055
"""200 m/h (fact sheet 1)."""
_START_NED_M = (-0.42, 5.32, 0.95)
_START_YAW_DEG = -158.0
_REACH_M = 320.0


@dataclass(frozen=True, slots=True)
class Traverse:
    """The rover's motion; arrays are float64[n_seconds + 1, ...], one row a second from the start of the stay."""

    time_s: Reals
    distance_m: Reals
    speed_m_s: Reals
    position_ned_m: Reals
    attitude_deg: Reals
    """[n, 3] yaw, pitch, roll."""
    mast_deg: Reals
    """[n, 2] yaw, pitch."""
    driving: Flags
    seed: int = 0
    """Of the course."""
    before_m: float = 0.0
    """Driven before this stay."""
    frame_id: int = 0
    """Counts re-zeroings of the position: the radar's 16 bits of a centimetre reach no further than 327 m."""

    def at(self, what: Reals, time_s: Reals) -> Reals:
        """One of the arrays at other times, linear between the seconds."""
        columns = what.reshape(len(what), -1).T
        return np.stack([np.interp(time_s, self.time_s, column) for column in columns], axis=-1)

    @property
    def odometer_m(self) -> float:
        """Driven until the end of the stay."""
        return self.before_m + float(self.distance_m[-1])

    @property
    def turning(self) -> Flags:
        """bool[n]: attitude, mast or position changes in the second before or after."""
        state = np.hstack([self.attitude_deg, self.mast_deg, self.distance_m[:, None]])
        moved = (np.diff(state, axis=0) != 0).any(axis=1)
        beside: Flags = np.append(moved, False) | np.append(False, moved)
        return beside


def travel(timeline: Timeline, seed: int, since: Traverse | None = None) -> Traverse:
    """A stay: a mast scan, a look at the ground, a drive of a few metres on a bending course, another scan.

    It goes on where the stay `since` ended; a quiet stay is all rest. The same seed bends the course the same way.
    """
    seed = since.seed if since else seed
    draw = chance.stream(seed, "traverse")
    time_s = np.arange(timeline.duration_s + 1, dtype=np.float64)
    speed = _speed(timeline, time_s, draw) * (not timeline.quiet)
    distance = np.append(0.0, np.cumsum((speed[1:] + speed[:-1]) / 2.0))
    attitude = _attitude(distance + (float(since.odometer_m) if since else 0.0), draw)
    steps = _steps(distance, attitude)
    start, frame_id = _zero(since, float(distance[-1]))
    return Traverse(
        time_s=time_s,
        distance_m=distance,
        speed_m_s=speed,
        position_ned_m=steps + start,
        attitude_deg=attitude,
        mast_deg=_mast(timeline, time_s) * (not timeline.quiet),
        driving=speed > 0.0,
        frame_id=frame_id,
        seed=seed,
        before_m=since.odometer_m if since else 0.0,
    )


def _zero(since: Traverse | None, drive_m: float) -> tuple[Reals, int]:
    """Position and frame at the start: a new frame, at its origin, where the range of the old one might not suffice."""
    if since is None:
        return np.array(_START_NED_M), 0
    last = since.position_ned_m[-1]
    if np.abs(last).max() + drive_m > _REACH_M:
        return np.zeros(3), (since.frame_id + 1) % 256
    return last, since.frame_id


def _speed(timeline: Timeline, time_s: Reals, draw: np.random.Generator) -> Reals:
    begin, end = timeline.phase("DRIVING")
    uneven = 1.0 + chance.random_course(draw, time_s, 0.012, 3.0, 40.0)
    return np.where((time_s > begin) & (time_s < end), DRIVE_SPEED_M_S * uneven, 0.0)


def _attitude(distance: Reals, draw: np.random.Generator) -> Reals:
    """Functions of the distance driven, so that a rover at rest does not turn."""
    yaw = _START_YAW_DEG + 6.0 * np.sin(distance / 1.7) + 20.0 * np.tanh(distance / 6.0)
    pitch = 1.2 + chance.random_course(draw, distance, 1.1, 0.9, 8.0)
    roll = -0.5 + chance.random_course(draw, distance, 0.7, 0.9, 8.0)
    return np.stack([yaw, pitch, roll], axis=1)


def _steps(distance: Reals, attitude_deg: Reals) -> Reals:
    """Positions from the start. Each second's step along the mean heading, up or down by the mean pitch."""
    mean = np.radians((attitude_deg[1:] + attitude_deg[:-1]) / 2.0)
    step = np.diff(distance)
    level = step * np.cos(mean[:, 1])
    steps = np.stack([level * np.cos(mean[:, 0]), level * np.sin(mean[:, 0]), -step * np.sin(mean[:, 1])], axis=1)
    return np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])


def _mast(timeline: Timeline, time_s: Reals) -> Reals:
    """Scans in yaw with a nod in pitch, at most 5 deg/s; then to the target, and ahead for the drive."""
    knots = [(0, 0.0, 0.0)]
    for scan, look in (("MAST SCAN", "LIBS POINT 1"), ("SECOND SCAN", "")):
        begin, end = timeline.phase(scan)
        swing = min(150.0, 5.0 * (end - begin) / 6.0)
        for share, yaw, pitch in ((0, 0, 0), (1, 1, 0), (2, 1, 0), (4, -1, -0.15), (5, -1, 0.08), (6, 0, 0)):
            knots.append((begin + round((end - begin) * share / 6), swing * yaw, swing * pitch))
        if look:
            knots.append((timeline.phase(look)[0] + 2, 24.0, -32.0))
            knots.append((timeline.phase("SWIR")[1] - 3, 24.0, -32.0))
            knots.append((timeline.phase("SWIR")[1] - 1, 0.0, 0.0))
    second, yaw_deg, pitch_deg = np.array(knots, np.float64).T
    order = np.argsort(second, kind="stable")
    return np.stack([np.interp(time_s, second[order], angle[order]) for angle in (yaw_deg, pitch_deg)], axis=1)


def rotation(axis: str, angle_deg: Reals) -> Reals:
    """Right-handed rotation matrices [n, 3, 3] about x, y or z."""
    angle = np.radians(angle_deg)
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((len(angle), 3, 3))
    matrix[:, "xyz".index(axis), "xyz".index(axis)] = 1.0
    matrix[:, first, first] = matrix[:, second, second] = cosine
    matrix[:, second, first], matrix[:, first, second] = sine, -sine
    return matrix


def body_to_ned(attitude_deg: Reals) -> Reals:
    """Rotation matrices [n, 3, 3] from the rover's axes (forward, right, down) to north-east-down."""
    yaw, pitch, roll = attitude_deg.T
    return rotation("z", yaw) @ rotation("y", pitch) @ rotation("x", roll)


def quaternion(attitude_deg: Reals) -> Reals:
    """The same rotation as unit quaternions [n, 4], scalar first."""
    (cy, cp, cr), (sy, sp, sr) = np.cos(np.radians(attitude_deg.T / 2)), np.sin(np.radians(attitude_deg.T / 2))
    return np.stack(
        [
            cy * cp * cr + sy * sp * sr,
            cy * cp * sr - sy * sp * cr,
            cy * sp * cr + sy * cp * sr,
            sy * cp * cr - cy * sp * sr,
        ],
        axis=1,
    )
