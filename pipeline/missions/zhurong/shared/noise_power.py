"""One sigma of complex Gaussian noise, by the median of its power, so that single strong samples do not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....products.rotations import Floats


def noise_sigma(power: NDArray[np.floating[Any]]) -> Floats:
    """Of the real part, and of the imaginary, of each row of powers [n, m]: the median is 2 sigma^2 ln 2."""
    half = power.shape[1] // 2  # np.median would import numpy.ma
    return np.asarray(np.sqrt(np.partition(power, half, axis=1)[:, half] / (2 * np.log(2))), np.float64)
