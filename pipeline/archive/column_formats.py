"""A table of columns as one file: npz, Parquet or NetCDF-4, written whole or not at all.

All three hold the same columns: what is known of each row (`row_columns`) and one for each parameter.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..system.files import whole_file, whole_path
from ..system.software import optional_module
from .datasets import dataset
from .parquet_rows import ROW_GROUP_BYTES, RowGroups
from .row_columns import Known, RowColumn, TimesKnown, row_columns
from .spill import SpilledTable, octets

Write = Callable[[Path, SpilledTable, SpilledTable, str, Known], None]
"""Write a file: its path, the parameters, ROW_FIELDS, the container's name, what is known of it."""


def writer(name: str) -> tuple[str, Write]:
    """Give the file ending and the function of a format. Raises ConfigError where its library is missing."""
    if name == "parquet":
        optional_module("pyarrow", "--format parquet needs pyarrow", "parquet")
    if name == "netcdf":
        optional_module("netCDF4", "--format netcdf needs netCDF4", "science")
    return {"npz": ("npz", _write_npz), "parquet": ("parquet", _write_parquet), "netcdf": ("nc", _write_netcdf)}[
        name
    ]


def _write_npz(path: Path, table: SpilledTable, rows: SpilledTable, _: str, known: Known) -> None:
    """One .npy for each array, part by part: memory stays flat."""
    of_rows = _rows(table, rows, known)
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
    """Row group by row group: memory stays flat."""
    times = TimesKnown()
    blocks = table.blocks(ROW_GROUP_BYTES) or rows.blocks(ROW_GROUP_BYTES)
    for block in blocks:
        times = times.and_of(_fields(rows, block))
    n_before = 0
    with whole_file(path) as file, closing(RowGroups(file, container, known)) as groups:
        for block in blocks:
            fields = _fields(rows, block)
            n_rows = len(fields["order"])
            groups.add(
                row_columns(fields, table.arrays, known.of_rows(n_before, n_rows), times), table.some(*block)
            )
            n_before += n_rows


def _fields(rows: SpilledTable, block: tuple[int, int]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(array.some(*block)) for name, array in rows.arrays.items()}


def _write_netcdf(path: Path, table: SpilledTable, rows: SpilledTable, container: str, known: Known) -> None:
    found = _without_slashes(dataset(table.columns(), _all_fields(rows), container, known))
    with whole_path(path) as part:
        packed = {name: {"zlib": True, "complevel": 1} for name in found.variables if f"{name}.length" in found}
        found.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=packed)


def _without_slashes(found: Any) -> Any:
    """The Dataset with names that NetCDF allows: a slash in a name, which would be a group, becomes a dot."""
    names = [str(name) for name in (*found.variables, *found.dims)]
    return found.rename({name: name.replace("/", ".") for name in dict.fromkeys(names) if "/" in name})


def _rows(table: SpilledTable, rows: SpilledTable, known: Known) -> dict[str, RowColumn]:
    return row_columns(_all_fields(rows), table.arrays, known)


def _all_fields(rows: SpilledTable) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(array.whole()) for name, array in rows.arrays.items()}
