"""Rows of a `ColumnBatch`: selected, joined, and cut into groups that do not depend on how batches are split.

In: column batches of one container, in order. Out: the same rows, regrouped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, Column, ColumnBatch, Ragged
from ..model.categorical import Categorical, concatenated
from ..model.reductions import count_equal

BLOCK_COUNTS = 4096
"""Rows with neither onboard nor receive time are grouped by this many sequence counts."""
_SMALL_BYTES = 4096
_ARRAY_ONLY = {np.ndarray}
_BASE, _NBYTES = attrgetter("base"), attrgetter("nbytes")
_BY_WINDOW, _BY_RECEIPT, _BY_COUNT = 0, 1, 2  # first column of keys


def take(rows: ColumnBatch, part: slice | NDArray[np.intp] | NDArray[np.bool_]) -> ColumnBatch:
    """Select rows: views if `part` is a slice. A raw column that is the same object as its column stays the same."""
    columns = {name: _take(column, part) for name, column in rows.columns.items()}
    return ColumnBatch(
        rows.container,
        rows.time_ns[part],
        columns,
        {
            name: columns[name] if column is rows.columns.get(name) else _take(column, part)
            for name, column in rows.raw.items()
        },
        rows.units,
        rows.apid[part],
        rows.seq_count[part],
        rows.received_ns[part],
        rows.order[part],
        rows.quality[part],
    )


def join(pieces: Sequence[ColumnBatch]) -> ColumnBatch:
    """Concatenate batches of one container; the arrays are copies."""
    first = pieces[0]
    columns = _join_columns([piece.columns for piece in pieces])
    same = set(first.raw).difference(*map(calibrated, pieces))
    own = _join_columns([{name: raw for name, raw in piece.raw.items() if name not in same} for piece in pieces])
    return ColumnBatch(
        first.container,
        np.concatenate([piece.time_ns for piece in pieces]),
        columns,
        {name: columns[name] if name in same else own[name] for name in first.raw},
        first.units,
        np.concatenate([piece.apid for piece in pieces]),
        np.concatenate([piece.seq_count for piece in pieces]),
        np.concatenate([piece.received_ns for piece in pieces]),
        np.concatenate([piece.order for piece in pieces]),
        np.concatenate([piece.quality for piece in pieces]),
    )


def calibrated(rows: ColumnBatch) -> list[str]:
    """Names of the columns whose raw values are another object than the calibrated ones, in order."""
    return [name for name, raw in rows.raw.items() if raw is not rows.columns.get(name)]


def with_columns(rows: ColumnBatch, columns: Mapping[str, Column]) -> ColumnBatch:
    """The batch with additional columns, n rows each."""
    return replace(rows, columns={**rows.columns, **columns})


def compact(column: Ragged) -> Ragged:
    """The same rows with contiguous values."""
    length = np.maximum(column.length, 0)
    start = np.cumsum(length) - length
    index = np.arange(int(length.sum())) + np.repeat(column.start - start, length)
    return Ragged(column.values[index], start, length)


def window_keys(rows: ColumnBatch, window_s: float) -> NDArray[np.int64]:
    """Group rows by onboard time, in windows of `window_s` seconds: keys int64[n, 2], the criterion and the group.

    Rows without onboard time, or all if `window_s` is 0, are grouped by receive time; without this, too, in blocks of
    BLOCK_COUNTS sequence counts.
    """
    n = len(rows.order)
    keys = np.empty((n, 2), np.int64, order="F")
    keys[:, 0], keys[:, 1] = _BY_RECEIPT, rows.received_ns
    n_unknown = count_equal(rows.received_ns, 0)
    if n_unknown == n:
        keys[:, 0], keys[:, 1] = _BY_COUNT, rows.seq_count // BLOCK_COUNTS
    elif n_unknown:
        by_count = rows.received_ns == 0
        keys[by_count, 0], keys[by_count, 1] = _BY_COUNT, rows.seq_count[by_count] // BLOCK_COUNTS
    if window_s > 0:
        timed = rows.time_ns != NO_TIME
        keys[timed, 0], keys[timed, 1] = _BY_WINDOW, rows.time_ns[timed] // int(window_s * 1e9)
    return keys


def sample_times(rows: ColumnBatch, offset_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Onboard times of the samples of each row, int64[n, k]; `offset_ns`: [k] or [n, k]. NO_TIME stays NO_TIME."""
    time_ns = rows.time_ns[:, None]
    return np.where(time_ns == NO_TIME, np.int64(NO_TIME), time_ns + offset_ns)


