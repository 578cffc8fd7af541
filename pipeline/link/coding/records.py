"""The bytes that a recorder puts around each frame: a prefix, which may tell the receive time, and a suffix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..settings import LinkSettings, RecordTime, TimeUnit

UNIT_NS: dict[TimeUnit, int] = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


@dataclass(frozen=True, slots=True)
class Record:
    """Lengths in bytes; `times` are summed onto `epoch_ns` (ns since 1970 UTC). Empty `times`: none is told."""

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
        """Receive times by `prefixes: uint8[n, prefix]`: int64[n]."""
        total = np.full(len(prefixes), self.epoch_ns, np.int64)
        for one in self.times:
            octets = prefixes[:, one.offset : one.offset + one.n_bytes]
            value = np.zeros(len(prefixes), np.int64)
            for column in range(one.n_bytes) if one.byte_order == "big" else reversed(range(one.n_bytes)):
                value = value << 8 | octets[:, column]
            total += value * UNIT_NS[one.unit]
        return total
