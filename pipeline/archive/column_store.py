"""Decoded rows that do not fit into memory: a Parquet file, and how xarray reads it where it is looked at.

In: batches of rows of one container, in order. Out: variables whose values are read when they are asked for, row group
by row group. In memory stay the times of the rows, which are the index of the Dataset.
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
from .row_columns import Known, RowColumn, TimesKnown, row_columns

Array = NDArray[Any]
_EVERY_COLUMN = TimesKnown(some_onboard=True, every_onboard=False, some_received=True, every_received=False)
"""All columns of rows are written: which of them have values is known at the end."""


class ColumnStore:
    """The file. Append rows, then `close`, then look at `variables`.

    `path`: where it stays; None: in a temporary folder, which is removed when no variable is left that reads from it.
    Raises ConfigError without pyarrow, RunError where the file cannot be written.
    """

    def __init__(self, container: str, known: Known, path: Path | None = None) -> None:
        pyarrow()
        if path is None:
            folder = tempfile.mkdtemp(prefix="downlink-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            path = Path(folder) / f"{container.strip('/').replace('/', '.')}.parquet"
        self.path, self.n_rows, self.times = path, 0, TimesKnown()
        self.known, self._layouts = known, dict[str, ColumnLayout]()
        self._attributes: dict[str, Mapping[str, Any]] = {}
        """Of columns of rows."""
        self._parameters: tuple[str, ...] = ()
        self._starts, self._lock = [0], Lock()
        self._reader: Any = None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error
        self._groups = RowGroups(self._file, container, known, compression="none", octets_as_binary=True)

    def append(self, rows: Mapping[str, Array], columns: Mapping[str, Column]) -> None:
        """Write rows as a row group; `rows` holds ROW_FIELDS."""
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
        """Write the end of the file, and open it for reading."""
        try:
            self._groups.close()
            self._file.close()
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._reader = pyarrow().parquet.ParquetFile(self.path, memory_map=True)

    def of_rows(self) -> dict[str, RowColumn]:
        """What is known of each row, as `row_columns` has it for all rows; values as xarray takes them."""
        none = {name: np.zeros(0, np.int64) for name in ("order", "time_ns", "received_ns", "quality")}
        none |= {name: np.zeros(0, np.uint16) for name in ("apid", "seq_count")}
        wanted = row_columns(none, self._parameters, self.known, self.times)
        return {
            name: RowColumn(self._lazy(name, one.values.dtype), self._attributes[name])
            for name, one in wanted.items()
        }

    def columns(self) -> dict[str, Any]:
        """The parameters; with values of differing length those of `NAME.length` behind them."""
        return lazy_columns(self, self._parameters, self._layouts, self.n_rows)

    def _lazy(self, name: str, dtype: np.dtype[Any]) -> Any:
        return lazy_values(self, name, (self.n_rows, *self._layouts[name].inner), dtype)

    def pieces(self, name: str, rows: NDArray[np.int64]) -> Iterator[Piece]:
        """A column at some rows, row group by row group."""
        groups = np.searchsorted(self._starts, rows, side="right") - 1
        for group in np.unique(groups).tolist():
            mine = np.nonzero(groups == group)[0]
            yield mine, self.read(name, group), rows[mine] - self._starts[group]

    def read(self, name: str, group: int) -> Any:
        """A column of a row group, in memory: an array, or a Ragged."""
        with self._lock:  # a reader is of one thread at a time
            [column] = self._reader.read_row_group(group, columns=[name]).columns
        chunk = column.combine_chunks()
        return _numpy(chunk.chunk(0) if hasattr(chunk, "chunk") else chunk)


def _numpy(chunk: Any) -> Any:
    """An Arrow array as one of NumPy, lists as a Ragged."""
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
    """Binary values as bytes: uint8[n, width] where they have one width, else a Ragged."""
    *_, octets = chunk.buffers()
    values = np.frombuffer(octets or b"", np.uint8)
    if width:
        return values.reshape(-1, width)[chunk.offset : chunk.offset + len(chunk)]
    places = np.frombuffer(chunk.buffers()[1], np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    return Ragged(values, places[:-1], np.diff(places))
