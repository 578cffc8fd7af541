"""Memory for large arrays that is used again when nobody has it.

Fresh memory costs the system a pass over it (it hands out zeros), a third of all decoding. So the last pieces are kept,
and given out again once no array that lies in them is left; the count of references tells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Gives memory for an array, as numpy.empty."""
LEAST_BYTES = 256 << 10
"""Smaller pieces come from the heap, where they are used again anyway."""
ALIGNMENT_BYTES = 64
MAX_KEPT, MAX_KEPT_BYTES = 16, 256 << 20
"""A few containers, and of each one piece that is being filled and one that somebody still reads."""


class Memory:
    """Pieces that have been used. Taking one out and putting it back are single steps, so that threads may share it."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []

    def take(self, n_bytes: int) -> NDArray[np.uint8]:
        """uint8[n_bytes or a little more], with anything in it."""
        for _ in range(len(self._kept)):
            try:
                piece = self._kept.pop(0)
            except IndexError:
                break
            is_free = sys.getrefcount(piece) == FREE
            self._kept.append(piece)
            if is_free and n_bytes <= len(piece) <= n_bytes + n_bytes // 4:
                return piece
            del piece
        # A little more, so that the next batch fits into it, too, if it is a few packets longer.
        fresh = np.empty(n_bytes + n_bytes // 32, np.uint8)
        self._kept.append(fresh)
        while self._kept and (len(self._kept) > MAX_KEPT or sum(map(len, self._kept)) > MAX_KEPT_BYTES):
            del self._kept[0]
        return fresh

    def forget(self) -> None:
        """Keep nothing."""
        self._kept.clear()


def _count_of_free() -> int:
    blocks = [np.empty(1, np.uint8)]
    piece = blocks.pop(0)
    return sys.getrefcount(piece)


FREE = _count_of_free()
MEMORY = Memory()
"""That of this process."""


class Arena:
    """The arrays of one batch, one behind the other in one piece of memory."""

    def __init__(self, n_bytes: int, n_arrays: int, memory: Memory = MEMORY) -> None:
        self._memory = memory.take(n_bytes + n_arrays * ALIGNMENT_BYTES)
        self._used = -self._memory.ctypes.data % ALIGNMENT_BYTES

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """As numpy.empty."""
        array: NDArray[Any] = np.ndarray(shape, dtype, self._memory, self._used)
        self._used += -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return array


class Surroundings:
    """An array with memory before and behind it that nobody else uses: for one who wants more bytes around its own."""

    __slots__ = ("_memory", "_n_before", "array")

    def __init__(self, n_before: int, n_bytes: int, n_behind: int) -> None:
        self._memory: NDArray[np.uint8] | None = reused_empty((n_before + n_bytes + n_behind,), np.dtype(np.uint8))
        self._n_before = n_before
        self.array = self._memory[n_before : n_before + n_bytes]
        """uint8[n_bytes]"""

    def first(self, n_bytes: int) -> None:
        """Only the first bytes of the array are used."""
        self.array = self.array[:n_bytes]

    def take(self, array: NDArray[np.uint8], n_before: int, n_behind: int) -> NDArray[np.uint8] | None:
        """Give `array` with bytes before and behind it, once; None where it is not this one, or has not as many."""
        memory, first = self._memory, self._n_before - n_before
        end = self._n_before + len(self.array) + n_behind
        if memory is None or array is not self.array or first < 0 or end > len(memory):
            return None
        self._memory = None
        return memory[first:end]


def reused_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """As numpy.empty, in memory that is used again where it is large."""
    n_bytes = prod(shape) * dtype.itemsize
    return np.empty(shape, dtype) if n_bytes < LEAST_BYTES else Arena(n_bytes, 1).empty(shape, dtype)
