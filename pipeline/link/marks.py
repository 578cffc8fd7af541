"""Receive times: which of the marks that came with the bytes covers a place in the stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.batches import ByteBatch


class ReceiveTimes:
    """Marks of the stream so far, as far back as they may still be asked for.

    A batch that brings no mark for its beginning goes on under the last one before it.
    """

    def __init__(self) -> None:
        self._start = np.empty(0, np.int64)
        self._time_ns = np.zeros(1, np.int64)  # one more than starts: before the first mark nothing is known
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Bytes of the stream so far."""
        return self._n_bytes

    def add(self, batch: ByteBatch) -> None:
        if len(batch.mark_start):
            start = batch.mark_start + self._n_bytes
            self._start = np.concatenate((self._start, start)) if len(self._start) else start
            self._time_ns = np.concatenate((self._time_ns, batch.mark_ns))
        self._n_bytes += len(batch.data)

    def at(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Receive time of the byte at each place, 0 where not known: int64[n]."""
        times: NDArray[np.int64] = self._time_ns[self._start.searchsorted(place, side="right")]
        return times

    def forget_before(self, place: int) -> None:
        """Nothing before `place` will be asked for again."""
        n_over = int(self._start.searchsorted(place, side="right"))
        if n_over:
            self._start, self._time_ns = self._start[n_over:], self._time_ns[n_over:]
