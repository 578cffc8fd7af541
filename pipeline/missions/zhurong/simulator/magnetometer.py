"""MAGNETOMETER: the field of the crust, seen by two fluxgates on the mast at 32 Hz (fact sheet 4).

The ambient field is turned into each sensor's axes and put through the sensor's errors, backwards from the ground's
equations: E = M^-1 B + O with M = M0 (1 + m1 (T - 20)), O = O0 + o1 (T - 20). All numbers assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Longs, Octets, Reals
from .housekeeping import wing_currents_a
from .octets import constant, counts, onboard_time, rows, signed, temperature
from .packets import Measurement, Record
from .timeline import Timeline
from .traverse import Traverse, body_to_ned, rotation

APID = 289
RATE_HZ = 32
NOISE_NT = 0.01 * (RATE_HZ / 2) ** 0.5
"""0.01 nT per root hertz over the band of 16 Hz."""
_STEP_NT = 0.01
_TRUTH_STEP_NT = 2.0**-10


@dataclass(frozen=True, slots=True)
class _Sensor:
    offset_nt: tuple[float, float, float]
    offset_nt_per_k: tuple[float, float, float]
    matrix: tuple[tuple[float, float, float], ...]
    matrix_per_k: float
    mounting: tuple[int, int, int]
    """Signs of its axes on the mast."""
    rover_nt: tuple[float, float, float]
    """Constant interference of the rover, in its own axes."""
    array_nt_per_a: tuple[float, float, float]
    """Interference per ampere of the total current of the four solar wings."""
    motors_nt: tuple[float, float, float]
    """Interference of the motors while it drives."""


_SENSORS = {
    "a": _Sensor(
        (152.40, -88.25, 310.75),
        (0.0080, -0.0055, 0.0031),
        ((1.0012, 0.0, 0.0), (0.0031, 0.9991, 0.0), (-0.0022, 0.0047, 1.0007)),
        2.1e-5,
        (1, 1, 1),
        (38.0, -21.0, 64.0),
        (0.22, -0.10, 0.31),
        (1.8, -0.9, 2.4),
    ),
    "b": _Sensor(
        (-420.10, 95.55, 61.30),
        (-0.0064, 0.0072, 0.0090),
        ((0.9987, 0.0, 0.0), (-0.0040, 1.0015, 0.0), (0.0018, -0.0029, 0.9996)),
        1.8e-5,
        (1, -1, -1),
        (312.0, -154.0, 420.0),
        (0.85, -0.40, 1.10),
        (6.5, -3.1, 8.2),
    ),
}


def measure_field(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float) -> Measurement:
    """Packets of one second each, sent when the next second begins."""
    packet_s = np.arange(timeline.duration_s, dtype=np.float64)
    time_s = np.arange(timeline.duration_s * RATE_HZ) / RATE_HZ
    field_enu = _ambient(time_s, chance.stream(seed, "crustal field"))
    body, head = _frames(rover, time_s)
    field_rover = np.einsum("nji,nj->ni", body, field_enu[:, [1, 0, 2]] * (1.0, 1.0, -1.0))
    current_a = wing_currents_a(timeline, time_s, seed).sum(axis=1)
    driving = rover.driving[time_s.astype(np.int64)]
    packet_ns = timeline.start_ns + (packet_s * 1e9).astype(np.int64)
    truth: dict[str, Reals | Longs] = {
        "packet_time_utc_ns": packet_ns,
        "time_utc_ns": timeline.start_ns + (time_s * 1e9).astype(np.int64),
        "field_enu_nt": field_enu,
    }
    octets: dict[str, Octets] = {}
    for name, sensor in _SENSORS.items():
        draw = chance.stream(seed, f"magnetometer {name}")
        degc = -18.0 + chance.random_course(draw, packet_s, 1.5, 60.0, 1200.0)
        added = np.array(sensor.rover_nt) + np.outer(current_a, sensor.array_nt_per_a)
        added += np.outer(driving, sensor.motors_nt)
        field = np.einsum("nji,nj->ni", head, field_rover + added) * sensor.mounting
        noisy = field + NOISE_NT * draw.standard_normal(field.shape)
        truth[f"field_{name}_sensor_nt"] = np.round(field / _TRUTH_STEP_NT) * _TRUTH_STEP_NT
        truth[f"temperature_{name}_degc"] = degc
        octets[name] = _counts(noisy.reshape(-1, RATE_HZ, 3), degc, sensor)
    octet_rows = rows(
        onboard_time(packet_ns, drift_ppm),
        constant(bytes([RATE_HZ]), len(packet_ns)),
        temperature(truth["temperature_a_degc"].astype(np.float64)),
        temperature(truth["temperature_b_degc"].astype(np.float64)),
        octets["a"],
        octets["b"],
    )
    done_ns = packet_ns + 1_000_000_000
    records = [Record(APID, int(at), row) for at, row in zip(done_ns, octet_rows, strict=True)]
    return Measurement("magnetometer", records, dict(truth), {"field_nt": NOISE_NT})


def _ambient(time_s: Reals, draw: np.random.Generator) -> Reals:
    """East, north, up: a constant of 10 to 30 nT and small slow variations, on a grid of 2^-10 nT."""
    direction = draw.standard_normal(3)
    crust = (10.0 + 20.0 * draw.random()) * direction / np.sqrt(np.sum(direction**2))
    variation = np.stack([chance.random_course(draw, time_s, 0.3, 20.0, 900.0) for _ in range(3)], axis=1)
    field: Reals = np.round((crust + variation) / _TRUTH_STEP_NT) * _TRUTH_STEP_NT
    return field


def _frames(rover: Traverse, time_s: Reals) -> tuple[Reals, Reals]:
    """Matrices [n, 3, 3]: from the rover's axes to north-east-down, from the mast's head to the rover's axes."""
    yaw, pitch = rover.at(rover.mast_deg, time_s).T
    return body_to_ned(rover.at(rover.attitude_deg, time_s)), rotation("z", yaw) @ rotation("y", pitch)


def _counts(field_nt: Reals, temperature_degc: Reals, sensor: _Sensor) -> Octets:
    """24-bit counts uint8[n, 288] of the field float64[n, 32, 3] in the sensor's axes."""
    warmer = (temperature_degc - 20.0)[:, None, None]
    inverse = np.linalg.inv(np.array(sensor.matrix))
    electric = np.einsum("ij,nkj->nki", inverse, field_nt) / (1.0 + sensor.matrix_per_k * warmer)
    offset = np.array(sensor.offset_nt) + np.array(sensor.offset_nt_per_k) * warmer
    return signed(counts(electric + offset, _STEP_NT).reshape(len(field_nt), -1), 3)
