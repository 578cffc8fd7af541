"""NAVIGATION: where the rover is, 1 Hz while it drives or its mast turns, 0.1 Hz else."""

from __future__ import annotations

import numpy as np

from .arrays import Longs, Reals
from .octets import constant, counts, onboard_time, rows, signed, unsigned
from .packets import Measurement, records_at
from .timeline import Timeline
from .traverse import Traverse, body_to_ned, quaternion

APID = 257
_WHEEL_RADIUS_M = 0.15
_SLOW_S = 10
_STOPPED, _DRIVING = 0, 1


def navigate(timeline: Timeline, rover: Traverse, drift_ppm: float) -> Measurement:
    """Navigation packets and their truth."""
    seconds = np.flatnonzero(rover.turning | (np.arange(len(rover.time_s)) % _SLOW_S == 0))
    time_ns = timeline.start_ns + seconds.astype(np.int64) * 1_000_000_000
    speed = rover.speed_m_s[seconds]
    attitude = rover.attitude_deg[seconds]
    slip = np.where(speed > 0.0, 0.03 + 0.02 * np.sin(rover.distance_m[seconds]), 0.0)
    mode = np.where(rover.driving[seconds], _DRIVING, _STOPPED)
    truth: dict[str, Reals] = {
        "position_ned_m": rover.position_ned_m[seconds],
        "attitude_deg": attitude,
        "quaternion": quaternion(attitude),
        "velocity_ned_m_s": body_to_ned(attitude)[:, :, 0] * speed[:, None],
        "wheel_rate_deg_s": _wheel_rates(speed, slip),
        "mast_yaw_deg": rover.mast_deg[seconds, 0],
        "mast_pitch_deg": rover.mast_deg[seconds, 1],
        "slip": slip,
    }
    octets = _octets(time_ns, mode, truth, rover.frame_id, drift_ppm)
    return Measurement(
        "navigation", records_at(APID, time_ns, octets), {"time_utc_ns": time_ns, "drive_mode": mode, **truth}, {}
    )


def _wheel_rates(speed_m_s: Reals, slip: Reals) -> Reals:
    """Six wheels, alike but for the ground under them: float64[n, 6], deg/s."""
    ground = 1.0 + 0.01 * np.arange(-2.5, 3.0)
    return np.degrees(speed_m_s / (1.0 - slip) / _WHEEL_RADIUS_M)[:, None] * ground


def _octets(time_ns: Longs, mode: Longs, truth: dict[str, Reals], frame_id: int, drift_ppm: float) -> list[bytes]:
    n = len(time_ns)
    return rows(
        onboard_time(time_ns, drift_ppm),
        constant(bytes([frame_id]), n),
        unsigned(mode, 1),
        signed(counts(truth["position_ned_m"], 0.001), 4),
        signed(counts(truth["quaternion"], 1.0 / 16384.0), 2),
        signed(counts(truth["velocity_ned_m_s"], 0.001), 2),
        signed(counts(truth["wheel_rate_deg_s"], 0.01), 2),
        signed(counts(truth["mast_yaw_deg"], 0.01), 2),
        signed(counts(truth["mast_pitch_deg"], 0.01), 2),
        unsigned(counts(truth["slip"], 0.01), 1),
    )
