"""The 14-bit sequence count of each APID of one channel: where packets are missing (CCSDS 133.0-B 4.1.3.4.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_APIDS = 1 << 11
_COUNTS = 1 << 14
_NEVER = -1
_FEW = 8


class SequenceCounts:
    """Last count of every APID, the packets of each, and the breaks in all."""

    def __init__(self) -> None:
        self.n_breaks = 0
        self.n_packets = np.zeros(_APIDS, np.int64)
        self._last = np.full(_APIDS, _NEVER, np.int64)

    def feed(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """Which of these packets do not follow on the one before of their APID: bool[n]."""
        if len(apid) <= _FEW:
            return self._feed_each(apid, count)
        n = len(apid)
        is_one = bool((apid == apid[0]).all())
        order = slice(None) if is_one else np.argsort(apid, kind="stable")
        by_apid, counts = apid[order], count[order].astype(np.int64)
        edge = np.ones(n + 1, bool)  # between packets of different APIDs
        np.not_equal(by_apid[1:], by_apid[:-1], out=edge[1:-1])
        bounds = np.flatnonzero(edge)
        first, last = bounds[:-1], bounds[1:] - 1
        which = by_apid[first]
        before = np.empty(n, np.int64)
        before[1:] = counts[:-1]
        before[first] = self._last[which]
        # Counts are unsigned and a power of two wide: the mask is the remainder.
        broken = ((counts - before) & (_COUNTS - 1) != 1) & (before != _NEVER)
        self._last[which] = counts[last]
        self.n_packets[which] += last + 1 - first
        self.n_breaks += int(np.count_nonzero(broken))
        result = np.empty(n, bool)
        result[order] = broken
        return result

    def _feed_each(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> NDArray[np.bool_]:
        broken = np.zeros(len(apid), bool)
        for row, (which, now) in enumerate(zip(apid.tolist(), count.tolist(), strict=True)):
            broken[row] = self.is_broken(which, now)
        return broken

    def is_broken(self, apid: int, count: int) -> bool:
        """Whether the next packet of an APID does not follow on the one before."""
        before = self._last.item(apid)
        broken = before != _NEVER and (count - before) % _COUNTS != 1
        self.n_breaks += broken
        self._last[apid] = count
        self.n_packets[apid] += 1
        return broken

    def by_apid(self) -> dict[int, int]:
        """Packets of each APID that had any."""
        seen = np.nonzero(self.n_packets)[0]
        return dict(zip(seen.tolist(), self.n_packets[seen].tolist(), strict=True))
