"""Frames on their way to their channel: FrameBatch with the place of each in the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch

_COLUMNS = tuple(field.name for field in fields(FrameBatch))


def take_frames(frames: FrameBatch, rows: NDArray[np.intp] | slice) -> FrameBatch:
    """The rows asked for, in that order."""
    return FrameBatch(**{name: getattr(frames, name)[rows] for name in _COLUMNS})


@dataclass(frozen=True, slots=True)
class Arrivals:
    """`frames` of n rows; `index: int64[n]`, number of the link's frame with whose arrival each could go on."""

    frames: FrameBatch
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.index)

    def take(self, rows: NDArray[np.intp] | slice) -> Arrivals:
        """The rows asked for, in that order."""
        return Arrivals(take_frames(self.frames, rows), self.index[rows])

    @staticmethod
    def join(parts: Sequence[Arrivals]) -> Arrivals:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        joined = {name: np.concatenate([getattr(part.frames, name) for part in parts]) for name in _COLUMNS}
        return Arrivals(FrameBatch(**joined), np.concatenate([part.index for part in parts]))
