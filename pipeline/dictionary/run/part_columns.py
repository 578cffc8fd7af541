"""What was found in a part of the packets, or in each of several times, as columns of all packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from .steps import Slot
from .values import Values
from .variables import MAX_FACTOR

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]


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
    """Beyond any packet, but no further than a count can be multiplied with."""
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
