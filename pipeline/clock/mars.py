"""Mars time: UTC to sol, local mean and true solar time, Ls, and the position of the Sun.

In: int64 nanoseconds UTC since 1970-01-01, a longitude (degrees east). Out: a `MarsTime` of float64 arrays, for any
instant; no leap seconds are assumed before 1960.

Allison & McEwen 2000 (Planet. Space Sci. 48, 215) with the coefficients and the step numbers (B-1 ... D-6) of the
Mars24 algorithm page of NASA GISS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..model.time_scales import DAY_NS, J2000_UNIX_NS, TT_TAI_NS, tai_utc_s

Floats = NDArray[np.float64]

# B-4: amplitude (deg), period (Julian years), phase (deg) of the seven largest perturbations by planets
_PERTURBATIONS = np.array(
    [
        (0.0071, 2.2353, 49.409),
        (0.0057, 2.7543, 168.173),
        (0.0039, 1.1177, 191.837),
        (0.0037, 15.7866, 21.736),
        (0.0021, 2.1354, 15.704),
        (0.0020, 2.4694, 95.528),
        (0.0018, 32.8493, 49.095),
    ]
)


@dataclass(frozen=True, slots=True)
class MarsTime:
    """Mars time at one longitude; all arrays have the shape of the UTC.

    `msd`: Mars sol date at the prime meridian; `sol`: int64, of the mission; `mtc_h`, `lmst_h`, `ltst_h`: in hours of
    1/24 sol, 0 to 24; angles in degrees: `ls_deg` 0 to 360, `eot_deg` the equation of time, `declination_deg` of
    the Sun, planetocentric. Intermediate results, published with the algorithm: `d_tt` days since J2000 TT,
    `mean_anomaly_deg`, `fictitious_mean_sun_deg`, `perturbations_deg`, `equation_of_center_deg`.
    """

    d_tt: Floats
    mean_anomaly_deg: Floats
    fictitious_mean_sun_deg: Floats
    perturbations_deg: Floats
    equation_of_center_deg: Floats
    ls_deg: Floats
    eot_deg: Floats
    declination_deg: Floats
    msd: Floats
    mtc_h: Floats
    sol: NDArray[np.int64]
    lmst_h: Floats
    ltst_h: Floats


@dataclass(frozen=True, slots=True)
class SolarPosition:
    """Position of the Sun in degrees: `incidence_deg` from the zenith, `azimuth_deg` clockwise from north."""

    incidence_deg: Floats
    azimuth_deg: Floats


def mars_time(utc_ns: NDArray[np.int64], longitude_deg: float, sol_offset: int) -> MarsTime:
    """Compute Mars time at `longitude_deg` (east); sol = floor(MSD + longitude/360) - sol_offset."""
    d = _days_since_j2000_tt(np.asarray(utc_ns, np.int64))
    m_deg = (19.3871 + 0.52402073 * d) % 360  # B-1
    m = np.deg2rad(m_deg)
    fms = (270.3871 + 0.524038496 * d) % 360  # B-2
    pbs = _perturbations_deg(d)  # B-3
    center = (
        (10.691 + 3.0e-7 * d) * np.sin(m)
        + 0.623 * np.sin(2 * m)
        + 0.050 * np.sin(3 * m)
        + 0.005 * np.sin(4 * m)
        + 0.0005 * np.sin(5 * m)
        + pbs
    )  # B-4
    ls_deg = (fms + center) % 360  # B-5
    ls = np.deg2rad(ls_deg)
    eot = 2.861 * np.sin(2 * ls) - 0.071 * np.sin(4 * ls) + 0.002 * np.sin(6 * ls) - center  # C-1
    msd = (d - 4.5) / 1.0274912517 + 44796.0 - 0.0009626  # C-2: JD_TT - 2451549.5 = d - 4.5
    local = msd + longitude_deg / 360
    lmst = 24 * (local % 1)  # C-3
    return MarsTime(
        d_tt=d,
        mean_anomaly_deg=m_deg,
        fictitious_mean_sun_deg=fms,
        perturbations_deg=pbs,
        equation_of_center_deg=center,
        ls_deg=ls_deg,
        eot_deg=eot,
        declination_deg=np.rad2deg(np.arcsin(0.42565 * np.sin(ls))),  # D-1, without its planetographic term
        msd=msd,
        mtc_h=24 * (msd % 1),
        sol=np.floor(local).astype(np.int64) - sol_offset,
        lmst_h=lmst,
        ltst_h=(lmst + eot / 15) % 24,  # C-4
    )


def solar_position(time: MarsTime, latitude_deg: float) -> SolarPosition:
    """Position of the Sun at the longitude of `time` and a planetocentric latitude (D-5, D-6).

    cos Z = sin dec sin lat + cos dec cos lat cos H, H: hour angle.
    """
    hour_angle = np.deg2rad(15 * (time.ltst_h - 12))
    declination = np.deg2rad(time.declination_deg)
    latitude = np.deg2rad(latitude_deg)
    up = np.sin(declination) * np.sin(latitude) + np.cos(declination) * np.cos(latitude) * np.cos(hour_angle)
    east = -np.cos(declination) * np.sin(hour_angle)
    north = np.sin(declination) * np.cos(latitude) - np.cos(declination) * np.sin(latitude) * np.cos(hour_angle)
    incidence = np.rad2deg(np.arccos(np.clip(up, -1, 1)))
    return SolarPosition(incidence, np.rad2deg(np.arctan2(east, north)) % 360)


def sun_distance_au(time: MarsTime) -> Floats:
    """Distance of Mars from the Sun (Allison & McEwen 2000, the longer series)."""
    m = np.deg2rad(time.mean_anomaly_deg)
    series = (1.00436, -0.09309, -0.004336, -0.00031, -0.00003)
    return np.asarray(1.52367934 * sum(part * np.cos(k * m) for k, part in enumerate(series)))


def _days_since_j2000_tt(utc_ns: NDArray[np.int64]) -> Floats:
    """Days of Terrestrial Time since 2000-01-01T12:00 TT."""
    day = utc_ns // DAY_NS
    is_one_day = day.size > 0 and bool((day == day.flat[0]).all())
    offset_s = _tai_utc_of_day_s(int(day.flat[0])) if is_one_day else tai_utc_s(day)
    since_noon = np.maximum(utc_ns, np.iinfo(np.int64).min + J2000_UNIX_NS) - J2000_UNIX_NS
    days: Floats = since_noon / DAY_NS + (offset_s + TT_TAI_NS / 1e9) / 86400
    return days


@lru_cache(maxsize=64)
def _tai_utc_of_day_s(day: int) -> float:
    return float(tai_utc_s(np.array(day)))


def _perturbations_deg(d: Floats) -> Floats:
    amplitude, period, phase = _PERTURBATIONS.T
    angle = np.deg2rad(0.985626 * d[..., None] / period + phase)
    total: Floats = (amplitude * np.cos(angle)).sum(axis=-1)
    return total
