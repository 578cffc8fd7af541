"""A table of columns as one file: npz, Parquet or NetCDF-4, written whole or not at all.

All three hold the same columns: what is known of each row (`row_columns`) and one for each parameter.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.datasets import dataset
from pipeline.archive.row_columns import Known, RowColumn, row_columns
from pipeline.archive.spill import SpilledTable, octets
from pipeline.archive.whole import whole_path
from pipeline.batches import Ragged
from pipeline.categorical import Categorical
from pipeline.errors import ConfigError
from pipeline.files import whole_file
from pipeline.software import to_install

Write = Callable[[Path, SpilledTable, SpilledTable, str, Known], None]
"""Write a file: its path, the parameters, ROW_FIELDS, the container's name, what is known of it."""


def writer(name: str) -> tuple[str, Write]:
    """Give the file ending and the function of a format. Raises ConfigError where its library is missing."""
    if name == "parquet":
        _pyarrow()
    if name == "netcdf":
        _need("netCDF4", "netcdf", "science")
    return {"npz": ("npz", _write_npz), "parquet": ("parquet", _write_parquet), "netcdf": ("nc", _write_netcdf)}[
        name
    ]


def _write_npz(path: Path, table: SpilledTable, rows: SpilledTable, _: str, known: Known) -> None:
    """One .npy for each array, part by part: memory stays flat."""
    _, of_rows = _rows(table, rows, known)
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, row_column in of_rows.items():
            values = np.asarray(row_column.values)
            _write_npy(archive, name, values.dtype, values.shape, [values])
        for name, column in table.arrays.items():
            _write_npy(archive, name, column.dtype, column.shape, column.parts())


def _write_npy(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    parts: Iterable[NDArray[Any]],
) -> None:
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(entry, header)
        for part in parts:
            entry.write(octets(part))


def _write_parquet(path: Path, table: SpilledTable, rows: SpilledTable, container: str, known: Known) -> None:
    """Units and descriptions are metadata of the fields, the container and the pass metadata of the schema."""
    pa = _pyarrow()
    from pyarrow import parquet  # noqa: PLC0415 -- an optional extra

    arrays, fields = [], []
    _, of_rows = _rows(table, rows, known)
    for name, row_column in of_rows.items():
        arrays.append(_arrow(pa, row_column.values))
        fields.append(
            pa.field(name, arrays[-1].type, metadata=_words(description=row_column.attributes["long_name"]))
        )
    for name, column in table.columns().items():
        arrays.append(_arrow_ragged(pa, column) if isinstance(column, Ragged) else _arrow(pa, column))
        words = _words(unit=known.units.get(name), description=known.descriptions.get(name))
        fields.append(pa.field(name, arrays[-1].type, metadata=words))
    schema = pa.schema(fields, metadata={"container": container, **known.origin})
    with whole_file(path) as file:
        parquet.write_table(pa.table(arrays, schema=schema), file)


def _write_netcdf(path: Path, table: SpilledTable, rows: SpilledTable, container: str, known: Known) -> None:
    fields = {name: np.asarray(array.whole()) for name, array in rows.arrays.items()}
    found = _without_slashes(dataset(table.columns(), fields, container, known))
    with whole_path(path) as part:
        packed = {name: {"zlib": True, "complevel": 1} for name in found.variables if f"{name}.length" in found}
        found.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=packed)


def _without_slashes(found: Any) -> Any:
    """The Dataset with names that NetCDF allows: a slash in a name, which would be a group, becomes a dot."""
    names = [str(name) for name in (*found.variables, *found.dims)]
    return found.rename({name: name.replace("/", ".") for name in dict.fromkeys(names) if "/" in name})


def _rows(table: SpilledTable, rows: SpilledTable, known: Known) -> tuple[str, dict[str, RowColumn]]:
    fields = {name: np.asarray(array.whole()) for name, array in rows.arrays.items()}
    return row_columns(fields, table.arrays, known)


def _words(**words: str | None) -> dict[str, str] | None:
    return {key: value for key, value in words.items() if value} or None


def _arrow(pa: Any, array: NDArray[Any] | Categorical) -> Any:
    """Give a column of values, one of codes as a dictionary array; nested fixed-size lists where a row is an array."""
    if isinstance(array, Categorical) and array.ndim == 1:
        compact = array.compact()
        return pa.DictionaryArray.from_arrays(pa.array(compact.codes), pa.array(compact.categories))
    array = np.asarray(array)
    column = pa.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _arrow_ragged(pa: Any, column: Ragged) -> Any:
    offsets = np.concatenate([[0], np.cumsum(column.length)])
    # Readers take texts in lists, but no dictionary arrays.
    return pa.LargeListArray.from_arrays(offsets, _arrow(pa, np.asarray(column.values)))


def _pyarrow() -> Any:
    _need("pyarrow", "parquet", "parquet")
    import pyarrow as pa  # noqa: PLC0415 -- an optional extra

    return pa


def _need(module: str, name: str, extra: str) -> None:
    try:
        __import__(module)
    except ImportError as error:
        text = f"--format {name} needs {module}: {to_install(extra)}"
        raise ConfigError(text) from error
