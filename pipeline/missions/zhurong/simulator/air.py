"""The air around the rover: season, thermal tides, turbulence and dust devils (fact sheet 5).

In: the times of a stay. Out: what is true of the air at each, and the dips of pressure in it. The seasonal form is that
of Withers 2012 with recalled coefficients, the dips are Lorentzians (Ellehoj et al. 2010), all else is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Reals
from .timeline import Timeline, local_hour

_J2000_NS = 946_728_000_000_000_000
_DAY_NS = 86_400_000_000_000
_ALTITUDE_KM = -4.918556
_SECONDS_FOR_ONE_MORE_DEVIL = 900


@dataclass(frozen=True, slots=True)
class Devils:
    """Dust devils that pass by, float64[k] each: when, how deep the pressure dips, full width at half depth."""

    time_s: Reals
    depth_pa: Reals
    width_s: Reals

    def dips(self, time_s: Reals) -> Reals:
        """1 at the bottom of each dip, 0 far from it: float64[n, k]."""
        away = (time_s[:, None] - self.time_s) / (self.width_s / 2.0)
        return 1.0 / (1.0 + away**2)


@dataclass(frozen=True, slots=True)
class Air:
    """True state at each time, float64[n]; the wind's direction is that it comes from, deg from north."""

    pressure_pa: Reals
    temperature_degc: Reals
    wind_m_s: Reals
    wind_from_deg: Reals
    devils: Devils


def air_at(timeline: Timeline, time_s: Reals, draw: np.random.Generator) -> Air:
    """The air at seconds of a stay."""
    devils = _devils(timeline, draw)
    dips = devils.dips(time_s)
    strength = (dips * devils.depth_pa / 3.2).sum(axis=1)
    hour = local_hour(timeline.start_ns) + time_s / 3698.968  # seconds in 1/24 sol
    turn = 2.0 * np.pi * hour / 24.0
    tide = 1.0 + 0.022 * np.cos(turn - 2.1) + 0.012 * np.cos(2.0 * turn - 5.0)
    pressure = season_pa(timeline.start_ns) * tide + chance.random_course(draw, time_s, 0.25, 8.0, 400.0)
    temperature = -56.0 + 37.0 * np.cos(turn - 3.67) + chance.random_course(draw, time_s, 1.6, 5.0, 300.0)
    wind = np.maximum(4.5 + chance.random_course(draw, time_s, 1.1, 4.0, 200.0) + 6.0 * strength, 1.0)
    direction = 172.0 + chance.random_course(draw, time_s, 14.0, 6.0, 300.0) + 60.0 * strength
    return Air(pressure - dips @ devils.depth_pa, temperature + 2.0 * strength, wind, direction, devils)


def season_pa(utc_ns: int) -> float:
    """Mean pressure of the season at the landing site: 931 Pa at Ls 45, 762 at 150."""
    ls = np.radians(_solar_longitude_deg(utc_ns))
    course = 1.0 - 0.069 * np.sin(ls) + 0.060 * np.cos(ls) + 0.045 * np.sin(2.0 * ls) - 0.050 * np.cos(2.0 * ls)
    return float(797.2 * np.exp(-(_ALTITUDE_KM + 3.63) / 11.0) * course)


def _solar_longitude_deg(utc_ns: int) -> float:
    """Ls by the leading terms of Allison & McEwen 2000."""
    days = (utc_ns - _J2000_NS) / _DAY_NS
    anomaly = np.radians(19.387 + 0.52402075 * days)
    centre = 10.691 * np.sin(anomaly) + 0.623 * np.sin(2.0 * anomaly) + 0.050 * np.sin(3.0 * anomaly)
    return float((270.3863 + 0.52403840 * days + centre) % 360.0)


def _devils(timeline: Timeline, draw: np.random.Generator) -> Devils:
    """A weak one at 0.3 of the stay, a strong one at 0.88, and in long stays more, far from those and each other."""
    if not 8.0 < local_hour(timeline.start_ns) < 18.0:
        return Devils(np.empty(0), np.empty(0), np.empty(0))  # the Sun makes them
    duration_s = timeline.duration_s
    n_more = duration_s // _SECONDS_FOR_ONE_MORE_DEVIL
    share = np.concatenate([[0.30, 0.88], np.linspace(0.36, 0.82, n_more + 2)[1:-1]])
    depth = np.concatenate([[2.8, 3.2], draw.uniform(1.5, 4.0, n_more)])
    width = np.concatenate([[7.0, 12.0], draw.uniform(6.0, 20.0, n_more)])
    return Devils(share * duration_s, depth, width)
