"""The last rows of something, in arrays that many may look at.

Rows are appended and the oldest ones fall out; what was handed out as a view is never written to again, so a
document may keep it for as long as it likes. Rows that come late are put in their place by time. Wide rows are fewer:
the arrays of a ring never exceed MAX_RING_BYTES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.looks import Rows
from .rows import TIME

MAX_RING_BYTES = 12 << 20
"""Of the arrays of one ring, the fifth that is room for new rows included."""
_FIRST_ROWS = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a reader has read: `epoch` changes when the rows behind it are no longer what it read."""

    epoch: int
    n_rows: int


class Ring:
    """At most `capacity` rows of equal columns; one of them is `time_ns`, by which they are in order.

    `capacity` is what was asked for, or as many rows as MAX_RING_BYTES has room for.

    `common`: arrays that hold for all rows, such as the two-way times of a radargram's bins.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = self._wanted = capacity
        self.common: Rows = {}
        self.arrived_s = 0.0
        """When rows last came, on the clock of who feeds."""
        self._columns: Rows = {}
        self._start = 0
        self._stop = 0
        self._epoch = 0
        self._n_rows = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def append(self, rows: Mapping[str, NDArray[np.generic]], arrived_s: float) -> None:
        """Add rows. Columns of another shape or type than those held take their place."""
        n_all = len(rows[TIME])
        self.arrived_s = arrived_s
        if not n_all:
            return
        if _kind(rows) != _kind(self._columns):
            self._forget(rows)
        n_new = min(n_all, self.capacity)
        rows = {name: column[len(column) - n_new :] for name, column in rows.items()}
        if self._stop + n_new > len(self._columns[TIME]):
            self._move(n_new)
        late = len(self) and rows[TIME][0] < self._columns[TIME][self._stop - 1]
        for name, column in rows.items():
            self._columns[name][self._stop : self._stop + n_new] = column
        self._stop += n_new
        self._start = max(self._start, self._stop - self.capacity)
        self._n_rows += n_all
        if late:
            self._sort()

    def rows(self) -> Rows:
        """All rows that are held, the oldest first, as views."""
        return {name: column[self._start : self._stop] for name, column in self._columns.items()}

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(one.nbytes for columns in (self._columns, self.common) for one in columns.values())

    @property
    def mark(self) -> Mark:
        return Mark(self._epoch, self._n_rows)

    def n_since(self, mark: Mark | None) -> int | None:
        """How many of the last rows came since `mark`; None where all of them are to be read anew."""
        if mark is None or mark.epoch != self._epoch or self._n_rows - mark.n_rows > len(self):
            return None
        return self._n_rows - mark.n_rows

    def _forget(self, rows: Mapping[str, NDArray[np.generic]]) -> None:
        row_bytes = sum(column[:1].nbytes for column in rows.values())
        self.capacity = max(min(self._wanted, MAX_RING_BYTES * 4 // 5 // row_bytes), 1)
        self._columns = {name: np.empty((0, *column.shape[1:]), column.dtype) for name, column in rows.items()}
        self._start = self._stop = 0
        self._epoch += 1

    def _move(self, n_new: int) -> None:
        """Carry the last rows to arrays with room for `n_new`: the old ones stay as they are for who looks at them."""
        kept = min(len(self), self.capacity - n_new)
        first = self._stop - kept
        n_rows = min(max(2 * (kept + n_new), _FIRST_ROWS), self.capacity + self.capacity // 4)
        for name, column in self._columns.items():
            fresh = np.empty((n_rows, *column.shape[1:]), column.dtype)
            fresh[:kept] = column[first : self._stop]
            self._columns[name] = fresh
        self._start, self._stop = 0, kept

    def _sort(self) -> None:
        order = self._start + np.argsort(self._columns[TIME][self._start : self._stop], kind="stable")
        for name, column in self._columns.items():
            fresh = np.empty_like(column)
            fresh[: len(order)] = column[order]
            self._columns[name] = fresh
        self._start, self._stop = 0, len(order)
        self._epoch += 1


def _kind(rows: Mapping[str, NDArray[np.generic]]) -> dict[str, tuple[object, ...]]:
    return {name: (column.dtype, *column.shape[1:]) for name, column in rows.items()}
