"""Arrays that grow along rows part by part; each value is copied once, to its final place.

Memory is allocated for the number of rows that is expected of the whole input, so a column is seldom moved; memory
pages beyond the last row are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..dictionary.run.ragged import flat_starts, packed_values
from ..model.batches import Ragged
from ..model.categorical import Categorical, CategoryTable
from ..model.reused_memory import Empty

Array = NDArray[Any]
LEAST_GROWTH, UNKNOWN_GROWTH, MOST_GROWTH = 1.125, 1.5, 16.0
MARGIN = 1.02
"""Rows are allocated for a little more than the forecast, since containers come unevenly."""


def bounded_growth(growth: float) -> float:
    """Rows to allocate for each row so far; `growth`: expected rows of the whole input for each row so far."""
    return min(max(growth * MARGIN, LEAST_GROWTH), MOST_GROWTH)


class Growing(Protocol):
    """An array that grows. `append`: `growth` is the expected rows of the whole input for each row so far; `nbytes`: of
    the rows so far; `whole`: returns all rows.
    """

    def append(self, part: Array, growth: float) -> None: ...
    @property
    def nbytes(self) -> int: ...
    def whole(self) -> Array: ...


class GrowingArray:
    """One array. Its type is the common type of all parts (texts may differ in length). `empty`: allocates memory."""

    __slots__ = ("_buffer", "_empty", "n_rows")

    def __init__(self, empty: Empty = np.empty) -> None:
        self._buffer: Array | None = None
        self._empty = empty
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        room = self.room(part.shape, part.dtype, growth)
        if not np.may_share_memory(room, part):  # else it was written there
            room[:] = part
        self.n_rows += len(part)

    def room(self, shape: tuple[int, ...], dtype: np.dtype[Any], growth: float) -> Array:
        """Memory after the rows so far for a part of this shape, of this type or the common type."""
        high, buffer = self.n_rows + shape[0], self._buffer
        if buffer is None or high > len(buffer) or buffer.dtype != dtype:
            buffer = self._buffer = self._fitting(shape, dtype, high, growth)
        return buffer[self.n_rows : high]

    @property
    def nbytes(self) -> int:
        return 0 if self._buffer is None else self._buffer[: self.n_rows].nbytes

    def whole(self) -> Array:
        """Return all rows, a view; no rows may be added after it."""
        assert self._buffer is not None
        return self._buffer[: self.n_rows]

    def _fitting(self, shape: tuple[int, ...], dtype: np.dtype[Any], n_rows: int, growth: float) -> Array:
        """A buffer of the common type for `n_rows`, with the rows so far."""
        before = self._buffer
        dtype = dtype if before is None else np.result_type(before.dtype, dtype)
        if before is not None and n_rows <= len(before) and dtype == before.dtype:
            return before
        capacity = len(before) if before is not None and n_rows <= len(before) else int(n_rows * growth) + 1
        found = self._empty((capacity, *shape[1:]), dtype)
        if before is not None:
            found[: self.n_rows] = before[: self.n_rows]
        return found


class GrowingTexts:
    """One categorical column, with a common table of texts. `codes`: stores the codes."""

    __slots__ = ("_codes", "_table")

    def __init__(self, codes: Growing) -> None:
        self._codes = codes
        self._table = CategoryTable()

    def append(self, part: Categorical, growth: float) -> None:
        self._codes.append(self._table.codes(part), growth)

    @property
    def nbytes(self) -> int:
        return self._codes.nbytes

    def whole(self) -> Categorical:
        return Categorical(self._codes.whole(), self._table.categories())


class ConstantArray:
    """A row field that usually has one value; memory is allocated with the first row that differs."""

    __slots__ = ("_array", "_empty", "_value", "n_rows")

    def __init__(self, empty: Empty = np.empty) -> None:
        self._array: GrowingArray | None = None
        self._empty = empty
        self._value: Array | None = None
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        self._value = part[:1].copy() if self._value is None else self._value
        if self._array is None and not bool((part == self._value).all()):
            self._array = GrowingArray(self._empty)
            self._array.append(self._repeated(), growth)
        if self._array is not None:
            self._array.append(part, growth)
        self.n_rows += len(part)

    @property
    def nbytes(self) -> int:
        return 0 if self._array is None else self._array.nbytes

    def whole(self) -> Array:
        """Return all rows; if all are equal, a read-only array with one value in memory."""
        return self._repeated() if self._array is None else self._array.whole()

    def _repeated(self) -> Array:
        assert self._value is not None
        return np.broadcast_to(self._value, (self.n_rows,))


@dataclass(slots=True)
class GrowingRagged:
    """A ragged column."""

    values: GrowingArray | GrowingTexts
    length: GrowingArray

    def append(self, part: Ragged, growth: float) -> None:
        self.values.append(packed_values(part, partial(self._room, growth)), growth)
        self.length.append(part.length, growth)

    def _room(self, growth: float, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Memory for values: the final place, if their type is that of the values before."""
        room = self.values.room(shape, dtype, growth) if isinstance(self.values, GrowingArray) else None
        return np.empty(shape, dtype) if room is None or room.dtype != dtype else room

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.length.nbytes

    def whole(self) -> Ragged:
        length = self.length.whole()
        return Ragged(self.values.whole(), flat_starts(length), length)
