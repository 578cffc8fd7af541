"""A collection of products as one NetCDF-4 file: CF-1.11, ACDD-1.3.

Dimension `row` holds the rows of all products, `product` the products. `time` is UTC in seconds since the beginning
of the first day, so that a double holds the nanosecond. Written variable by variable, in blocks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import NO_SOL, PRODUCT, ROW, SIGMAS, Collection, Column, Origin, measured
from pipeline.archive.netcdf_attributes import (
    ANGLE_UNITS,
    CF_UNITS,
    MARS_TIMES,
    STANDARD_NAMES,
    global_attributes,
    quality_attributes,
    usable_attributes,
)
from pipeline.archive.valid_ranges import ARRAY_RANGES
from pipeline.archive.variable_names import plain_name, variable_names
from pipeline.archive.whole import whole_path
from pipeline.batches import NO_TIME, usable
from pipeline.errors import ConfigError
from pipeline.software import to_install

BLOCK_BYTES = 1 << 20  # of rows that are written at once
CHUNK_BYTES = 1 << 18
_DAY_NS = 86_400 * 1_000_000_000
_OWN_NAMES = ("time", "quality", "usable", *MARS_TIMES)
_COORDINATES = ("time", *MARS_TIMES)


def write_netcdf(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the file, whole or not at all. Raises ConfigError without netCDF4, RunError where it cannot be written."""
    with whole_path(path) as part:
        fill_netcdf(part, collection, origin, path.stem)


def fill_netcdf(path: Path, collection: Collection, origin: Origin, name: str) -> None:
    """Write the file just where `path` says; `name`: its id."""
    with _new_file(path) as file:
        _Writer(file, collection).write()
        file.setncatts(global_attributes(collection, origin, name))


@contextmanager
def _new_file(path: Path) -> Iterator[Any]:
    """A new file, all of it written when the block ends well.

    Where the disk fails it is not closed: closing flushes once more, and where that fails the library (netCDF-C over
    HDF5) ends the process by a segmentation fault. So all is written before, but for the header that closing writes
    over itself; a file that could not be is closed by the system, with the process.
    """
    file = netcdf4_module().Dataset(path, "w", format="NETCDF4")
    try:
        yield file
        file.sync()
    except (OSError, RuntimeError):
        type(file)._isopen.__set__(file, 0)  # noqa: SLF001 - else it is closed when the object is deleted
        raise
    except BaseException:
        file.close()
        raise
    file.close()


