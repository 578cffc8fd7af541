"""Symbols that are not packed into bytes: one bit in a byte, or one soft symbol in an int8 or float32.

In: bytes of the recording. Out: eight hard bits in a byte, the most significant first. The output begins with the first
symbol; frame sync finds markers at any bit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..settings import BYTES_PER_OCTET, Symbols


class SymbolPacker:
    """Packs symbols; buffers those of an unfinished byte."""

    def __init__(self, symbols: Symbols) -> None:
        self._symbols = symbols
        self._bytes_per_octet = BYTES_PER_OCTET[symbols]
        self._left = np.empty(0, np.uint8)
        self.overhead_bytes = 0
        self.dropped_bytes = 0

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """Return the bytes completed by `batch`."""
        if batch.missing:
            self.dropped_bytes += len(self._left)
            self._left = self._left[:0]
        n_left = len(self._left)
        octets = np.concatenate((self._left, batch.data))
        n_used = len(octets) - len(octets) % self._bytes_per_octet
        self._left = octets[n_used:].copy()
        packed = np.packbits(self._hard(octets[:n_used]))
        self.overhead_bytes += n_used - len(packed)
        start = np.minimum((n_left + batch.mark_start) // self._bytes_per_octet, len(packed))
        missing = -1 if batch.missing else 0
        return replace(batch, data=packed, mark_start=start, missing=missing)

    def flush(self) -> NDArray[np.uint8]:
        """End the stream: return the last incomplete byte, padded with zeros, if there is one."""
        n_whole = len(self._left) - len(self._left) % (self._bytes_per_octet // 8)
        packed = np.packbits(self._hard(self._left[:n_whole]))
        self.overhead_bytes += n_whole - len(packed)
        self.dropped_bytes += len(self._left) - n_whole
        self._left = self._left[:0]
        return packed

    def _hard(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Hard bits of whole symbols: uint8[n]."""
        if self._symbols == "unpacked":
            return octets & np.uint8(1)
        kind = "<f4" if self._symbols == "float32" else "i1"
        return (octets.view(kind) > 0).view(np.uint8)
