"""Receive times: finds the mark that covers a byte of the stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ByteBatch

_Marks = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Ascending byte positions, and the receive time of the bytes from each on; never empty."""


class ReceiveTimes:
    """Marks of the stream so far, as far back as later calls of `at` may need them.

    Bytes before the first mark of a batch have the receive time of the last mark before the batch.
    """

    def __init__(self) -> None:
        # Before the first mark the time is unknown (0). Marks stay grouped by batch until a later group is needed.
        self._pieces: list[_Marks] = [(np.full(1, -1, np.int64), np.zeros(1, np.int64))]
        self.n_bytes = 0
        """Number of bytes of the stream so far."""

    def add(self, batch: ByteBatch) -> None:
        if len(batch.mark_start):
            self._pieces.append((batch.mark_start + self.n_bytes, batch.mark_ns))
        self.n_bytes += len(batch.data)

    def at(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Receive times of the bytes at `place: int64[n]`, in ns since 1970 UTC, 0: unknown: int64[n].

        Positions must ascend, also from one call to the next.
        """
        start, time_ns = self._pieces[-1]
        if len(self._pieces) > 1 and len(place) and place[0] < start[0]:
            start, time_ns = (np.concatenate(marks) for marks in zip(*self._pieces, strict=True))
            first = int(start.searchsorted(place[0], side="right")) - 1
            start, time_ns = start[first:], time_ns[first:]
            self._pieces = [(start, time_ns)]
        elif len(self._pieces) > 1 and len(place):
            del self._pieces[:-1]
        if len(start) == 1:
            return time_ns.repeat(len(place))
        return time_ns[start.searchsorted(place, side="right") - 1]

    def forget_before(self, place: int) -> None:
        """Drop the marks that only bytes before `place` need."""
        while len(self._pieces) > 1 and self._pieces[1][0][0] <= place:
            del self._pieces[0]
