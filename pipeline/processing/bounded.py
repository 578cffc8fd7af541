"""Collects the decoded packets of one container: in memory up to a bound, beyond it all of them in a file.

In: batches of columns, in order. Out: one batch of all rows, or a store of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..archive.parquet_rows import ROW_GROUP_BYTES
from ..archive.row_columns import ROW_FIELDS
from ..model.batches import Column, ColumnBatch, Ragged
from .gathered import GatheredColumns
from .placed_columns import PlacedColumns

if TYPE_CHECKING:
    from ..archive.column_store import ColumnStore


class BoundedColumns:
    """`open_store`: called with the first rows when columns exceed `bound_bytes`; `store` then gets all rows.

    `placing(bound_bytes, reused)`: makes the memory into which the decoder writes; `reused` for rows that go to the
    store. `raw`, `drop`: as in GatheredColumns.
    """

    def __init__(
        self,
        bound_bytes: int,
        open_store: Callable[[ColumnBatch], ColumnStore],
        placing: Callable[..., PlacedColumns | None] = lambda *_, **__: None,
        *,
        raw: bool = False,
        drop: Collection[str] = (),
    ) -> None:
        self._bound_bytes, self._open_store = bound_bytes, open_store
        self._raw, self._drop = raw, drop
        self._placing = placing
        self._rows = GatheredColumns(raw=raw, drop=drop, placed=placing(bound_bytes))
        self.store: ColumnStore | None = None

    def add(self, batch: ColumnBatch, growth: float) -> None:
        """Append a batch. `growth`: as in GatheredColumns. Memory is at most the bound and one batch."""
        n_bytes = self._rows.nbytes or self._rows.bytes_of(batch)
        self._rows.add(batch, min(growth, self._limit / max(n_bytes, 1) + 1.0))
        if self._rows.nbytes > self._limit:
            self._write()

    @property
    def placed(self) -> PlacedColumns | None:
        """Memory for the columns of the next batch."""
        return self._rows.placed

    @property
    def _limit(self) -> int:
        return self._bound_bytes if self.store is None else min(self._bound_bytes, ROW_GROUP_BYTES)

    def end(self) -> None:
        """Write the last rows, and close the store, if there is one."""
        if self.store is not None:
            self._write()
            self.store.close()

    def batch(self) -> ColumnBatch | None:
        """Return all rows in memory; None if there are none, or if they are in the store."""
        return self._rows.batch()

    def _write(self) -> None:
        """Move the rows in memory to the store, in row groups."""
        batch, n_bytes = self._rows.batch(), self._rows.nbytes
        if batch is None:
            return
        self.store = self.store or self._open_store(batch)
        placed = self._placing(self._limit, reused=True)
        self._rows = GatheredColumns(raw=self._raw, drop=self._drop, placed=placed)
        columns = batch.raw if self._raw else batch.columns
        n_rows = len(batch)
        step = max(1, -(-n_rows // max(1, n_bytes // ROW_GROUP_BYTES)))
        for first in range(0, n_rows, step):
            rows = slice(first, min(first + step, n_rows))
            fields: Mapping[str, NDArray[Any]] = {name: getattr(batch, name)[rows] for name in ROW_FIELDS}
            self.store.append(fields, {name: _part(column, rows) for name, column in columns.items()})


def _part(column: Column, rows: slice) -> Column:
    """Select rows of a column; of a ragged column, with its values, which are contiguous."""
    if not isinstance(column, Ragged):
        return column[rows]
    start, length = column.start[rows], column.length[rows]
    first = int(start[0]) if len(start) else 0
    return Ragged(column.values[first : first + int(np.sum(length))], start - first, length)