class _Writer:
    """The open file, the names that are taken, and what each dimension is called."""

    def __init__(self, file: Any, collection: Collection) -> None:
        self._file = file
        self._of = collection
        self._names = variable_names(collection.columns, taken=(*_OWN_NAMES, ROW, PRODUCT))
        self._coordinates = " ".join(name for name in _COORDINATES if name == "time" or name in collection.mars)
        self._dimension(ROW, sum(collection.n_rows))
        self._dimension(PRODUCT, len(collection.ids))

    def write(self) -> None:
        columns = self._of.columns
        self._time(columns)
        for name, (unit, long_name) in MARS_TIMES.items():
            if name in self._of.mars:
                self._mars_time(name, unit, long_name)
        self._put("quality", [ROW], self._of.quality.parts(), np.dtype(np.uint32), quality_attributes())
        flags = (usable(part).astype(np.int8) for part in self._of.quality.parts())
        self._put("usable", [ROW], flags, np.dtype(np.int8), usable_attributes())
        for name, column in columns.items():
            if name != "time_utc_ns":
                self._column(name, column)
        self._products()

    def _time(self, columns: Mapping[str, Column]) -> None:
        start = self._of.start_ns
        day_ns = start // _DAY_NS * _DAY_NS if start != NO_TIME else 0
        attributes = {
            "long_name": "time, UTC",
            "standard_name": "time",
            "units": f"seconds since {np.datetime64(day_ns, 'ns').astype('M8[D]')} 00:00:00",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            "coverage_content_type": "coordinate",
        }
        parts = columns["time_utc_ns"].array.parts() if "time_utc_ns" in columns else ()
        seconds = (np.where(part == NO_TIME, np.nan, (part - day_ns) / 1e9) for part in parts)
        self._put("time", [ROW], seconds, np.dtype(np.float64), attributes)

    def _mars_time(self, name: str, unit: str, long_name: str) -> None:
        array = self._of.mars[name]
        fill = NO_SOL if name == "sol" and any((part == NO_SOL).any() for part in array.parts()) else None
        attributes = {"units": unit, "long_name": long_name, "coverage_content_type": "coordinate"}
        self._put(name, [ROW], array.parts(), array.dtype, attributes, fill)

    def _column(self, name: str, column: Column) -> None:
        dtype = column.array.dtype
        parts = (_storable(part) for part in column.array.parts())
        shape = column.array.shape
        attributes = _attributes(name, column)
        if column.dims[:1] == (ROW,):
            sigmas = [self._names[name + ending] for ending in SIGMAS if name + ending in self._names]
            attributes |= {
                "ancillary_variables": " ".join(["quality", "usable", *sigmas]),
                "coordinates": self._coordinates,
            }
        if dtype.kind == "b":
            attributes |= {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "false true"}
        if _storable(np.empty(0, dtype)).dtype.kind in "OSU":
            del attributes["units"]
        fill = NO_TIME if name == "time_onboard_ns" and self._of.start_ns == NO_TIME else None
        dims = [self._dimension(dim, size) for dim, size in zip(column.dims, shape, strict=True)]
        if dtype.kind == "c":
            dims.append(self._dimension("real_imaginary", 2))
        self._put(self._names[name], dims, parts, _storable(np.empty(0, dtype)).dtype, attributes, fill)

    def _products(self) -> None:
        """What differs from product to product."""
        n_rows = np.array(self._of.n_rows, np.int64)
        self._texts("product_id", self._of.ids, "id of the product")
        first = np.cumsum(n_rows) - n_rows
        self._number("product_first_row", first, "first row of the product")
        self._number("product_n_rows", n_rows, "rows of the product")
        for key, values in self._of.differing().items():
            self._lineage(key, values)

    def _lineage(self, key: str, values: list[Any]) -> None:
        name, words = f"product_{plain_name(key)}", key.replace("_", " ")
        if all(isinstance(value, int) for value in values):
            self._number(name, np.array(values, np.int64), f"{words} of the product")
        elif all(isinstance(value, list) and len(value) == 2 for value in values):
            for end, which in enumerate(("first", "last")):
                ends = np.array([value[end] for value in values])
                self._number(f"{name}_{which}", ends, f"{which} {words} of the product")
        else:
            self._texts(name, [json.dumps(value) for value in values], f"{words} of the product, JSON")

    def _number(self, name: str, values: NDArray[Any], long_name: str) -> None:
        about = {"long_name": long_name, "units": "1", "coverage_content_type": "auxiliaryInformation"}
        self._put(name, [PRODUCT], [values], values.dtype, about)

    def _texts(self, name: str, values: list[str], long_name: str) -> None:
        about = {"long_name": long_name, "coverage_content_type": "auxiliaryInformation"}
        self._put(name, [PRODUCT], [np.array(values, object)], np.dtype(object), about)

    def _dimension(self, name: str, size: int) -> str:
        """Name of the dimension of this size; another where the name has another size or is a variable's."""
        name = plain_name(name)
        while name in self._names.values() or len(self._file.dimensions.get(name, range(size))) != size:
            name += "_axis"
        if name not in self._file.dimensions:
            self._file.createDimension(name, size)
        return name

    def _put(
        self,
        name: str,
        dims: list[str],
        parts: Iterable[NDArray[Any]],
        dtype: np.dtype[Any],
        attributes: Mapping[str, Any],
        fill: int | None = None,
    ) -> None:
        """Write a variable block by block. Without a fill value no integer is taken for a missing one."""
        shape = tuple(len(self._file.dimensions[dim]) for dim in dims)
        text = dtype.kind == "O"
        how: dict[str, Any] = {"fill_value": np.nan if dtype.kind == "f" else (False if fill is None else fill)}
        if shape and 0 not in shape and not text:
            how |= {"compression": "zlib", "complevel": 1, "chunksizes": _chunks(shape, dtype.itemsize)}
        variable = self._file.createVariable(name, str if text else dtype, dims, **({} if text else how))
        variable.setncatts({key: value for key, value in attributes.items() if value is not None})
        start = 0
        for block in _blocks(parts):
            variable[start : start + len(block)] = block
            start += len(block)


def _attributes(name: str, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "long_name": name.replace("_", " "),
        "units": ANGLE_UNITS.get(name) or CF_UNITS.get(column.unit, column.unit) or "1",
        "coverage_content_type": "physicalMeasurement" if column.unit else "auxiliaryInformation",
    }
    if column.unit in {"K", "degC"}:
        found["units_metadata"] = "temperature: on_scale"
    base = measured(name)
    if base in STANDARD_NAMES:
        found["standard_name"] = f"{STANDARD_NAMES[base]}{' standard_error' * (base != name)}"
    if base != name:
        found["coverage_content_type"] = "qualityInformation"
        if "units_metadata" in found:
            found["units_metadata"] = "temperature: difference"
    if name in ARRAY_RANGES:
        found["valid_range"] = np.array(ARRAY_RANGES[name], column.array.dtype)
    if column.description:
        found["comment"] = column.description
    return found


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Values in a type that NetCDF has: text as objects, truth as bytes, complex as pairs."""
    kind = values.dtype.kind
    if kind in "US":
        return np.char.decode(values, "utf-8", "replace").astype(object) if kind == "S" else values.astype(object)
    if kind == "b":
        return values.astype(np.int8)
    if kind == "c":
        return np.stack([values.real, values.imag], axis=-1)
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _blocks(parts: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
    """The same rows in blocks of about BLOCK_BYTES."""
    held: list[NDArray[Any]] = []
    size = 0
    for part in parts:
        held.append(part)
        size += part.nbytes
        if size >= BLOCK_BYTES:
            yield np.concatenate(held)
            held, size = [], 0
    if held:
        yield np.concatenate(held)


def _chunks(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    row_bytes = max(1, int(np.prod(shape[1:])) * item_bytes)
    return (max(1, min(shape[0], CHUNK_BYTES // row_bytes)), *shape[1:])


def netcdf4_module() -> Any:
    """netCDF4, an optional extra; ConfigError where it is missing."""
    try:
        import netCDF4  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise ConfigError(f"product files need netCDF4: {to_install('science')}") from error
    return netCDF4
