"""The packets of the rows of generic products: receive time and sequence count of each, which a product has not.

In: column batches and the products made of them. The n-th row of a container's generic products is its n-th packet of
that APID; containers that instruments read are left out.
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
"""Receive times (ns, 0 unknown) and sequence counts of packets."""


class PacketRows:
    """Packets that wait for their product. `instruments`: of the mission."""

    def __init__(self, instruments: Mapping[str, type[Instrument]]) -> None:
        self._read = {container for one in instruments.values() for container in one.containers}
        self._waiting: dict[tuple[str, int], list[Fields]] = defaultdict(list)

    def is_read(self, container: str) -> bool:
        """Whether instruments read a container, so that it has no generic products."""
        return container in self._read

    def add(self, batches: Sequence[ColumnBatch]) -> None:
        """Note the packets of decoded rows."""
        for batch in batches:
            if batch.container in self._read:
                continue
            name = product_name(batch.container)
            apids = np.unique(batch.apid)
            for apid in apids.tolist():
                mine = slice(None) if len(apids) == 1 else batch.apid == apid
                fields = batch.received_ns[mine].copy(), batch.seq_count[mine].astype(np.int32)
                self._waiting[name, apid].append(fields)

    def take(self, product: Product) -> Fields | None:
        """The packets of a product's rows; None for one that an instrument made, or whose packets are not known."""
        apids = product.lineage.get("apid") or []
        if product.instrument != GENERIC_INSTRUMENT or len(apids) != 1:
            return None
        key, n = (product.product, int(apids[0])), len(product.quality)
        received, seq = (
            (np.concatenate(one) for one in zip(*self._waiting.get(key, ()), strict=True))
            if (self._waiting.get(key))
            else (np.zeros(0, np.int64), np.zeros(0, np.int32))
        )
        self._waiting[key] = [(received[n:], seq[n:])] if len(received) > n else []
        return (received[:n], seq[:n]) if len(received) >= n else None
