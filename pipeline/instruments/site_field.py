"""RoMAG at one place: the mast turns its sensors in a field that stands still, which parts it from their offsets.

In: MAGNETOMETER, the attitude of rover and mast. Out: `magnetometer/site_vector`, a row for each place where the mast
turned far enough while the rover stood. Dropped: packets while it drives, while attitude is not known, or saturated.

    R_mount B_sensor - R(yaw, pitch)^T B_int = R(yaw, pitch)^T B + O      least squares for B and O

With yaw alone this is the fit of a circle: its radius is the horizontal field, its centre the offset that calibration
left in the sensor and of what turns with it; B_z and O_z cannot be told apart, and B_z is not given. With pitch as
well all six are found. The covariance is that of residuals averaged over `block_s`, since field and noise change
slowly (Luo et al. 2024, Sci. China Earth Sci. 67, 552: methods agree within 2 nT). What the rover itself adds turns
with the rover, not with the mast: it is taken off by the interference model, and its uncertainty is in the covariance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import NO_TIME, ColumnBatch, Quality, Quantity
from pipeline.instruments.attitude import Navigation, attitude_of
from pipeline.instruments.context import Context
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.magnetic_field import (
    in_sensor_nt,
    interference_nt,
    packet_quality,
    sample_ns,
    sigma_nt,
    with_surroundings,
)
from pipeline.instruments.magnetometer_calibration import MagnetometerCalibration
from pipeline.instruments.products import Draft
from pipeline.instruments.rotations import Floats, east_north_up, rotate, rotate_by_mast
from pipeline.instruments.rows import take, with_columns

_BAD = np.uint32(Quality.NO_ATTITUDE | Quality.SATURATED | Quality.OUT_OF_RANGE | Quality.CLOCK_JUMP)
EVERY = 8
"""Of the samples one of so many: the field's own changes, not the noise, are what the covariance is made of."""
_FEWEST = 16
_MOST_DEG = 720.0
_NEEDED = frozenset({"SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B", "FIELD_A", "FIELD_B"})


@dataclass(frozen=True, slots=True)
class Fit:
    """Field along the rover's axes and offset along the mast's, nT [3] each (z NaN where only yaw turned).

    `covariance [3, 3]` of the field, nT^2.
    """

    field_nt: Floats
    offset_nt: Floats
    covariance_nt2: Floats
    residual_nt: float


