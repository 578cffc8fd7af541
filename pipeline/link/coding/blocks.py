"""Coded blocks of one length, as frame sync finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Blocks:
    """`data: uint8[n, block_length]`; `last: int64[n]`: byte of the stream with which each block is complete.

    `received_ns: int64[n]`: receive times from record prefixes, ns since 1970 UTC, 0: unknown; None: no such field.
    """

    data: NDArray[np.uint8]
    last: NDArray[np.int64]
    received_ns: NDArray[np.int64] | None = None

    @staticmethod
    def join(parts: Sequence[Blocks], block_length: int) -> Blocks:
        """Concatenate blocks."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return Blocks(np.empty((0, block_length), np.uint8), np.empty(0, np.int64))
        times = [part.received_ns for part in parts if part.received_ns is not None]
        return Blocks(
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.last for part in parts]),
            np.concatenate(times) if times else None,
        )
