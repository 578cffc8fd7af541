"""What the decoder hands out: columns by name, and the quality of each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Quality, Ragged
from ...model.categorical import Categorical, stacked
from ...model.reductions import largest
from ..run.ragged import flat_index, flat_starts
from ..run.runs import Result
from ..run.steps import Slot
from ..run.times import SIZES, sizes_slot
from .plan_nodes import Node, Wanted


def named_columns(wanted: Wanted, found: Mapping[Slot, Column], *, sizes: bool = True) -> dict[str, Column]:
    """By name, in packet order. A parameter that comes more than once has its values along the second axis; beside what
    has several sizes in one packet there are these sizes (`times.SIZES`), if there may be any.
    """
    if not sizes:
        columns = dict(zip(wanted.names, map(found.__getitem__, wanted.firsts), strict=True))
        columns.update((name, _joined([found[slot] for slot in slots])) for name, slots in wanted.several)
        return columns
    columns = {}
    waiting = list(reversed(wanted.slots))
    while waiting:
        name, slots = waiting.pop()
        if all(slot in found for slot in slots):
            columns[name] = found[slots[0]] if len(slots) == 1 else _joined([found[slot] for slot in slots])
            waiting.append((name + SIZES, tuple(map(sizes_slot, slots))))
    return columns


def _joined(times: Sequence[Column]) -> Column:
    """Arrays of one shape side by side; where a value may be absent, those that are there as ragged rows."""
    arrays = [each for each in times if not isinstance(each, Ragged)]
    if len(arrays) == len(times) and len({each.shape for each in arrays}) == 1:
        return stacked(arrays, axis=1)
    ragged = [each if isinstance(each, Ragged) else _as_ragged(each) for each in times]
    if len({each.values.shape[1:] for each in ragged}) > 1:
        ragged = [_flattened(each) for each in ragged]
    total = np.asarray(np.sum([each.length for each in ragged], axis=0, dtype=np.int64))
    start = flat_starts(total)
    values = np.empty((int(total.sum()), *ragged[0].values.shape[1:]), np.result_type(*(r.values for r in ragged)))
    place = start.copy()
    for each in ragged:
        source, target = flat_index(each.start, each.length), flat_index(place, each.length)
        values[target] = each.values[source]
        place += each.length
    return Ragged(values, start, total)


def _as_ragged(column: NDArray[Any] | Categorical) -> Ragged:
    n = len(column)
    return Ragged(column, np.arange(n, dtype=np.int64), np.ones(n, np.int64))


def _flattened(column: Ragged) -> Ragged:
    """Rows of arrays as rows of numbers."""
    width = prod(column.values.shape[1:])
    return Ragged(column.values.reshape(-1), column.start * width, column.length * width)


def quality_of(
    quality: NDArray[np.uint32], length: NDArray[np.int64], result: Result, node: Node
) -> NDArray[np.uint32]:
    """`quality` with what decoding has found against each row."""
    described = (result.described_bits + 7) >> 3
    if not isinstance(described, int) or largest(length) > described:
        longer = length > described
        if longer.any():
            quality |= longer * np.uint32(Quality.UNDESCRIBED)
    if result.values.unknown is not None:
        quality |= result.values.unknown * np.uint32(Quality.UNKNOWN_VALUE)
    for slot, expected in node.constants:
        quality |= _differs(result.values.raw[slot], expected) * np.uint32(Quality.OUT_OF_RANGE)
    return quality


def _differs(column: Column, expected: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Rows in which a fixed value is not what it should be."""
    if not isinstance(column, Ragged):
        wrong = column != expected
        return np.asarray(wrong.any(axis=tuple(range(1, wrong.ndim))))
    wrong = (column.values != expected).any(axis=tuple(range(1, column.values.ndim)))
    rows = np.repeat(np.arange(len(column)), column.length)
    hits = rows[wrong[flat_index(column.start, column.length)]]
    return np.asarray(np.bincount(hits, minlength=len(column)) > 0)
