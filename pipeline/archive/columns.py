"""Decoded columns as files: one for each container, one array for each parameter, rows in packet order.

Batches are spilled to a nameless file as they come and put together at the end. A value of differing length is three
arrays: NAME (flat), NAME.start and NAME.length. What is known of each row (order of arrival, onboard and receive
time, quality) goes to `rows/`, units and counts to `decode.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pipeline.archive.column_formats import write_npz, writer
from pipeline.archive.datasets import ROW_FIELDS, UtcOf
from pipeline.archive.spill import Spill, SpilledTable
from pipeline.batches import ColumnBatch
from pipeline.files import interrupted, whole_file


@contextmanager
def column_files(
    folder: Path, file_format: str = "npz", *, raw: bool = False, utc_of: UtcOf | None = None
) -> Iterator[ColumnFiles]:
    """Open a folder of column files; each is there, whole, when the block ends well."""
    ending, write = writer(file_format)
    with ExitStack() as stack:
        files = ColumnFiles(Spill(folder, stack), raw=raw)
        n_finished = 0
        try:
            yield files
            for container, (table, rows, units) in files.tables.items():
                name = container.strip("/").replace("/", ".")
                write(folder / f"{name}.{ending}", table, rows, units, utc_of)
                n_finished += 1
                write_npz(folder / "rows" / f"{name}.npz", rows)
            files.tell(folder / "decode.json")
        except KeyboardInterrupt:
            raise interrupted(n_finished, folder) from None


class ColumnFiles:
    """The columns of each container, as they come: parameters, what is known of the rows, units."""

    def __init__(self, spill: Spill, *, raw: bool) -> None:
        self._spill = spill
        self._raw = raw
        self.tables: dict[str, tuple[SpilledTable, SpilledTable, Mapping[str, str]]] = {}

    def add(self, batches: Sequence[ColumnBatch]) -> None:
        for batch in batches:
            if batch.container not in self.tables:
                units = {} if self._raw else batch.units
                self.tables[batch.container] = SpilledTable(self._spill), SpilledTable(self._spill), units
            table, rows, _ = self.tables[batch.container]
            for name, column in (batch.raw if self._raw else batch.columns).items():
                table.append(name, column)
            for name in ROW_FIELDS:
                rows.append(name, getattr(batch, name))

    def tell(self, path: Path) -> None:
        """Write what is in the files: rows and units of each container."""
        about = {
            container: {"rows": rows.arrays["order"].n_rows, "units": dict(units)}
            for container, (_, rows, units) in self.tables.items()
        }
        with whole_file(path) as file:
            file.write(json.dumps({"raw": self._raw, "containers": about}, indent=2).encode())
