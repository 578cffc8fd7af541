"""A table of columns as one file: npz, Parquet or NetCDF-4, written whole or not at all."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.datasets import UtcOf, dataset
from pipeline.archive.spill import SpilledTable, octets
from pipeline.archive.whole import whole_path
from pipeline.batches import Ragged
from pipeline.errors import ConfigError
from pipeline.files import whole_file
from pipeline.software import to_install

Write = Callable[[Path, SpilledTable, SpilledTable, Mapping[str, str], UtcOf | None], None]
"""Write a file of columns; after it come what is known of the rows, the units, and what makes UTC of onboard times."""


def writer(name: str) -> tuple[str, Write]:
    """Give the file ending and the function of a format. Raises ConfigError where its library is missing."""
    if name == "parquet":
        _pyarrow()
    if name == "netcdf":
        _need("netCDF4", "netcdf", "science")
    return {"npz": ("npz", write_npz), "parquet": ("parquet", _write_parquet), "netcdf": ("nc", _write_netcdf)}[
        name
    ]


def write_npz(path: Path, table: SpilledTable, *_: Any) -> None:
    """One .npy for each array, part by part: memory stays flat."""
    with whole_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, column in table.arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                header = {"descr": np.lib.format.dtype_to_descr(column.dtype), "fortran_order": False}
                np.lib.format.write_array_header_2_0(entry, {**header, "shape": column.shape})
                for part in column.parts():
                    entry.write(octets(part))


def _write_parquet(path: Path, table: SpilledTable, _: SpilledTable, units: Mapping[str, str], *__: Any) -> None:
    pa = _pyarrow()
    from pyarrow import parquet  # noqa: PLC0415 -- an optional extra

    arrays, fields = [], []
    for name, column in table.columns().items():
        arrays.append(_arrow_ragged(pa, column) if isinstance(column, Ragged) else _arrow(pa, column))
        fields.append(pa.field(name, arrays[-1].type, metadata={"unit": units[name]} if units.get(name) else None))
    with whole_file(path) as file:
        parquet.write_table(pa.table(arrays, schema=pa.schema(fields)), file)


def _write_netcdf(
    path: Path, table: SpilledTable, rows: SpilledTable, units: Mapping[str, str], utc_of: UtcOf | None
) -> None:
    known = {name: array.whole() for name, array in rows.arrays.items()}
    found = dataset(table.columns(), known, units, path.stem, utc_of)
    with whole_path(path) as part:
        found.to_netcdf(part, engine="netcdf4", format="NETCDF4")


def _arrow(pa: Any, array: NDArray[Any]) -> Any:
    """Give a column of values, or of nested fixed-size lists where a row is an array."""
    column = pa.array(array.reshape(-1))
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _arrow_ragged(pa: Any, column: Ragged) -> Any:
    offsets = np.concatenate([[0], np.cumsum(column.length)])
    return pa.LargeListArray.from_arrays(offsets, _arrow(pa, column.values))


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
