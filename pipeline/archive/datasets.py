"""Columns as an xarray Dataset: one variable for each parameter, with its unit, along the packets of a container."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.netcdf_attributes import quality_flags
from pipeline.batches import NO_TIME, Column, Quantity, Ragged
from pipeline.errors import ConfigError
from pipeline.software import to_install

if TYPE_CHECKING:
    import xarray

UtcOf = Callable[[Iterable[str], NDArray[np.int64]], NDArray[np.int64]]
"""Told the parameters of a packet, which tell its clock, and onboard times: gives UTC, ns since 1970."""
ROW_FIELDS = ("order", "time_ns", "received_ns", "apid", "seq_count", "quality")
"""What is known of each row beside its parameters."""


def dataset(
    columns: Mapping[str, Column],
    rows: Mapping[str, NDArray[Any]],
    units: Mapping[str, str],
    container: str,
    utc_of: UtcOf | None,
) -> xarray.Dataset:
    """Make a Dataset with dimension `packet`; coordinates are what is known of each row.

    `rows` holds ROW_FIELDS. With `utc_of`, coordinate `time` is UTC; else there is none. A ragged column is flat
    along its own dimension `NAME_value`, with `NAME.start` and `NAME.length` along `packet`.
    """
    xr = _xarray()
    variables: dict[str, Any] = {}
    for name, column in columns.items():
        attributes = {"units": units[name]} if units.get(name) else {}
        if isinstance(column, Ragged):
            inner = (f"{name}_axis_{axis}" for axis in range(1, column.values.ndim))
            variables[name] = ((f"{name}_value", *inner), column.values, attributes)
            variables[f"{name}.start"] = (("packet",), column.start, {})
            variables[f"{name}.length"] = (("packet",), column.length, {})
        else:
            axes = (f"{name}_axis_{axis}" for axis in range(1, column.ndim))
            variables[name] = (("packet", *axes), column, attributes)
    made: xarray.Dataset = xr.Dataset(variables, _coordinates(rows, columns, utc_of), {"container": container})
    return made


def product_dataset(
    arrays: Mapping[str, Quantity],
    utc_ns: NDArray[np.int64],
    quality: NDArray[np.uint32],
    attributes: Mapping[str, Any],
) -> xarray.Dataset:
    """Make a Dataset of the arrays of products; coordinate `utc` and variable `quality` stand along `row`."""
    xr = _xarray()
    variables: dict[str, Any] = {
        name: (one.dims, one.values, {"units": one.unit or "1", "long_name": one.description})
        for name, one in arrays.items()
        if name != "time_utc_ns"
    }
    variables["quality"] = (("row",), quality, quality_flags())
    utc = utc_ns.astype("datetime64[ns]")
    made: xarray.Dataset = xr.Dataset(variables, {"utc": (("row",), utc)}, dict(attributes))
    return made


def _coordinates(rows: Mapping[str, NDArray[Any]], names: Iterable[str], utc_of: UtcOf | None) -> dict[str, Any]:
    coordinates: dict[str, Any] = {
        "packet_apid": (("packet",), rows["apid"], {"long_name": "application process identifier"}),
        "packet_seq_count": (("packet",), rows["seq_count"], {"long_name": "packet sequence count"}),
        "packet_quality": (("packet",), rows["quality"], quality_flags()),
    }
    if rows["received_ns"].any():
        coordinates["received"] = (("packet",), rows["received_ns"].astype("datetime64[ns]"), {})
    known = rows["time_ns"] != NO_TIME
    if utc_of is not None and known.any():
        utc = np.where(known, utc_of(names, rows["time_ns"]), NO_TIME)
        coordinates["time"] = (("packet",), utc.astype("datetime64[ns]"), {"long_name": "onboard time as UTC"})
    return coordinates


def _xarray() -> Any:
    try:
        import xarray as xr  # noqa: PLC0415 -- an optional extra
    except ImportError as error:
        raise ConfigError(f"this needs xarray: {to_install('science')}") from error
    return xr
