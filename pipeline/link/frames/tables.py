"""Frames inside the link layer, from the decoded blocks to the packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch

Ints = NDArray[np.int64]


@dataclass(slots=True)
class Frames:
    """n frames of one length: `data: uint8[n, L]`, all other fields int64[n]. Not modified after it is passed on.

    `key`: type, spacecraft and channel as one number (`HeaderReader.key_of`); no channel has the key of a frame of
    another type. `scid`, `vcid`, `vc_count`, `lost`, `n_corrected`, `received_ns`: as in FrameBatch.
    `first_header_pointer`: as transmitted; the reader's `only_idle` if a frame holds no packets. `data_start`,
    `data_stop`: the packet zone, always inside the frame. `flags`: header flags that the frame type reads later.
    `index`: number of the frame of the link with whose arrival each frame is released.
    """

    data: NDArray[np.uint8]
    key: Ints
    scid: Ints
    vcid: Ints
    flags: Ints
    vc_count: Ints
    first_header_pointer: Ints
    data_start: Ints
    data_stop: Ints
    lost: Ints
    n_corrected: Ints
    received_ns: Ints
    index: Ints

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.intp] | slice) -> Frames:
        """Select rows, in the given order."""
        return Frames(*[getattr(self, name)[rows] for name in _COLUMNS])

    @staticmethod
    def join(parts: Sequence[Frames]) -> Frames:
        """Concatenate frames."""
        if len(parts) == 1:
            return parts[0]
        return Frames(*[np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS])

    def batch(self) -> FrameBatch:
        """Convert to the public FrameBatch."""
        return FrameBatch(
            data=self.data,
            scid=self.scid.astype(np.uint16),
            vcid=self.vcid.astype(np.uint8),
            vc_count=self.vc_count.astype(np.uint32),
            first_header_pointer=self.first_header_pointer.astype(np.int32),
            lost=self.lost.astype(np.int32),
            n_corrected=self.n_corrected.astype(np.int16),
            received_ns=self.received_ns,
            data_start=self.data_start.astype(np.int32),
            data_stop=self.data_stop.astype(np.int32),
        )


_COLUMNS = tuple(field.name for field in fields(Frames))
