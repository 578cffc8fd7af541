"""Memory in which the columns of one container stay: the decoder writes the values of each batch behind those before.

In: from the decoder, the operations of a container's blocks and how many rows a batch has. Out: arrays for these rows,
and in the end whole columns. Nothing is copied but where more rows come than were expected.
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
    """The columns of a container that are read at fixed places.

    `names`: of the columns that are wanted, by slot. `raw`: raw values stay, not the calibrated ones. `growth`: gives
    the rows that are expected in all for each row so far. `bound_bytes`: no more memory is taken for rows to come.
    `reused`: memory is, as of ColumnMemory.
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
        """By the id of the operation; None: not all of its columns are wanted."""
        self._columns: dict[str, tuple[_Block, int]] = {}

    def placed(self, operations: Sequence[Operation], arrays: Sequence[Arrays], n: int) -> list[Arrays]:
        """Memory for the values of the next `n` rows; `arrays`: that of values that do not stay."""
        missing = [one for one in operations if id(one) not in self._blocks]
        if missing:
            self._begin(missing, n)
        blocks = [self._blocks[id(one)] for one in operations]
        return [
            other if block is None else block.rows(self.n_rows, n, other, self._growth)
            for block, other in zip(blocks, arrays, strict=True)
        ]

    def advance(self, n: int) -> None:
        """Of the rows that were asked for last, the first `n` stay."""
        self.n_rows += n

    def column(self, name: str) -> PlacedColumn | None:
        """The column of this name; None where it is not here."""
        place = self._columns.get(name)
        return None if place is None else PlacedColumn(*place)

    def _begin(self, operations: Sequence[Operation], n: int) -> None:
        """Take memory for the columns of operations that have not come before."""
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
    """Column names by slot, of those columns of a container that are what was read at one place, without `drop`."""
    several = {name for name, _ in node.wanted.several}
    changed = {one.slot for one in node.program.contextual}
    pairs = zip(node.wanted.firsts, node.wanted.names, strict=True)
    return {slot: name for slot, name in pairs if name not in several and name not in drop and slot not in changed}


class _Block:
    """The columns of one operation, with memory for `capacity` rows. `half`: 0 where its raw values stay, 1 where the
    calibrated ones do; where these are of the same bytes, both.
    """

    __slots__ = ("_both", "_empty", "_half", "_operation", "_stays", "owner")

    def __init__(self, operation: Operation, half: int, capacity: int, empty: Empty) -> None:
        self._operation, self._half, self._empty = operation, half, empty
        self._take(capacity)

    def rows(self, low: int, n: int, other: Arrays, growth: Callable[[], float]) -> Arrays:
        """Raw and calibrated values of `n` rows from `low` on; the half that does not stay is in `other`."""
        if low + n > self._stays.shape[self._operation.rows_axis]:
            self._grow(low, int((low + n) * bounded_growth(growth())) + 1)
        stays = self._part(self._stays, low, n)
        if self._both is None:
            return (other[0], stays) if self._half else (stays, other[1])
        raw, calibrated = self._both
        return (stays, stays) if raw is calibrated else (self._part(raw, low, n), self._part(calibrated, low, n))

    def column(self, number: int, inner: tuple[int, ...]) -> Array:
        """One of the columns, with memory for rows to come."""
        return self._stays[number] if self._operation.rows_axis else self._stays.reshape(-1, *inner)

    def _part(self, whole: Array, low: int, n: int) -> Array:
        return whole[:, low : low + n] if self._operation.rows_axis else whole[low : low + n]

    def _take(self, capacity: int) -> None:
        """Take memory."""
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
        """The array that all views of the columns are of."""

    def _grow(self, n_rows: int, capacity: int) -> None:
        """Take more memory, with the rows so far."""
        before = self._stays
        self._take(capacity)
        self._part(self._stays, 0, n_rows)[...] = self._part(before, 0, n_rows)


class PlacedColumn:
    """One column along rows; values that were read where they stay are not copied.

    Those of packets of which some were set aside are, and all from the first part on that has another type, as codes of
    texts may have.
    """

    __slots__ = ("_block", "_inner", "_number", "_other", "n_rows")

    def __init__(self, block: _Block, number: int) -> None:
        self._block, self._number = block, number
        self._inner: tuple[int, ...] = ()
        self._other: GrowingArray | None = None
        self.n_rows = 0

    def append(self, part: Array, growth: float) -> None:
        """As GrowingArray.append."""
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
        """Bytes of the rows so far."""
        return self.whole().nbytes

    def whole(self) -> Array:
        """All rows; a view of the memory."""
        return self._column()[: self.n_rows] if self._other is None else self._other.whole()

    def _column(self) -> Array:
        return self._block.column(self._number, self._inner)
