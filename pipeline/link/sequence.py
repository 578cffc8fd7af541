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
        order = np.argsort(apid, kind="stable")
        by_apid, counts = apid[order], count[order].astype(np.int64)
        first = np.append(True, by_apid[1:] != by_apid[:-1])
        before = np.append(0, counts[:-1])
        before[first] = self._last[by_apid[first]]
        broken = ((counts - before) % _COUNTS != 1) & (before != _NEVER)
        last = np.append(first[1:], True)
        self._last[by_apid[last]] = counts[last]
        bounds = np.append(np.nonzero(first)[0], len(apid))
        self.n_packets[by_apid[first]] += np.diff(bounds)
        self.n_breaks += int(np.count_nonzero(broken))
        result = np.empty(len(apid), bool)
        result[order] = broken
        return result

    def _feed_each(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> NDArray[np.bool_]:
        broken = np.zeros(len(apid), bool)
        for row, (which, now) in enumerate(zip(apid.tolist(), count.tolist(), strict=True)):
            before = self._last[which]
            if before != _NEVER and (now - before) % _COUNTS != 1:
                broken[row] = True
                self.n_breaks += 1
            self._last[which] = now
            self.n_packets[which] += 1
        return broken

    def by_apid(self) -> dict[int, int]:
        """Packets of each APID that had any."""
        seen = np.nonzero(self.n_packets)[0]
        return dict(zip(seen.tolist(), self.n_packets[seen].tolist(), strict=True))
