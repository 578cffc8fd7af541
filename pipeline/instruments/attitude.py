"""Where the rover and its mast pointed: rows of NAVIGATION become attitude at any onboard time.

In: NAVIGATION rows as they arrive, and the `order` at which any container's clock jumped back. Out: quaternion
and mast angles at the times of other rows, interpolated between the navigation rows that arrived before the row
(smaller `order`) and after the last jump, so the split into batches makes no difference. Dropped: navigation rows
without a time or with a quaternion that is none, and rows older than the last HISTORY.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import NO_TIME, ColumnBatch
from pipeline.instruments.calibration import Positive, Source, Table
from pipeline.instruments.rotations import Floats, normalized
from pipeline.instruments.rows import with_columns

CONTAINER = "NAVIGATION"
QUATERNION = ("Q_SCALAR", "Q_X", "Q_Y", "Q_Z")
COLUMNS = frozenset({*QUATERNION, "MAST_YAW", "MAST_PITCH"})
HISTORY = 4096
"""Navigation rows that a row may look back on: more than an hour of driving at 1 Hz."""

NEVER_NS = int(np.iinfo(np.int64).max)
_LENGTH_TOLERANCE = 0.02  # of a quaternion: 4 components in steps of 1/16384 err by 0.0001


class AttitudeLimit(Table):
    """How old an attitude may be before rows are flagged NO_ATTITUDE."""

    source: Source
    hold_limit_s: Positive


@dataclass(frozen=True, slots=True)
class Attitude:
    """Attitude at times of shape [n, k]: `quaternion [n, k, 4]` scalar first, mast angles in degrees [n, k].

    `age_ns int64[n, k]`: how far the nearest navigation row is in time; NEVER_NS and NaN where there is none.
    """

    quaternion: Floats
    mast_yaw_deg: Floats
    mast_pitch_deg: Floats
    age_ns: NDArray[np.int64]


def quaternions(rows: ColumnBatch) -> Floats:
    """The quaternions of NAVIGATION rows, `[n, 4]`, as sent."""
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in QUATERNION], axis=-1)


def is_attitude(quaternion: Floats) -> NDArray[np.bool_]:
    """Whether each quaternion has length 1 within what its coding can spoil."""
    length = np.sqrt((quaternion * quaternion).sum(axis=-1))
    return np.asarray(np.abs(length - 1) <= _LENGTH_TOLERANCE)


class Navigation:
    """The last HISTORY rows of navigation. State: their arrays and the order of the last clock jump."""

    def __init__(self) -> None:
        self._order = np.empty(0, np.int64)
        self._time_ns = np.empty(0, np.int64)
        self._quaternion = np.empty((0, 4))
        self._mast_deg = np.empty((0, 2))
        self._jumps = np.full(1, np.iinfo(np.int64).min, np.int64)

    def feed(self, batches: Iterable[ColumnBatch], jumps: NDArray[np.int64]) -> None:
        """Take NAVIGATION rows in order, and the orders at which the clock jumped back (ascending)."""
        self._jumps = np.concatenate([self._jumps, jumps])
        for rows in batches:
            quaternion = quaternions(rows)
            mast = np.stack([np.asarray(rows.columns[n], np.float64) for n in ("MAST_YAW", "MAST_PITCH")], axis=-1)
            good = is_attitude(quaternion) & (rows.time_ns != NO_TIME)
            self._order = np.concatenate([self._order, rows.order[good]])
            self._time_ns = np.concatenate([self._time_ns, rows.time_ns[good]])
            self._quaternion = np.concatenate([self._quaternion, normalized(quaternion[good])])
            self._mast_deg = np.concatenate([self._mast_deg, mast[good]])

    def forget(self) -> None:
        """Drop what no later row can see."""
        self._jumps = self._jumps[-1:]
        self._order, self._time_ns = self._order[-HISTORY:], self._time_ns[-HISTORY:]
        self._quaternion, self._mast_deg = self._quaternion[-HISTORY:], self._mast_deg[-HISTORY:]

    def at(self, order: NDArray[np.int64], time_ns: NDArray[np.int64]) -> Attitude:
        """Attitude at `time_ns int64[n, k]` as the row of `order int64[n]` can know it."""
        known = np.searchsorted(self._order, order, "left")[:, None]
        jump = self._jumps[np.searchsorted(self._jumps, order, "right") - 1]
        first = np.maximum(np.searchsorted(self._order, jump, "left")[:, None], known - HISTORY)
        if not len(self._order):
            return _unknown(time_ns.shape)
        after = np.clip(self._first_after(order, time_ns), first, known)
        left, right = np.maximum(after - 1, first), np.minimum(after, known - 1)
        none = (first >= known) | (time_ns == NO_TIME)
        left, right = np.where(none, 0, left), np.where(none, 0, right)
        return self._between(time_ns, left, right, none)

    def _first_after(self, order: NDArray[np.int64], time_ns: NDArray[np.int64]) -> NDArray[np.intp]:
        """First navigation row later than each time and after the same jump; between two jumps times ascend."""
        times = np.unique(self._time_ns)
        n_ranks = len(times) + 1
        run = np.searchsorted(self._jumps, self._order, "right")
        place = run * n_ranks + np.searchsorted(times, self._time_ns, "right")
        wanted_run = np.searchsorted(self._jumps, order, "right")[:, None]
        return np.searchsorted(place, wanted_run * n_ranks + np.searchsorted(times, time_ns, "right"), "right")

    def _between(
        self,
        time_ns: NDArray[np.int64],
        left: NDArray[np.intp],
        right: NDArray[np.intp],
        none: NDArray[np.bool_],
    ) -> Attitude:
        since, until = time_ns - self._time_ns[left], self._time_ns[right] - time_ns
        span = np.maximum(self._time_ns[right] - self._time_ns[left], 1)
        part = np.where(left == right, 0.0, since / span)[..., None]
        part = np.where(none[..., None], np.nan, part)
        q_left, q_right = self._quaternion[left], self._quaternion[right]
        same_side = np.where((q_left * q_right).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
        quaternion = normalized(q_left + part * (same_side * q_right - q_left))
        mast = self._mast_deg[left] + part * (self._mast_deg[right] - self._mast_deg[left])
        age = np.where(none, NEVER_NS, np.minimum(np.abs(since), np.abs(until)))
        return Attitude(quaternion, mast[..., 0], mast[..., 1], age)


def with_attitude(rows: ColumnBatch, time_ns: NDArray[np.int64], navigation: Navigation) -> ColumnBatch:
    """The rows with columns `attitude_*` at `time_ns int64[n, k]`; `attitude_of` reads them back."""
    attitude = navigation.at(rows.order, np.where(rows.time_ns[:, None] == NO_TIME, NO_TIME, time_ns))
    return with_columns(
        rows,
        {
            "attitude_quaternion": attitude.quaternion,
            "attitude_mast_yaw_deg": attitude.mast_yaw_deg,
            "attitude_mast_pitch_deg": attitude.mast_pitch_deg,
            "attitude_age_ns": attitude.age_ns,
        },
    )


def attitude_of(rows: ColumnBatch) -> Attitude:
    """What `with_attitude` put there."""
    return Attitude(
        np.asarray(rows.columns["attitude_quaternion"]),
        np.asarray(rows.columns["attitude_mast_yaw_deg"]),
        np.asarray(rows.columns["attitude_mast_pitch_deg"]),
        np.asarray(rows.columns["attitude_age_ns"]),
    )


def _unknown(shape: tuple[int, ...]) -> Attitude:
    nothing = np.full(shape, np.nan)
    return Attitude(np.full((*shape, 4), np.nan), nothing, nothing.copy(), np.full(shape, NEVER_NS, np.int64))