class RowCutter:
    """Cuts the rows of one container into groups: where the key changes, and after `max_rows`. Keeps the open group.

    `single`: each row is a group. `bare`: of the groups that end in one batch, those between the first and the last
    have no columns.
    """

    def __init__(self, max_rows: int, *, single: bool = False, bare: bool = False) -> None:
        self._max_rows = 1 if single else max_rows
        self._single = single
        self.bare = bare
        self._open: list[ColumnBatch] = []
        self.n_open = 0
        """Rows of the open group."""
        self._n_copied = 0  # of its pieces
        self._key: list[int] = []

    def cut(self, rows: ColumnBatch, keys: NDArray[np.int64]) -> list[ColumnBatch]:
        """Return the groups that have ended, in order. `keys: int64[n, k]`: a group ends where one changes."""
        closed: list[ColumnBatch] = []
        edges = _edges(keys)
        middle = replace(rows, columns={}, raw={}) if self.bare and len(edges) > 3 else rows
        for start, stop in pairwise(edges):
            if 0 < start < stop < len(rows) and stop - start <= self._max_rows:  # a whole group
                closed += self.flush()
                closed.append(take(middle, slice(start, stop)))
                continue
            key = keys[start].tolist()
            if self.n_open and key != self._key:
                closed += self.flush()
            self._key = key
            self._fill(middle if start > 0 and stop < len(rows) else rows, start, stop, closed)
        return closed

    def copy_views(self) -> None:
        """Copy the rows of the open group where they keep the memory of a much larger batch."""
        for i in range(self._n_copied, len(self._open)):
            self._open[i] = owned(self._open[i])
        self._n_copied = len(self._open)

    @property
    def is_open_by_receipt(self) -> bool:
        """Whether the rows of the open group have one receive time: on a live link, all of them have then arrived."""
        return self.n_open > 0 and self._key[0] == _BY_RECEIPT

    def flush(self) -> list[ColumnBatch]:
        """End the open group and return it, if there is one."""
        if not self.n_open:
            return []
        group = self._open[0] if len(self._open) == 1 else join(self._open)
        self._open, self.n_open, self._n_copied = [], 0, 0
        return [group]

    def _fill(self, rows: ColumnBatch, start: int, stop: int, closed: list[ColumnBatch]) -> None:
        while start < stop:
            if self.n_open >= self._max_rows:
                closed += self.flush()
            end = min(stop, start + self._max_rows - self.n_open)
            self._open.append(rows if end - start == len(rows) else take(rows, slice(start, end)))
            self.n_open += end - start
            start = end
        if self._single:
            closed += self.flush()


def _edges(keys: NDArray[np.int64]) -> list[int]:
    """Positions where a key differs from the one before, with both ends."""
    n = len(keys)
    if n < 2:
        return [0, n][: n + 1]
    changed = keys[1:, 0] != keys[:-1, 0]
    for column in range(1, keys.shape[1]):
        changed |= keys[1:, column] != keys[:-1, column]
    return [0, *(np.flatnonzero(changed) + 1).tolist(), n]


def owned(rows: ColumnBatch) -> ColumnBatch:
    """The same rows; columns that are views of a small part of a large array are copied, so that it can be freed."""
    columns = _owned(rows.columns)
    own = _owned({name: rows.raw[name] for name in calibrated(rows)})
    return replace(
        rows, columns=columns, raw={name: own[name] if name in own else columns[name] for name in rows.raw}
    )


def _owned(columns: Mapping[str, Column]) -> Mapping[str, Column]:
    """The columns, with copies of those whose base is much larger than what all of them use."""
    if {*map(type, columns.values())} <= _ARRAY_ONLY:
        bases = [*map(_BASE, columns.values())]
        sizes = [*map(_NBYTES, columns.values())]
    else:
        bases = [*map(_base, columns.values())]
        sizes = [0 if isinstance(column, Ragged) else column.nbytes for column in columns.values()]
    numbers = [*map(id, bases)]
    different = dict(zip(numbers, bases, strict=True))
    used = dict.fromkeys(different, 0)
    for number, n_bytes in zip(numbers, sizes, strict=True):
        used[number] += n_bytes
    too_large = {number for number, base in different.items() if not _may_stay(base, used[number])}
    if not too_large:
        return columns
    return {
        name: _copy(column) if number in too_large else column
        for (name, column), number in zip(columns.items(), numbers, strict=True)
    }


def _may_stay(base: object, n_used: int) -> bool:
    """Whether views of `base` need no copy, as `n_used` bytes of it are used; None: the column is no view."""
    return base is None or (isinstance(base, np.ndarray) and base.nbytes <= max(2 * n_used, _SMALL_BYTES))


def _copy(column: Column) -> Column:
    return compact(column) if isinstance(column, Ragged) else column.copy()


def _base(column: Column) -> object:
    """The object that the values, or codes, are a view of; None: no view. Ragged values always count as a view."""
    if isinstance(column, Ragged):
        return column
    return column.codes.base if isinstance(column, Categorical) else column.base


def _take(column: Column, part: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Column:
    if isinstance(column, Ragged):
        return Ragged(column.values, column.start[part], column.length[part])
    return column[part]


def _join_columns(pieces: Sequence[Mapping[str, Column]]) -> dict[str, Column]:
    return {name: _join([piece[name] for piece in pieces]) for name in pieces[0]}


def _join(pieces: Sequence[Column]) -> Column:
    if {*map(type, pieces)} <= _ARRAY_ONLY:
        return np.concatenate(pieces)  # type: ignore[arg-type]  # all are arrays
    ragged = [compact(piece) for piece in pieces if isinstance(piece, Ragged)]
    if not ragged:
        return concatenated([piece for piece in pieces if not isinstance(piece, Ragged)])
    offsets = np.cumsum([0, *(len(piece.values) for piece in ragged[:-1])])
    return Ragged(
        concatenated([piece.values for piece in ragged]),
        np.concatenate([piece.start + offset for piece, offset in zip(ragged, offsets, strict=True)]),
        np.concatenate([piece.length for piece in ragged]),
    )
