"""Collects the decoded packets of one container in memory.

In: batches of columns, in order. Out: one batch of all rows. The decoder writes columns at fixed positions of the
packet to their final place (`PlacedColumns`); other values are copied once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..archive.row_columns import ROW_FIELDS
from ..model.batches import Column, ColumnBatch, Ragged
from ..model.categorical import Categorical
from ..model.reused_memory import Empty
from .column_memory import ColumnMemory
from .growing import (
    UNKNOWN_GROWTH,
    ConstantArray,
    Growing,
    GrowingArray,
    GrowingRagged,
    GrowingTexts,
    bounded_growth,
)
from .placed_columns import PlacedColumns

CONSTANT_FIELDS = ("time_ns", "received_ns")
"""Row fields that are constant if a mission has no clock, or a recording no receive times."""


class GatheredColumns:
    """The packets of one container. `raw`: collect raw columns, not the calibrated ones. `drop`: columns to leave out.

    `placed`: memory into which the decoder of the batches writes; None: all values are copied.
    """

    def __init__(
        self, *, raw: bool = False, drop: Collection[str] = (), placed: PlacedColumns | None = None
    ) -> None:
        self._drop = frozenset(drop)
        self._raw = raw
        self.placed = placed
        self._first: ColumnBatch | None = None
        self._columns: dict[str, Growing | GrowingTexts | GrowingRagged] = {}
        self._rows: dict[str, GrowingArray | ConstantArray] = {}

    def add(self, batch: ColumnBatch, growth: float = UNKNOWN_GROWTH) -> None:
        """Append a batch. `growth`: expected rows of the whole input for each row so far."""
        growth = bounded_growth(growth)
        columns = batch.raw if self._raw else batch.columns
        if self._first is None:
            self._begin(batch, {name: column for name, column in columns.items() if name not in self._drop}, growth)
        for name, rows in self._rows.items():
            rows.append(getattr(batch, name), growth)
        for name, growing in self._columns.items():
            growing.append(columns[name], growth)  # type: ignore[arg-type]  # a column keeps its kind

    def _begin(self, batch: ColumnBatch, columns: Mapping[str, Column], growth: float) -> None:
        self._first = batch
        fields = {name: getattr(batch, name) for name in ROW_FIELDS}
        placed = {name: self.placed.column(name) if self.placed else None for name in columns}
        others = (column for name, column in columns.items() if placed[name] is None)
        n_bytes = int(sum(map(_n_bytes, (*others, *fields.values()))) * growth)
        memory = ColumnMemory(n_bytes, reused=self.placed is not None and self.placed.reused)
        self._columns = {name: _growing(column, placed[name], memory.empty) for name, column in columns.items()}
        self._rows = {
            name: (ConstantArray if name in CONSTANT_FIELDS else GrowingArray)(memory.empty) for name in fields
        }

    def bytes_of(self, batch: ColumnBatch) -> int:
        """Size of the rows of a batch, without the values of ragged columns."""
        columns = batch.raw if self._raw else batch.columns
        return sum(map(_n_bytes, (*columns.values(), *(getattr(batch, name) for name in ROW_FIELDS))))

    @property
    def nbytes(self) -> int:
        """Size of all rows so far, without memory allocated in advance."""
        return sum(array.nbytes for array in (*self._rows.values(), *self._columns.values()))

    def batch(self) -> ColumnBatch | None:
        """Return all rows as one batch; None if there are none."""
        if self._first is None:
            return None
        columns = {name: growing.whole() for name, growing in self._columns.items()}
        none: Mapping[str, Column] = {}
        return ColumnBatch(
            self._first.container,
            columns=none if self._raw else columns,
            raw=columns if self._raw else none,
            units={} if self._raw else self._first.units,
            **{name: rows.whole() for name, rows in self._rows.items()},
        )


def _growing(column: Column, placed: Growing | None, empty: Empty) -> Growing | GrowingTexts | GrowingRagged:
    if isinstance(column, Ragged):
        values = GrowingArray(empty)
        of_texts = isinstance(column.values, Categorical)
        return GrowingRagged(GrowingTexts(values) if of_texts else values, GrowingArray(empty))
    array = GrowingArray(empty) if placed is None else placed
    return GrowingTexts(array) if isinstance(column, Categorical) else array


def _n_bytes(column: Column) -> int:
    """Bytes of a column; of a ragged column only of the lengths, since its values may be a view of more."""
    return column.length.nbytes if isinstance(column, Ragged) else column.nbytes
