"""Writes decoded rows of a container to a Parquet file, row group by row group, so that memory stays bounded.

In: blocks of rows: row columns (`row_columns`) and a column for each parameter. The schema is that of the first block;
units and descriptions are metadata of its fields, container and pass are metadata of the schema. A thread writes a row
group while the next one is decoded; at most one waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Column, Ragged
from ..model.categorical import Categorical
from .libraries import pyarrow
from .row_columns import Metadata, RowColumn

ROW_GROUP_BYTES = 32 << 20
"""Size of the columns of a row group."""
WRITE_BATCH_ROWS = 1 << 16
"""Number of values that pyarrow encodes at once; its default of 1,024 is slow."""


class RowGroups:
    """An open Parquet file. `octets_as_binary`: store the bytes of a row as one binary value, not as a list of numbers,
    which takes ten times as long and four times the space. Raises ConfigError without pyarrow.
    """

    def __init__(
        self,
        file: IO[bytes],
        container: str,
        known: Metadata,
        *,
        compression: str = "snappy",
        octets_as_binary: bool = False,
    ) -> None:
        self._pa, self._file, self._container, self._known = pyarrow(), file, container, known
        self._compression, self._octets_as_binary = compression, octets_as_binary
        self._writer: Any = None
        self._schema: Any = None
        self._thread = ThreadPoolExecutor(1, "parquet")
        self._written: Future[None] | None = None  # of the row group that is being written

    def add(self, of_rows: Mapping[str, RowColumn], columns: Mapping[str, Column]) -> None:
        """Append a row group; its arrays must not change. Raises OSError for it or for the one before."""
        pa = self._pa
        arrays = [_arrow(pa, one.values) for one in of_rows.values()]
        arrays += [self._column(one) for one in columns.values()]
        if self._writer is None:
            self._open(of_rows, columns, arrays)
        arrays = [
            one if one.type == field.type else one.cast(field.type)
            for one, field in zip(arrays, self._schema, strict=True)
        ]
        table = pa.table(arrays, schema=self._schema)
        self._wait()
        self._written = self._thread.submit(self._writer.write_table, table, max(table.num_rows, 1))

    def _wait(self) -> None:

        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _column(self, column: Column) -> Any:
        if self._octets_as_binary and _is_octets(column):
            return _arrow_binary(self._pa, column)
        return _arrow_ragged(self._pa, column) if isinstance(column, Ragged) else _arrow(self._pa, column)

    def close(self) -> None:
        """Finish the file. Raises OSError as `add`."""
        try:
            self._wait()
            if self._writer is not None:
                self._writer.close()
        finally:
            self._thread.shutdown()

    def _open(self, of_rows: Mapping[str, RowColumn], columns: Mapping[str, Column], arrays: list[Any]) -> None:
        pa, known = self._pa, self._known
        words = [_words(description=one.attributes["long_name"]) for one in of_rows.values()]
        words += [_words(unit=known.units.get(name), description=known.descriptions.get(name)) for name in columns]
        names = [*of_rows, *columns]
        # Only times can be null. Writing is five times as fast if the schema declares that for other columns.
        fields = [
            pa.field(name, one.type, nullable=pa.types.is_timestamp(one.type), metadata=two)
            for name, one, two in zip(names, arrays, words, strict=True)
        ]
        self._schema = pa.schema(fields, metadata={"container": self._container, **known.origin})
        texts = [name for name, one in zip(names, arrays, strict=True) if _is_text(pa, one.type)]
        self._writer = pa.parquet.ParquetWriter(
            self._file,
            self._schema,
            compression=self._compression,
            use_dictionary=texts,
            write_statistics=False,
            write_batch_size=WRITE_BATCH_ROWS,
        )


def _is_text(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


def _words(**words: str | None) -> dict[str, str] | None:
    return {key: value for key, value in words.items() if value} or None


def _arrow(pa: Any, array: NDArray[Any] | Categorical) -> Any:
    """Convert a column: a categorical one to a dictionary array, rows that are arrays to fixed-size lists."""
    if isinstance(array, Categorical) and array.ndim == 1:
        compact = array.compact()
        return pa.DictionaryArray.from_arrays(
            pa.array(compact.codes.astype(np.int32)), pa.array(compact.categories)
        )
    array = np.asarray(array)
    column = pa.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _arrow_ragged(pa: Any, column: Ragged) -> Any:
    """Convert rows with contiguous values to lists. Readers do not support dictionary arrays in lists."""
    offsets = np.concatenate([[0], np.cumsum(column.length)])
    return pa.LargeListArray.from_arrays(offsets, _arrow(pa, np.asarray(column.values)))


def _is_octets(column: Column) -> bool:
    """Whether each row is a sequence of bytes."""
    values = column.values if isinstance(column, Ragged) else column
    if isinstance(values, Categorical) or values.dtype != np.uint8:
        return False
    return values.ndim == 1 if isinstance(column, Ragged) else values.ndim == 2 and values.shape[1] > 0


def _arrow_binary(pa: Any, column: Any) -> Any:
    """Convert rows of bytes, contiguous if ragged, to binary values."""
    if not isinstance(column, Ragged):
        octets = pa.py_buffer(np.ascontiguousarray(column))
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(column.shape[1]), len(column), [None, octets])
    offsets = pa.py_buffer(np.concatenate([[0], np.cumsum(column.length)]))
    octets = pa.py_buffer(np.ascontiguousarray(column.values))
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(column), [None, offsets, octets])
