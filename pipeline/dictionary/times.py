"""The times of a repeat of varying contents, put together: from one batch of values for each time to one column.

A number or text becomes an array [n, times...] where all packets have it equally often, else `Ragged`. Values that
themselves vary in size (blobs, arrays) stand one behind the other, time after time; beside such a column NAME there
is NAME.sizes: how many values each time has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, Ragged
from pipeline.dictionary.ragged import flat_index, flat_starts
from pipeline.dictionary.steps import Slot
from pipeline.dictionary.values import Values

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]
SIZES = ".sizes"
MAX_TEXT_BYTES = 256 << 20
"""Of a column of repeated texts, which are all as wide as the longest: a packet could ask for gigabytes."""


class Times:
    """What was found each time: `parts` holds the packets that had it, and their values. `count: int64[n]`."""

    def __init__(self, count: Positions, shape: tuple[int, ...] | None, n: int) -> None:
        self.count = count
        self.shape = shape
        self.n = n
        self.parts: list[tuple[Rows, Values]] = []

    def add(self, rows: Rows, values: Values) -> None:
        self.parts.append((rows, values))


def sizes_slot(slot: Slot) -> Slot:
    """Where the sizes of a slot's values are, when there is more than one size to a packet."""
    return Slot(slot.key + SIZES, slot.times)


def joined_times(times: Times, alive: NDArray[np.bool_], values: Values) -> None:
    """Keep in `values` one column for each slot of the times."""
    done = np.where(alive, times.count, 0)
    parts = [_kept(rows, part, alive) for rows, part in times.parts]
    join = _Join(times, parts, done)
    first = parts[0][1]
    for slot in first.raw:
        join.put(slot, values.raw, lambda part: part.raw)
    for slot, column in first.calibrated.items():
        if first.raw.get(slot) is column:
            values.calibrated[slot] = values.raw[slot]
            if (sizes := values.raw.get(sizes_slot(slot))) is not None:
                values.calibrated[sizes_slot(slot)] = sizes
        else:
            join.put(slot, values.calibrated, lambda part: part.calibrated)
    values.flag(join.cut if join.cut.any() else None)
    values.latest.update(first.latest)


def _kept(rows: Rows, part: Values, alive: NDArray[np.bool_]) -> tuple[Rows, Values]:
    """Without the packets that were too short in the end."""
    kept = np.flatnonzero(alive[rows])
    return (rows, part) if len(kept) == len(rows) else (rows[kept], part.subset(kept))


class _Join:
    def __init__(self, times: Times, parts: Sequence[tuple[Rows, Values]], done: Positions) -> None:
        self.shape = times.shape
        self.n = times.n
        self.parts = parts
        self.count = done
        self.start = flat_starts(done)
        self.cut = np.zeros(times.n, np.bool_)
        """Packets with a text that was cut."""

    def put(self, slot: Slot, table: dict[Slot, Column], of: Callable[[Values], dict[Slot, Column]]) -> None:
        columns = [of(part)[slot] for _, part in self.parts]
        ragged = [column for column in columns if isinstance(column, Ragged)]
        if not ragged:
            table[slot] = self._column([column for column in columns if not isinstance(column, Ragged)])
            return
        sizes, beside = self._flat([column.length for column in ragged]), sizes_slot(slot)
        if beside not in of(self.parts[0][1]):
            table[beside] = self._shaped(sizes)
        table[slot] = self._behind_each_other(ragged, sizes)

    def _column(self, columns: Sequence[NDArray[Any]]) -> Column:
        return self._shaped(self._flat(columns))

    def _flat(self, columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """The values of all packets and times, packet by packet."""
        dtype = self._fitting(np.result_type(*(column.dtype for column in columns)), columns)
        flat = np.zeros((int(self.count.sum()), *columns[0].shape[1:]), dtype)
        for i, ((rows, _), column) in enumerate(zip(self.parts, columns, strict=True)):
            flat[self.start[rows] + i] = column
        return flat

    def _fitting(self, dtype: np.dtype[Any], columns: Sequence[NDArray[Any]]) -> np.dtype[Any]:
        """The type; of texts a narrower one, where the longest would make all of them too wide. Cut ones are noted."""
        most = MAX_TEXT_BYTES // max(int(self.count.sum()), 1)
        if dtype.kind != "U" or dtype.itemsize <= most:
            return dtype
        width = max(most // 4, 1)
        for (rows, _), column in zip(self.parts, columns, strict=True):
            self.cut[rows] |= (np.strings.str_len(column) > width).reshape(len(column), -1).any(axis=1)
        return np.dtype(f"U{width}")

    def _shaped(self, flat: NDArray[Any]) -> Column:
        if self.shape is None:
            return Ragged(flat, self.start, self.count)
        n_times = int(np.prod(self.shape))
        if len(flat) == self.n * n_times:
            return flat.reshape(self.n, *self.shape, *flat.shape[1:])
        # Packets that were too short have rows too, for now.
        whole = np.zeros((self.n, n_times, *flat.shape[1:]), flat.dtype)
        rows = np.flatnonzero(self.count)
        whole[rows] = flat.reshape(len(rows), n_times, *flat.shape[1:])
        return whole.reshape(self.n, *self.shape, *flat.shape[1:])

    def _behind_each_other(self, columns: Sequence[Ragged], sizes: Positions) -> Ragged:
        begin = flat_starts(sizes)
        dtype = np.result_type(*(column.values.dtype for column in columns))
        values = np.zeros((int(sizes.sum()), *columns[0].values.shape[1:]), dtype)
        for i, ((rows, _), column) in enumerate(zip(self.parts, columns, strict=True)):
            place = begin[self.start[rows] + i]
            values[flat_index(place, column.length)] = column.values[flat_index(column.start, column.length)]
        ahead = np.concatenate([[0], np.cumsum(sizes)])
        start = ahead[self.start]
        return Ragged(values, start, ahead[self.start + self.count] - start)
