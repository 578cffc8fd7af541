"""Values already read from the packets at hand, by slot: what sizes and conditions are decided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from .steps import Slot

if TYPE_CHECKING:
    from .operations import Arrays, Operation

Array = NDArray[Any]
Mask = NDArray[np.bool_]


class Places(Protocol):
    """Where values of fixed places stay, batch after batch."""

    def placed(self, operations: Sequence[Operation], arrays: Sequence[Arrays], n: int) -> Sequence[Arrays]:
        """Memory for the values of the next `n` packets; `arrays`: that of values that do not stay."""
        ...

    def advance(self, n: int) -> None:
        """Of the packets that memory was asked for last, the first `n` stay."""
        ...


@dataclass(slots=True)
class Values:
    """Columns of `n` packets by slot; `latest` is the last slot of each parameter read so far."""

    n: int
    around: Values | None = None
    """Those of which these are some, and `rows`: which."""
    rows: NDArray[np.intp] | None = None
    raw: dict[Slot, Column] = field(default_factory=dict)
    calibrated: dict[Slot, Column] = field(default_factory=dict)
    latest: dict[str, Slot] = field(default_factory=dict)
    unknown: Mask | None = None
    """bool[n]: packets with a value that has no meaning; None: none."""
    places: dict[Slot, NDArray[np.int64]] = field(default_factory=dict)
    """int64[n]: bits from the packet's start to those slots that are check words."""
    foreign: bool = False
    """Whether they are of other packets."""
    stay: Places | None = None
    """Where values of fixed places are read to; None: to memory of this batch."""

    def keep(self, slot: Slot, raw: Column, calibrated: Column) -> None:
        """The columns of one slot."""
        self.raw[slot], self.calibrated[slot] = raw, calibrated
        self.latest[slot.key] = slot

    def flag(self, unknown: Mask | None) -> None:
        """Note packets with a value that has no meaning."""
        if unknown is not None:
            self.unknown = unknown if self.unknown is None else self.unknown | unknown

    def of(self, key: str, *, calibrated: bool) -> Array:
        """One scalar for each packet; where a packet has none, what stands there means nothing."""
        slot = self.latest.get(key)
        if slot is None:
            assert self.around is not None
            return self.around.of(key, calibrated=calibrated)[self.rows]
        column = (self.calibrated if calibrated else self.raw)[slot]
        if not isinstance(column, Ragged):
            return np.asarray(column)
        filled = np.zeros(self.n, column.values.dtype)
        there = column.length > 0
        filled[there] = column.values[column.start[there]]
        return filled

    def present(self, key: str) -> Mask | None:
        """Which packets have the parameter; None: all."""
        slot = self.latest.get(key)
        if slot is None:
            assert self.around is not None
            found = self.around.present(key)
            return None if found is None else found[self.rows]
        column = self.raw[slot]
        return column.length > 0 if isinstance(column, Ragged) else None

    def lacks(self, key: str) -> Mask | None:
        """Packets for which a value of another packet is asked that has not come; None: none, or it is their own."""
        if key in self.latest:
            there = self.present(key) if self.foreign else None
            return None if there is None else ~there
        found = self.around.lacks(key) if self.around is not None else None
        return None if found is None else found[self.rows]

    def inside(self, rows: NDArray[np.intp]) -> Values:
        """An empty place for values of some of the packets, from which these can be seen."""
        return Values(len(rows), self, rows)

    def knows(self, key: str) -> bool:
        return key in self.latest

    def subset(self, rows: NDArray[np.intp]) -> Values:
        """The same of some packets."""
        small = Values(len(rows), self.around, None if self.rows is None else self.rows[rows], latest=self.latest)
        small.foreign = self.foreign
        small.unknown = None if self.unknown is None else self.unknown[rows]
        small.places = {slot: place[rows] for slot, place in self.places.items()}
        small.raw = {slot: _rows_of(raw, rows) for slot, raw in self.raw.items()}
        for slot, calibrated in self.calibrated.items():
            same = self.raw.get(slot) is calibrated
            small.calibrated[slot] = small.raw[slot] if same else _rows_of(calibrated, rows)
        return small


def _rows_of(column: Column, rows: NDArray[np.intp]) -> Column:
    if isinstance(column, Ragged):
        return Ragged(column.values, column.start[rows], column.length[rows])
    return column[rows]
