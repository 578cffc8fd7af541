"""Numbers that arrays are computed with, as arrays themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def constants(dtype: DTypeLike, *values: int) -> tuple[NDArray[Any], ...]:
    """Each value as an array without axes: with it an operation on a short array takes half the time of a scalar."""
    return tuple(np.array(value, dtype) for value in values)
