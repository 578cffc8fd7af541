"""A pool of memory for large arrays (decision 0025).

The system fills fresh memory with zeros, which takes a third of the time of decoding. So the last pieces are kept, and
used again when no array refers to them, which their reference count shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Allocates an array, as numpy.empty."""
LEAST_BYTES = 256 << 10
"""Smaller pieces are allocated from the heap, which reuses them anyway."""
ALIGNMENT_BYTES = 64
MAX_KEPT, MAX_KEPT_BYTES = 16, 256 << 20
"""Enough for two pieces of each of a few containers: one that is being filled and one that is being read."""


class Memory:
    """The pool. Thread-safe: removing and adding a piece are atomic."""

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []

    def take(self, n_bytes: int) -> NDArray[np.uint8]:
        """Return uint8[n_bytes or a little more], not initialised."""
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
        # A little more, for the next batch, which may be a few packets longer.
        fresh = np.empty(n_bytes + n_bytes // 32, np.uint8)
        self._kept.append(fresh)
        while self._kept and (len(self._kept) > MAX_KEPT or sum(map(len, self._kept)) > MAX_KEPT_BYTES):
            del self._kept[0]
        return fresh

    def forget(self) -> None:
        """Free all pieces."""
        self._kept.clear()


def _count_of_free() -> int:
    blocks = [np.empty(1, np.uint8)]
    piece = blocks.pop(0)
    return sys.getrefcount(piece)


FREE = _count_of_free()
MEMORY = Memory()


class Arena:
    """Allocates the arrays of one batch contiguously in one piece of memory."""

    def __init__(self, n_bytes: int, n_arrays: int, memory: Memory = MEMORY) -> None:
        self._memory = memory.take(n_bytes + n_arrays * ALIGNMENT_BYTES)
        self._used = -self._memory.ctypes.data % ALIGNMENT_BYTES

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """As numpy.empty."""
        array: NDArray[Any] = np.ndarray(shape, dtype, self._memory, self._used)
        self._used += -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return array


class Surroundings:
    """An array with unused memory before and behind it, so that bytes can be added around it without a copy."""

    __slots__ = ("_memory", "_n_before", "array")

    def __init__(self, n_before: int, n_bytes: int, n_behind: int) -> None:
        self._memory: NDArray[np.uint8] | None = reused_empty((n_before + n_bytes + n_behind,), np.dtype(np.uint8))
        self._n_before = n_before
        self.array = self._memory[n_before : n_before + n_bytes]
        """uint8[n_bytes]."""

    def first(self, n_bytes: int) -> None:
        """Shorten the array."""
        self.array = self.array[:n_bytes]

    def take(self, array: NDArray[np.uint8], n_before: int, n_behind: int) -> NDArray[np.uint8] | None:
        """Return memory with `array` and n bytes before and behind it, only once. None: another array, or no room."""
        memory, first = self._memory, self._n_before - n_before
        end = self._n_before + len(self.array) + n_behind
        if memory is None or array is not self.array or first < 0 or end > len(memory):
            return None
        self._memory = None
        return memory[first:end]


def reused_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """As numpy.empty, from the pool if it is large."""
    n_bytes = prod(shape) * dtype.itemsize
    return np.empty(shape, dtype) if n_bytes < LEAST_BYTES else Arena(n_bytes, 1).empty(shape, dtype)
