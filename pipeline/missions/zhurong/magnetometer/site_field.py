"""RoMAG at one place: the mast turns its sensors in a field that stands still, which parts it from their offsets.

In: MAGNETOMETER, the attitude of rover and mast. Out: `magnetometer/site_vector`, a row for each place where the mast
turned far enough while the rover stood. Dropped: packets while it drives, while attitude is not known, or saturated.

    R_mount B_sensor - R(yaw, pitch)^T B_int = R(yaw, pitch)^T B + O      least squares for B and O

With yaw alone this is the fit of a circle: its radius is the horizontal field, its centre the offset that calibration
left in the sensor and of what turns with it; B_z and O_z cannot be told apart, and B_z is not given. With pitch as
well all six are found. The field wanders while the mast turns, which `site_fit` takes into account: its covariance is
the random part of the uncertainty. What the rover itself adds turns with the rover, not with the mast: it is taken off
by the interference model, and what is not known of it is the systematic part (Luo et al. 2024, Sci. China Earth Sci.
67, 552: methods agree within 2 nT).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import NO_TIME, ColumnBatch, Quality, Quantity
from ....products.context import Context
from ....products.draft import Draft
from ....products.rotations import Floats, east_north_up, rotate
from ....products.rows import take, with_columns
from ..shared.attitude import Navigation, attitude_of
from ..shared.on_rover import OnRover
from .kinds import SITE_VECTOR
from .magnetic_field import (
    in_sensor_nt,
    interference_nt,
    packet_quality,
    sample_ns,
    with_surroundings,
)
from .magnetometer_calibration import MagnetometerCalibration
from .site_fit import Fit, Rotations, mast_matrices

_BAD = np.uint32(Quality.NO_ATTITUDE | Quality.SATURATED | Quality.OUT_OF_RANGE | Quality.CLOCK_JUMP)
EVERY = 8
"""Of the samples one of so many: the field's own changes, not the noise, are what the covariance is made of."""
_FEWEST = 16
_MOST_DEG = 720.0
_SIGMA = {
    "": "one sigma: both parts",
    "_random": "one sigma: noise, and the field's own changes while the mast turned",
    "_systematic": "one sigma: what is not known of the rover's own field, the same wherever it stands",
}
_NEEDED = frozenset({"SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B", "FIELD_A", "FIELD_B"})


class SiteField(OnRover):
    """The field of each place. State: whether the last packet was taken at rest, and how many places there were."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"MAGNETOMETER": _NEEDED}
    libraries = ("scipy.linalg",)
    model = MagnetometerCalibration
    max_rows = 2048
    wait_rows = 16
    waits_for = ("NAVIGATION", "ENGINEERING")
    family = "magnetometer"
    calibration: MagnetometerCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._at_rest: dict[int, bool] = {}
        self._place: dict[int, int] = {}

    def attach(self, rows: ColumnBatch, navigation: Navigation, until: NDArray[np.int64]) -> ColumnBatch:
        rows = with_surroundings(rows, self.calibration, navigation, until, EVERY)
        rest = ~(attitude_of(rows).driving != 0).any(axis=1)
        apid = int(rows.apid[0])
        before = np.append(self._at_rest.get(apid, False), rest[:-1])
        place = self._place.get(apid, 0) + np.cumsum(rest & ~before)
        self._at_rest[apid], self._place[apid] = bool(rest[-1]), int(place[-1])
        known = with_columns(rows, {"place": place})
        return known if rest.all() else take(known, rest)

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return np.asarray(rows.columns["place"])[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        attitude = attitude_of(rows)
        time_ns = sample_ns(rows, self.calibration, EVERY)
        quality = packet_quality(rows, self.calibration)
        wanted, yaw, pitch = self.calibration.site_vector, attitude.mast_yaw_deg, attitude.mast_pitch_deg
        good = ((quality & _BAD) == 0) & (time_ns != NO_TIME) & (np.abs(yaw) + np.abs(pitch) <= _MOST_DEG)
        if not good.any() or np.ptp(yaw[good]) < wanted.least_yaw_deg:
            return
        tilts = bool(np.ptp(pitch[good]) >= wanted.least_pitch_deg)
        arrays: dict[str, Quantity] = {}
        rotations: dict[bytes, Rotations] = {}
        for name in "ab":
            arrays |= self._sensor(rows, name, good, rotations, tilts=tilts)
        if not arrays:
            return
        arrays["n_samples"] = Quantity(
            np.array([np.count_nonzero(good)]), "1", f"samples that were fitted, each {EVERY}th"
        )
        arrays["mast_yaw_range_deg"] = Quantity(np.array([np.ptp(yaw[good])]), "degree", "how far the mast turned")
        arrays["mast_pitch_range_deg"] = Quantity(
            np.array([np.ptp(pitch[good])]), "degree", "and how far it tilted"
        )
        middle = np.sort(time_ns[good])[[np.count_nonzero(good) // 2]]
        bits = np.bitwise_or.reduce(quality[good])[None]
        frames = {"enu": "local east, north, up", "mast": "axes of the mast's head"}
        yield Draft(SITE_VECTOR, rows, middle, arrays, bits, {"frames": frames})

    def _sensor(
        self,
        rows: ColumnBatch,
        name: str,
        good: NDArray[np.bool_],
        rotations: dict[bytes, Rotations],
        *,
        tilts: bool,
    ) -> dict[str, Quantity]:
        """Arrays of one sensor. `rotations`: by the samples that are usable, of the sensor before too."""
        attitude, calibration = attitude_of(rows), self.calibration
        seen, bits = in_sensor_nt(rows, name, calibration)
        mount = np.array(getattr(calibration, f"sensor_{name}").mount)
        usable = good & ((bits & _BAD) == 0)
        if np.count_nonzero(usable) < _FEWEST:
            return {}
        added = interference_nt(rows, name, calibration)[usable]
        turn = mast_matrices(attitude.mast_yaw_deg[usable], attitude.mast_pitch_deg[usable])
        head = (seen @ mount.T)[usable] - np.einsum("nji,nj->ni", turn, added)
        n_block = round(calibration.site_vector.block_s * calibration.scale.sample_rate_hz / EVERY)
        time_s = sample_ns(rows, calibration, EVERY)[usable] / 1e9
        which = usable.tobytes()
        if which not in rotations:
            rotations[which] = Rotations(turn, n_block, tilts=tilts, time_s=time_s)
        fit = rotations[which].fit(head)
        if fit is None:
            return {}
        systematic = np.diag(np.array(getattr(calibration, f"interference_{name}").rover_nt_sigma) ** 2)
        quaternion = _mean_quaternion(attitude.quaternion[usable])
        random = fit.covariance_nt2 + self._of_interference(name, added)
        return _quantities(fit, random, systematic, quaternion, name)

    def _of_interference(self, name: str, added: Floats) -> Floats:
        """Covariance [3, 3] of what is taken off: by the current's sigma, and by that of the angle it is turned by."""
        mast = self.calibration.mast
        current_nt = (
            np.array(getattr(self.calibration, f"interference_{name}").array_nt_per_a) * mast.current_a_sigma
        )
        turned_nt = np.sqrt((added.mean(axis=0) ** 2).sum()) * np.deg2rad(mast.angle_deg_sigma)
        return np.diag(current_nt**2 + turned_nt**2)


