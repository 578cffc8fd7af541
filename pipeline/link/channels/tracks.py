"""Frames of one virtual channel of one station, the arithmetic of their count, and the cost of an order of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

WIDE_COUNT = 1 << 16
"""A count of at least this modulus does not wrap within a pass: a step back is a restart."""
CLOCK_TOLERANCE_NS = 1_000_000_000
"""How far receive times may contradict an order: station clocks differ, and a piece has one time for many frames."""
_EPOCH = 1 << 40
_MASTER_MODULUS = 1 << 8
_RESTART_COST = 1 << 20
_STEP_BACK_COST = 1 << 24

Ints = NDArray[np.int64]
NO_STAMP: Ints = np.empty((3, 0), np.int64)


@dataclass(frozen=True, slots=True)
class Track:
    """n frames in order, each field an array of n.

    `row`: where the frame is stored; `key`: hash of its content; `count`, `master`: virtual and master channel frame
    count (`master` all 0 where the frame type has none); `time_ns`: receive time, 0 unknown; `n_corrected`: symbols;
    `source`: the station that the stored copy is of; `stations`: bit set of all that have the frame.
    """

    row: NDArray[np.intp]
    key: NDArray[np.uint64]
    count: Ints
    master: Ints
    time_ns: Ints
    n_corrected: Ints
    source: Ints
    stations: Ints

    def __len__(self) -> int:
        return len(self.row)

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Track:
        """Select frames, in the given order."""
        return Track(*(getattr(self, name)[which] for name in _COLUMNS))

    def stamps(self, guides: Sequence[Track] = ()) -> Ints:
        """Count, master channel count, receive time and position in each guide of each frame: int64[3 + g, n].

        A guide is a sequence whose order the frames should keep. Position 0: the guide does not have the frame.
        """
        return np.stack((self.count, self.master, self.time_ns, *(guide.numbers(self.key) for guide in guides)))

    def numbers(self, keys: NDArray[np.uint64]) -> Ints:
        """Positions here of the frames with these keys, counted from 1; 0: absent, or not unique: int64[m]."""
        own, rows, times = np.unique(self.key, return_index=True, return_counts=True)
        at = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        return np.where((own[at] == keys) & (times[at] == 1), rows[at] + 1, 0)

    @staticmethod
    def join(parts: Sequence[Track]) -> Track:
        """Concatenate tracks."""
        return Track(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))


_COLUMNS = tuple(field.name for field in fields(Track))


@dataclass(frozen=True, slots=True)
class Counting:
    """Count of a virtual channel, which wraps at `modulus`. `masters`: its frames have a master channel count, too."""

    modulus: int
    masters: bool = False

    def steps(self, count: Ints) -> Ints:
        """Distance from each frame to the next, at least 1; a restart adds a very large step: int64[n - 1]."""
        plain = np.diff(count)
        ahead = (plain - 1) % self.modulus + 1
        if self.modulus < WIDE_COUNT:
            return ahead
        return np.where(ahead >= self.modulus // 2, _EPOCH + plain, ahead)

    def follow(self, stamps: Ints) -> NDArray[np.bool_]:
        """Which frames have the counts that follow those of the frame before: bool[n - 1]."""
        due: NDArray[np.bool_] = self.steps(stamps[0]) == 1
        return due & (np.diff(stamps[1]) % _MASTER_MODULUS == 1) if self.masters else due

    def places(self, count: Ints, left: Ints) -> Ints:
        """Unwrap the counts, starting at that of the stamp `left` if there is one: int64[n]."""
        behind = np.concatenate((left[0], count))
        steps = self.steps(behind)
        return (behind[:1] + np.concatenate(([0], np.cumsum(steps))))[left.shape[1] :]

    def cost(self, stamps: Ints) -> int:
        """Cost of an order: its length by both counts, plus a high cost for each step back in time or in a guide."""
        cost = int(np.minimum(self.steps(stamps[0]), _RESTART_COST).sum())
        if self.masters:
            cost += int(((np.diff(stamps[1]) - 1) % _MASTER_MODULUS + 1).sum())
        return cost + _STEP_BACK_COST * int(np.count_nonzero(steps_back(stamps)))


def steps_back(stamps: Ints) -> NDArray[np.bool_]:
    """Which frames are earlier than the one before, by receive time or in a guide, as far as known: bool[n - 1]."""
    n = stamps.shape[1]
    back = np.zeros(max(n - 1, 0), bool)
    for values, tolerance in zip(stamps[2:], (CLOCK_TOLERANCE_NS, *[0] * len(stamps)), strict=False):
        last = np.maximum.accumulate(np.where(values != 0, np.arange(n), -1))[:-1]
        back |= (last >= 0) & (values[1:] != 0) & (values[1:] < values[last] - tolerance)
    return back
