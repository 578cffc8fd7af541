"""Writes decoded columns to a file: npz, Parquet or NetCDF-4, atomically.

All have the same columns: the row columns (`row_columns`) and one for each parameter.
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
from .row_columns import Metadata, RowTimes, row_columns
from .spill import SpilledTable, octets

Write = Callable[[Path, SpilledTable, SpilledTable, str, Metadata], None]
"""Write a file: path, parameters, ROW_FIELDS, container name, and its `Metadata`."""


def writer(name: str) -> tuple[str, Write]:
    """Return file extension and function of a format. Raises ConfigError if its library is missing."""
    if name == "parquet":
        optional_module("pyarrow", "--format parquet needs pyarrow", "parquet")
    if name == "netcdf":
        optional_module("netCDF4", "--format netcdf needs netCDF4", "science")
    return {"npz": ("npz", _write_npz), "parquet": ("parquet", _write_parquet), "netcdf": ("nc", _write_netcdf)}[
        name
    ]


def _write_npz(path: Path, table: SpilledTable, rows: SpilledTable, _: str, known: Metadata) -> None:
    """Write one .npy for each array, part by part, so that memory stays bounded."""
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, row_column in row_columns(_fields(rows), table.arrays, known).items():
            values = np.asarray(row_column.values)
            _write_npy(archive, name, values.dtype, values.shape, [values])
        for name, column in table.arrays.items():
            _write_npy(archive, name, column.dtype, column.shape, column.parts())


def _write_npy(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[NDArray[Any]]
) -> None:
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(entry, header)
        for part in parts:
            entry.write(octets(part))


def _write_parquet(path: Path, table: SpilledTable, rows: SpilledTable, container: str, known: Metadata) -> None:
    """Write row group by row group, so that memory stays bounded."""
    times = RowTimes()
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


def _fields(rows: SpilledTable, block: tuple[int, int] | None = None) -> dict[str, NDArray[Any]]:
    """Read ROW_FIELDS of a block of rows, or of all."""
    return {name: np.asarray(one.some(*block) if block else one.whole()) for name, one in rows.arrays.items()}


def _write_netcdf(path: Path, table: SpilledTable, rows: SpilledTable, container: str, known: Metadata) -> None:
    found = _without_slashes(dataset(table.columns(), _fields(rows), container, known))
    with whole_path(path) as part:
        packed = {name: {"zlib": True, "complevel": 1} for name in found.variables if f"{name}.length" in found}
        found.to_netcdf(part, engine="netcdf4", format="NETCDF4", encoding=packed)


def _without_slashes(found: Any) -> Any:
    """Replace slashes in names, which would mean groups in NetCDF, by dots."""
    names = [str(name) for name in (*found.variables, *found.dims)]
    return found.rename({name: name.replace("/", ".") for name in dict.fromkeys(names) if "/" in name})
