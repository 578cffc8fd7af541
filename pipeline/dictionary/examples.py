"""One row of each container of a dictionary, decoded from a packet of zeros: what its columns are like.

In: a plan. Out: a `ColumnBatch` of one row for each container that packets can be of. Values mean nothing; names,
types, axes and units are those of every packet. Texts and lists have the length that zeros give them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..model.batches import ColumnBatch, PacketBatch
from .compile.plan import Plan
from .compile.plan_nodes import Node
from .decoder import Decoder

LONGEST_BYTES = 65_542
"""A whole space packet: header and 65,536 bytes."""


def example_rows(plan: Plan, *, raw: bool = False) -> Iterator[tuple[Node, ColumnBatch | None]]:
    """Each container once; None beside those that zeros cannot be, such as with values of other packets."""
    decoder = Decoder(plan, (), raw=raw)
    for node in {node.key: node for node in plan.walk() if not node.abstract}.values():
        yield node, _example(decoder, node)


def _example(decoder: Decoder, node: Node) -> ColumnBatch | None:
    fixed = node.program.fixed_bits
    for n_bytes in ((fixed + 7) // 8,) if fixed else (256, LONGEST_BYTES):
        packets = PacketBatch.single(np.zeros(n_bytes, np.uint8), 0, 0)
        try:
            batch = decoder.decode_as(node, packets)
        except (ValueError, LookupError, ArithmeticError, TypeError):  # zeros are no packet of it
            continue
        if batch is not None:
            return batch
    return None
