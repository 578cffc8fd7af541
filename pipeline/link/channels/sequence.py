"""The 14-bit sequence count of each APID of one channel: where packets are missing (CCSDS 133.0-B 4.1.3.4.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants

_APIDS = 1 << 11
_COUNTS = 1 << 14
_NEVER = -1
_MASK, _ONE = constants(np.uint16, _COUNTS - 1, 1)
_NONE = np.empty(0, np.intp)
_FEW = 8


class SequenceCounts:
    """Last count of every APID, the packets of each, and the breaks in all."""

    def __init__(self) -> None:
        self.n_packets = np.zeros(_APIDS, np.int64)
        self._n_breaks = np.zeros(_APIDS, np.int64)
        self._last = np.full(_APIDS, _NEVER, np.int64)

    def find_breaks(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> Sequence[int] | NDArray[np.intp]:
        """Return the rows of the packets whose count is not one more than that of the packet before of their APID.

        `apid`, `count: uint16[n]`. The rows are in any order.
        """
        breaks = self._breaks_of_few(apid, count) if len(apid) <= _FEW else self._breaks(apid, count)
        if len(breaks):
            np.add.at(self._n_breaks, apid[breaks], 1)
        return breaks

    def _breaks(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> NDArray[np.intp]:
        is_one = not len((apid != apid[0]).nonzero()[0])
        order = None if is_one else np.argsort(apid, kind="stable")
        by_apid, counts = (apid, count) if order is None else (apid[order], count[order])
        # Counts are unsigned and a power of two wide: the mask is the remainder, also of what wraps in 16 bits.
        step = counts[1:] - counts[:-1]
        step &= _MASK
        follows = step == _ONE
        edges = _NONE if is_one else (by_apid[1:] != by_apid[:-1]).nonzero()[0]
        first, last = np.append(0, edges + 1), np.append(edges, len(apid) - 1)
        follows[edges] = True  # between packets of different APIDs
        which, begin = by_apid[first], counts[first].astype(np.int64)
        before = self._last[which]
        broken = np.append(
            (~follows).nonzero()[0] + 1, first[(before != _NEVER) & ((begin - before) & (_COUNTS - 1) != 1)]
        )
        self._last[which] = counts[last]
        self.n_packets[which] += last + 1 - first
        return broken if order is None else order[broken]

    def _breaks_of_few(self, apid: NDArray[np.uint16], count: NDArray[np.uint16]) -> list[int]:
        breaks = []
        for row, (which, now) in enumerate(zip(apid.tolist(), count.tolist(), strict=True)):
            before = self._last.item(which)
            if before != _NEVER and (now - before) % _COUNTS != 1:
                breaks.append(row)
            self._last[which] = now
            self.n_packets[which] += 1
        return breaks

    def by_apid(self) -> dict[int, int]:
        """Packets of each APID that had any."""
        return _above_zero(self.n_packets)

    def gaps_by_apid(self) -> dict[int, int]:
        """Breaks of each APID that had any."""
        return _above_zero(self._n_breaks)


def gap_report(gaps_by_apid: Mapping[int, int]) -> dict[str, Any]:
    """Return what a pass report has of sequence gaps: all, and those of each APID that had any."""
    by_apid = {str(apid): n for apid, n in sorted(gaps_by_apid.items())}
    return {"sequence_gaps": sum(by_apid.values()), "gaps_by_apid": by_apid}


def _above_zero(counts: NDArray[np.int64]) -> dict[int, int]:
    seen = np.nonzero(counts)[0]
    return dict(zip(seen.tolist(), counts[seen].tolist(), strict=True))
