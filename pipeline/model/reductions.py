"""What all values of an array come to, without a reduction where there is one value: that costs more than all the rest
that is done for a packet that comes alone.
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


def anywhere(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for any."""
    return bool(holds.item() if holds.size == 1 else holds.any())


def everywhere(holds: NDArray[np.bool_]) -> bool:
    """Whether it holds for all."""
    return bool(holds.item() if holds.size == 1 else holds.all())
