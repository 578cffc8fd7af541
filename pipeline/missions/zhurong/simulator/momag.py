"""MOMAG: the field of the solar wind and of the orbiter, seen by two fluxgates on a boom (fact sheet 9, 4).

What the orbiter adds is a dipole where the boom begins, so each sensor sees it by the third power of its distance. The
field is turned into counts backwards from the ground's equation: E = M^-1 B + O + o1 T. All numbers assumed but range
and resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Octets, Reals
from .octets import constant, counts, rows, signed, temperature
from .orbit import clock_ticks, sample_times
from .packets import Measurement, records_at

APID = 1296
N_SAMPLES = 128
_RATE_HZ = 32
NOISE_NT = 0.01 * 16**0.5
"""0.01 nT per root hertz [assumed, as of the rover's] over the band of 16 Hz at 32 Hz."""
_STEP_NT = 20_000.0 / 2**24
_TRUTH_STEP_NT = 2.0**-10


@dataclass(frozen=True, slots=True)
class _Sensor:
    offset_nt: tuple[float, float, float]
    offset_nt_per_k: tuple[float, float, float]
    skew: tuple[float, float, float]
    """Below the diagonal of its matrix: yx, zx, zy."""
    distance_m: float


_SENSORS = {
    "outer": _Sensor((12.40, -7.85, 3.20), (0.006, -0.004, 0.008), (0.004, -0.003, 0.006), 3.19),
    "inner": _Sensor((-21.30, 15.70, 9.90), (0.007, 0.005, -0.009), (-0.005, 0.002, -0.004), 2.29),
}


def measure_wind(start_ns: int, stop_ns: int, seed: int) -> Measurement:
    """Packets of 128 samples."""
    packet_ns = sample_times(start_ns, stop_ns, N_SAMPLES / _RATE_HZ)
    time_ns = (packet_ns[:, None] + np.arange(N_SAMPLES) * 1_000_000_000 // _RATE_HZ).ravel()
    time_s = (time_ns - start_ns) / 1e9
    ambient = _ambient(time_s, chance.stream(seed, "interplanetary field"))
    moment = _body(time_s, chance.stream(seed, "orbiter's moment"))
    truth = {"packet_time_utc_ns": packet_ns, "time_utc_ns": time_ns, "field_ambient_nt": ambient}
    octets: list[Octets] = []
    warm: list[Octets] = []
    for name, sensor in _SENSORS.items():
        draw = chance.stream(seed, f"momag {name}")
        degc = -40.0 + chance.random_course(draw, packet_ns / 1e9, 2.0, 300.0, 6000.0)
        field = np.round((ambient + moment / sensor.distance_m**3) / _TRUTH_STEP_NT) * _TRUTH_STEP_NT
        noisy = field + NOISE_NT * draw.standard_normal(field.shape)
        truth |= {f"field_{name}_nt": field, f"temperature_{name}_degc": degc}
        warm.append(temperature(degc))
        octets.append(_counts(noisy.reshape(-1, N_SAMPLES, 3), degc, sensor))
    packets = rows(clock_ticks(packet_ns), constant(bytes([_RATE_HZ]), len(packet_ns)), *warm, *octets)
    done_ns = packet_ns + N_SAMPLES * 1_000_000_000 // _RATE_HZ
    return Measurement("momag", records_at(APID, done_ns, packets), truth, {"field_nt": NOISE_NT})


def _ambient(time_s: Reals, draw: np.random.Generator) -> Reals:
    """Some 3 nT along a spiral, with waves; on a grid of 2^-10 nT."""
    spiral = 3.0 * np.array([0.75, -0.62, 0.22])
    waves = np.stack([chance.random_course(draw, time_s, 0.8, 1.0, 600.0) for _ in range(3)], axis=1)
    return np.round((spiral + waves) / _TRUTH_STEP_NT) * _TRUTH_STEP_NT


def _body(time_s: Reals, draw: np.random.Generator) -> Reals:
    """The orbiter's part one metre from where the boom begins, nT: constant, and a wheel's slow beat."""
    wheel = np.stack([chance.random_course(draw, time_s, 3.0, 5.0, 60.0) for _ in range(3)], axis=1)
    return np.array([40.0, -65.0, 25.0]) + wheel


def _counts(field_nt: Reals, temperature_degc: Reals, sensor: _Sensor) -> Octets:
    """24-bit counts uint8[n, 1152] of the field float64[n, 128, 3]."""
    below_xy, below_xz, below_yz = sensor.skew
    x, y, z = np.moveaxis(field_nt, 2, 0)
    straight_y = y - below_xy * x  # the inverse of a lower triangle of ones
    straight = np.stack([x, straight_y, z - below_xz * x - below_yz * straight_y], axis=2)
    drift = np.array(sensor.offset_nt_per_k) * temperature_degc[:, None, None]
    return signed(counts(straight + np.array(sensor.offset_nt) + drift, _STEP_NT).reshape(len(field_nt), -1), 3)
