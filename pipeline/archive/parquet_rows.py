"""Decoded rows of a container as a Parquet file, written row group by row group, so that memory stays flat.

In: blocks of rows: what is known of each (`row_columns`) and a column for each parameter. Out: one file. The schema is
that of the first block; units and descriptions are metadata of the fields, the container and the pass of the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Column, Ragged
from ..model.categorical import Categorical
from ..model.errors import ConfigError
from ..system.software import to_install
from .row_columns import Known, RowColumn

ROW_GROUP_BYTES = 32 << 20
"""Columns that are held before a row group is written."""


class RowGroups:
    """An open Parquet file. `compression`: of its pages. ConfigError without pyarrow."""

    def __init__(self, file: IO[bytes], container: str, known: Known, *, compression: str = "snappy") -> None:
        self._pa, self._file, self._container, self._known = pyarrow(), file, container, known
        self._compression = compression
        self._writer: Any = None
        self._schema: Any = None

    def add(self, of_rows: Mapping[str, RowColumn], columns: Mapping[str, Column]) -> None:
        """Append a row group."""
        pa = self._pa
        arrays = [_arrow(pa, one.values) for one in of_rows.values()]
        arrays += [
            _arrow_ragged(pa, one) if isinstance(one, Ragged) else _arrow(pa, one) for one in columns.values()
        ]
        if self._writer is None:
            self._open(of_rows, columns, arrays)
        arrays = [
            one if one.type == field.type else one.cast(field.type)
            for one, field in zip(arrays, self._schema, strict=True)
        ]
        self._writer.write_table(pa.table(arrays, schema=self._schema), row_group_size=max(len(arrays[0]), 1))

    def close(self) -> None:
        """Write the end of the file."""
        if self._writer is not None:
            self._writer.close()

    def _open(self, of_rows: Mapping[str, RowColumn], columns: Mapping[str, Column], arrays: list[Any]) -> None:
        pa, known = self._pa, self._known
        from pyarrow import parquet  # noqa: PLC0415 -- an optional extra

        words = [_words(description=one.attributes["long_name"]) for one in of_rows.values()]
        words += [_words(unit=known.units.get(name), description=known.descriptions.get(name)) for name in columns]
        names = [*of_rows, *columns]
        fields = [
            pa.field(name, one.type, metadata=two) for name, one, two in zip(names, arrays, words, strict=True)
        ]
        self._schema = pa.schema(fields, metadata={"container": self._container, **known.origin})
        texts = [name for name, one in zip(names, arrays, strict=True) if _is_text(pa, one.type)]
        self._writer = parquet.ParquetWriter(
            self._file, self._schema, compression=self._compression, use_dictionary=texts, write_statistics=False
        )


def _is_text(pa: Any, kind: Any) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


def _words(**words: str | None) -> dict[str, str] | None:
    return {key: value for key, value in words.items() if value} or None


def _arrow(pa: Any, array: NDArray[Any] | Categorical) -> Any:
    """Give a column of values, one of codes as a dictionary array; nested fixed-size lists where a row is an array."""
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
    """Lists; readers take texts in them, but no dictionary arrays. The values of the rows must lie end to end."""
    offsets = np.concatenate([[0], np.cumsum(column.length)])
    return pa.LargeListArray.from_arrays(offsets, _arrow(pa, np.asarray(column.values)))


def pyarrow() -> Any:
    """The library, an optional extra; ConfigError where it is missing."""
    try:
        import pyarrow as pa  # noqa: PLC0415 -- an optional extra
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"Parquet needs pyarrow: {to_install('parquet')}") from error
    return pa
