"""Reductions of an array to one value that cost little where it is short, as in a batch of one packet.

NumPy's own take 2 us and more for any array; Python's of a list take 0.5 us for up to some 30 elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHORT = 32


def smallest(values: NDArray[np.integer[Any]]) -> int:
    """The smallest."""
    return int(min(values.ravel().tolist()) if values.size <= _SHORT else values.min())


def largest(values: NDArray[np.integer[Any]]) -> int:
    """The largest."""
    return int(max(values.ravel().tolist()) if values.size <= _SHORT else values.max())


def extent(values: NDArray[np.integer[Any]]) -> tuple[int, int]:
    """The smallest and the largest."""
    if values.size <= _SHORT:
        few = values.ravel().tolist()
        return int(min(few)), int(max(few))
    return int(values.min()), int(values.max())


def any_true(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for any."""
    return bool(np.count_nonzero(holds))


def all_true(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for all."""
    return bool(np.count_nonzero(holds) == holds.size)
