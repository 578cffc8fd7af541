"""Columns as an xarray Dataset: one variable for each parameter, with its unit, along the packets of a container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.netcdf_attributes import ANGLE_UNITS, STANDARD_NAMES, USABLE, quality_flags
from pipeline.archive.row_columns import Known, row_columns
from pipeline.batches import Column, Quantity, Ragged, usable
from pipeline.categorical import Categorical
from pipeline.errors import ConfigError
from pipeline.software import to_install

if TYPE_CHECKING:
    import xarray


def dataset(
    columns: Mapping[str, Column], rows: Mapping[str, NDArray[Any]], container: str, known: Known
) -> xarray.Dataset:
    """Make a Dataset along `time`, else `received`, else `packet`; coordinates are what is known of each row.

    `rows` holds ROW_FIELDS. A ragged column is flat along its own dimension `NAME_value`, with `NAME.start` and
    `NAME.length` along the packets. Labels of enumerations are made when they are looked at.
    """
    xr = _xarray()
    from pipeline.archive.lazy_texts import lazy_texts  # noqa: PLC0415 -- an optional extra

    def data_of(values: Any) -> Any:
        return lazy_texts(values) if isinstance(values, Categorical) else values

    axis, found = row_columns(rows, columns, known.utc_of)
    variables: dict[str, Any] = {}
    for name, column in columns.items():
        attributes = _attributes(name, known)
        if isinstance(column, Ragged):
            inner = (f"{name}_axis_{number}" for number in range(1, column.values.ndim))
            variables[name] = ((f"{name}_value", *inner), data_of(column.values), attributes)
            variables[f"{name}.start"] = ((axis,), column.start, {})
            variables[f"{name}.length"] = ((axis,), column.length, {})
        else:
            axes = (f"{name}_axis_{number}" for number in range(1, column.ndim))
            variables[name] = ((axis, *axes), data_of(column), attributes)
    coordinates = {name: ((axis,), one.values, dict(one.attributes)) for name, one in found.items()}
    made: xarray.Dataset = xr.Dataset(variables, coordinates, {"container": container, **known.origin})
    return made


def _attributes(name: str, known: Known) -> dict[str, str]:
    words = {"units": known.units.get(name), "long_name": known.descriptions.get(name)}
    return {key: value for key, value in words.items() if value}


def product_dataset(
    arrays: Mapping[str, Quantity],
    utc_ns: NDArray[np.int64],
    quality: NDArray[np.uint32],
    attributes: Mapping[str, Any],
) -> xarray.Dataset:
    """Make a Dataset of the arrays of products; coordinate `utc`, `quality` and `usable` stand along `row`."""
    xr = _xarray()
    variables: dict[str, Any] = {
        name: (one.dims, one.values, _of_quantity(name, one))
        for name, one in arrays.items()
        if name != "time_utc_ns"
    }
    variables["quality"] = (("row",), quality, quality_flags())
    variables["usable"] = (("row",), usable(quality), {"long_name": USABLE})
    utc = utc_ns.astype("datetime64[ns]")
    made: xarray.Dataset = xr.Dataset(variables, {"utc": (("row",), utc)}, dict(attributes))
    return made


def _of_quantity(name: str, quantity: Quantity) -> dict[str, str]:
    units = ANGLE_UNITS.get(name) or quantity.unit or "1"
    standard = {"standard_name": STANDARD_NAMES[name]} if name in STANDARD_NAMES else {}
    return {"units": units, "long_name": quantity.description, **standard}


def _xarray() -> Any:
    try:
        import xarray as xr  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise ConfigError(f"this needs xarray: {to_install('science')}") from error
    return xr
