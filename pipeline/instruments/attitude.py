"""Where the rover and its mast pointed: rows of NAVIGATION become attitude at any onboard time.

In: NAVIGATION rows as they arrive, and the `order` at which any container's clock jumped back. Out: quaternion
and mast angles at the times of other rows, interpolated between the navigation rows that arrived before the row and
the one after it (by `order`, and never across a jump), so the split into batches makes no difference. Dropped:
navigation rows without a time or with a quaternion that is none, and rows older than the last HISTORY.
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
_NEVER_ORDER = int(np.iinfo(np.int64).max)
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
    """

    quaternion: Floats
    mast_yaw_deg: Floats
    mast_pitch_deg: Floats
    age_ns: NDArray[np.int64]
    bridged: NDArray[np.bool_]

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


class Navigation:
    """The last HISTORY rows of navigation. State: their arrays and the order of the last clock jump."""

    def __init__(self) -> None:
        self._order = np.empty(0, np.int64)
        self._time_ns = np.empty(0, np.int64)
        self._quaternion = np.empty((0, 4))
        self._mast_deg = np.empty((0, 2))
        self._seq_count = np.empty(0, np.int64)
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
            self._seq_count = np.concatenate([self._seq_count, rows.seq_count[good].astype(np.int64)])

    @property
    def last_order(self) -> int:
        """Order of the last navigation row or clock jump: rows before it need not wait for more."""
        return max(int(last[-1]) for last in (self._jumps, self._order) if len(last))

    def forget(self) -> None:
        """Drop what no later row can see."""
        self._order, self._time_ns = self._order[-HISTORY:], self._time_ns[-HISTORY:]
        self._quaternion, self._mast_deg = self._quaternion[-HISTORY:], self._mast_deg[-HISTORY:]
        self._seq_count = self._seq_count[-HISTORY:]
        last = self._order[-1] if len(self._order) else self._jumps[0]
        first = max(int(np.searchsorted(self._jumps, last, "right")) - 1, 0)
        self._jumps = self._jumps[first:][-HISTORY:]

    def at(self, order: NDArray[np.int64], until: NDArray[np.int64], time_ns: NDArray[np.int64]) -> Attitude:
        """Attitude at `time_ns int64[n, k]` as the row of `order int64[n]` can know it.

        That is from the navigation rows before it, and the first after it if that comes before `until int64[n]`.
        """
        before = np.searchsorted(self._order, order, "left")
        run = np.searchsorted(self._jumps, order, "right")
        until = np.minimum(until, np.append(self._jumps, _NEVER_ORDER)[run])
        known = np.minimum(before + 1, np.searchsorted(self._order, until, "left"))[:, None]
        jump = self._jumps[run - 1]
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
        missing = (self._seq_count[right] - self._seq_count[left]) % 16384 > 1
        moved = (np.abs(same_side * q_right - q_left) > _STILL_QUATERNION).any(axis=-1)
        moved |= (np.abs(self._mast_deg[right] - self._mast_deg[left]) > _STILL_DEG).any(axis=-1)
        return Attitude(quaternion, mast[..., 0], mast[..., 1], age, missing & moved & ~none)


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
    )


def _unknown(shape: tuple[int, ...]) -> Attitude:
    nothing = np.full(shape, np.nan)
    age_ns = np.full(shape, NEVER_NS, np.int64)
    return Attitude(np.full((*shape, 4), np.nan), nothing, nothing.copy(), age_ns, np.zeros(shape, np.bool_))
