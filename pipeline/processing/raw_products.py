"""Raw counts of a container's packets as products for the history: one for each batch and APID.

In: a batch decoded with raw counts. Out: products, each with the receive times and sequence counts of its packets. They
are not published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ..mission.loading import Mission
from ..model.batches import GENERIC_INSTRUMENT, ColumnBatch, Product
from ..products.draft import Made, finish
from ..products.rows import take
from ..products.telemetry import GenericProducts
from .chain import product_context
from .packet_rows import Fields


def raw_products(batch: ColumnBatch, mission: Mission, stream: str) -> Iterator[tuple[Product, Fields]]:
    """Yield the raw counts of a batch as products, with receive times and sequence counts of their packets."""
    context = product_context(mission, stream)
    generic = GenericProducts(context.descriptions)
    counts = replace(batch, columns=batch.raw, raw={}, units={})
    for apid in np.unique(batch.apid).tolist():
        part = take(counts, batch.apid == apid)
        fields = part.received_ns, part.seq_count.astype(np.int32)
        for product in finish([Made(generic.draft(part), GENERIC_INSTRUMENT, context, {})]):
            yield product, fields
