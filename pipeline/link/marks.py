"""Receive times: which of the marks that came with the bytes covers a place in the stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ByteBatch

_Marks = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Places from which on the receive times beside them hold, ascending; never empty."""


class ReceiveTimes:
    """Marks of the stream so far, as far back as they may still be asked for.

    A batch that brings no mark for its beginning goes on under the last one before it.
    """

    def __init__(self) -> None:
        # Before the first mark nothing is known. The marks of a batch stay together until a later one is in force.
        self._pieces: list[_Marks] = [(np.full(1, -1, np.int64), np.zeros(1, np.int64))]
        self.n_bytes = 0
        """Bytes of the stream so far."""

    def add(self, batch: ByteBatch) -> None:
        if len(batch.mark_start):
            self._pieces.append((batch.mark_start + self.n_bytes, batch.mark_ns))
        self.n_bytes += len(batch.data)

    def at(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Receive time of the byte at each place, 0 where not known: int64[n]. `place: int64[n]`, ascending,
        and not before those of the call before.
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
            return np.full(len(place), time_ns[0], np.int64)
        times: NDArray[np.int64] = time_ns[start.searchsorted(place, side="right") - 1]
        return times

    def forget_before(self, place: int) -> None:
        """Nothing before `place` will be asked for again."""
        while len(self._pieces) > 1 and self._pieces[1][0][0] <= place:
            del self._pieces[0]
