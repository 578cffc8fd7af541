"""What was found in a part of the packets, or in each of several times, as columns of all packets.

Of a repeat of varying contents a number or text becomes an array [n, times...] where all packets have it equally often,
else `Ragged`. Values that themselves vary in size (blobs, arrays) are one behind the other, time after time; beside
such a column NAME there is NAME.sizes: how many values each time has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from ...model.categorical import Categorical, concatenated
from .loops import TimesFound
from .ragged import flat_starts, packed_values
from .steps import Slot
from .values import Values
from .variables import MAX_FACTOR

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]
SIZES = ".sizes"
MAX_TEXT_BYTES = 256 << 20
"""Of a column of repeated texts, which are all as wide as the longest: a packet could ask for gigabytes."""
MAX_PART_TEXT_BYTES = 32 << 20
"""The same of times that are read together."""


def sizes_slot(slot: Slot) -> Slot:
    """Where the sizes of a slot's values are, when there is more than one size to a packet."""
    return Slot(slot.key + SIZES, slot.times)


def parts_of(times: TimesFound, *, has_texts: bool) -> Iterator[slice]:
    """Which times are read together, in order: all, or fewer where their texts could be too long for that."""
    size = np.maximum(times.end - times.begin, 0) >> 3
    waiting = [slice(0, len(size))]
    while waiting:
        part = waiting.pop()
        n = part.stop - part.start
        if has_texts and n > 1 and n * int(size[part].max()) * 4 > MAX_PART_TEXT_BYTES:
            middle = part.start + n // 2
            waiting += [slice(middle, part.stop), slice(part.start, middle)]
        else:
            yield part


def joined_times(
    times: TimesFound, shape: tuple[int, ...] | None, parts: Sequence[tuple[slice, Values]], values: Values
) -> None:
    """Keep in `values` one column for each slot of the times. `parts`: what was read, all times in order.

    `shape`: of the times, where that is the same for all packets.
    """
    join = _Join(times, shape, parts)
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
    for part, found in parts:
        if found.unknown is not None:
            join.flagged[times.row[part][found.unknown]] = True
    values.flag(join.flagged if join.flagged.any() else None)
    values.latest.update(first.latest)


class _Join:
    def __init__(
        self, times: TimesFound, shape: tuple[int, ...] | None, parts: Sequence[tuple[slice, Values]]
    ) -> None:
        self.times = times
        self.shape = shape
        self.n = len(times.n_times)
        self.parts = parts
        self.start = flat_starts(times.n_times)
        self.flagged = np.zeros(self.n, np.bool_)
        """Packets with a text that was cut, or a value that means nothing."""

    def put(self, slot: Slot, table: dict[Slot, Column], of: Callable[[Values], dict[Slot, Column]]) -> None:
        columns = [of(part)[slot] for _, part in self.parts]
        ragged = [column for column in columns if isinstance(column, Ragged)]
        if not ragged:
            table[slot] = self._shaped(self._flat([each for each in columns if not isinstance(each, Ragged)]))
            return
        sizes, beside = np.concatenate([column.length for column in ragged]), sizes_slot(slot)
        if beside not in of(self.parts[0][1]):
            table[beside] = self._shaped(sizes)
        ahead = np.concatenate([[0], np.cumsum(sizes)])
        start = ahead[self.start]
        values = concatenated([packed_values(column) for column in ragged])
        table[slot] = Ragged(values, start, ahead[self.start + self.times.n_times] - start)

    def _flat(self, columns: Sequence[NDArray[Any] | Categorical]) -> NDArray[Any] | Categorical:
        """The values of all packets and times, packet by packet."""
        if isinstance(columns[0], Categorical):
            return concatenated(columns)
        dtype = self._fitting(np.result_type(*(column.dtype for column in columns)), columns)
        return np.concatenate([column.astype(dtype, copy=False) for column in columns])

    def _fitting(self, dtype: np.dtype[Any], columns: Sequence[NDArray[Any] | Categorical]) -> np.dtype[Any]:
        """The type; of texts a narrower one, where the longest would make all of them too wide. Cut ones are noted."""
        most = MAX_TEXT_BYTES // max(len(self.times.row), 1)
        if dtype.kind != "U" or dtype.itemsize <= most:
            return dtype
        width = max(most // 4, 1)
        for (part, _), column in zip(self.parts, columns, strict=True):
            cut = (np.strings.str_len(np.asarray(column)) > width).reshape(len(column), -1).any(axis=1)
            self.flagged[self.times.row[part][cut]] = True
        return np.dtype(f"U{width}")

    def _shaped(self, flat: NDArray[Any] | Categorical) -> Column:
        if self.shape is None:
            return Ragged(flat, self.start, self.times.n_times)
        n_times = int(np.prod(self.shape))
        if len(flat) == self.n * n_times:
            return flat.reshape(self.n, *self.shape, *flat.shape[1:])
        # Packets that were too short have rows too, for now.
        if isinstance(flat, Categorical):
            return Categorical(self._shaped(flat.codes), flat.categories)  # type: ignore[arg-type]  # codes are an array
        whole = np.zeros((self.n, n_times, *flat.shape[1:]), flat.dtype)
        rows = np.flatnonzero(self.times.n_times)
        whole[rows] = flat.reshape(len(rows), n_times, *flat.shape[1:])
        return whole.reshape(self.n, *self.shape, *flat.shape[1:])


def values_only(empty: Values) -> dict[Slot, tuple[NDArray[Any], NDArray[Any]]]:
    """Raw and calibrated values of columns without a row, by slot."""
    found = {}
    for slot, raw in empty.raw.items():
        calibrated = empty.calibrated.get(slot, raw)
        own = _no_values(raw)
        found[slot] = own, own if calibrated is raw else _no_values(calibrated)
    return found


def _no_values(column: Column) -> NDArray[Any]:
    # A copy, since values may be a view of packets.
    return (column.values if isinstance(column, Ragged) else column)[:0].copy()


def bounded(gap: Positions) -> Positions:
    """A distance in bits, limited so that products with counts do not overflow; the limit is larger than any packet."""
    return np.clip(gap, -MAX_FACTOR, MAX_FACTOR)


def put(found: Values, values: Values, change: Callable[[Column], Column]) -> None:
    """What was found in a part, changed to columns of all packets."""
    raw = {slot: change(column) for slot, column in found.raw.items()}
    for slot, column in found.calibrated.items():
        same = found.raw.get(slot) is column
        values.calibrated[slot] = raw[slot] if same else change(column)
    values.raw.update(raw)
    values.latest.update(found.latest)


def of_packets(column: Column, start: Positions, count: Positions, shape: tuple[int, ...] | None) -> Column:
    """The values of all times as rows of packets."""
    assert not isinstance(column, Ragged)
    if shape is None:
        return Ragged(column, start, count)
    return column.reshape(len(start), *shape, *column.shape[1:])


def spread(column: Column, rows: Rows, n: int) -> Ragged:
    """The values of some packets as a column of all: the others have none."""
    start, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    if isinstance(column, Ragged):
        start[rows], length[rows] = column.start, column.length
        return Ragged(column.values, start, length)
    start[rows], length[rows] = np.arange(len(rows)), 1
    return Ragged(column, start, length)
