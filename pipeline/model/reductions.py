"""Reductions of an array to one value that cost little where it has one element, as in a batch of one packet.

NumPy's own take 2 us and more for any array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def least(values: NDArray[np.integer[Any]]) -> int:
    """The smallest."""
    return int(values.item() if values.size == 1 else values.min())


def most(values: NDArray[np.integer[Any]]) -> int:
    """The largest."""
    return int(values.item() if values.size == 1 else values.max())


def extent(values: NDArray[np.integer[Any]]) -> tuple[int, int]:
    """The smallest and the largest."""
    if values.size == 1:
        only = int(values.item())
        return only, only
    return int(values.min()), int(values.max())


def anywhere(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for any."""
    return bool(holds.item() if holds.size == 1 else holds.any())


def everywhere(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for all."""
    return bool(holds.item() if holds.size == 1 else holds.all())
