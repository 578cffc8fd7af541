"""Decoded columns as files: one for each container, one array for each parameter, rows in packet order.

Batches are spilled to a temporary file as they come, so memory stays flat, and put together at the end. A value of
differing length is three arrays: NAME (flat), NAME_start and NAME_length. What is known of each row (order of
arrival, onboard and receive time, quality) goes to `rows/`, units and counts to `decode.json`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, ColumnBatch, Ragged
from pipeline.errors import ConfigError
from pipeline.files import scratch_file, whole_file

ROW_FIELDS = ("order", "time_ns", "received_ns", "apid", "seq_count", "quality")


@contextmanager
def column_files(folder: Path, file_format: str = "npz", *, raw: bool = False) -> Iterator[ColumnFiles]:
    """Open a folder of column files; each is there, whole, when the block ends well."""
    write = {"npz": _write_npz, "parquet": _write_parquet}[file_format]
    if file_format == "parquet":
        _pyarrow()
    with ExitStack() as stack:
        files = ColumnFiles(folder, stack, raw=raw)
        yield files
        files.finish(write, file_format)


class ColumnFiles:
    """The columns of each container, as pieces in a temporary file."""

    def __init__(self, folder: Path, stack: ExitStack, *, raw: bool) -> None:
        self._folder = folder
        self._stack = stack
        self._raw = raw
        self._spill: IO[bytes] | None = None
        self._pieces: dict[str, dict[str, _Pieces]] = {}
        self._rows: dict[str, dict[str, _Pieces]] = {}
        self._units: dict[str, Mapping[str, str]] = {}

    def add(self, batches: Sequence[ColumnBatch]) -> None:
        for batch in batches:
            columns = batch.raw if self._raw else batch.columns
            pieces = self._pieces.setdefault(batch.container, {})
            for name, column in columns.items():
                self._put(pieces, name, column)
            rows = self._rows.setdefault(batch.container, {})
            for name in ROW_FIELDS:
                self._put(rows, name, getattr(batch, name))
            if not self._raw:
                self._units[batch.container] = batch.units

    def _put(self, pieces: dict[str, _Pieces], name: str, column: Column) -> None:
        if not isinstance(column, Ragged):
            pieces.setdefault(name, _Pieces()).add(self._file(), column)
            return
        flat = pieces.setdefault(name, _Pieces())
        shift = flat.n_rows
        flat.add(self._file(), column.values)
        pieces.setdefault(f"{name}_start", _Pieces()).add(self._file(), column.start + shift)
        pieces.setdefault(f"{name}_length", _Pieces()).add(self._file(), column.length)

    def _file(self) -> IO[bytes]:
        if self._spill is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._spill = self._stack.enter_context(scratch_file(self._folder))
        return self._spill

    def finish(self, write: Callable[[Path, dict[str, _Pieces], IO[bytes]], None], suffix: str) -> None:
        for container, pieces in self._pieces.items():
            name = container.strip("/").replace("/", ".")
            write(self._folder / f"{name}.{suffix}", pieces, self._file())
            _write_npz(self._folder / "rows" / f"{name}.npz", self._rows[container], self._file())
        about = {
            container: {"rows": rows["order"].n_rows, "units": dict(self._units.get(container, {}))}
            for container, rows in self._rows.items()
        }
        with whole_file(self._folder / "decode.json") as file:
            file.write(json.dumps({"raw": self._raw, "containers": about}, indent=2).encode())


class _Pieces:
    """Where the parts of one array lie in the spill file."""

    def __init__(self) -> None:
        self._at: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []
        self.n_rows = 0

    def add(self, spill: IO[bytes], array: NDArray[Any]) -> None:
        self._at.append((spill.tell(), array.dtype, array.shape))
        spill.write(np.ascontiguousarray(array).data if array.size else b"")
        self.n_rows += array.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(dtype for _, dtype, _ in self._at))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_rows, *self._at[0][2][1:])

    def read(self, spill: IO[bytes]) -> Iterator[NDArray[Any]]:
        """Give the parts in order, each as the common type. Leaves the file at its end."""
        for offset, dtype, shape in self._at:
            spill.seek(offset)
            size = int(np.prod(shape)) * dtype.itemsize
            yield np.frombuffer(spill.read(size), dtype).reshape(shape).astype(self.dtype, copy=False)
        spill.seek(0, 2)


def _write_npz(path: Path, pieces: dict[str, _Pieces], spill: IO[bytes]) -> None:
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, column in pieces.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                header = {"descr": np.lib.format.dtype_to_descr(column.dtype), "fortran_order": False}
                np.lib.format.write_array_header_2_0(entry, {**header, "shape": column.shape})
                for part in column.read(spill):
                    entry.write(np.ascontiguousarray(part).data if part.size else b"")


def _write_parquet(path: Path, pieces: dict[str, _Pieces], spill: IO[bytes]) -> None:
    pyarrow = _pyarrow()
    from pyarrow import parquet  # noqa: PLC0415 -- an optional extra

    columns: dict[str, Any] = {}
    for name, column in pieces.items():
        if f"{name}_length" in pieces:
            flat = np.concatenate(list(column.read(spill)))
            length = np.concatenate(list(pieces[f"{name}_length"].read(spill)))
            offsets = np.concatenate([[0], np.cumsum(length)])
            columns[name] = pyarrow.LargeListArray.from_arrays(offsets, pyarrow.array(flat))
        elif not name.endswith(("_start", "_length")) or name.rpartition("_")[0] not in pieces:
            columns[name] = _arrow(pyarrow, np.concatenate(list(column.read(spill))))
    with whole_file(path) as file:
        parquet.write_table(pyarrow.table(columns), file)


def _arrow(pyarrow: Any, array: NDArray[Any]) -> Any:
    """Give a column of values, or of nested fixed-size lists where a row is an array."""
    column = pyarrow.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pyarrow.FixedSizeListArray.from_arrays(column, size)
    return column


def _pyarrow() -> Any:
    try:
        import pyarrow as pa  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise ConfigError("--format parquet needs pyarrow: pip install 'downlink-pipeline[parquet]'") from error
    return pa
