"""The last rows of one container, looked up by the times of rows of another, never across a clock jump.

In: values of rows, in order of arrival. Out: for each time of another row, the two neighbouring rows among those that
arrived before that row, and the first one after it. State: HISTORY rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from .rotations import Floats

HISTORY = 4096
"""Number of rows that are kept: more than an hour at 1 Hz."""
NEVER_NS = int(np.iinfo(np.int64).max)
_NEVER_ORDER = int(np.iinfo(np.int64).max)
Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Between:
    """The neighbouring rows of each time, all [n, k].

    `left`, `right`: their indices. `part`: position of the time between them, 0 to 1. `age_ns`: distance in time to the
    nearer one. `none`: whether there is no row.
    """

    left: Indices
    right: Indices
    part: Floats
    age_ns: NDArray[np.int64]
    none: NDArray[np.bool_]


def rows_at(own_ns: NDArray[np.int64], wanted_ns: NDArray[np.int64]) -> tuple[Indices, NDArray[np.bool_]]:
    """Index of the row of each time, and whether a row has exactly that time. `own_ns`: ascending, at least one."""
    at = np.minimum(np.searchsorted(own_ns, wanted_ns), len(own_ns) - 1)
    return at, np.asarray(own_ns[at] == wanted_ns)


class Jumps:
    """Packet orders at which the clock of any container went back, ascending."""

    def __init__(self) -> None:
        self.order = np.full(1, np.iinfo(np.int64).min, np.int64)

    def append(self, order: NDArray[np.int64]) -> None:
        if len(order):
            self.order = np.concatenate([self.order, order])

    def forget(self, before: int) -> None:
        """Drop jumps that are not needed for rows from packet order `before` on."""
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
        self, order: NDArray[np.int64], time_ns: NDArray[np.int64], values: Floats, seq_count: NDArray[np.uint16]
    ) -> None:
        if not len(order):
            return
        self.order = np.concatenate([self.order, order])
        self.time_ns = np.concatenate([self.time_ns, time_ns])
        self.values = np.concatenate([self.values, values])
        self.seq_count = np.concatenate([self.seq_count, seq_count.astype(np.int64)])

    def forget(self) -> None:
        """Drop rows beyond HISTORY."""
        if len(self.order) <= HISTORY:
            return
        self.order, self.time_ns = self.order[-HISTORY:], self.time_ns[-HISTORY:]
        self.values, self.seq_count = self.values[-HISTORY:], self.seq_count[-HISTORY:]

    def between(
        self, jumps: Jumps, order: NDArray[np.int64], until: NDArray[np.int64], time_ns: NDArray[np.int64]
    ) -> Between:
        """Find the neighbouring rows of `time_ns int64[n, k]`, times of rows with the packet orders `order int64[n]`.

        Used are rows that arrived before, and the first one after if its packet order is below `until int64[n]`.
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
        """First row later than each time, after the same clock jump; times ascend between two jumps."""
        last_jump = np.searchsorted(jumps.order, order, "right") - 1
        jumped = np.append(np.searchsorted(self.order, jumps.order, "left"), len(self.order))
        after = np.empty(time_ns.shape, np.intp)
        runs = np.unique(last_jump).tolist()
        for jump in runs:  # -1: before all known jumps, where no row of the track is used
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
