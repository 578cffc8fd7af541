"""One sigma of the counts of an image: photons, reading and counting.

    sigma^2 = read^2 + photon net + 1/12

What a lossy compression changed is not in it.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....products.calibration import Positive, Source, Table
from ....products.rotations import Floats

OF_NOISE = "one sigma: photons, reading and counting; not of the response, nor of a lossy compression"


class ImageNoise(Table):
    """Of one pixel: sqrt(read^2 + photon net) counts."""

    source: Source
    read_dn: Positive
    photon_dn: Annotated[float, Field(ge=0)]

    def sigma_dn(self, counts: NDArray[Any], bias_dn: float) -> Floats:
        """Of counts of any shape."""
        net = np.maximum(counts - bias_dn, 0.0)
        return np.asarray(np.sqrt(self.read_dn**2 + 1 / 12 + self.photon_dn * net))
