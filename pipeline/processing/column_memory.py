"""Allocates many columns in a few large blocks, for which the system uses large pages.

The page faults of fresh memory in pages of 4 kB take a fifth of the time of decoding a recording. NumPy requests large
pages (MADV_HUGEPAGE) for arrays of 4 MB and more; the system uses them for complete pages of 2 MB, so large arrays are
aligned to them. Smaller columns share a block. A column that is kept keeps its block, with the other columns in it.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.reused_memory import MEMORY

Array = NDArray[Any]
SEPARATE_BYTES = 4 << 20
"""Arrays of at least this size are allocated separately."""
BLOCK_BYTES = 32 << 20
ALIGNMENT_BYTES = 64
LARGE_PAGE_BYTES = 2 << 20


class ColumnMemory:
    """Allocates arrays of `expected_bytes` in total; if that is little, each separately.

    `reused`: allocate all in one piece from the memory pool, for columns that are soon written to a file.
    """

    def __init__(self, expected_bytes: int, *, reused: bool = False) -> None:
        self._expected = expected_bytes if expected_bytes >= SEPARATE_BYTES else 0
        self._reused = reused
        self._block = np.empty(0, np.uint8)
        self._used = 0

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """As numpy.empty."""
        n_bytes = prod(shape) * dtype.itemsize
        if n_bytes >= SEPARATE_BYTES and not self._reused:
            array: Array = np.ndarray(shape, dtype, _large_pages(n_bytes))
            return array
        if not n_bytes:
            return np.empty(shape, dtype)
        if self._used + n_bytes > len(self._block) and not self._next_block(n_bytes):
            return np.empty(shape, dtype)
        array = np.ndarray(shape, dtype, self._block, self._used)
        self._used += -(-n_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return array

    def _next_block(self, n_bytes: int) -> bool:
        """Allocate another block, if enough bytes are still expected; False if not."""
        size = self._expected if self._reused else min(self._expected, BLOCK_BYTES)
        if size < max(n_bytes, SEPARATE_BYTES):
            return False
        self._block, self._used = MEMORY.take(size) if self._reused else _large_pages(size), 0
        self._expected -= size
        return True


def _large_pages(n_bytes: int) -> NDArray[np.uint8]:
    """uint8[n_bytes] at the begin of a large page, with its last page for itself."""
    memory = np.empty(n_bytes + 2 * LARGE_PAGE_BYTES, np.uint8)
    first = -memory.ctypes.data % LARGE_PAGE_BYTES
    return memory[first : first + n_bytes]
