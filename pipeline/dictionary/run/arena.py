"""Memory for the columns of large batches: one piece for all, and used again when nobody has it (`reused_memory`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.reused_memory import LEAST_BYTES, MEMORY, Memory

Array = NDArray[Any]
ALIGNMENT_BYTES = 64


class Arena:
    """The columns of one batch, one behind the other in one piece of memory."""

    def __init__(self, n_bytes: int, n_arrays: int, memory: Memory = MEMORY) -> None:
        self._memory = memory.take(n_bytes + n_arrays * ALIGNMENT_BYTES)
        self._used = -self._memory.ctypes.data % ALIGNMENT_BYTES

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Like np.empty."""
        array: Array = np.ndarray(shape, dtype, self._memory, self._used)
        self._used += -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        return array


def empty_column(n: int, dtype: np.dtype[Any]) -> Array:
    """np.empty for one column, in memory that is used again where it is large."""
    n_bytes = n * dtype.itemsize
    return np.empty(n, dtype) if n_bytes < LEAST_BYTES else Arena(n_bytes, 1).empty((n,), dtype)
