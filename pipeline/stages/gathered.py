"""The decoded packets of one container in memory: each value is copied once, from its batch to where it stays.

Input: batches of columns, in order. Output: one batch of all rows. Memory grows by what the rest of the input is
expected to hold, so that a column is seldom moved; pages that no row reaches are never touched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.row_columns import ROW_FIELDS
from pipeline.batches import Column, ColumnBatch, Ragged
from pipeline.categorical import Categorical, CategoryTable
from pipeline.dictionary.ragged import flat_starts, packed_values

Array = NDArray[Any]
LEAST_GROWTH, UNKNOWN_GROWTH, MOST_GROWTH = 1.125, 1.5, 16.0
MARGIN = 1.02
"""Rows are allocated for a little more than the forecast, since containers come unevenly."""
CONSTANT_FIELDS = ("time_ns", "received_ns")
"""Row fields that have one value throughout where a mission has no clock, or a recording no receive times."""


class GrowingArray:
    """One array along rows. Its type is the common type of all parts (labels have different lengths)."""

    __slots__ = ("_buffer", "n_rows")

    def __init__(self) -> None:
        self._buffer: Array | None = None
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        """`growth`: rows of the whole input for each row so far, where more memory is needed."""
        low, high = self.n_rows, self.n_rows + len(part)
        buffer = self._buffer
        if buffer is None or high > len(buffer) or buffer.dtype != part.dtype:
            buffer = self._buffer = self._fitting(part, high, growth)
        buffer[low:high] = part
        self.n_rows = high

    def whole(self) -> Array:
        """All rows; a view of the memory, which grows no more."""
        assert self._buffer is not None
        return self._buffer[: self.n_rows]

    def _fitting(self, part: Array, n_rows: int, growth: float) -> Array:
        """A buffer for `n_rows` of the common type, with the rows so far."""
        before = self._buffer
        dtype = part.dtype if before is None else np.result_type(before.dtype, part.dtype)
        if before is not None and n_rows <= len(before) and dtype == before.dtype:
            return before
        capacity = len(before) if before is not None and n_rows <= len(before) else int(n_rows * growth) + 1
        found: Array = np.empty((capacity, *part.shape[1:]), dtype)
        if before is not None:
            found[: self.n_rows] = before[: self.n_rows]
        return found


class GrowingTexts:
    """One column of codes along rows, with a table of texts for all parts."""

    __slots__ = ("_codes", "_table")

    def __init__(self) -> None:
        self._codes = GrowingArray()
        self._table = CategoryTable()

    def append(self, part: Categorical, growth: float) -> None:
        """As GrowingArray.append."""
        self._codes.append(self._table.codes(part), growth)

    def whole(self) -> Categorical:
        """All rows."""
        return Categorical(self._codes.whole(), self._table.categories())


class ConstantArray:
    """A row field that has one value so far; it takes memory from the first row on that differs."""

    __slots__ = ("_array", "_value", "n_rows")

    def __init__(self) -> None:
        self._array: GrowingArray | None = None
        self._value: Array | None = None
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        """As GrowingArray.append."""
        self._value = part[:1].copy() if self._value is None else self._value
        if self._array is None and not bool((part == self._value).all()):
            self._array = GrowingArray()
            self._array.append(self._repeated(), growth)
        if self._array is not None:
            self._array.append(part, growth)
        self.n_rows += len(part)

    def whole(self) -> Array:
        """All rows; read-only and of one value in memory where all are the same."""
        return self._repeated() if self._array is None else self._array.whole()

    def _repeated(self) -> Array:
        assert self._value is not None
        return np.broadcast_to(self._value, (self.n_rows,))


@dataclass(slots=True)
class _GrowingRagged:
    """A column of values of differing length."""

    values: GrowingArray | GrowingTexts
    length: GrowingArray = field(default_factory=GrowingArray)

    def append(self, part: Ragged, growth: float) -> None:
        self.values.append(packed_values(part), growth)
        self.length.append(part.length, growth)

    def whole(self) -> Ragged:
        length = self.length.whole()
        return Ragged(self.values.whole(), flat_starts(length), length)


class GatheredColumns:
    """The packets of one container. `raw`: raw columns are gathered, not the calibrated ones. `drop`: all but these."""

    def __init__(self, *, raw: bool = False, drop: Collection[str] = ()) -> None:
        self._drop = frozenset(drop)
        self._raw = raw
        self._first: ColumnBatch | None = None
        self._columns: dict[str, GrowingArray | GrowingTexts | _GrowingRagged] = {}
        self._rows = {name: (ConstantArray if name in CONSTANT_FIELDS else GrowingArray)() for name in ROW_FIELDS}

    def add(self, batch: ColumnBatch, growth: float = UNKNOWN_GROWTH) -> None:
        """Append a batch. `growth`: rows expected of the whole input for each row up to here."""
        growth = min(max(growth * MARGIN, LEAST_GROWTH), MOST_GROWTH)
        for name, rows in self._rows.items():
            rows.append(getattr(batch, name), growth)
        columns = batch.raw if self._raw else batch.columns
        if self._first is None:
            self._first = batch
            kept = (name for name in columns if name not in self._drop)
            self._columns = {name: _growing(columns[name]) for name in kept}
        for name, growing in self._columns.items():
            growing.append(columns[name], growth)  # type: ignore[arg-type]  # a column keeps its kind

    def batch(self) -> ColumnBatch | None:
        """All rows as one batch; None where there are none."""
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


def _growing(column: Column) -> GrowingArray | GrowingTexts | _GrowingRagged:
    if isinstance(column, Ragged):
        return _GrowingRagged(GrowingTexts() if isinstance(column.values, Categorical) else GrowingArray())
    return GrowingTexts() if isinstance(column, Categorical) else GrowingArray()
