"""The last rows of one container, looked up by the rows of another: in order of arrival, never across a clock jump.

In: values of rows as they arrive. Out: for times of other rows, the two rows that they lie between: of those that
arrived before the row, and the first that arrived after it. Held: HISTORY rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from .rotations import Floats

HISTORY = 4096
"""Rows that may be looked back on: more than an hour at 1 Hz."""
NEVER_NS = int(np.iinfo(np.int64).max)
_NEVER_ORDER = int(np.iinfo(np.int64).max)
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Between:
    """Two rows for each time [n, k]: their places, the part of the way between, the age of the nearer, if none is."""

    left: Indices
    right: Indices
    part: Floats
    age_ns: NDArray[np.int64]
    none: NDArray[np.bool_]


def rows_at(own_ns: NDArray[np.int64], wanted_ns: NDArray[np.int64]) -> tuple[Indices, NDArray[np.bool_]]:
    """The row of each wanted time, and whether there is one of just that time.

    `own_ns`: ascending, at least one.
    """
    at = np.minimum(np.searchsorted(own_ns, wanted_ns), len(own_ns) - 1)
    return at, np.asarray(own_ns[at] == wanted_ns)


class Jumps:
    """The orders at which any container's clock went back, ascending."""

    def __init__(self) -> None:
        self.order = np.full(1, np.iinfo(np.int64).min, np.int64)

    def append(self, order: NDArray[np.int64]) -> None:
        if len(order):
            self.order = np.concatenate([self.order, order])

    def forget(self, before: int) -> None:
        """Drop all that no row from `before` on can see."""
        if len(self.order) == 1:
            return
        first = max(int(np.searchsorted(self.order, before, "right")) - 1, 0)
        self.order = self.order[first:][-HISTORY:]


class Track:
    """Rows of one container: `order`, `time_ns`, `values [n, width]`, `seq_count`."""

    def __init__(self, width: int) -> None:
        self.order = np.empty(0, np.int64)
        self.time_ns = np.empty(0, np.int64)
        self.values = np.empty((0, width))
        self.seq_count = np.empty(0, np.int64)

    def append(
        self,
        order: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        values: Floats,
        seq_count: NDArray[np.uint16],
    ) -> None:
        if not len(order):
            return
        self.order = np.concatenate([self.order, order])
        self.time_ns = np.concatenate([self.time_ns, time_ns])
        self.values = np.concatenate([self.values, values])
        self.seq_count = np.concatenate([self.seq_count, seq_count.astype(np.int64)])

    def forget(self) -> None:
        """Drop what no later row can see."""
        if len(self.order) <= HISTORY:
            return
        self.order, self.time_ns = self.order[-HISTORY:], self.time_ns[-HISTORY:]
        self.values, self.seq_count = self.values[-HISTORY:], self.seq_count[-HISTORY:]

    def between(
        self, jumps: Jumps, order: NDArray[np.int64], until: NDArray[np.int64], time_ns: NDArray[np.int64]
    ) -> Between:
        """Rows around `time_ns int64[n, k]` as the row of `order int64[n]` can know them.

        That is those before it, and the first after it if that comes before `until int64[n]`.
        """
        if not len(self.order):
            nothing, zero = np.full(time_ns.shape, NEVER_NS, np.int64), np.zeros(time_ns.shape, np.intp)
            return Between(zero, zero, zero.astype(np.float64), nothing, np.ones(time_ns.shape, np.bool_))
        before = np.searchsorted(self.order, order, "left")
        run = np.searchsorted(jumps.order, order, "right")
        until = np.minimum(until, np.append(jumps.order, _NEVER_ORDER)[run])
        known = np.minimum(before + 1, np.searchsorted(self.order, until, "left"))[:, None]
        jump = jumps.order[run - 1]
        first = np.maximum(np.searchsorted(self.order, jump, "left")[:, None], known - HISTORY)
        after = np.minimum(np.maximum(self._first_after(jumps, order, time_ns), first), known)
        left, right = np.maximum(after - 1, first), np.minimum(after, known - 1)
        none = (first >= known) | (time_ns == NO_TIME)
        if none.any():
            left, right = np.where(none, 0, left), np.where(none, 0, right)
        return self._measured(time_ns, left, right, none)

    def _first_after(self, jumps: Jumps, order: NDArray[np.int64], time_ns: NDArray[np.int64]) -> Indices:
        """First row later than each time and after the same jump; between two jumps times ascend."""
        last_jump = np.searchsorted(jumps.order, order, "right") - 1
        jumped = np.append(np.searchsorted(self.order, jumps.order, "left"), len(self.order))
        after = np.empty(time_ns.shape, np.intp)
        runs = np.unique(last_jump).tolist()
        for jump in runs:  # -1: before all jumps that are remembered; no row of the track is seen from there
            first, last = jumped[jump], jumped[jump + 1]
            same = slice(None) if len(runs) == 1 else last_jump == jump
            after[same] = first + np.searchsorted(self.time_ns[first:last], time_ns[same], "right")
        return after

    def _measured(
        self, time_ns: NDArray[np.int64], left: Indices, right: Indices, none: NDArray[np.bool_]
    ) -> Between:
        left_ns, right_ns = self.time_ns.take(left), self.time_ns.take(right)
        since, until = time_ns - left_ns, right_ns - time_ns
        span = np.maximum(right_ns - left_ns, 1)
        part = np.where(left == right, 0.0, since / span)
        age = np.where(none, NEVER_NS, np.minimum(np.abs(since), np.abs(until)))
        return Between(left, right, part, age, none)
