"""Writes a collection of products as one NetCDF-4 file (CF-1.11, ACDD-1.3).

Its variables are those of `product_variables`, written one by one, in blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..system.files import whole_path
from .collection import Collection, Origin
from .libraries import science
from .netcdf_attributes import global_attributes
from .product_variables import Variable, product_variables

BLOCK_BYTES = 1 << 20  # of rows that are written at once
CHUNK_BYTES = 1 << 18


def write_netcdf(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the file, atomically. Raises ConfigError without netCDF4, RunError if it cannot be written."""
    with whole_path(path) as part:
        fill_netcdf(part, collection, origin, path.stem)


def fill_netcdf(path: Path, collection: Collection, origin: Origin, name: str) -> None:
    """Write the file directly to `path`. `name`: its id."""
    variables = product_variables(collection)
    with _new_file(path) as file:
        sizes = {dim: size for one in variables for dim, size in zip(one.dims, one.shape, strict=True)}
        for dim, size in sizes.items():
            file.createDimension(dim, size)
        for one in variables:
            _put(file, one)
        file.setncatts(global_attributes(collection, origin, name))


@contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """Create a file and close it at the end of the block.

    After an error of the disk it is not closed: closing flushes again, and if that fails the library (netCDF-C over
    HDF5) crashes with a segmentation fault. So everything is synced before it is closed; after an error, the system
    closes the file with the process.
    """
    file = science("netCDF4").Dataset(path, "w", format="NETCDF4")
    try:
        yield file
        file.sync()
    except (OSError, RuntimeError):
        type(file)._isopen.__set__(file, 0)  # noqa: SLF001 - or it would be closed when the object is deleted
        raise
    except BaseException:
        file.close()
        raise
    file.close()


def _put(file: Any, one: Variable) -> None:
    """Write a variable block by block. Integers have a fill value only if the variable has one."""
    text = one.dtype.kind == "O"
    is_coordinate = one.dims == (one.name,)  # must not have missing values (CF 2.5.1)
    fill = np.nan if one.dtype.kind == "f" and not is_coordinate else (False if one.fill is None else one.fill)
    how: dict[str, Any] = {"fill_value": fill}
    if one.shape and 0 not in one.shape and not text:
        how |= {"compression": "zlib", "complevel": 1, "chunksizes": _chunks(one.shape, one.dtype.itemsize)}
    variable = file.createVariable(one.name, str if text else one.dtype, one.dims, **({} if text else how))
    variable.setncatts({key: value for key, value in one.attributes.items() if value is not None})
    start = 0
    for block in _blocks(one.parts()):
        variable[start : start + len(block)] = block
        start += len(block)


def _blocks(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """Join parts to blocks of at least BLOCK_BYTES."""
    pending: list[NDArray[Any]] = []
    size = 0
    for part in parts:
        pending.append(part)
        size += part.nbytes
        if size >= BLOCK_BYTES:
            yield np.concatenate(pending)
            pending, size = [], 0
    if pending:
        yield np.concatenate(pending)


def _chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    row_bytes = max(1, int(np.prod(shape[1:])) * item_bytes)
    return (max(1, min(shape[0], CHUNK_BYTES // row_bytes)), *shape[1:])
