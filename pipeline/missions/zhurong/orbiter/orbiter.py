"""The orbiter itself: the state vectors of its packets become orbit, speed and the point below.

In: ORBITER_STATE (APID 1287). Out: `orbiter/state`: position r and velocity v as sent, and from them

    h = r x v;  a = 1 / (2/r - v2/GM);  e = |v x h / GM - r/|r||;  i = acos(h . pole / |h|);  P = 2 pi (a3/GM)^0.5
    r_fixed = Rz(W) Rx(90 - delta) Rz(alpha + 90) r;  longitude, latitude: its angles;  altitude = |r| - radius

which are textbook (Vallado; pole alpha, delta and meridian W: Archinal et al. 2011, Celest. Mech. Dyn. Astr. 109).
i is to the equator of Mars; an open orbit has no period. The axes are assumed, and named in the lineage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import NO_TIME, ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Positive, Range, Source, Table, outside
from ....products.draft import Draft, flag
from ....products.instrument import Instrument
from ....products.rotations import Floats
from .kinds import STATE

_POSITION = ("POSITION_X", "POSITION_Y", "POSITION_Z")
_VELOCITY = ("VELOCITY_X", "VELOCITY_Y", "VELOCITY_Z")
_J2000_UTC_NS = 946_728_000_000_000_000 - 64_184_000_000
_LEAPS_NS = (
    5_000_000_000  # counted by TT and not by UTC, from 2000 to this mission: a second turns Mars by 0.004 deg
)
_DAY_NS, _CENTURY_DAYS = 86_400e9, 36_525.0
_AXES = ("row", "axis")

Terms = Annotated[list[Finite], Field(min_length=2, max_length=2)]
"""A value at J2000 and its rate."""


class Frame(Table):
    """The axes of the vectors as sent."""

    source: Source
    axes: Literal["ICRF"]


class Planet(Table):
    """Gravity, reference radius and rotation of the body below."""

    source: Source
    gm_km3_s2: Positive
    radius_km: Positive
    pole_right_ascension_deg: Terms
    pole_declination_deg: Terms
    prime_meridian_deg: Terms


class Reach(Table):
    """Distances from the centre that are believed."""

    source: Source
    radius_km: Range


class OrbiterCalibration(Calibration):
    """`calibration/orbiter.toml`."""

    frame: Frame
    mars: Planet
    range: Reach


class Orbiter(Instrument):
    """State vectors."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"ORBITER_STATE": frozenset({*_POSITION, *_VELOCITY})}
    model = OrbiterCalibration
    no_uncertainty = "the orbit determination's uncertainty is not sent"
    landed = False
    calibration: OrbiterCalibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        mars = self.calibration.mars
        position, velocity = _together(rows, _POSITION), _together(rows, _VELOCITY)
        pole, turned = orientation(self.context.clock.utc_ns(rows.time_ns), mars)
        place = below(position, pole, turned, mars)
        shape = elements(position, velocity, pole, mars)
        arrays = {
            "position_icrf_km": Quantity(position, "km", "from the centre of Mars, axes of ICRF (assumed)", _AXES),
            "velocity_icrf_km_s": Quantity(velocity, "km s-1", "axes of ICRF (assumed)", _AXES),
            "speed_km_s": Quantity(np.sqrt((velocity * velocity).sum(axis=1)), "km s-1", "against ICRF"),
            **place,
            **shape,
        }
        radius = np.sqrt((position * position).sum(axis=1))
        strange = outside(radius, self.calibration.range.radius_km) | ~np.isfinite(velocity).all(axis=1)
        timeless = rows.time_ns == NO_TIME
        quality = rows.quality | flag(strange, Quality.OUT_OF_RANGE) | flag(timeless, Quality.NO_REFERENCE)
        frames = {
            "state": f"{self.calibration.frame.axes}, centred on Mars (assumed)",
            "longitude, latitude": "IAU Mars (2009), planetocentric, east",
            "inclination": "against the equator of IAU Mars (2009)",
        }
        yield Draft(STATE, rows, rows.time_ns, arrays, quality, {"frames": frames})


