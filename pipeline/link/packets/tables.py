"""Space packets of one channel as positions in one array of octets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Packets:
    """p packets of one channel: packet i is `octets[start[i] : start[i] + length[i]]`.

    `apid`, `seq_count`: uint16[p], `seq_flags`: uint8[p] and `quality`: uint32[p] as in PacketBatch; `frame`: intp[p],
    row of the frame in which each ends.
    """

    octets: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    apid: NDArray[np.uint16]
    seq_count: NDArray[np.uint16]
    seq_flags: NDArray[np.uint8]
    frame: NDArray[np.intp]
    quality: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: NDArray[np.intp]) -> Packets:
        """Select packets, in the given order."""
        return Packets(self.octets, *(getattr(self, name)[rows] for name in _COLUMNS))

    def moved(self, frames_before: int) -> Packets:
        """Add `frames_before` to the frame rows."""
        return replace(self, frame=self.frame + frames_before)

    @staticmethod
    def join(parts: Sequence[Packets]) -> Packets:
        """Concatenate packets, in one array of octets."""
        if len(parts) == 1:
            return parts[0]
        before = np.cumsum([0] + [len(part.octets) for part in parts])
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("octets", *_COLUMNS)}
        joined["start"] += np.repeat(before[:-1], [len(part) for part in parts])
        return Packets(**joined)


_COLUMNS = tuple(field.name for field in fields(Packets))[1:]
