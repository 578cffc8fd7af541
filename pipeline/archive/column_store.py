"""Decoded rows that do not fit into memory: a Parquet file that xarray reads on access.

In: batches of rows of one container, in order. Out: variables whose values are read on access, row group by row group.
Only the times of the rows, the index of the Dataset, stay in memory.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Column, Ragged
from ..model.errors import RunError
from .lazy_columns import ColumnLayout, Piece, layout_of, lazy_columns, lazy_values
from .libraries import pyarrow
from .parquet_rows import RowGroups
from .row_columns import Metadata, RowColumn, RowTimes, row_columns

Array = NDArray[Any]
_EVERY_COLUMN = RowTimes(some_onboard=True, every_onboard=False, some_received=True, every_received=False)
"""For writing: all row columns are written, since it is known only at the end which of them have values."""


class ColumnStore:
    """The file: `append` rows, `close`, then get `of_rows` and `columns`.

    `path`: of the file; None: in a temporary folder, which is removed when no variable refers to it any more.
    Raises ConfigError without pyarrow, RunError if the file cannot be written.
    """

    def __init__(self, container: str, known: Metadata, path: Path | None = None) -> None:
        pyarrow()
        if path is None:
            folder = tempfile.mkdtemp(prefix="downlink-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / f"{container.strip('/').replace('/', '.')}.parquet"
        self.path, self.n_rows, self.times = path, 0, RowTimes()
        self.known, self._layouts = known, dict[str, ColumnLayout]()
        self._attributes: dict[str, Mapping[str, Any]] = {}  # of row columns
        self._parameters: tuple[str, ...] = ()
        self._starts, self._lock = [0], Lock()
        self._reader: Any = None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error
        self._groups = RowGroups(self._file, container, known, compression="none", octets_as_binary=True)

    def append(self, rows: Mapping[str, Array], columns: Mapping[str, Column]) -> None:
        """Write rows as a row group. `rows`: ROW_FIELDS."""
        self.times = self.times.and_of(rows)
        self._parameters = self._parameters or tuple(columns)
        found = row_columns(rows, columns, self.known, _EVERY_COLUMN)
        for name, values in [*((name, one.values) for name, one in found.items()), *columns.items()]:
            self._layouts[name] = layout_of(values, self._layouts.get(name))
        self._attributes |= {name: one.attributes for name, one in found.items()}
        try:
            self._groups.add(found, columns)
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        self.n_rows += len(rows["order"])
        self._starts.append(self.n_rows)

    def close(self) -> None:
        """Finish writing, and open the file for reading."""
        try:
            self._groups.close()
            self._file.close()
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._reader = pyarrow().parquet.ParquetFile(self.path, memory_map=True)

    def of_rows(self) -> dict[str, RowColumn]:
        """Row columns, as from `row_columns`, whose values are read on access."""
        none = {name: np.zeros(0, np.int64) for name in ("order", "time_ns", "received_ns", "quality")}
        none |= {name: np.zeros(0, np.uint16) for name in ("apid", "seq_count")}
        wanted = row_columns(none, self._parameters, self.known, self.times)
        return {
            name: RowColumn(self._lazy(name, one.values.dtype), self._attributes[name])
            for name, one in wanted.items()
        }

    def columns(self) -> dict[str, Any]:
        """Columns of the parameters, read on access, as from `lazy_columns`."""
        return lazy_columns(self, self._parameters, self._layouts, self.n_rows)

    def _lazy(self, name: str, dtype: np.dtype[Any]) -> Any:
        return lazy_values(self, name, (self.n_rows, *self._layouts[name].inner), dtype)

    def pieces(self, name: str, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """Yield a column at some rows, row group by row group."""
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        for group in np.unique(groups).tolist():
            mine = np.nonzero(groups == group)[0]
            yield mine, self.read(name, group), rows[mine] - self._starts[group]

    def read(self, name: str, group: int) -> Any:
        """Read a column of a row group: an array, or a Ragged."""
        with self._lock:  # the reader is not thread-safe
            [column] = self._reader.read_row_group(group, columns=[name]).columns
        chunk = column.combine_chunks()
        return _numpy(chunk.chunk(0) if hasattr(chunk, "chunk") else chunk)


def _numpy(chunk: Any) -> Any:
    """Convert an Arrow array to NumPy, lists to a Ragged."""
    pa = pyarrow()
    if pa.types.is_large_list(chunk.type):
        offsets = chunk.offsets.to_numpy()
        values = _numpy(chunk.values)
        return Ragged(values, offsets[:-1], np.diff(offsets))
    if pa.types.is_large_binary(chunk.type) or pa.types.is_fixed_size_binary(chunk.type):
        return _octets(chunk, width=0 if pa.types.is_large_binary(chunk.type) else chunk.type.byte_width)
    if pa.types.is_fixed_size_list(chunk.type):
        inner = _numpy(chunk.flatten())
        return inner.reshape(len(chunk), chunk.type.list_size, *inner.shape[1:])
    if pa.types.is_dictionary(chunk.type):
        return _numpy(chunk.dictionary)[chunk.indices.to_numpy(zero_copy_only=False)]
    found = chunk.to_numpy(zero_copy_only=False)
    if found.dtype != object:
        return found
    return found.astype("S" if pa.types.is_binary(chunk.type) else "U")


def _octets(chunk: Any, *, width: int) -> Any:
    """Convert binary values to uint8[n, width], or to a Ragged if their width varies (0)."""
    *_, octets = chunk.buffers()
    values = np.frombuffer(octets or b"", np.uint8)
    if width:
        return values.reshape(-1, width)[chunk.offset : chunk.offset + len(chunk)]
    places = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    return Ragged(values, places[:-1], np.diff(places))
