"""Time stamps in the insert zone of AOS frames: one unsigned count, with the layout of the mission file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..settings import InsertZoneTime

_COUNT_BYTES = 8
_SECOND_NS = 10**9


def insert_zone_times(layout: InsertZoneTime, frames: NDArray[np.uint8], start: int) -> NDArray[np.int64]:
    """Onboard UTC of `frames: uint8[n, L]` whose insert zone begins at byte `start`: int64[n], ns since 1970.

    Counts are elapsed seconds since the epoch; leap seconds are not removed.
    """
    first = start + layout.offset
    padded = np.zeros((len(frames), _COUNT_BYTES), np.uint8)
    own = slice(_COUNT_BYTES - layout.n_bytes, None) if layout.byte_order == "big" else slice(layout.n_bytes)
    padded[:, own] = frames[:, first : first + layout.n_bytes]
    count = padded.view(">u8" if layout.byte_order == "big" else "<u8")[:, 0].astype(np.int64)
    since_ns: NDArray[np.int64]
    if _SECOND_NS % layout.per_second == 0:
        since_ns = count * (_SECOND_NS // layout.per_second)
    else:
        seconds, rest = np.divmod(count, layout.per_second)
        since_ns = seconds * _SECOND_NS + rest * _SECOND_NS // layout.per_second
    return layout.epoch_ns + since_ns
