"""Blocks of one length, and the plain way to them: back to back, in a recording of bare transfer frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Blocks:
    """`data: uint8[n, block_length]`; `last: int64[n]`, byte of the stream with which each block is complete."""

    data: NDArray[np.uint8]
    last: NDArray[np.int64]


class FixedBlocks:
    """Cuts a stream every `block_length` bytes. Holds less than one block."""

    def __init__(self, block_length: int) -> None:
        self.skipped_bytes = 0
        self.place = 0
        """Byte of the stream from which on blocks are still to come."""
        self._block_length = block_length
        self._held = np.empty(0, np.uint8)
        self._n_to_skip = 0
        """Bytes that are left of a block whose beginning is missing."""

    def feed(self, octets: NDArray[np.uint8]) -> Blocks:
        """The blocks that are whole with `octets: uint8[n]` added."""
        if self._n_to_skip:
            octets = self._skip(octets)
        stream = np.concatenate((self._held, octets)) if len(self._held) else octets
        n_blocks = len(stream) // self._block_length
        used = n_blocks * self._block_length
        self._held = stream[used:].copy()
        last = self.place - 1 + self._block_length * np.arange(1, n_blocks + 1, dtype=np.int64)
        self.place += used
        return Blocks(stream[:used].reshape(n_blocks, self._block_length), last)

    def is_next(self, n_bytes: int) -> bool:
        """Whether that many more bytes are one block and nothing else."""
        return n_bytes == self._block_length and not len(self._held) and not self._n_to_skip

    def flush(self) -> Blocks:
        """The stream ends: what is left is no block."""
        self.skipped_bytes += len(self._held)
        self.place += len(self._held)
        self._held = np.empty(0, np.uint8)
        self._n_to_skip = 0
        return self.feed(self._held)

    def break_off(self, missing: int) -> Blocks:
        """So many bytes are missing here: what is whole before that. UNKNOWN (-1): a block begins with what follows."""
        n_into = len(self._held) + missing if missing > 0 else 0
        blocks = self.flush()
        self._n_to_skip = -n_into % self._block_length
        return blocks

    def _skip(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        n_bytes = min(self._n_to_skip, len(octets))
        self._n_to_skip -= n_bytes
        self.skipped_bytes += n_bytes
        self.place += n_bytes
        return octets[n_bytes:]

    def report(self) -> dict[str, Any]:
        """Nothing to find, nothing to lose."""
        return {}