def orientation(utc_ns: NDArray[np.int64], mars: Planet) -> tuple[Floats, Floats]:
    """The north pole in ICRF (right ascension, declination) [n, 2] and the prime meridian's angle W [n], radians."""
    days = np.where(utc_ns == NO_TIME, np.nan, (utc_ns - (_J2000_UTC_NS - _LEAPS_NS)) / _DAY_NS)
    centuries = days / _CENTURY_DAYS
    pole = [base + rate * centuries for base, rate in (mars.pole_right_ascension_deg, mars.pole_declination_deg)]
    return np.radians(np.stack(pole, axis=1)), np.radians(_line(mars.prime_meridian_deg, days) % 360)


def below(position_km: Floats, pole: Floats, turned: Floats, mars: Planet) -> dict[str, Quantity]:
    """The point below: `position_km [n, 3]` of ICRF, `pole [n, 2]` and `turned [n]` of `orientation`."""
    (x, y, z), (ascension, declination) = position_km.T, pole.T
    along = -np.sin(ascension) * x + np.cos(ascension) * y  # to the node of the equator, at alpha + 90 deg
    across = -np.cos(ascension) * x - np.sin(ascension) * y
    beside = np.sin(declination) * across + np.cos(declination) * z
    up = -np.cos(declination) * across + np.sin(declination) * z
    radius = np.sqrt(x * x + y * y + z * z)
    longitude = np.degrees(np.arctan2(beside, along) - turned) % 360
    return {
        "longitude_deg": Quantity(longitude, "degree", "of the point below, east, 0 to 360"),
        "latitude_deg": Quantity(
            np.degrees(np.arcsin(up / radius)), "degree", "of the point below, planetocentric"
        ),
        "altitude_km": Quantity(radius - mars.radius_km, "km", f"above a sphere of {mars.radius_km:g} km"),
    }


def elements(position_km: Floats, velocity_km_s: Floats, pole: Floats, mars: Planet) -> dict[str, Quantity]:
    """Osculating elements of `position_km`, `velocity_km_s` [n, 3]; `pole [n, 2]` in radians."""
    gm = mars.gm_km3_s2
    radius = np.sqrt((position_km**2).sum(axis=1))
    momentum = np.cross(position_km, velocity_km_s)
    semi_major = 1 / (2 / radius - (velocity_km_s**2).sum(axis=1) / gm)
    towards = np.cross(velocity_km_s, momentum) / gm - position_km / radius[:, None]
    eccentricity = np.sqrt((towards**2).sum(axis=1))
    (ascension, declination) = pole.T
    north = np.stack(
        [np.cos(declination) * np.cos(ascension), np.cos(declination) * np.sin(ascension), np.sin(declination)],
        axis=1,
    )
    tilt = (momentum * north).sum(axis=1) / np.sqrt((momentum**2).sum(axis=1))
    closed = np.where(semi_major > 0, semi_major, np.nan)
    return {
        "semi_major_axis_km": Quantity(semi_major, "km", "osculating; negative where the orbit is open"),
        "eccentricity": Quantity(eccentricity, "1", "osculating"),
        "inclination_deg": Quantity(np.degrees(np.arccos(tilt)), "degree", "osculating, to the equator of Mars"),
        "period_s": Quantity(2 * np.pi * np.sqrt(closed**3 / gm), "s", "osculating"),
        "periapsis_altitude_km": Quantity(semi_major * (1 - eccentricity) - mars.radius_km, "km", "osculating"),
    }


def _together(rows: ColumnBatch, names: tuple[str, ...]) -> Floats:
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in names], axis=1)


def _line(terms: list[float], at: Floats) -> Floats:
    return np.asarray(terms[0] + terms[1] * at)
