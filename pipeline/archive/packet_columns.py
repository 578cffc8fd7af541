"""Packets of one container as columns that are decoded on access.

In memory are the row fields and the bytes of the packets (many packets: in a temporary file). For a slice of a variable
only its rows are decoded, and only that parameter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dictionary.compile.plan import Plan
from ..dictionary.compile.plan_nodes import Node
from ..dictionary.compile.selection import columns_of
from ..dictionary.decoder import Decoder
from ..model.batches import Column, ColumnBatch, PacketBatch
from .lazy_columns import ColumnLayout, Piece, lazy_columns, lazy_values
from .netcdf_attributes import LOCAL_TIMES
from .row_columns import ROW_FIELDS, Metadata, RowColumn, RowTimes, free_name, row_columns

PIECE_BYTES = 8 << 20
"""Size of the packets that are decoded at once."""
OF_QUALITY = ("packet_quality", "packet_usable")


@dataclass(slots=True)
class PacketColumns:
    """`rows`: ROW_FIELDS of the packets; `quality` only has the bits of the link. `layouts`: of each parameter, in the
    order of the packet. `raw`: raw counts. `keeper`: reference that keeps the temporary file.
    """

    plan: Plan
    node: Node
    packets: PacketBatch
    rows: Mapping[str, NDArray[Any]]
    layouts: Mapping[str, ColumnLayout]
    known: Metadata
    raw: bool = False
    keeper: object = None
    times: RowTimes = field(init=False)
    _nodes: dict[str, Node] = field(default_factory=dict)
    _own_plan: Plan = field(init=False)  # of this container only

    def __post_init__(self) -> None:
        self.times = RowTimes().and_of(self.rows)
        self.known = replace(self.known, passes={})
        self._own_plan = replace(
            self.plan, root=replace(self.node, branches=(), switch=None), signature=None, origins=(), order=()
        )

    def of_rows(self) -> dict[str, RowColumn]:
        """Row columns, as from `row_columns` without the pass; quality is decoded on access."""
        none = {name: self.rows[name][:0] for name in ROW_FIELDS}
        wanted = row_columns(none, self.layouts, self.known, self.times)
        n_rows = len(self.packets)
        return {
            name: RowColumn(lazy_values(self, name, (n_rows,), one.values.dtype), one.attributes)
            for name, one in wanted.items()
        }

    def columns(self) -> dict[str, Any]:
        """Columns of the parameters, decoded on access, as from `lazy_columns`."""
        return lazy_columns(self, self.layouts, self.layouts, len(self.packets))

    def pieces(self, name: str, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """Yield a column at some rows, PIECE_BYTES of packets at a time."""
        if not len(rows):
            return
        step = max(1, PIECE_BYTES // max(int(self.packets.length[rows].mean()), 1))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            if name not in self.layouts:
                yield slice(first, first + len(some)), self._of_rows(name, some), np.arange(len(some))
                continue
            for batch in self._decoded(self._node_of(name), some):
                column: Column = (batch.raw if self.raw else batch.columns)[name]
                yield batch.order + first, column, np.arange(len(batch))

    def _of_rows(self, name: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Compute a row column."""
        fields = {key: values[rows] for key, values in self.rows.items()}
        known = self.known
        if any(name == free_name(one, self.layouts) for one in OF_QUALITY):
            fields["quality"] = np.concatenate([batch.quality for batch in self._decoded(self.node, rows)])
        if not any(name == free_name(one, self.layouts) for one in LOCAL_TIMES):
            is_time = name == free_name("time", self.layouts)
            known = replace(known, local_of=None, utc_of=known.utc_of if is_time else None)
        return np.asarray(row_columns(fields, self.layouts, known, self.times)[name].values)

    def _node_of(self, name: str) -> Node:
        """Node of the container with one column only; NAME.sizes is decoded with NAME."""
        if name not in self._nodes:
            names = {key for _, key in self.node.columns if name == key or name.startswith(f"{key}.sizes")}
            self._nodes[name] = columns_of(self.node, names)
        return self._nodes[name]

    def _decoded(self, node: Node, rows: NDArray[np.int64]) -> Iterator[ColumnBatch]:
        """Decode rows with a node; `order` of the batches is the index in `rows`."""
        batches = Decoder(self._own_plan, raw=self.raw).parts_as(node, self.packets.take(rows))
        yield from sorted(batches, key=lambda batch: int(batch.order[0]))
