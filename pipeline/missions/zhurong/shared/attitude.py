"""Where the rover and its mast pointed: rows of NAVIGATION become attitude at any onboard time.

In: NAVIGATION rows as they arrive, the solar wings' currents of ENGINEERING, and the `order` at which any container's
clock jumped back. Out: quaternion, mast angles and current at the times of other rows, interpolated between the rows
that arrived before the row and the one after it (by `order`, and never across a jump), so the split into batches makes
no difference. Dropped: navigation rows without a time or with a quaternion that is none, and what `track` drops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....model.batches import NO_TIME, ColumnBatch
from ....products.calibration import Positive, Source, Table
from ....products.instrument import Auxiliary
from ....products.rotations import Floats, normalized
from ....products.rows import with_columns
from ....products.track import NEVER_NS, Between, Jumps, Track

CONTAINER = "NAVIGATION"
QUATERNION = ("Q_SCALAR", "Q_X", "Q_Y", "Q_Z")
COLUMNS = frozenset({*QUATERNION, "MAST_YAW", "MAST_PITCH"})
POWER_CONTAINER = "ENGINEERING"
NAVIGATION_CONTAINERS = frozenset({CONTAINER, POWER_CONTAINER})
"""What `Navigation` takes rows of."""
POWER_COLUMNS = frozenset({"WING_CURRENT"})
_WIDTH = 7  # quaternion, mast yaw and pitch, whether it drives
_STILL_QUATERNION = 3.0e-4  # five steps of 1/16384
_STILL_DEG = 0.05  # five steps of 0.01 degree
_LENGTH_TOLERANCE = 0.02  # of a quaternion: 4 components in steps of 1/16384 err by 0.0001


class AttitudeLimit(Table):
    """How old an attitude may be before rows are flagged NO_ATTITUDE."""

    source: Source
    hold_limit_s: Positive


@dataclass(frozen=True, slots=True)
class Attitude:
    """Attitude at times of shape [n, k]: `quaternion [n, k, 4]` scalar first, mast angles in degrees [n, k].

    `age_ns int64[n, k]`: how far the nearest navigation row is in time; NEVER_NS and NaN where there is none.
    `bridged bool[n, k]`: interpolated over navigation packets that are missing, while something moved.
    `driving [n, k]`: 1 where the last navigation row before said so, else 0.
    """

    quaternion: Floats
    mast_yaw_deg: Floats
    mast_pitch_deg: Floats
    age_ns: NDArray[np.int64]
    bridged: NDArray[np.bool_]
    driving: Floats

    def doubtful(self, limit: AttitudeLimit) -> NDArray[np.bool_]:
        """Where it is missing, bridged, or older than the limit."""
        return np.asarray(self.bridged | (self.age_ns > limit.hold_limit_s * 1e9))


def quaternions(rows: ColumnBatch) -> Floats:
    """The quaternions of NAVIGATION rows, `[n, 4]`, as sent."""
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in QUATERNION], axis=-1)


def is_attitude(quaternion: Floats) -> NDArray[np.bool_]:
    """Whether each quaternion has length 1 within what its coding can spoil."""
    length = np.sqrt((quaternion * quaternion).sum(axis=-1))
    return np.asarray(np.abs(length - 1) <= _LENGTH_TOLERANCE)


@dataclass(frozen=True, slots=True)
class _Steps:
    """From each of some navigation rows to the next one; the last has none, and what stands for it is not used.

    `first [n, 7]`: the row; `turned [n, 4]`, `mast_turned [n, 2]`: the next one less that; `bridged bool[n]`: packets
    between them are missing, and something moved.
    """

    first: Floats
    turned: Floats
    mast_turned: Floats
    bridged: NDArray[np.bool_]


class Navigation(Auxiliary):
    """The last rows of navigation, and of the solar wings' currents. State: their tracks, and the clock's jumps."""

    containers = NAVIGATION_CONTAINERS

    def __init__(self) -> None:
        self._attitude = Track(_WIDTH)
        self._power = Track(1)
        self._jumps = Jumps()

    def add_rows(self, batches: Sequence[ColumnBatch], jumps: NDArray[np.int64]) -> None:
        """Take NAVIGATION and ENGINEERING rows in order, and the orders at which the clock went back (ascending)."""
        self._jumps.append(jumps)
        for rows in batches:
            if rows.container == CONTAINER and rows.columns.keys() >= COLUMNS:
                self._take_attitude(rows)
            elif rows.container == POWER_CONTAINER and rows.columns.keys() >= POWER_COLUMNS:
                self._take_power(rows)

    def complete_to(self, containers: Iterable[str]) -> int:
        """Order of the last clock jump, or of the last row of all these containers: what came before waits no more."""
        tracks = [self._power if name == POWER_CONTAINER else self._attitude for name in containers]
        last = min((int(track.order[-1]) if len(track.order) else -1 for track in tracks), default=-1)
        return max(int(self._jumps.order[-1]), last)

    def forget(self) -> None:
        """Drop what no later row can see."""
        for track in (self._attitude, self._power):
            track.forget()
        order = self._attitude.order
        self._jumps.forget(int(order[-1]) if len(order) else int(self._jumps.order[0]))

    def at(self, order: NDArray[np.int64], until: NDArray[np.int64], time_ns: NDArray[np.int64]) -> Attitude:
        """Attitude at `time_ns int64[n, k]` as the row of `order int64[n]` can know it.

        That is from the navigation rows before it, and the first after it if that comes before `until int64[n]`.
        """
        found = self._attitude.between(self._jumps, order, until, time_ns)
        if not len(self._attitude.order) or not time_ns.size:
            return _unknown(time_ns.shape)
        steps, step = self._steps(found)
        single = found.left == found.right
        part = np.where(found.none, np.nan, found.part)
        quaternion = np.empty((*time_ns.shape, 4))
        for i in range(4):
            quaternion[..., i] = steps.first[:, i].take(step) + part * steps.turned[:, i].take(step)
        mast_yaw, mast_pitch = (
            steps.first[:, 4 + i].take(step) + part * steps.mast_turned[:, i].take(step) for i in (0, 1)
        )
        return Attitude(
            normalized(quaternion),
            mast_yaw,
            mast_pitch,
            found.age_ns,
            steps.bridged.take(step) & ~single & ~found.none,
            np.where(found.none, np.nan, steps.first[:, 6].take(step)),
        )

    def _steps(self, found: Between) -> tuple[_Steps, NDArray[np.intp]]:
        """The steps from row to row that are looked up, and which of them each time is in."""
        first, last = int(found.left.min()), int(found.right.max())
        rows = self._attitude.values[first : last + 1]
        left, right = rows, rows[np.minimum(np.arange(1, len(rows) + 1), len(rows) - 1)]
        same_side = np.where((left[:, :4] * right[:, :4]).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
        turned = same_side * right[:, :4] - left[:, :4]
        mast_turned = right[:, 4:6] - left[:, 4:6]
        moved = (np.abs(turned) > _STILL_QUATERNION).any(axis=-1) | (np.abs(mast_turned) > _STILL_DEG).any(axis=-1)
        moved |= left[:, 6] != right[:, 6]
        missing = np.diff(self._attitude.seq_count[first : last + 1], append=0) % 16384 > 1
        return _Steps(left, turned, mast_turned, moved & missing), found.left - first

    def wing_current_a(
        self, order: NDArray[np.int64], until: NDArray[np.int64], time_ns: NDArray[np.int64]
    ) -> tuple[Floats, NDArray[np.int64]]:
        """Current of all solar wings together [n, k], NaN where none is known, and how far away in time it is, ns."""
        found = self._power.between(self._jumps, order, until, time_ns)
        if not len(self._power.order):
            return np.full(time_ns.shape, np.nan), found.age_ns
        current = self._power.values[:, 0]
        left, right = current.take(found.left), current.take(found.right)
        return np.where(found.none, np.nan, left + found.part * (right - left)), found.age_ns

    def _take_attitude(self, rows: ColumnBatch) -> None:
        quaternion = quaternions(rows)
        mast = np.stack([np.asarray(rows.columns[n], np.float64) for n in ("MAST_YAW", "MAST_PITCH")], axis=-1)
        mode = rows.columns.get("DRIVE_MODE")
        driving = np.full(len(rows), np.nan) if mode is None else (np.asarray(mode) != "STOPPED").astype(np.float64)
        values = np.concatenate([normalized(quaternion), mast, driving[:, None]], axis=1)
        _add_to_track(self._attitude, rows, values, is_attitude(quaternion))

    def _take_power(self, rows: ColumnBatch) -> None:
        total = np.asarray(rows.columns["WING_CURRENT"], np.float64).reshape(len(rows), -1).sum(axis=1)
        _add_to_track(self._power, rows, total[:, None], np.isfinite(total))


def _add_to_track(track: Track, rows: ColumnBatch, values: Floats, good: NDArray[np.bool_]) -> None:
    good = good & (rows.time_ns != NO_TIME)
    track.append(rows.order[good], rows.time_ns[good], values[good], rows.seq_count[good])


def with_attitude(
    rows: ColumnBatch, time_ns: NDArray[np.int64], navigation: Navigation, until: NDArray[np.int64]
) -> ColumnBatch:
    """The rows with columns `attitude_*` at `time_ns int64[n, k]`; `attitude_of` reads them back."""
    attitude = navigation.at(rows.order, until, time_ns)
    return with_columns(
        rows,
        {
            "attitude_quaternion": attitude.quaternion,
            "attitude_mast_yaw_deg": attitude.mast_yaw_deg,
            "attitude_mast_pitch_deg": attitude.mast_pitch_deg,
            "attitude_age_ns": attitude.age_ns,
            "attitude_bridged": attitude.bridged,
            "attitude_driving": attitude.driving,
        },
    )


def attitude_of(rows: ColumnBatch) -> Attitude:
    """What `with_attitude` put there."""
    return Attitude(
        np.asarray(rows.columns["attitude_quaternion"]),
        np.asarray(rows.columns["attitude_mast_yaw_deg"]),
        np.asarray(rows.columns["attitude_mast_pitch_deg"]),
        np.asarray(rows.columns["attitude_age_ns"]),
        np.asarray(rows.columns["attitude_bridged"]),
        np.asarray(rows.columns["attitude_driving"]),
    )


def _unknown(shape: tuple[int, ...]) -> Attitude:
    nothing = np.full(shape, np.nan)
    return Attitude(
        np.full((*shape, 4), np.nan),
        nothing,
        nothing.copy(),
        np.full(shape, NEVER_NS, np.int64),
        np.zeros(shape, np.bool_),
        nothing.copy(),
    )