def _quantities(fit: Fit, random: Floats, systematic: Floats, quaternion: Floats, name: str) -> dict[str, Quantity]:
    """`random` and `systematic [3, 3]`: covariances along the rover's axes; NaN where only yaw turned."""
    to_enu = np.stack([east_north_up(rotate(quaternion, axis)) for axis in np.eye(3)], axis=1)
    enu = to_enu @ np.nan_to_num(fit.field_nt)
    horizontal = float(np.hypot(enu[0], enu[1]))
    along = enu[:2] / max(horizontal, 1e-12)
    across = np.array([enu[1], -enu[0]]) / max(horizontal**2, 1e-12)  # of atan2(east, north), radians per nT
    known = np.array([True, True, bool(np.isfinite(fit.field_nt[2]))])
    parts = {"random": random, "systematic": systematic}
    parts = {part: _known(to_enu @ np.nan_to_num(one) @ to_enu.T, known) for part, one in parts.items()}
    which = f"sensor {name.upper()}"
    values = {
        f"field_{name}_enu_nt": (
            np.where(known, enu, np.nan),
            "nT",
            f"{which}, local east, north, up",
            ("row", "axis"),
        ),
        f"horizontal_{name}_nt": (horizontal, "nT", f"{which}, horizontal intensity", ("row",)),
        f"declination_{name}_deg": (_degrees(enu), "degree", f"{which}, clockwise from north", ("row",)),
    }
    sigmas = {
        part: (
            np.sqrt(np.diag(one)),
            np.sqrt(along @ one[:2, :2] @ along),
            np.rad2deg(np.sqrt(across @ one[:2, :2] @ across)),
        )
        for part, one in parts.items()
    }
    arrays: dict[str, Quantity] = {}
    for k, (key, (value, unit, words, dims)) in enumerate(values.items()):
        arrays[key] = Quantity(np.asarray(value)[None], unit, words, dims)
        both = [np.asarray(sigmas[part][k]) for part in parts]
        for ending, sigma in zip(("", "_random", "_systematic"), (np.hypot(*both), *both), strict=True):
            arrays[f"{key}_sigma{ending}"] = Quantity(sigma[None], unit, _SIGMA[ending], dims)
    square = ("row", "axis", "axis_2")
    for ending, one in (("", parts["random"] + parts["systematic"]), ("_random", parts["random"])):
        words = f"{which}, of east, north, up: {_SIGMA[ending].removeprefix('one sigma: ')}"
        arrays[f"covariance_{name}_nt2{ending}"] = Quantity(one[None], "nT2", words, square)
    return arrays | {
        f"offset_{name}_mast_nt": Quantity(
            fit.offset_nt[None],
            "nT",
            f"{which}, of what turns with the mast, left by the calibration",
            ("row", "axis"),
        ),
        f"residual_{name}_nt": Quantity(
            np.array([fit.residual_nt]), "nT", f"{which}, rms of what a field that stands still leaves"
        ),
    }


def _known(covariance: Floats, known: NDArray[np.bool_]) -> Floats:
    """NaN where an axis is not known."""
    return np.where(known[:, None] & known, covariance, np.nan)


def _degrees(enu: Floats) -> float:
    return float(np.rad2deg(np.arctan2(enu[0], enu[1])))


def _mean_quaternion(quaternion: Floats) -> Floats:
    """Of attitudes that are nearly the same, [n, 4] to [4]."""
    same_side = np.where((quaternion * quaternion[0]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    mean = (same_side * quaternion).mean(axis=0)
    return np.asarray(mean / np.sqrt((mean * mean).sum()))
