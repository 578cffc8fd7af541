"""Columns as an xarray Dataset: one variable for each parameter, with its unit, along the packets of a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import Collection, Origin
from pipeline.archive.netcdf_attributes import global_attributes
from pipeline.archive.product_variables import Variable, product_variables
from pipeline.archive.row_columns import PASS, Known, TimesKnown, axis_of, passes_column, row_columns
from pipeline.batches import Column, Ragged
from pipeline.categorical import Categorical
from pipeline.errors import ConfigError
from pipeline.software import to_install

if TYPE_CHECKING:
    import xarray

    from pipeline.archive.column_store import ColumnStore

LENGTHS = "values of {} in the row"


def dataset(
    columns: Mapping[str, Column], rows: Mapping[str, NDArray[Any]], container: str, known: Known
) -> xarray.Dataset:
    """Make a Dataset along `time`, else `received`, else `packet`; coordinates are what is known of each row.

    `rows` holds ROW_FIELDS. Rows are in order of their time; `packet_order` has the order in the stream. A ragged
    column has rows of one width along `NAME_value`, padded behind `NAME.length`. It is padded, and labels of
    enumerations are made, when they are looked at.
    """
    xr = _xarray()
    times = TimesKnown().and_of(rows)
    axis, found = axis_of(times, columns, known), row_columns(rows, columns, known, times)
    order = _order(found[axis].values) if axis in found else None
    coordinates: dict[str, Any] = {}
    for name, one in found.items():
        coordinates[name] = ((axis,), _data(_in_order(one.values, order)), dict(one.attributes))
    variables: dict[str, Any] = {}
    for name, column in columns.items():
        ordered, attributes = _in_order(column, order), _attributes(name, known)
        data = _data(ordered)
        axes = (f"{name}_axis_{number}" for number in range(1, data.ndim))
        if isinstance(ordered, Ragged):
            inner = f"{name}_value"
            axes = (f"{name}_axis_{number}" for number in range(1, data.ndim - 1))
            variables[name] = ((axis, inner, *axes), data, attributes)
            variables[f"{name}.length"] = ((axis,), ordered.length, {"long_name": LENGTHS.format(name)})
            coordinates[inner] = ((inner,), np.arange(data.shape[1]), {})
        else:
            variables[name] = ((axis, *axes), data, attributes)
    made: xarray.Dataset = xr.Dataset(variables, coordinates, {"container": container, **known.origin})
    return made


def stored_dataset(store: ColumnStore, container: str, known: Known) -> xarray.Dataset:
    """As `dataset`, of rows in a file: values are read when they are looked at, but for the times that are the
    index.
    """
    xr = _xarray()
    found, columns = store.of_rows(), store.columns()
    axis = axis_of(store.times, columns, known)
    if len(known.passes) > 1:
        found |= {PASS: passes_column(known.passes)}
    coordinates: dict[str, Any] = {}
    for name, one in found.items():
        coordinates[name] = ((axis,), _data(one.values), dict(one.attributes))
    variables: dict[str, Any] = {}
    for name, data in columns.items():
        ragged = f"{name}.length" in columns
        axes = [f"{name}_axis_{number}" for number in range(1, data.ndim - ragged)]
        variables[name] = ((axis, *([f"{name}_value"] if ragged else []), *axes), data, _attributes(name, known))
        if ragged:
            coordinates[f"{name}_value"] = ((f"{name}_value",), np.arange(data.shape[1]), {})
    for name in (name for name in columns if f"{name}.length" in columns):
        variables[f"{name}.length"] = ((axis,), columns[f"{name}.length"], {"long_name": LENGTHS.format(name)})
    made: xarray.Dataset = xr.Dataset(variables, coordinates, {"container": container, **known.origin})
    in_order = axis not in made.indexes or made.indexes[axis].is_monotonic_increasing
    return made if in_order else made.sortby(axis)


def _order(times: Any) -> NDArray[np.intp] | None:
    """Rows by time, those of one time as they came; None where they are in order."""
    return np.argsort(times, kind="stable") if bool((times[1:] < times[:-1]).any()) else None


def _in_order(column: Any, order: NDArray[np.intp] | None) -> Any:
    if order is None:
        return column
    if isinstance(column, Ragged):
        return Ragged(column.values, column.start[order], column.length[order])
    return column[order]


def _data(column: Column) -> Any:
    """What xarray takes: an array, or one that is made when it is looked at."""
    from pipeline.archive.lazy_rows import padded_rows  # noqa: PLC0415 -- an optional extra
    from pipeline.archive.lazy_texts import lazy_texts  # noqa: PLC0415

    if isinstance(column, Ragged):
        return padded_rows(column)
    return lazy_texts(column) if isinstance(column, Categorical) else column


def _attributes(name: str, known: Known) -> dict[str, str]:
    words = {"units": known.units.get(name), "long_name": known.descriptions.get(name)}
    return {key: value for key, value in words.items() if value}


def product_dataset(collection: Collection, origin: Origin, name: str) -> xarray.Dataset:
    """Make a Dataset of a collection of products: just what xarray opens of its NetCDF file. `name`: its id.

    Rows are found by their time (`sel`, `resample`) where every row has one and none is earlier than the row before,
    also where several have the same and so lie along `row`.
    """
    xr = _xarray()
    variables = {one.name: (one.dims, _whole(one), _cf(one)) for one in product_variables(collection)}
    encoded = xr.Dataset(variables, attrs=global_attributes(collection, origin, name))
    made: xarray.Dataset = xr.decode_cf(encoded, decode_timedelta=False)
    step_ns = collection.least_step_ns
    return made.set_xindex("time") if step_ns is not None and step_ns == 0 else made


def _whole(one: Variable) -> NDArray[Any]:
    parts = list(one.parts())
    return np.concatenate(parts).reshape(one.shape) if parts else np.empty(one.shape, one.dtype)


def _cf(one: Variable) -> dict[str, Any]:
    fill = {} if one.fill is None else {"_FillValue": one.fill}
    return {key: value for key, value in one.attributes.items() if value is not None} | fill


def _xarray() -> Any:
    try:
        import xarray as xr  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise ConfigError(f"this needs xarray: {to_install('science')}") from error
    return xr
