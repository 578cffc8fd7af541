"""Variables of a collection of products, for NetCDF files, Zarr stores and Datasets.

In: a `Collection`. Out: a `Variable` for each array, time and lineage entry that differs between products, with
dimensions, CF attributes and values in parts. Rows are along the dimension `time` if times are strictly ascending, as
CF requires of a coordinate (1.3), else along `row`. Dimension `product`: one for each product.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, usable
from ..model.time_scales import DAY_NS
from .collection import NO_SOL, PRODUCT, ROW, SIGMAS, Collection, Column, base_name
from .netcdf_attributes import (
    ANGLE_UNITS,
    CF_UNITS,
    LOCAL_TIMES,
    STANDARD_NAMES,
    quality_attributes,
    usable_attributes,
)
from .spill import SpilledArray
from .valid_ranges import ARRAY_RANGES
from .variable_names import plain_name, variable_names

TIME, PASS = "time", "pass"

_COORDINATES = (TIME, *LOCAL_TIMES, PASS)
_OWN_NAMES = (*_COORDINATES, "quality", "usable")
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `parts()`: yields its values in parts along the first dimension. `fill`: fill value of integers."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    parts: Callable[[], Iterable[Array]]
    attributes: Mapping[str, Any]
    fill: int | None = None


def product_variables(collection: Collection) -> list[Variable]:
    """Return the variables of a collection, those with rows first."""
    return list(_Layout(collection).variables())


class _Layout:
    """Names of variables and dimensions."""

    def __init__(self, collection: Collection) -> None:
        self._of = collection
        self._n_rows = sum(collection.n_rows)
        self._row = TIME if (collection.least_step_ns or 0) > 0 else ROW
        self._names = variable_names(collection.columns, taken=(*_OWN_NAMES, ROW, PRODUCT))
        self._sizes = {self._row: self._n_rows, PRODUCT: len(collection.ids)}
        own = {name for name in _COORDINATES if name in collection.local_times or name == self._beside(TIME)}
        own |= {PASS} if len(set(collection.passes)) > 1 else set()
        self._coordinates = " ".join(name for name in _COORDINATES if name in own)

    def variables(self) -> Iterator[Variable]:
        columns = self._of.columns
        yield self._time(columns)
        for name, (unit, long_name) in LOCAL_TIMES.items():
            if name in self._of.local_times:
                yield self._local_time(name, unit, long_name)
        if PASS in self._coordinates.split():
            yield self._pass()
        yield self._by_row("quality", np.dtype(np.uint32), self._of.quality.parts, quality_attributes())
        yield self._by_row("usable", np.dtype(np.int8), self._usable, usable_attributes() | {"dtype": "bool"})
        for name, column in columns.items():
            if name != "time_utc_ns":
                yield self._column(name, column)
        yield from self._products()

    def _beside(self, name: str) -> str:
        """Name of a coordinate, or empty if it is that of the dimension."""
        return "" if name == self._row else name

    def _by_row(
        self,
        name: str,
        dtype: np.dtype[Any],
        parts: Callable[[], Iterable[Array]],
        attributes: Mapping[str, Any],
        fill: int | None = None,
    ) -> Variable:
        return Variable(name, (self._row,), (self._n_rows,), dtype, parts, attributes, fill)

    def _usable(self) -> Iterator[Array]:
        return (usable(part).astype(np.int8) for part in self._of.quality.parts())

    def _time(self, columns: Mapping[str, Column]) -> Variable:
        """UTC in seconds since the begin of the first day, so that a double resolves nanoseconds."""
        start = self._of.start_ns
        day_ns = start // DAY_NS * DAY_NS if start != NO_TIME else 0
        attributes = {
            "long_name": "time, UTC",
            "standard_name": "time",
            "units": f"seconds since {np.datetime64(day_ns, 'ns').astype('M8[D]')} 00:00:00",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            "coverage_content_type": "coordinate",
        }

        def seconds() -> Iterator[Array]:
            if "time_utc_ns" not in columns:
                yield np.full(self._n_rows, np.nan)
                return
            for part in columns["time_utc_ns"].array.parts():
                yield np.where(part == NO_TIME, np.nan, (part - day_ns) / 1e9)

        return self._by_row(TIME, np.dtype(np.float64), seconds, attributes)

    def _local_time(self, name: str, unit: str, long_name: str) -> Variable:
        array = self._of.local_times[name]
        fill = NO_SOL if name == "sol" and any((part == NO_SOL).any() for part in array.parts()) else None
        attributes = {"units": unit, "long_name": long_name, "coverage_content_type": "coordinate"}
        return self._by_row(name, array.dtype, array.parts, attributes, fill)

    def _pass(self) -> Variable:
        def names() -> Iterator[Array]:
            for name, n_rows in zip(self._of.passes, self._of.n_rows, strict=True):
                yield np.full(n_rows, name, object)

        about = {"long_name": "pass that the row is of: its recording", "coverage_content_type": "coordinate"}
        return self._by_row(PASS, np.dtype(object), names, about)

    def _column(self, name: str, column: Column) -> Variable:
        dtype = column.array.dtype
        stored = _storable(np.empty(0, dtype)).dtype
        attributes = _attributes(name, column)
        if column.dims[:1] == (ROW,):
            sigmas = [self._names[name + ending] for ending in SIGMAS if name + ending in self._names]
            attributes |= {
                "ancillary_variables": " ".join(["quality", "usable", *sigmas]),
                "coordinates": self._coordinates or None,
            }
        if dtype.kind == "b":
            attributes |= {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "false true", "dtype": "bool"}
        if stored.kind in "OSU":
            del attributes["units"]
        fill = NO_TIME if name == "time_onboard_ns" and self._of.start_ns == NO_TIME else None
        dims = [self._dimension(dim, size) for dim, size in zip(column.dims, column.array.shape, strict=True)]
        shape = column.array.shape
        if dtype.kind == "c":
            dims.append(self._dimension("real_imaginary", 2))
            shape = (*shape, 2)
        parts = partial(_stored, column.array)
        return Variable(self._names[name], tuple(dims), shape, stored, parts, attributes, fill)

    def _products(self) -> Iterator[Variable]:
        """Variables along `product`."""
        n_rows = np.array(self._of.n_rows, np.int64)
        yield self._texts("product_id", self._of.ids, "id of the product")
        first = np.cumsum(n_rows) - n_rows
        yield self._number("product_first_row", first, "first row of the product")
        yield self._number("product_n_rows", n_rows, "rows of the product")
        for key, values in self._of.differing().items():
            yield from self._lineage(key, values)

    def _lineage(self, key: str, values: list[Any]) -> Iterator[Variable]:
        name, words = f"product_{plain_name(key)}", key.replace("_", " ")
        if all(isinstance(value, int) for value in values):
            yield self._number(name, np.array(values, np.int64), f"{words} of the product")
        elif all(isinstance(value, list) and len(value) == 2 for value in values):
            for end, which in enumerate(("first", "last")):
                ends = np.array([value[end] for value in values])
                yield self._number(f"{name}_{which}", ends, f"{which} {words} of the product")
        else:
            yield self._texts(name, [json.dumps(value) for value in values], f"{words} of the product, JSON")

    def _number(self, name: str, values: Array, long_name: str) -> Variable:
        about = {"long_name": long_name, "units": "1", "coverage_content_type": "auxiliaryInformation"}
        return Variable(name, (PRODUCT,), values.shape, values.dtype, lambda: [values], about)

    def _texts(self, name: str, values: Sequence[str], long_name: str) -> Variable:
        about = {"long_name": long_name, "coverage_content_type": "auxiliaryInformation"}
        texts = np.array(values, object)
        return Variable(name, (PRODUCT,), texts.shape, np.dtype(object), lambda: [texts], about)

    def _dimension(self, name: str, size: int) -> str:
        """Name of a dimension; extended if it is that of a variable or of a dimension with another size."""
        if name == ROW and size == self._n_rows:
            return self._row
        name = plain_name(name)
        while name in self._names.values() or self._sizes.get(name, size) != size:
            name += "_axis"
        self._sizes[name] = size
        return name


def _attributes(name: str, column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {
        "long_name": name.replace("_", " "),
        "units": ANGLE_UNITS.get(name) or CF_UNITS.get(column.unit, column.unit) or "1",
        "coverage_content_type": "physicalMeasurement" if column.unit else "auxiliaryInformation",
    }
    if column.unit in {"K", "degC"}:
        found["units_metadata"] = "temperature: on_scale"
    base = base_name(name)
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


def _stored(array: SpilledArray) -> Iterator[Array]:
    return (_storable(part) for part in array.parts())


def _storable(values: Array) -> Array:
    """Convert to a type that NetCDF has: texts to objects, booleans to int8, complex numbers to pairs."""
    kind = values.dtype.kind
    if kind in "US":
        return np.char.decode(values, "utf-8", "replace").astype(object) if kind == "S" else values.astype(object)
    if kind == "b":
        return values.astype(np.int8)
    if kind == "c":
        return np.stack([values.real, values.imag], axis=-1)
    return values.astype(np.float32) if values.dtype == np.float16 else values
