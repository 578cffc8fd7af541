"""Constants for array operations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def constants(dtype: DTypeLike, *values: int) -> tuple[NDArray[Any], ...]:
    """Each value as an array of 0 dimensions: operations on short arrays are twice as fast as with a scalar."""
    return tuple(np.array(value, dtype) for value in values)
