"""The last rows of an array that has several values a row, for a spectrogram: bounded by bytes, not by rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .ring import Ring
from .rows import TIME

VALUES = "values"
MAX_BYTES = 512 << 10
"""Of the rows of one array."""
MAX_WIDTH = 4096
"""Of a row; wider ones are thinned."""
MAX_ROWS = 1024


class ArrayRows:
    """Rows `values float32[n, width]` with their times `time_ns int64[n]`, `axis`: of which kind the times are."""

    def __init__(self, width: int, axis: str, max_bytes: int = MAX_BYTES) -> None:
        self.width, self.axis = width, axis
        self.step = -(-width // MAX_WIDTH)
        """Every so many elements of a row are kept."""
        self.ring = Ring(max(min(max_bytes // (4 * -(-width // self.step)), MAX_ROWS), 2))

    def shorten(self, max_bytes: int) -> None:
        """Keep the last rows that have room in so many bytes, and no more from now on."""
        old = self.ring
        self.ring = Ring(max(min(max_bytes // (4 * -(-self.width // self.step)), old.capacity), 2))
        if len(old):
            kept = {name: values[-self.ring.capacity :] for name, values in old.rows().items()}
            self.ring.append(kept, old.arrived_s)

    @property
    def n_bytes(self) -> int:
        return self.ring.n_bytes

    def append(self, time_ns: NDArray[np.int64], rows: NDArray[np.generic], arrived_s: float) -> None:
        """Add rows; only the last ones where they are more than are kept."""
        last = slice(max(len(rows) - self.ring.capacity, 0), None)
        values = rows[last, :: self.step].astype(np.float32)
        self.ring.append({TIME: time_ns[last], VALUES: values}, arrived_s)
