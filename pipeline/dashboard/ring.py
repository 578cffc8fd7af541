"""A buffer of the last rows of one kind, read through views.

Rows are appended and the oldest ones are dropped. Memory that was given out as a view is never written again, so a
document may keep it. Late rows are sorted in by time. The arrays of a ring never exceed MAX_RING_BYTES: of wide rows
fewer are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.looks import Rows
from .rows import TIME

MAX_RING_BYTES = 12 << 20
"""Of the arrays of one ring, including a fifth of room for new rows."""
_FIRST_ROWS, _FIRST_BYTES = 64, 8 << 10
"""Room that is made for rows to come at least: so many rows, or those that so many bytes hold."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Position of a reader. `epoch` changes when rows that it has read change."""

    epoch: int
    n_rows: int


class Ring:
    """At most `capacity` rows of equal columns, in the order of the column `time_ns`.

    `capacity` is the requested number, or as many rows as fit into MAX_RING_BYTES.

    `common`: arrays that hold for all rows, such as the two-way times of a radargram's bins.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = self._wanted = capacity
        self.common: Rows = {}
        self.arrived_s = 0.0
        """Arrival of the last rows, on the clock of the caller."""
        self._columns: Rows = {}
        self._row_bytes = 1
        self._start = 0
        self._stop = 0
        self._epoch = 0
        self._n_rows = 0

    def __len__(self) -> int:
        return self._stop - self._start

    def append(self, rows: Mapping[str, NDArray[np.generic]], arrived_s: float) -> None:
        """Add rows. If their columns have another shape or type, they replace all rows."""
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
        """All rows, the oldest first, as views."""
        return {name: column[self._start : self._stop] for name, column in self._columns.items()}

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(one.nbytes for columns in (self._columns, self.common) for one in columns.values())

    @property
    def mark(self) -> Mark:
        """The position of a reader who has read everything."""
        return Mark(self._epoch, self._n_rows)

    def n_since(self, mark: Mark | None) -> int | None:
        """Number of rows appended since `mark`; None if the reader has to read all rows again."""
        if mark is None or mark.epoch != self._epoch or self._n_rows - mark.n_rows > len(self):
            return None
        return self._n_rows - mark.n_rows

    def _forget(self, rows: Mapping[str, NDArray[np.generic]]) -> None:
        self._row_bytes = sum(column[:1].nbytes for column in rows.values())
        self.capacity = max(min(self._wanted, MAX_RING_BYTES * 4 // 5 // self._row_bytes), 1)
        self._columns = {name: np.empty((0, *column.shape[1:]), column.dtype) for name, column in rows.items()}
        self._start = self._stop = 0
        self._epoch += 1

    def _move(self, n_new: int) -> None:
        """Copy the last rows to arrays with room for `n_new`; views of the old arrays stay valid."""
        kept = min(len(self), self.capacity - n_new)
        first = self._stop - kept
        n_needed = kept + n_new
        room = max(n_needed // 4, min(_FIRST_ROWS, _FIRST_BYTES // self._row_bytes))
        n_rows = min(n_needed + room, self.capacity + self.capacity // 4)
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
