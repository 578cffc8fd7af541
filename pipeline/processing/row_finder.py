"""Finds the packets of one container and keeps their bytes, for columns that are decoded on access.

In: records, in order, as a decoder receives them. Out: the packets, the row fields, and the array layout of each
column. Only row fields (time, size) and columns whose type or width depends on the packets are decoded here.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..archive.lazy_columns import ColumnLayout, layout_of
from ..archive.packet_columns import PacketColumns
from ..archive.row_columns import ROW_FIELDS, Metadata
from ..dictionary.compile.plan import Plan
from ..dictionary.compile.plan_nodes import Node
from ..dictionary.compile.selection import columns_of, varying_columns
from ..dictionary.compile.sorting import Sorter
from ..dictionary.decoder import Decoder, TimeTerm
from ..dictionary.run.ragged import flat_starts, ragged_gather
from ..model.batches import PACKET_FIELDS, ColumnBatch, Event, PacketBatch
from ..model.errors import RunError
from .growing import GrowingArray

_FIELDS = PACKET_FIELDS[2:]


class RowFinder:
    """Replaces the decoder in a processing chain. `growth()`: expected rows of the whole input for each row so far.

    `bound_bytes`: most bytes of packets in memory; beyond that all are in a temporary file.
    """

    def __init__(
        self,
        plan: Plan,
        node: Node,
        time_terms: Collection[TimeTerm],
        growth: Callable[[], float],
        *,
        raw: bool,
        drop: Collection[str],
        bound_bytes: int,
    ) -> None:
        self.set_aside: Counter[str] = Counter()
        self.failed_checks: Counter[str] = Counter()
        self.others: set[str] = set()
        """Containers of other packets."""
        self._plan, self._node, self._growth, self._raw, self._drop = plan, node, growth, raw, frozenset(drop)
        self._sorter = Sorter(plan, self.set_aside)
        self._decoder = Decoder(plan, tuple(time_terms), raw=raw)
        varying = varying_columns(node)
        self._finder = columns_of(node, varying | {term.parameter for term in time_terms}, to_end=True)
        self._n_records = 0
        self._first: ColumnBatch | None = None
        self._layouts: dict[str, ColumnLayout] = {}
        self._octets = _Octets(bound_bytes)
        self._rows: dict[str, GrowingArray] = {}

    def decode(self, records: PacketBatch) -> list[ColumnBatch]:
        """Keep the packets of the container. Returns batches of their rows without columns."""
        first, self._n_records = self._n_records, self._n_records + len(records)
        if not len(records):
            return []
        flat = np.ascontiguousarray(records.data)
        found = []
        for group in self._sorter.groups(flat, records):
            if group.node.key != self._node.key:
                self.others.add(group.node.key)
                continue
            packets = replace(records.take(group.rows), data=flat)
            parts = self._decoder.parts_as(self._finder, packets)
            for batch in sorted(parts, key=lambda part: int(part.order[0])):
                self._add_rows(packets, batch, group.rows[batch.order] + first)
                found.append(batch)
        self.set_aside.update(self._decoder.set_aside)
        self._decoder.set_aside.clear()
        return found

    def drain_events(self) -> tuple[Event, ...]:
        """No events: limits are not checked."""
        return ()

    def _add_rows(self, packets: PacketBatch, batch: ColumnBatch, order: NDArray[np.int64]) -> None:
        rows = batch.order
        if self._first is None:
            for decoded in Decoder(self._plan, raw=self._raw).parts_as(self._node, packets.take(rows[:1])):
                self._first = decoded
                self._update_layouts(decoded)
        self._update_layouts(batch)
        start, length = packets.start[rows], packets.length[rows]
        growth = self._growth()
        self._octets.append(ragged_gather(packets.data, start, length), growth)
        fields: dict[str, NDArray[Any]] = {name: getattr(packets, name)[rows] for name in _FIELDS}
        fields |= {"order": order, "time_ns": batch.time_ns, "length": length}
        for name, values in fields.items():
            self._rows.setdefault(name, GrowingArray()).append(values, growth)

    def _update_layouts(self, batch: ColumnBatch) -> None:
        for name, column in (batch.raw if self._raw else batch.columns).items():
            if name not in self._drop:
                self._layouts[name] = layout_of(column, self._layouts.get(name))

    def columns(self, known: Metadata) -> PacketColumns:
        """Return the lazy columns of all packets found; there must be at least one."""
        assert self._first is not None
        rows = {name: growing.whole() for name, growing in self._rows.items()}
        data = self._octets.whole()
        packets = PacketBatch(data, flat_starts(rows["length"]), rows["length"], *(rows[name] for name in _FIELDS))
        of_rows = {name: rows[name] for name in ROW_FIELDS}
        return PacketColumns(
            self._plan, self._node, packets, of_rows, self._layouts, known, self._raw, keeper=self._octets
        )

    @property
    def units(self) -> dict[str, str]:
        """Units of calibrated columns; empty for raw ones."""
        return {} if self._raw else dict(self._node.units)


class _Octets:
    """Growing bytes: in memory up to a bound, beyond it in a temporary file that is deleted with this object."""

    def __init__(self, bound_bytes: int) -> None:
        self._bound_bytes = bound_bytes
        self._memory = GrowingArray()
        self._file: IO[bytes] | None = None
        self._path = Path()

    def append(self, octets: NDArray[np.uint8], growth: float) -> None:
        """Append bytes. `growth`: as in GrowingArray. Raises RunError if the file cannot be written."""
        if self._file is None and self._memory.n_rows + len(octets) <= self._bound_bytes:
            most = self._bound_bytes / max(self._memory.n_rows + len(octets), 1)
            self._memory.append(octets, min(growth, most))
            return
        try:
            self._to_file(octets)
        except OSError as error:
            raise RunError(f"cannot write {self._path}: {error.strerror or error}") from error

    def _to_file(self, octets: NDArray[np.uint8]) -> None:
        if self._file is None:
            folder = tempfile.mkdtemp(prefix="downlink-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._path = Path(folder) / "packets"
            self._file = self._path.open("xb")
            if self._memory.n_rows:
                self._file.write(self._memory.whole().data)
            self._memory = GrowingArray()
        self._file.write(octets.data)

    def whole(self) -> NDArray[np.uint8]:
        """Return all bytes; those of a file are memory-mapped."""
        if self._file is None:
            return self._memory.whole()
        self._file.close()
        return np.memmap(self._path, np.uint8, "r")
