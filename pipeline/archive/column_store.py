"""Decoded rows that do not fit into memory: a Parquet file, and how xarray reads it where it is looked at.

In: batches of rows of one container, in order. Out: variables whose values are read when they are asked for, row group
by row group. In memory stay the times of the rows, which are the index of the Dataset.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..model.batches import Column, Ragged
from ..model.errors import RunError
from .lazy_rows import indexes, lazy, padded, squeezed, width_of
from .parquet_rows import RowGroups, pyarrow
from .row_columns import Known, RowColumn, TimesKnown, row_columns

Array = NDArray[Any]
_EVERY_COLUMN = TimesKnown(some_onboard=True, every_onboard=False, some_received=True, every_received=False)
"""All columns of rows are written: which of them have values is known at the end."""


@dataclass(slots=True)
class _Form:
    """Of one column over all row groups. `longest`: values of a row, where rows differ; else None."""

    dtype: np.dtype[Any]
    inner: tuple[int, ...]
    longest: int | None = None
    attributes: Mapping[str, Any] | None = None
    """Of a column of rows."""

    def and_of(self, values: Any) -> _Form:
        """The same with more rows: texts may be longer there."""
        if isinstance(values, Ragged):
            longest = max(self.longest or 0, int(np.max(values.length, initial=0)))
            return _Form(np.result_type(self.dtype, values.values.dtype), self.inner, longest)
        return _Form(np.result_type(self.dtype, values.dtype), self.inner, None, self.attributes)


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
        self.known, self._forms = known, dict[str, _Form]()
        self._parameters: tuple[str, ...] = ()
        self._starts, self._lock = [0], Lock()
        self._reader: Any = None
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from error
        self._groups = RowGroups(self._file, container, known, compression="none")

    def append(self, rows: Mapping[str, Array], columns: Mapping[str, Column]) -> None:
        """Write rows as a row group; `rows` holds ROW_FIELDS."""
        self.times = self.times.and_of(rows)
        self._parameters = self._parameters or tuple(columns)
        found = row_columns(rows, columns, self.known, _EVERY_COLUMN)
        for name, values in [*((name, one.values) for name, one in found.items()), *columns.items()]:
            self._forms[name] = self._forms.get(name, _form(values)).and_of(values)
        for name, one in found.items():
            self._forms[name].attributes = one.attributes
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
        from pyarrow import parquet  # noqa: PLC0415 -- an optional extra

        self._reader = parquet.ParquetFile(self.path, memory_map=True)

    def of_rows(self) -> dict[str, RowColumn]:
        """What is known of each row, as `row_columns` has it for all rows; values as xarray takes them."""
        none = {name: np.zeros(0, np.int64) for name in ("order", "time_ns", "received_ns", "quality")}
        none |= {name: np.zeros(0, np.uint16) for name in ("apid", "seq_count")}
        wanted = row_columns(none, self._parameters, self.known, self.times)
        return {
            name: RowColumn(self._lazy(name, one.values.dtype), self._forms[name].attributes or {})
            for name, one in wanted.items()
        }

    def columns(self) -> dict[str, Any]:
        """The parameters; with values of differing length those of `NAME.length` behind them."""
        found: dict[str, Any] = {}
        for name in self._parameters:
            form = self._forms[name]
            if form.longest is None:
                found[name] = self._lazy(name, form.dtype)
                continue
            shape = (self.n_rows, width_of(form.longest), *form.inner)
            found[name] = lazy(_Stored(self, name, shape, form.dtype, _rows_of))
            found[f"{name}.length"] = lazy(_Stored(self, name, (self.n_rows,), np.dtype(np.int64), _lengths_of))
        return found

    def _lazy(self, name: str, dtype: np.dtype[Any]) -> Any:
        return lazy(_Stored(self, name, (self.n_rows, *self._forms[name].inner), dtype, _values_of))

    def groups_of(self, rows: NDArray[np.int64]) -> NDArray[np.intp]:
        """The row group of each row."""
        return np.searchsorted(self._starts, rows, side="right") - 1

    def start_of(self, group: int) -> int:
        """The first row of a row group."""
        return self._starts[group]

    def read(self, name: str, group: int) -> Any:
        """A column of a row group, in memory: an array, or a Ragged."""
        with self._lock:  # a reader is of one thread at a time
            [column] = self._reader.read_row_group(group, columns=[name]).columns
        chunk = column.combine_chunks()
        return _numpy(chunk.chunk(0) if hasattr(chunk, "chunk") else chunk)


Pick = Callable[[Any, NDArray[np.int64], list[NDArray[np.int64]], np.dtype[Any]], Array]


def _values_of(
    values: Array, rows: NDArray[np.int64], inner: list[NDArray[np.int64]], dtype: np.dtype[Any]
) -> Array:
    found = values[rows].astype(dtype, copy=False)
    for axis, one in enumerate(inner, 1):
        found = np.take(found, one, axis)
    return found


def _rows_of(
    values: Ragged, rows: NDArray[np.int64], inner: list[NDArray[np.int64]], dtype: np.dtype[Any]
) -> Array:
    return padded(values, rows, inner, dtype)


def _lengths_of(values: Ragged, rows: NDArray[np.int64], _: list[NDArray[np.int64]], __: np.dtype[Any]) -> Array:
    return values.length[rows]


class _Stored(BackendArray):
    """What xarray asks of an array that is not in memory: it reads the row groups that the rows are in, each once."""

    def __init__(
        self, store: ColumnStore, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], pick: Pick
    ) -> None:
        self._store, self._name, self._pick = store, name, pick
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._at)

    def _at(self, key: tuple[Any, ...]) -> Any:
        rows, *inner = indexes(key, self.shape)
        found = np.empty((len(rows), *map(len, inner)), self.dtype)
        groups = self._store.groups_of(rows)
        for group in np.unique(groups).tolist():
            mine = np.nonzero(groups == group)[0]
            values = self._store.read(self._name, group)
            found[mine] = self._pick(values, rows[mine] - self._store.start_of(group), inner, self.dtype)
        return squeezed(found, key)


def _form(values: Any) -> _Form:
    if isinstance(values, Ragged):
        return _Form(values.values.dtype, values.values.shape[1:], 0)
    return _Form(values.dtype, values.shape[1:])


def _numpy(chunk: Any) -> Any:
    """An Arrow array as one of NumPy, lists as a Ragged."""
    pa = pyarrow()
    if pa.types.is_large_list(chunk.type):
        offsets = chunk.offsets.to_numpy()
        values = _numpy(chunk.values)
        return Ragged(values, offsets[:-1], np.diff(offsets))
    if pa.types.is_fixed_size_list(chunk.type):
        inner = _numpy(chunk.flatten())
        return inner.reshape(len(chunk), chunk.type.list_size, *inner.shape[1:])
    if pa.types.is_dictionary(chunk.type):
        return _numpy(chunk.dictionary)[chunk.indices.to_numpy(zero_copy_only=False)]
    found = chunk.to_numpy(zero_copy_only=False)
    if found.dtype != object:
        return found
    return found.astype("S" if pa.types.is_binary(chunk.type) else "U")
