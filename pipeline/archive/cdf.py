"""Writes a collection of products as one CDF file by the ISTP guidelines, with times as TT2000.

Numeric arrays with rows become variables that depend on `Epoch`, in order of time. Texts and arrays by product are left
out (NetCDF files have them). Nothing is compressed, since cdflib writes the time of day into compressed files, and
equal products must give equal files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, QUALITY_MEANINGS, Quality, usable
from ..model.time_scales import tt_ns
from ..system.files import whole_path
from .cdf_attributes import (
    FILL,
    attributes,
    display_type,
    epoch_attributes,
    global_attributes,
    integer_fill,
    label_attributes,
    number_attributes,
)
from .collection import NO_SOL, PRODUCT, ROW, SIGMA, Collection, Column, Origin, base_name, is_sigma
from .libraries import cdf_writer
from .netcdf_attributes import LOCAL_TIMES, USABLE
from .variable_names import variable_names

_TT2000, _CHAR = 33, 51
_TYPES = {
    "i1": (1, "CDF_INT1"), "i2": (2, "CDF_INT2"), "i4": (4, "CDF_INT4"), "i8": (8, "CDF_INT8"),
    "u1": (11, "CDF_UINT1"), "u2": (12, "CDF_UINT2"), "u4": (14, "CDF_UINT4"),
    "f4": (44, "CDF_FLOAT"), "f8": (45, "CDF_DOUBLE"),
}  # fmt: skip
_WIDER = {"u1": "u2", "u2": "u4", "u4": "i8", "i1": "i2", "i2": "i4", "i4": "i8"}

_ENU = {"enu": ("East", "North", "Up")}
_SENSOR = "sensor"
_OWN_NAMES = ("Epoch", "quality", "usable", *LOCAL_TIMES)
_FIRST_DATE, _LAST_DATE = "2000-01-01", "2100-01-01"


def write_cdf(path: Path, collection: Collection, origin: Origin, rows: NDArray[np.int64]) -> None:
    """Write `rows`, in their order, atomically. Raises ConfigError without cdflib, RunError as `whole_path`."""
    writer = cdf_writer()
    with whole_path(path) as part:
        file = writer.CDF(part, cdf_spec={"Encoding": 6, "Checksum": False, "Compressed": 0})
        file.write_globalattrs(global_attributes(collection, origin, path.stem))
        _Writer(file, collection, origin, rows).write()
        file.close()


def tt2000(utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """TT2000 of CDF: Terrestrial Time in nanoseconds since J2000, int64[n]; NO_TIME is its fill value."""
    known = utc_ns != NO_TIME
    return np.where(known, tt_ns(np.where(known, utc_ns, 0)), np.int64(NO_TIME))


@dataclass(frozen=True, slots=True)
class _Variable:
    """A variable of the file. `dims`: of a record; `varies`: whether it has a record for each row, or one for all."""

    name: str
    unit: str
    dims: tuple[str, ...]
    varies: bool


class _Writer:
    """Writes the variables of a collection, with records for `rows` in their order."""

    def __init__(self, file: Any, collection: Collection, origin: Origin, rows: NDArray[np.int64]) -> None:
        self._file = file
        self._of = collection
        self._archive_table = origin.archive_table
        self._limits = origin.instrument(collection.instrument).limits
        self._axes = {**_ENU, **origin.rules.frames}
        self._names = variable_names(collection.columns, taken=_OWN_NAMES)
        self._epoch = tt2000(collection.columns["time_utc_ns"].array.whole())
        ascending = bool((np.diff(rows) == 1).all()) and len(rows) > 0
        self._order = slice(int(rows[0]), int(rows[-1]) + 1) if ascending else rows

    def write(self) -> None:
        self._put_epoch()
        for name, column in self._of.columns.items():
            if self._is_variable(name):
                self._column(name, column)
        for name, (unit, words) in LOCAL_TIMES.items():
            if name in self._of.local_times:
                values = self._of.local_times[name].whole()
                values = np.where(values == NO_SOL, integer_fill(values.dtype), values) if name == "sol" else values
                self._put(
                    _Variable(name, unit, (), varies=True), values, attributes(name, words, unit, "support_data")
                )
        quality = self._of.quality.whole()
        meanings = "; ".join(f"bit {Quality[name].value.bit_length() - 1} {name}" for name in QUALITY_MEANINGS)
        about = attributes("quality", "what is known of how each row came and against it", "1", "support_data")
        self._put(_Variable("quality", "1", (), varies=True), quality, about | {"VAR_NOTES": meanings})
        about = attributes("usable", "1: no quality bit makes the row doubtful; 0: one does", "1", "support_data")
        flags = usable(quality).astype(np.int8)
        self._put(_Variable("usable", "1", (), varies=True), flags, about | {"VAR_NOTES": USABLE})

    def _is_variable(self, name: str) -> bool:
        column = self._of.columns[name]
        return name != "time_utc_ns" and column.dims[:1] != (PRODUCT,) and column.array.dtype.kind in "iufb"

    def _put_epoch(self) -> None:
        epoch = self._epoch[self._order]
        dates = (
            self._archive_table.get("first_date", _FIRST_DATE),
            self._archive_table.get("last_date", _LAST_DATE),
        )
        first, last = tt2000(np.array(dates, "M8[ns]").astype(np.int64)).tolist()
        about = epoch_attributes(epoch[epoch != NO_TIME], first, last)
        numbers = {key: [about.pop(key), "CDF_TIME_TT2000"] for key in ("VALIDMIN", "VALIDMAX")}
        self._write("Epoch", _TT2000, epoch, about | numbers | {"FILLVAL": [NO_TIME, "CDF_TIME_TT2000"]})

    def _column(self, name: str, column: Column) -> None:
        values = _storable(column.array.whole())
        varies = column.dims[0] == ROW
        variable = _Variable(self._names[name], column.unit, column.dims[varies:], varies)
        is_support = not varies or name == "time_onboard_ns" or is_sigma(name)
        what = column.description or name.replace("_", " ")
        about = attributes(variable.name, what, column.unit, "support_data" if is_support else "data")
        about |= self._sigma(name, values)
        words = base_name(name).split("_")
        if "nt" in words and "axis" in column.dims:
            about["COORDINATE_SYSTEM"] = (
                words[-2] if words[-2] in {_SENSOR, *self._axes} else "instrument or spacecraft"
            )
        for axis, (dim, size) in enumerate(zip(variable.dims, values.shape[varies:], strict=True), 1):
            about |= self._axis(variable.name, dim, axis, size)
        self._put(variable, values, about)

    def _sigma(self, name: str, values: NDArray[Any]) -> dict[str, str]:
        """DELTA_PLUS_VAR and DELTA_MINUS_VAR if the sigma is a variable of the same type and shape, else a note."""
        sigma = name + SIGMA
        column = self._of.columns.get(sigma)
        if column is None:
            return {}
        if not self._is_variable(sigma):
            return {
                "VAR_NOTES": f"one sigma ({sigma}) is the same for whole products and stands in the NetCDF file"
            }
        other = _storable(column.array.whole())
        alike = (other.dtype, other.shape, column.unit) == (values.dtype, values.shape, self._of.columns[name].unit)
        own = self._names[sigma]
        return (
            dict.fromkeys(("DELTA_PLUS_VAR", "DELTA_MINUS_VAR"), own) if alike else {"VAR_NOTES": f"sigma: {own}"}
        )

    def _axis(self, name: str, dim: str, axis: int, size: int) -> dict[str, str]:
        """Write the labels of an axis as a variable; returns the attributes that refer to it."""
        frame = next((words for key, words in self._axes.items() if key in name.split("_")), ("X", "Y", "Z"))
        words = frame if size == len(frame) else tuple(f"{dim} {k}" for k in range(size))
        label = f"{name}_labels_{axis}"
        width = max(map(len, words), default=1)
        values = np.array([word.ljust(width) for word in words])
        spec = {
            "Variable": label,
            "Data_Type": _CHAR,
            "Num_Elements": width,
            "Rec_Vary": False,
            "Dim_Sizes": [size],
        }
        self._file.write_var({**spec, "Compress": 0}, label_attributes(label, name, width), values)
        return {f"LABL_PTR_{axis}": label, f"DEPEND_{axis}": label}

    def _put(self, variable: _Variable, values: NDArray[Any], about: dict[str, Any]) -> None:
        values = _without_fill(values, variable.name)
        values = values[self._order] if variable.varies else values
        numbers = number_attributes(self._limits, variable.name, variable.unit, values.dtype)
        data_type, word = _TYPES[values.dtype.str[1:]]
        typed = {key: [numbers.pop(key), word] for key in ("FILLVAL", "VALIDMIN", "VALIDMAX")}
        if variable.varies:
            about = display_type(values.ndim - 1) | about
        else:
            del about["DEPEND_0"]
        self._write(variable.name, data_type, values, numbers | about | typed, varies=variable.varies)

    def _write(
        self, name: str, data_type: int, values: NDArray[Any], about: dict[str, Any], *, varies: bool = True
    ) -> None:
        spec = {"Variable": name, "Data_Type": data_type, "Num_Elements": 1, "Rec_Vary": varies, "Compress": 0}
        self._file.write_var({**spec, "Dim_Sizes": list(values.shape[varies:])}, about, values)


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Convert numbers to a type that CDF has."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype == np.float16:
        return values.astype(np.float32)
    if values.dtype == np.uint64:
        return values.astype(np.int64 if int(values.max(initial=0)) < 1 << 63 else np.float64)
    return values


def _without_fill(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Replace non-finite values by FILLVAL; widen the type of integers if one of them equals FILLVAL."""
    if values.dtype.kind == "f":
        return np.where(np.isfinite(values), values, FILL).astype(values.dtype)
    while (wider := _WIDER.get(values.dtype.str[1:])) and name != "sol":
        if not (values == integer_fill(values.dtype)).any():
            break
        values = values.astype(wider)
    return values
