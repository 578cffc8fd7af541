"""MINPA and MEPA: ions of the wind and of Mars, and fast particles of an event on the Sun (fact sheet 9).

MINPA looks at drifting Maxwellians, averaged over each bin on a finer grid; MEPA at power laws. Counts are Poisson's.
All numbers assumed but MINPA's range and view; MEPA's energies are recalled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Longs, Reals
from .octets import constant, rows, unsigned
from .orbit import clock_ticks, sample_times
from .packets import Measurement, Record, records_at

MINPA_APID, MEPA_APID = 1304, 1308
_PERIOD_S, _SCAN_PERIOD_S = 16.0, 32.0
_DWELL_10_US = 3125
_SEEN_CM2_SR = 5e-4 * 0.5
"""MINPA's geometric factor times its efficiency."""
_FINER = 5


@dataclass(frozen=True, slots=True)
class _Plasma:
    """A drifting Maxwellian."""

    code: int
    mass_kg: float
    density_cm3: float
    temperature_ev: float
    velocity_km_s: tuple[float, float, float]


_PLASMAS = {
    "H+": _Plasma(1, 1.67262e-27, 4.0, 60.0, (-210.0, 40.0, -15.0)),
    "O+": _Plasma(4, 2.65593e-26, 18.0, 4.0, (9.0, -11.0, 2.0)),
    "O2+": _Plasma(5, 5.31195e-26, 30.0, 3.0, (7.0, -8.0, 1.5)),
}


def scan_ions(start_ns: int, stop_ns: int, seed: int) -> Measurement:
    """A scan of 4 s of each of three species, each 32 s."""
    scan_ns = sample_times(start_ns, stop_ns, _SCAN_PERIOD_S)
    draw = chance.stream(seed, "minpa")
    records: list[Record] = []
    swell = 1.0 + 0.2 * np.sin(2.0 * np.pi * (scan_ns - start_ns) / 3e11)
    for plasma in _PLASMAS.values():
        expected = _expected_counts(plasma)
        seen = np.minimum(draw.poisson(swell[:, None] * expected.ravel()), 65_535)
        packets = rows(
            clock_ticks(scan_ns),
            constant(bytes([plasma.code]) + _DWELL_10_US.to_bytes(2, "big"), len(scan_ns)),
            unsigned(seen, 2),
        )
        records += records_at(MINPA_APID, scan_ns + 4_000_000_000 + plasma.code, packets)
    plasmas = _PLASMAS.values()
    truth = {
        "scan_time_utc_ns": scan_ns,
        "species": np.array(list(_PLASMAS)),
        "density_cm3": np.outer(swell, [plasma.density_cm3 for plasma in plasmas]),
        "temperature_ev": np.array([plasma.temperature_ev for plasma in plasmas]),
        "velocity_km_s": np.array([plasma.velocity_km_s for plasma in plasmas]),
    }
    return Measurement("minpa", records, truth, {})


def _expected_counts(plasma: _Plasma) -> Reals:
    """Mean counts float64[32, 4, 16] of the full density, each bin averaged over 5 x 5 x 5 points."""
    within = (np.arange(_FINER) + 0.5) / _FINER - 0.5
    ratio = (25_900.0 / 2.8) ** (1.0 / 31.0)
    energy_ev = 2.8 * ratio ** (np.arange(32)[:, None] + within).ravel()
    elevation = np.radians(-33.75 + 22.5 * (np.arange(4)[:, None] + within).ravel())
    azimuth = np.radians(22.5 * (np.arange(16)[:, None] + 0.5 + within).ravel())
    speed = np.sqrt(2.0 * energy_ev * 1.602_177e-19 / plasma.mass_kg)[:, None, None]
    up, around = elevation[None, :, None], azimuth[None, None, :]
    drift = 1e3 * np.array(plasma.velocity_km_s)
    apart = (
        (-speed * np.cos(up) * np.cos(around) - drift[0]) ** 2
        + (-speed * np.cos(up) * np.sin(around) - drift[1]) ** 2
        + (-speed * np.sin(up) - drift[2]) ** 2
    )
    thermal = plasma.temperature_ev * 1.602_177e-19 / plasma.mass_kg  # m2/s2 of one axis
    density = plasma.density_cm3 * 1e6 / (2.0 * np.pi * thermal) ** 1.5 * np.exp(-apart / (2.0 * thermal))
    energy_flux = density * speed**4 / 2.0 * 1e-4  # per cm2 s sr, per relative width of energy
    fine = energy_flux * np.cos(up)
    blocks = fine.reshape(32, _FINER, 4, _FINER, 16, _FINER).mean(axis=(1, 3, 5))
    level = np.cos(elevation).reshape(4, _FINER).mean(axis=1)
    mean: Reals = blocks / level[None, :, None] * _SEEN_CM2_SR * _DWELL_10_US * 1e-5
    return mean


_LAWS = {
    "electron": (0.1, 12.0, 0.8 * 0.40, 900.0, 0.5, 2.4),
    "proton": (2.0, 100.0, 1.5 * 0.95, 20.0, 10.0, 2.2),
    "ion": (25.0, 300.0, 1.5 * 0.95, 0.4, 50.0, 1.8),
}
"""Range in MeV, geometric factor (cm2 sr), and flux per cm2 s sr MeV at an energy: a power law."""
_DEAD_S = 2e-6


def count_particles(start_ns: int, stop_ns: int, seed: int) -> Measurement:
    """Accumulations of 16 s while an event fades."""
    time_ns = sample_times(start_ns, stop_ns, _PERIOD_S)
    draw = chance.stream(seed, "mepa")
    fading = np.exp(-(time_ns - start_ns) / 3.6e12)
    truth: dict[str, Reals | Longs] = {"time_utc_ns": time_ns}
    columns = []
    for kind, (low, high, let_in, flux, at, power) in _LAWS.items():
        edges = low * (high / low) ** (np.arange(9) / 8.0)
        integral = flux * at / (1.0 - power) * np.diff((edges / at) ** (1.0 - power))
        rate = np.outer(fading, integral) * let_in
        seen = draw.poisson(rate / (1.0 + rate * _DEAD_S) * _PERIOD_S)
        columns.append(unsigned(seen, 4))
        truth[f"{kind}_flux"] = np.outer(fading, integral / np.diff(edges))
    packets = rows(
        clock_ticks(time_ns), constant(round(_PERIOD_S * 100).to_bytes(2, "big"), len(time_ns)), *columns
    )
    done_ns = time_ns + round(_PERIOD_S * 1e9)
    return Measurement("mepa", records_at(MEPA_APID, done_ns, packets), truth, {})
