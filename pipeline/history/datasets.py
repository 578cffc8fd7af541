"""Rows of a query as an xarray Dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xarray
from numpy.typing import NDArray

from .forms import unit_of
from .names import FIXED
from .summaries import COMMON

if TYPE_CHECKING:
    from .parameter import Parameter

_COORDINATES = {*FIXED, *COMMON}


def to_dataset(table: pa.Table, parameters: Mapping[str, Parameter], axis: str) -> xarray.Dataset:
    """The columns of a table along `time`; `axis`: "time" (receive time if a row has none) or "received"."""
    if not table.num_columns:
        empty = {name: ("time", np.empty(0), _attributes(one, None)) for name, one in parameters.items()}
        return xarray.Dataset(empty, {"time": np.empty(0, "datetime64[ns]")})
    coordinates: dict[str, Any] = {"time": ("time", _axis(table, axis))}
    variables: dict[str, Any] = {}
    for name in table.schema.names:
        if name in _COORDINATES and name not in parameters:
            if name != "time":
                coordinates[name] = ("time", values_of(table[name]))
            continue
        one = parameters.get(name) or parameters.get(name.rpartition(".")[0])
        attributes = _attributes(one, table.schema.field(name)) if one and not name.endswith(".n") else {}
        dims, values, lengths = _with_axes(name, table[name])
        variables[name] = (dims, values, attributes)
        if lengths is not None:
            variables[f"{name}.length"] = ("time", lengths)
    return xarray.Dataset(variables, coordinates)


def _axis(table: pa.Table, axis: str) -> NDArray[np.datetime64]:
    column = table["time"]
    if "received" in table.schema.names:
        column = table["received"] if axis == "received" else pc.coalesce(column, table["received"])
    return np.asarray(column.cast(pa.timestamp("ns")).to_numpy())


def _attributes(one: Parameter, field: pa.Field | None) -> dict[str, str]:
    """CF attributes of a variable; the unit of the column, which may be an older one."""
    unit = one.unit if field is None or not field.metadata else unit_of(field)
    known = {"units": unit, "long_name": one.description, "kind": one.kind}
    return {key: text for key, text in known.items() if text}


def values_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column as array[n]: numbers with nulls as float64 with NaN, texts as objects."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(pa.string())
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("ns"))
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(column.combine_chunks().to_numpy(zero_copy_only=False))
    return np.asarray(column.to_numpy())


def _with_axes(name: str, column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[Any], NDArray[Any] | None]:
    """Dimensions and values of a column; lists of different lengths are padded, and returned with their lengths."""
    if not pa.types.is_list(column.type):
        return ("time",), values_of(column), None
    whole = column.combine_chunks()
    lengths = np.asarray(pc.fill_null(pc.list_value_length(whole), 0).to_numpy(zero_copy_only=False))
    flat = pa.chunked_array([pc.list_flatten(whole)])
    dims, inner, _ = _with_axes(name, flat)
    width = int(lengths.max(initial=0))
    names = ("time", *(f"{name}_axis_{axis}" for axis in range(1, 1 + len(dims))))
    if len(lengths) and np.all(lengths == width):
        return names, inner.reshape(len(lengths), width, *inner.shape[1:]), None
    fill = np.nan if inner.dtype.kind == "f" else "" if inner.dtype.kind in "OU" else inner.dtype.type()
    padded = np.full((len(lengths), width, *inner.shape[1:]), fill, inner.dtype)
    padded[np.arange(width) < lengths[:, None]] = inner
    return names, padded, lengths
