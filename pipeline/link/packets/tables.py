"""Packets of one channel as places in one array of octets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Hole:
    """`length` bytes from byte `start` of packet number `packet` were never received and are zero."""

    packet: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Packets:
    """p packets of one channel: packet i is `octets[start[i] : start[i] + length[i]]`.

    `word: uint64[p]` is its first 8 bytes, big-endian, `frame: intp[p]` the frame that ended it. `holes`: what is
    missing inside packets that a channel hands on all the same.
    """

    octets: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    word: NDArray[np.uint64]
    frame: NDArray[np.intp]
    quality: NDArray[np.uint32]
    holes: tuple[Hole, ...] = ()

    def __len__(self) -> int:
        return len(self.start)

    def pick(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> Packets:
        """Those asked for, in that order."""
        start, length, word = self.start[which], self.length[which], self.word[which]
        new_row = {int(row): k for k, row in enumerate(np.arange(len(self))[which])} if self.holes else {}
        holes = tuple(replace(hole, packet=new_row[hole.packet]) for hole in self.holes if hole.packet in new_row)
        return Packets(self.octets, start, length, word, self.frame[which], self.quality[which], holes)

    def moved(self, frames_before: int) -> Packets:
        """The same, with `frames_before` frames more in front."""
        return replace(self, frame=self.frame + frames_before)

    @staticmethod
    def join(parts: Sequence[Packets]) -> Packets:
        """One after the other, in one array of octets."""
        if len(parts) == 1:
            return parts[0]
        before = np.cumsum([0] + [len(part.octets) for part in parts])
        return Packets(
            np.concatenate([part.octets for part in parts]),
            np.concatenate([part.start + shift for part, shift in zip(parts, before, strict=False)]),
            np.concatenate([part.length for part in parts]),
            np.concatenate([part.word for part in parts]),
            np.concatenate([part.frame for part in parts]),
            np.concatenate([part.quality for part in parts]),
            tuple(
                replace(hole, packet=hole.packet + shift)
                for part, shift in zip(parts, accumulate(map(len, parts), initial=0), strict=False)
                for hole in part.holes
            ),
        )
