"""Matches rows of generic products with their packets: receive time and sequence count, which products do not have.

In: column batches and the products made of them. The n-th row of a container's generic products is its n-th packet of
that APID. Containers that instruments read are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.batches import GENERIC_INSTRUMENT, ColumnBatch, Product
from ..model.container_names import product_name
from ..products.instrument import Instrument

Fields = tuple[NDArray[np.int64], NDArray[np.int32]]
"""Receive times (ns since 1970 UTC, 0: unknown) and sequence counts of packets."""


class PacketRows:
    """Packets whose product is not made yet. `instruments`: of the mission."""

    def __init__(self, instruments: Mapping[str, type[Instrument]]) -> None:
        self._read = {container for instrument in instruments.values() for container in instrument.containers}
        self._waiting: dict[tuple[str, int], list[Fields]] = defaultdict(list)

    def is_read(self, container: str) -> bool:
        """Whether instruments read a container, so that it has no generic products."""
        return container in self._read

    def add(self, batches: Sequence[ColumnBatch]) -> None:
        """Add the packets of decoded rows."""
        for batch in batches:
            if batch.container in self._read:
                continue
            name = product_name(batch.container)
            apids = np.unique(batch.apid)
            for apid in apids.tolist():
                mine = slice(None) if len(apids) == 1 else batch.apid == apid
                fields = batch.received_ns[mine].copy(), batch.seq_count[mine].astype(np.int32)
                self._waiting[name, apid].append(fields)

    def pop(self, product: Product) -> Fields | None:
        """Remove and return the packets of a product's rows; None for products of instruments, or if unknown."""
        apids = product.lineage.get("apid") or []
        if product.instrument != GENERIC_INSTRUMENT or len(apids) != 1:
            return None
        key, n = (product.product, int(apids[0])), len(product.quality)
        received, seq = (
            (np.concatenate(arrays) for arrays in zip(*self._waiting.get(key, ()), strict=True))
            if (self._waiting.get(key))
            else (np.zeros(0, np.int64), np.zeros(0, np.int32))
        )
        self._waiting[key] = [(received[n:], seq[n:])] if len(received) > n else []
        return (received[:n], seq[:n]) if len(received) >= n else None
