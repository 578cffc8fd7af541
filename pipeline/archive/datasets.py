"""Makes xarray Datasets of decoded columns and of products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import Column, Ragged
from ..model.categorical import Categorical
from ..system.software import optional_module
from .collection import Collection, Origin
from .netcdf_attributes import global_attributes
from .product_variables import Variable, product_variables
from .row_columns import PASS, Metadata, RowColumn, RowTimes, axis_of, passes_column, row_columns

if TYPE_CHECKING:
    import xarray

    from .column_store import ColumnStore
    from .packet_columns import PacketColumns


def dataset(
    columns: Mapping[str, Column], rows: Mapping[str, NDArray[Any]], container: str, known: Metadata
) -> xarray.Dataset:
    """Make a Dataset of decoded packets: a variable for each parameter, with the row columns as coordinates.

    Its dimension is `time`, else `received`, else `packet` (see `axis_of`). `rows`: ROW_FIELDS. Rows are sorted by
    time; `packet_order` is their order in the stream. A ragged column has padded rows along `NAME_value`, with the
    lengths in `NAME.length`. Padding and labels of enumerations are made on access.
    """
    times = RowTimes().and_of(rows)
    axis, found = axis_of(times, columns, known), row_columns(rows, columns, known, times)
    order = _order(found[axis].values) if axis in found else None
    of_rows = {name: RowColumn(_in_order(one.values, order), one.attributes) for name, one in found.items()}
    data: dict[str, Any] = {}
    for name, column in columns.items():
        ordered = _in_order(column, order)
        data[name] = _data(ordered)
        if isinstance(ordered, Ragged):
            data[f"{name}.length"] = ordered.length
    return _assembled(axis, of_rows, data, container, known)


def stored_dataset(store: ColumnStore | PacketColumns, container: str, known: Metadata) -> xarray.Dataset:
    """As `dataset`, of rows in a file or of packets: values except those of the index are read or decoded on access."""
    found, columns = store.of_rows(), store.columns()
    axis = axis_of(store.times, columns, known)
    if len(known.passes) > 1:
        found |= {PASS: passes_column(known.passes)}
    made = _assembled(axis, found, columns, container, known)
    in_order = axis not in made.indexes or made.indexes[axis].is_monotonic_increasing
    return made if in_order else made.sortby(axis)


def _assembled(
    axis: str, of_rows: Mapping[str, RowColumn], data: Mapping[str, Any], container: str, known: Metadata
) -> xarray.Dataset:
    """Assemble a Dataset along `axis`. `data`: of each parameter, and `NAME.length` of padded ones."""
    coordinates: dict[str, Any] = {}
    for name, one in of_rows.items():
        coordinates[name] = ((axis,), _data(one.values), dict(one.attributes))
    lengths = {f"{name}.length": name for name in data if f"{name}.length" in data}
    variables: dict[str, Any] = {}
    for name, values in data.items():
        if name in lengths:
            variables[name] = ((axis,), values, {"long_name": f"values of {lengths[name]} in the row"})
            continue
        dims = [axis]
        if f"{name}.length" in lengths:
            dims.append(f"{name}_value")
            coordinates[dims[-1]] = ((dims[-1],), np.arange(values.shape[1]), {})
        dims += [f"{name}_axis_{number}" for number in range(1, values.ndim - len(dims) + 1)]
        variables[name] = (dims, values, _attributes(name, known))
    made: xarray.Dataset = _xarray().Dataset(variables, coordinates, {"container": container, **known.origin})
    return made


def _order(times: Any) -> NDArray[np.intp] | None:
    """Stable order of rows by time; None if they are in order."""
    return np.argsort(times, kind="stable") if bool((times[1:] < times[:-1]).any()) else None


def _in_order(column: Any, order: NDArray[np.intp] | None) -> Any:
    if order is None:
        return column
    if isinstance(column, Ragged):
        return Ragged(column.values, column.start[order], column.length[order])
    return column[order]


def _data(column: Column) -> Any:
    """Convert a column to data of a variable: an array, or a lazy one."""
    from .lazy_columns import lazy_texts, padded_rows  # noqa: PLC0415 -- needs xarray, an optional extra

    if isinstance(column, Ragged):
        return padded_rows(column)
    return lazy_texts(column) if isinstance(column, Categorical) else column


def _attributes(name: str, known: Metadata) -> dict[str, str]:
    words = {"units": known.units.get(name), "long_name": known.descriptions.get(name)}
    return {key: value for key, value in words.items() if value}


def product_dataset(collection: Collection, origin: Origin, name: str) -> xarray.Dataset:
    """Make a Dataset of a collection of products, equal to what xarray reads from its NetCDF file. `name`: its id.

    Rows can be selected by time (`sel`, `resample`) if all have one, in ascending order, equal times included.
    """
    xr = _xarray()
    variables = {one.name: (one.dims, _whole(one), _cf(one)) for one in product_variables(collection)}
    encoded = xr.Dataset(variables, attrs=global_attributes(collection, origin, name))
    made: xarray.Dataset = xr.decode_cf(encoded, decode_timedelta=False)
    return made.set_xindex("time") if collection.least_step_ns == 0 else made


def _whole(one: Variable) -> NDArray[Any]:
    parts = list(one.parts())
    return np.concatenate(parts).reshape(one.shape) if parts else np.empty(one.shape, one.dtype)


def _cf(one: Variable) -> dict[str, Any]:
    fill = {} if one.fill is None else {"_FillValue": one.fill}
    return {key: value for key, value in one.attributes.items() if value is not None} | fill


def _xarray() -> Any:
    return optional_module("xarray", "this needs xarray", "science")
