"""Sun, Earth and Mars: distances, the Sun's position over the rover, and conjunctions.

Earth and Mars: mean elements of Standish and their rates, good to some thousandths of a distance from 1800 to 2050. The
angle from the Sun below which nothing is sent is assumed, so that the blackout of 2021 takes some 45 days (fact sheet
8.1). The Sun over the rover: season from the fact sheet (Ls at some sols), orbit and obliquity from any almanac, good
to a quarter degree; not the algorithm of the ground. Local true solar time: 12:21:43 at the first second of the genuine
radar run of sol 11.
"""

from __future__ import annotations

import numpy as np

from .arrays import Longs, Reals
from .orbit import eccentric
from .timeline import SOL_NS

AU_KM, LIGHT_KM_S = 149_597_870.7, 299_792.458
NO_LINK_DEG = 7.4
_J2000_NS = 946_728_000_000_000_000
_CENTURY_NS = 36_525 * 86_400_000_000_000
_DAY_NS = 86_400_000_000_000
_SOLS = (1.0, 100.0, 200.0, 325.0)
_LS_DEG = (45.2, 89.0, 137.0, 207.6)
_PERIHELION_LS_DEG = 251.0
_SEMIMAJOR_AU, _ECCENTRICITY, _OBLIQUITY_DEG = 1.52368, 0.0934, 25.19
_LATITUDE_DEG = 25.083319
_STAMP_NS, _STAMP_SOL = 1_621_916_401_081_000_000, 11
_STAMP_HOUR_ANGLE_DEG = 15.0 * (21.0 / 60.0 + 43.0 / 3600.0)

_EARTH = (
    (1.00000261, 0.00000562),
    (0.01671123, -0.00004392),
    (-0.00001531, -0.01294668),
    (100.46457166, 35_999.37244981),
    (102.93768193, 0.32327364),
    (0.0, 0.0),
)
_MARS = (
    (1.52371034, 0.00001847),
    (0.09339410, 0.00007882),
    (1.84969142, -0.00813131),
    (-4.55343205, 19_140.30268499),
    (-23.94362959, 0.44441088),
    (49.55953891, -0.29257343),
)
"""Semi-major axis (au), eccentricity, inclination, mean longitude, of perihelion, node (deg); rate a century."""


def light_time_ns(utc_ns: int) -> int:
    """From Mars to Earth at this time."""
    mars, earth = _places(np.array([utc_ns]))
    distance_km = float(np.sqrt(((mars - earth) ** 2).sum())) * AU_KM
    return round(distance_km / LIGHT_KM_S * 1e9)


def elongation_deg(utc_ns: Longs) -> Reals:
    """Angle between Sun and Mars as seen from Earth, [n]."""
    mars, earth = _places(utc_ns)
    towards = mars - earth
    cosine = -(towards * earth).sum(axis=1) / np.sqrt((towards**2).sum(axis=1) * (earth**2).sum(axis=1))
    angle: Reals = np.degrees(np.arccos(cosine))
    return angle


def conjunction(utc_ns: int) -> tuple[int, int] | None:
    """Beginning and end, on whole days, of the conjunction that includes this time; None: there is a link."""
    if float(elongation_deg(np.array([utc_ns]))[0]) >= NO_LINK_DEG and not _behind_sun(utc_ns):
        return None
    days = utc_ns // _DAY_NS * _DAY_NS + np.arange(-60, 61) * _DAY_NS
    quiet = (elongation_deg(days) < NO_LINK_DEG) & np.array([_behind_sun(int(day)) for day in days])
    if not quiet[60] and not quiet[61]:
        return None
    inside = 60 if quiet[60] else 61
    first = inside - int(np.argmin(quiet[inside::-1])) + 1
    last = inside + int(np.argmin(quiet[inside:]))
    return int(days[first]), int(days[last])


def _behind_sun(utc_ns: int) -> bool:
    """Mars is beyond the Sun, not before it."""
    return light_time_ns(utc_ns) > 1_000_000_000_000


def _places(utc_ns: Longs) -> tuple[Reals, Reals]:
    """Mars and Earth, au from the Sun in axes of the ecliptic, [n, 3] each."""
    centuries = (np.asarray(utc_ns) - _J2000_NS) / _CENTURY_NS
    return _place(_MARS, centuries), _place(_EARTH, centuries)


def _place(elements: tuple[tuple[float, float], ...], centuries: Reals) -> Reals:
    axis, eccentricity, tilt, longitude, perihelion, node = (value + rate * centuries for value, rate in elements)
    mean = np.radians(np.mod(longitude - perihelion, 360.0))
    anomaly = eccentric(mean, eccentricity)
    x, y = axis * (np.cos(anomaly) - eccentricity), axis * np.sqrt(1.0 - eccentricity**2) * np.sin(anomaly)
    turn, tilt, node = np.radians(perihelion - node), np.radians(tilt), np.radians(node)
    along, across = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    level = across * np.cos(tilt)
    return np.stack(
        [
            along * np.cos(node) - level * np.sin(node),
            along * np.sin(node) + level * np.cos(node),
            across * np.sin(tilt),
        ],
        axis=1,
    )


def sun_over_rover(utc_ns: Longs) -> tuple[Reals, Reals, Reals]:
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
