"""Memory into which the decoder writes the columns of one container, each batch after the one before.

In: from the decoder, the operations of a container's blocks and the number of rows of a batch. Out: arrays for these
rows, and at the end complete columns. Values are copied only if there are more rows than expected.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dictionary.compile.plan_nodes import Node
from ..dictionary.run.operations import Arrays, Operation
from ..dictionary.run.steps import Slot
from ..model.reused_memory import Empty
from .column_memory import ALIGNMENT_BYTES, ColumnMemory
from .growing import GrowingArray, bounded_growth

Array = NDArray[Any]


class PlacedColumns:
    """The columns of a container at fixed positions in the packet.

    `names`: of the requested columns, by slot. `raw`: keep raw values, not the calibrated ones. `growth()`: expected
    rows of the whole input for each row so far. `bound_bytes`: most memory that is allocated in advance. `reused`: as
    in ColumnMemory.
    """

    def __init__(
        self,
        names: Mapping[Slot, str],
        growth: Callable[[], float],
        raw: bool = False,
        bound_bytes: int | None = None,
        *,
        reused: bool = False,
    ) -> None:
        self.n_rows = 0
        self.reused = reused
        self._names, self._growth, self._raw, self._bound_bytes = names, growth, raw, bound_bytes
        self._blocks: dict[int, _Block | None] = {}
        """By id of the operation; None: not all of its columns are requested."""
        self._columns: dict[str, tuple[_Block, int]] = {}

    def placed(self, operations: Sequence[Operation], arrays: Sequence[Arrays], n: int) -> list[Arrays]:
        """Return memory for the values of the next `n` rows. `arrays`: memory for values that are not kept."""
        missing = [one for one in operations if id(one) not in self._blocks]
        if missing:
            self._begin(missing, n)
        blocks = [self._blocks[id(one)] for one in operations]
        return [
            other if block is None else block.rows(self.n_rows, n, other, self._growth)
            for block, other in zip(blocks, arrays, strict=True)
        ]

    def advance(self, n: int) -> None:
        """Keep the first `n` of the rows of the last call of `placed`."""
        self.n_rows += n

    def column(self, name: str) -> PlacedColumn | None:
        """Return a column; None if it is not placed here."""
        place = self._columns.get(name)
        return None if place is None else PlacedColumn(*place)

    def _begin(self, operations: Sequence[Operation], n: int) -> None:
        """Allocate memory for the columns of new operations."""
        wanted = [one for one in operations if all(slot in self._names for slot in one.slots)]
        half = 0 if self._raw else 1
        row_bytes = sum(one.allocate(1)[half].nbytes for one in wanted)
        capacity = int(n * bounded_growth(self._growth())) + 1
        if self._bound_bytes is not None and row_bytes:
            capacity = min(
                capacity, self._bound_bytes // row_bytes + n
            )  # the batch that passes the bound is the last
        memory = ColumnMemory(row_bytes * capacity + ALIGNMENT_BYTES * len(wanted), reused=self.reused)
        self._blocks.update((id(one), None) for one in operations)
        for one in wanted:
            block = self._blocks[id(one)] = _Block(one, half, capacity, memory.empty)
            for number, slot in enumerate(one.slots):
                self._columns[self._names[slot]] = block, number


def names_of(node: Node, drop: Collection[str]) -> dict[Slot, str]:
    """Names, by slot, of the columns of a container that are read at one fixed position, without `drop`."""
    several = {name for name, _ in node.wanted.several}
    changed = {one.slot for one in node.program.contextual}
    pairs = zip(node.wanted.firsts, node.wanted.names, strict=True)
    return {slot: name for slot, name in pairs if name not in several and name not in drop and slot not in changed}


class _Block:
    """The columns of one operation, with memory for `capacity` rows. `half`: 0: raw values are kept, 1: calibrated
    ones; if they share memory, both are.
    """

    __slots__ = ("_both", "_empty", "_half", "_operation", "_stays", "owner")

    def __init__(self, operation: Operation, half: int, capacity: int, empty: Empty) -> None:
        self._operation, self._half, self._empty = operation, half, empty
        self._take(capacity)

    def rows(self, low: int, n: int, other: Arrays, growth: Callable[[], float]) -> Arrays:
        """Memory for raw and calibrated values of `n` rows from `low` on; values that are not kept go to `other`."""
        if low + n > self._stays.shape[self._operation.rows_axis]:
            self._grow(low, int((low + n) * bounded_growth(growth())) + 1)
        stays = self._part(self._stays, low, n)
        if self._both is None:
            return (other[0], stays) if self._half else (stays, other[1])
        raw, calibrated = self._both
        return (stays, stays) if raw is calibrated else (self._part(raw, low, n), self._part(calibrated, low, n))

    def column(self, number: int, inner: tuple[int, ...]) -> Array:
        """One of the columns, with its spare memory."""
        return self._stays[number] if self._operation.rows_axis else self._stays.reshape(-1, *inner)

    def _part(self, whole: Array, low: int, n: int) -> Array:
        return whole[:, low : low + n] if self._operation.rows_axis else whole[low : low + n]

    def _take(self, capacity: int) -> None:
        raw, calibrated = one = self._operation.allocate(1)
        self._both: Arrays | None = None
        if np.may_share_memory(raw, calibrated):
            self._both = self._operation.allocate(capacity, self._empty)
            self._stays = self._both[self._half]
        else:
            shape = list(one[self._half].shape)
            shape[self._operation.rows_axis] = capacity
            self._stays = self._empty(tuple(shape), one[self._half].dtype)
        self.owner = self._stays if self._stays.base is None else self._stays.base
        """Base of all views of the columns."""

    def _grow(self, n_rows: int, capacity: int) -> None:
        """Allocate more memory, and copy the rows so far."""
        before = self._stays
        self._take(capacity)
        self._part(self._stays, 0, n_rows)[...] = self._part(before, 0, n_rows)


class PlacedColumn:
    """One column, as `Growing`. Values that were written to their final place are not copied.

    Copied are parts with packets that were set aside, and all parts from the first one with another type on (codes).
    """

    __slots__ = ("_block", "_inner", "_number", "_other", "n_rows")

    def __init__(self, block: _Block, number: int) -> None:
        self._block, self._number = block, number
        self._inner: tuple[int, ...] = ()
        self._other: GrowingArray | None = None
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        self._inner = part.shape[1:]
        if self._other is None and part.base is not self._block.owner:
            column = self._column()
            if part.dtype == column.dtype and self.n_rows + len(part) <= len(column):
                column[self.n_rows : self.n_rows + len(part)] = part
            else:
                self._other = GrowingArray()
                self._other.append(column[: self.n_rows], growth)
        if self._other is not None:
            self._other.append(part, growth)
        self.n_rows += len(part)

    @property
    def nbytes(self) -> int:
        return self.whole().nbytes

    def whole(self) -> Array:
        return self._column()[: self.n_rows] if self._other is None else self._other.whole()

    def _column(self) -> Array:
        return self._block.column(self._number, self._inner)
