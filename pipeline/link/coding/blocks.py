"""Coded blocks of one length, as frame sync finds them, and the bytes that a recorder puts around each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..settings import LinkSettings, RecordTime, TimeUnit

UNIT_NS: dict[TimeUnit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


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


@dataclass(frozen=True, slots=True)
class Record:
    """Lengths in bytes; `times` are added to `epoch_ns` (ns since 1970 UTC). Empty `times`: no receive time."""

    prefix: int = 0
    suffix: int = 0
    times: tuple[RecordTime, ...] = ()
    epoch_ns: int = 0

    @staticmethod
    def of(settings: LinkSettings) -> Record:
        return Record(
            settings.record_prefix_bytes,
            settings.record_suffix_bytes,
            settings.record_time,
            settings.record_time_epoch_ns,
        )

    def received_ns(self, prefixes: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Read the receive times from `prefixes: uint8[n, prefix]`: int64[n], ns since 1970 UTC."""
        total = np.full(len(prefixes), self.epoch_ns, np.int64)
        for field in self.times:
            octets = prefixes[:, field.offset : field.offset + field.n_bytes]
            value = np.zeros(len(prefixes), np.int64)
            for column in range(field.n_bytes) if field.byte_order == "big" else reversed(range(field.n_bytes)):
                value = value << 8 | octets[:, column]
            total += value * UNIT_NS[field.unit]
        return total