class SiteField(Instrument):
    """The field of each place. State: whether the last packet was taken at rest, and how many places there were."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"MAGNETOMETER": _NEEDED}
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
        for name in "ab":
            arrays |= self._sensor(rows, name, good, tilts=tilts)
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
        latest = ("horizontal_a_nt", "declination_a_deg")
        yield Draft("site_vector", "2C", rows, middle, arrays, bits, latest, {"frames": frames})

    def _sensor(self, rows: ColumnBatch, name: str, good: NDArray[np.bool_], *, tilts: bool) -> dict[str, Quantity]:
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
        fit = fit_rotations(head, turn, n_block, tilts=tilts)
        if fit is None:
            return {}
        unknown = np.diag(np.array(getattr(calibration, f"interference_{name}").rover_nt_sigma) ** 2)
        noise, _ = sigma_nt(name, calibration)
        covariance = fit.covariance_nt2 + unknown + np.diag(noise**2) / len(head)
        quaternion = _mean_quaternion(attitude.quaternion[usable])
        return _quantities(fit, covariance, quaternion, name)


def fit_rotations(head_nt: Floats, turn: Floats, n_block: int, *, tilts: bool) -> Fit | None:
    """Field and offset from what was seen in the axes of the mast's head.

    `head_nt [n, 3]`; `turn [n, 3, 3]` from the head's axes to the rover's; samples are in order, and residuals of
    `n_block` of them are averaged before they tell the covariance. `tilts`: pitch turned as well. None where the
    rotations do not tell one from the other.
    """
    n = len(head_nt)
    design = np.concatenate([np.swapaxes(turn, 1, 2), np.broadcast_to(np.eye(3), (n, 3, 3))], axis=2)
    sought = np.arange(6) if tilts else np.array([0, 1, 3, 4])
    rows = np.arange(3) if tilts else np.arange(2)
    design = design[:, rows][:, :, sought].reshape(-1, len(sought))
    normal = design.T @ design
    if np.linalg.matrix_rank(normal, hermitian=True) < len(sought):
        return None
    found = np.linalg.solve(normal, design.T @ head_nt[:, rows].ravel())
    left = (head_nt[:, rows].ravel() - design @ found).reshape(n, -1)
    block = _blocks(n, n_block)
    pulls = np.zeros((int(block[-1]) + 1, len(sought)))
    np.add.at(pulls, block, (design.reshape(n, len(rows), -1) * left[:, :, None]).sum(axis=1))
    inverse = np.linalg.inv(normal)
    freedom = len(pulls) / max(len(pulls) - 2, 1)
    covariance = inverse @ (pulls.T @ pulls) @ inverse * freedom
    full = np.full(6, np.nan)
    full[sought] = found
    wide = np.full((6, 6), np.nan)
    wide[np.ix_(sought, sought)] = covariance
    return Fit(full[:3], full[3:], wide[:3, :3], float(np.sqrt(np.mean(left**2))))


def mast_matrices(yaw_deg: Floats, pitch_deg: Floats) -> Floats:
    """Rotations [n, 3, 3] from the axes of the mast's head to those of the rover."""
    axes = np.broadcast_to(np.eye(3), (len(yaw_deg), 3, 3))
    turned = rotate_by_mast(axes, yaw_deg[:, None], pitch_deg[:, None])
    return np.swapaxes(turned, 1, 2)


def _quantities(fit: Fit, covariance: Floats, quaternion: Floats, name: str) -> dict[str, Quantity]:
    axes = np.nan_to_num(fit.field_nt)
    enu = east_north_up(rotate(quaternion, axes))
    to_enu = np.stack([east_north_up(rotate(quaternion, axis)) for axis in np.eye(3)], axis=1)
    spread = to_enu @ np.nan_to_num(covariance) @ to_enu.T
    horizontal = float(np.hypot(enu[0], enu[1]))
    along = enu[:2] / max(horizontal, 1e-12)
    level = spread[:2, :2]
    told = f"sensor {name.upper()}"
    enu = np.where([True, True, np.isfinite(fit.field_nt[2])], enu, np.nan)
    return {
        f"field_{name}_enu_nt": Quantity(enu[None], "nT", f"{told}, local east, north, up", ("row", "axis")),
        f"covariance_{name}_nt2": Quantity(
            level[None], "nT2", f"{told}, of its east and north", ("row", "east_north", "east_north_2")
        ),
        f"horizontal_{name}_nt": Quantity(np.array([horizontal]), "nT", f"{told}, horizontal intensity"),
        f"horizontal_{name}_nt_sigma": Quantity(
            np.sqrt([along @ level @ along]), "nT", "one sigma: scatter and the rover's own field"
        ),
        f"declination_{name}_deg": Quantity(
            np.array([np.rad2deg(np.arctan2(enu[0], enu[1]))]), "degree", f"{told}, clockwise from north"
        ),
        f"offset_{name}_mast_nt": Quantity(
            fit.offset_nt[None],
            "nT",
            f"{told}, of what turns with the mast, left by the calibration",
            ("row", "axis"),
        ),
        f"residual_{name}_nt": Quantity(np.array([fit.residual_nt]), "nT", f"{told}, rms of what the fit leaves"),
    }


def _blocks(n: int, n_block: int) -> NDArray[np.int64]:
    return np.arange(n) // max(n_block, 1)


def _mean_quaternion(quaternion: Floats) -> Floats:
    """Of attitudes that are nearly the same, [n, 4] to [4]."""
    same_side = np.where((quaternion * quaternion[0]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    mean = (same_side * quaternion).mean(axis=0)
    return np.asarray(mean / np.sqrt((mean * mean).sum()))
