"""Orbit of Tianwen-1: Kepler elements, and the rotation of Mars.

The elements are those of the relay orbit (fact sheet 8: period 8.2 h, periapsis 407 km above 3,396.19 km, apoapsis
radius 15,895 km, inclination 86.3 deg to the Martian equator); node, argument of periapsis and the time of a periapsis
are assumed. Vectors are in axes of ICRF, centred on Mars [assumed]. Mars: pole and prime meridian of the IAU working
group of 2009, gravity of 42,828.37 km3/s2.

ORBITER_STATE reports where the orbiter is, in the genuine layout of APID 1287 (link facts): packet bytes 18 to 23 are
the time, 72 to 119 six big-endian floats; the meaning of the others is not known, so they are noise here. How often it
is sent is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Longs, Octets, Reals
from .octets import EPOCH_UTC_NS, rows, unsigned
from .packets import Measurement, records_at
from .timeline import SOL_NS
from .traverse import rotation

GM_KM3_S2 = 42_828.37
RADIUS_KM = 3_396.19
_J2000_NS = 946_728_000_000_000_000 - 64_184_000_000
"""2000-01-01T12:00:00 TT as Unix time counts: 64.184 s before noon UTC."""
_LEAPS_SINCE_NS = 5_000_000_000
"""UTC took five leap seconds from 2000 to 2017, and none to 2026."""
_DAY_NS = 86_400_000_000_000
APID = 1287
PERIOD_S = 8
_TICK_NS = 100_000
_CENTURY_DAYS = 36_525.0
_TURN_DEG = 350.89198226
"""Of Mars in a day of 86,400 s."""


@dataclass(frozen=True, slots=True)
class Orbit:
    """Elements against the Martian equator and its node on the equator of ICRF; degrees and kilometres."""

    periapsis_km: float = RADIUS_KM + 407.0
    apoapsis_km: float = 15_895.0
    inclination_deg: float = 86.3
    node_deg: float = 291.4
    argument_deg: float = 24.0
    periapsis_ns: int = 1_621_920_600_000_000_000
    """UTC of one passage through periapsis, from 1970: 2021-05-25T05:30, sol 11, above the rover."""

    @property
    def semi_major_km(self) -> float:
        return (self.periapsis_km + self.apoapsis_km) / 2.0

    @property
    def eccentricity(self) -> float:
        return (self.apoapsis_km - self.periapsis_km) / (self.apoapsis_km + self.periapsis_km)

    @property
    def motion_rad_s(self) -> float:
        """Mean motion."""
        motion: float = (GM_KM3_S2 / self.semi_major_km**3) ** 0.5
        return motion

    def last_periapsis_ns(self, before_ns: int) -> int:
        """UTC of the last passage through periapsis before a time."""
        period_ns = 2e9 * np.pi / self.motion_rad_s
        revolutions = int((before_ns - self.periapsis_ns) // period_ns)
        return self.periapsis_ns + round(revolutions * period_ns)

    def states(self, utc_ns: Longs) -> tuple[Reals, Reals]:
        """Position [n, 3], km, and velocity [n, 3], km/s, of ICRF."""
        eccentricity, semi_km = self.eccentricity, self.semi_major_km
        mean = self.motion_rad_s * (utc_ns - self.periapsis_ns) / 1e9
        anomaly = eccentric(np.mod(mean, 2.0 * np.pi), eccentricity)
        flat = (1.0 - eccentricity**2) ** 0.5
        cosine, sine, none = np.cos(anomaly), np.sin(anomaly), np.zeros(len(anomaly))
        position = semi_km * np.stack([cosine - eccentricity, flat * sine, none], axis=1)
        pace = semi_km * self.motion_rad_s / (1.0 - eccentricity * cosine)
        velocity = pace[:, None] * np.stack([-sine, flat * cosine, none], axis=1)
        turn = _equator(utc_ns) @ self._plane()
        return np.einsum("nij,nj->ni", turn, position), np.einsum("nij,nj->ni", turn, velocity)

    def _plane(self) -> Reals:
        """From the plane of the orbit, x to periapsis, to the axes of the Martian equator: [1, 3, 3]."""
        node, inclination, argument = (
            np.array([angle]) for angle in (self.node_deg, self.inclination_deg, self.argument_deg)
        )
        return rotation("z", node) @ rotation("x", inclination) @ rotation("z", argument)


def orbit_of(sol: int) -> Orbit:
    """The orbit of a sol: trimmed so that one passage through periapsis is above the rover in the early afternoon.

    The node wanders a little from sol to sol, so that no two passes are alike [assumed].
    """
    later = sol - 11
    days = SOL_NS / _DAY_NS
    first = Orbit()
    node = first.node_deg + later * (_TURN_DEG * days - 360.0) + 7.0 * np.sin(2.4 * later)
    return Orbit(node_deg=float(node % 360.0), periapsis_ns=first.periapsis_ns + later * SOL_NS)


def eccentric(mean: Reals, eccentricity: float | Reals) -> Reals:
    """Kepler's equation by Newton's method, from pi, which never overshoots."""
    anomaly = np.full(mean.shape, np.pi)
    for _ in range(30):
        anomaly = anomaly - (anomaly - eccentricity * np.sin(anomaly) - mean) / (
            1.0 - eccentricity * np.cos(anomaly)
        )
    return anomaly


def _days(utc_ns: Longs) -> Reals:
    """Days of terrestrial time from J2000."""
    return (np.asarray(utc_ns) - _J2000_NS + _LEAPS_SINCE_NS) / _DAY_NS


def _equator(utc_ns: Longs) -> Reals:
    """From the axes of the Martian equator (x to its node on the equator of ICRF) to ICRF: [n, 3, 3]."""
    centuries = _days(utc_ns) / _CENTURY_DAYS
    pole_right_ascension, pole_declination = 317.68143 - 0.1061 * centuries, 52.88650 - 0.0609 * centuries
    return rotation("z", pole_right_ascension + 90.0) @ rotation("x", 90.0 - pole_declination)


def fixed_to_icrf(utc_ns: Longs) -> Reals:
    """From the axes that turn with Mars (x to the prime meridian, z to the north pole) to ICRF: [n, 3, 3]."""
    turned = np.mod(176.630 + _TURN_DEG * _days(utc_ns), 360.0)
    return _equator(utc_ns) @ rotation("z", turned)


def below(position_km: Reals, utc_ns: Longs) -> tuple[Reals, Reals, Reals]:
    """East longitude (0 to 360) and planetocentric latitude, deg, and altitude above 3,396.19 km, each [n]."""
    x, y, z = np.einsum("nji,nj->in", fixed_to_icrf(utc_ns), position_km)
    distance = np.sqrt(x**2 + y**2 + z**2)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(z / distance)), distance - RADIUS_KM


def clock_ticks(utc_ns: Longs) -> Octets:
    """The orbiter's time: 48-bit count of 100 us since the epoch, uint8[n, 6]."""
    return unsigned((np.asarray(utc_ns) - EPOCH_UTC_NS) // _TICK_NS, 6)


def sample_times(start_ns: int, stop_ns: int, period_s: float) -> Longs:
    """Every `period_s` from the start on, none after the stop: UTC ns, on whole ticks."""
    period_ns = round(period_s * 1e9)
    first = -(-start_ns // _TICK_NS) * _TICK_NS
    return np.arange(first, stop_ns - period_ns + 1, period_ns, dtype=np.int64)


def report_state(start_ns: int, stop_ns: int, orbit: Orbit, seed: int) -> Measurement:
    """A packet each 8 s."""
    time_ns = sample_times(start_ns, stop_ns, PERIOD_S)
    position, velocity = orbit.states(time_ns)
    longitude, latitude, altitude = below(position, time_ns)
    noise = chance.stream(seed, "unknown bytes").integers(0, 256, (len(time_ns), 60), np.uint8)
    vector = np.hstack([position, velocity]).astype(">f8").view(np.uint8)
    octets = rows(noise[:, :12], clock_ticks(time_ns), noise[:, 12:], vector)
    records = records_at(APID, time_ns, octets, secondary_header=False)
    truth = {
        "time_utc_ns": time_ns,
        "position_icrf_km": position,
        "velocity_icrf_km_s": velocity,
        "longitude_deg": longitude,
        "latitude_deg": latitude,
        "altitude_km": altitude,
    }
    return Measurement("orbiter_state", records, truth, {})
