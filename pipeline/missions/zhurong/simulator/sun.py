"""Where the Sun stands over the rover and how far it is: a Kepler orbit and an hour angle, good to a quarter degree.

Season from the fact sheet (Ls at some sols), orbit and obliquity of Mars from any almanac; not the algorithm of the
ground. Local true solar time: 12:21:43 at the first second of the genuine radar run of sol 11.
"""

from __future__ import annotations

import numpy as np

from .arrays import Longs, Reals
from .timeline import SOL_NS

_SOLS = (1.0, 100.0, 200.0, 325.0)
_LS_DEG = (45.2, 89.0, 137.0, 207.6)
_PERIHELION_LS_DEG = 251.0
_SEMIMAJOR_AU, _ECCENTRICITY, _OBLIQUITY_DEG = 1.52368, 0.0934, 25.19
_LATITUDE_DEG = 25.083319
_STAMP_NS, _STAMP_SOL = 1_621_916_401_081_000_000, 11
_STAMP_HOUR_ANGLE_DEG = 15.0 * (21.0 / 60.0 + 43.0 / 3600.0)


def stand(utc_ns: Longs) -> tuple[Reals, Reals, Reals]:
    """Distance (au), incidence from the zenith (deg), and the direction to the Sun [n, 3] north, east, down."""
    sols = (utc_ns - _STAMP_NS) / SOL_NS
    season = np.radians(np.interp(_STAMP_SOL + sols, _SOLS, _LS_DEG))
    anomaly = season - np.radians(_PERIHELION_LS_DEG)
    distance = _SEMIMAJOR_AU * (1.0 - _ECCENTRICITY**2) / (1.0 + _ECCENTRICITY * np.cos(anomaly))
    declination = np.arcsin(np.sin(np.radians(_OBLIQUITY_DEG)) * np.sin(season))
    hour = np.radians(_STAMP_HOUR_ANGLE_DEG + 360.0 * (sols - np.rint(sols)))
    latitude = np.radians(_LATITUDE_DEG)
    up = np.sin(declination) * np.sin(latitude) + np.cos(declination) * np.cos(latitude) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    north = np.sin(declination) * np.cos(latitude) - np.cos(declination) * np.sin(latitude) * np.cos(hour)
    return distance, np.degrees(np.arccos(up)), np.stack([north, east, -up], axis=-1)
