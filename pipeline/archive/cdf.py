"""A collection of products as one CDF file in the words of ISTP, times as TT2000.

Numbers by row become variables that depend on `Epoch`; text and what has no rows stays out (NetCDF holds those).
Nothing is compressed: cdflib writes the time of day into what it compresses, and equal products make equal files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import erfa
import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import PRODUCT, ROW, SIGMA, Collection, Column, Origin
from pipeline.archive.netcdf_attributes import MARS_TIMES, USABLE, level_words
from pipeline.archive.provenance import PRODUCER, notes
from pipeline.archive.whole import whole_path
from pipeline.batches import NO_TIME, QUALITY_MEANINGS, Quality, usable
from pipeline.errors import ConfigError
from pipeline.software import software, to_install

_TT2000, _DOUBLE, _FLOAT, _CHAR = 33, 45, 44, 51
_TYPES = {
    "i1": 1, "i2": 2, "i4": 4, "i8": 8, "u1": 11, "u2": 12, "u4": 14, "f4": _FLOAT, "f8": _DOUBLE,
}  # fmt: skip
_FILL = -1e31  # ISTP, for real numbers
_DAY_NS = 86_400 * 1_000_000_000
_J2000_UNIX_NS = 946_728_000 * 1_000_000_000  # 2000-01-01T12:00:00
_TT_TAI_NS = 32_184_000_000
_UNIX_JD = 2_440_587.5
_AXES = {"enu": ("East", "North", "Up"), "rover": ("X forward", "Y right", "Z down")}
_FRAMES = {"sensor", "rover", "enu"}
_SI = {"nT": "1.0e-9>T", "degree": "0.0174532925>rad", "ns": "1.0e-9>s", "m": "1.0>m", "m s-1": "1.0>m s^-1"}


def write_cdf(path: Path, collection: Collection, origin: Origin) -> None:
    """Write the file, whole or not at all. Raises ConfigError without cdflib, RunError where it cannot be written."""
    cdf = cdflib_module()
    with whole_path(path) as part:
        file = cdf.cdfwrite.CDF(part, cdf_spec={"Encoding": 6, "Checksum": False, "Compressed": 0})
        file.write_globalattrs(_globals(collection, origin, path.stem))
        utc_ns = collection.columns["time_utc_ns"].array.whole()
        _write(file, "Epoch", tt2000(utc_ns), _epoch_attributes(utc_ns), _TT2000)
        for name, column in collection.columns.items():
            if column.dims[0] != PRODUCT and column.array.dtype.kind in "iufb" and name != "time_utc_ns":
                _column(file, name, column, has_sigma=name + SIGMA in collection.columns)
        for name, (unit, words) in MARS_TIMES.items():
            if name in collection.mars:
                _write(file, name, collection.mars[name].whole(), _attributes(name, words, unit, "support_data"))
        meanings = "; ".join(f"bit {Quality[name].value.bit_length() - 1} {name}" for name in QUALITY_MEANINGS)
        about = _attributes("quality", "what is known of how each row came and against it", "1", "support_data")
        quality = collection.quality.whole()
        _write(file, "quality", quality, about | {"VAR_NOTES": meanings})
        about = _attributes("usable", "1: no quality bit makes the row doubtful; 0: one does", "1", "support_data")
        _write(file, "usable", usable(quality).astype(np.int8), about | {"VAR_NOTES": USABLE})
        file.close()


def tt2000(utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Nanoseconds of Terrestrial Time since 2000-01-01T12:00 TT, leap seconds counted; NO_TIME is its fill value."""
    days, which = np.unique(utc_ns // _DAY_NS, return_inverse=True)
    year, month, day, _, _ = erfa.ufunc.jd2cal(_UNIX_JD, days.astype(np.float64))
    leap_s, _ = erfa.ufunc.dat(year, month, day, 0.0)
    leap_ns = np.rint(np.asarray(leap_s) * 1e9).astype(np.int64)[which]
    known = utc_ns != NO_TIME
    return np.where(known, np.where(known, utc_ns, 0) - _J2000_UNIX_NS + leap_ns + _TT_TAI_NS, np.int64(NO_TIME))


def _column(file: Any, name: str, column: Column, *, has_sigma: bool) -> None:
    values = column.array.whole()
    what = column.description or name.replace("_", " ")
    role = "support_data" if name == "time_onboard_ns" or name.endswith(SIGMA) else "data"
    attributes = _attributes(name, what, column.unit, role)
    if has_sigma:
        attributes |= dict.fromkeys(("DELTA_PLUS_VAR", "DELTA_MINUS_VAR"), name + SIGMA)
    varies = column.dims[0] == ROW
    if not varies:  # the same for all records
        del attributes["DEPEND_0"]
    for axis, (dim, size) in enumerate(zip(column.dims[varies:], values.shape[varies:], strict=True), 1):
        attributes |= _axis(file, name, dim, axis, size)
    words = name.removesuffix(SIGMA).split("_")
    if "nt" in words and "axis" in column.dims:
        attributes["COORDINATE_SYSTEM"] = words[-2] if words[-2] in _FRAMES else "instrument or spacecraft"
    _write(file, name, values, attributes, varies=varies)


def _axis(file: Any, name: str, dim: str, axis: int, size: int) -> dict[str, str]:
    """The labels of an axis, as a variable of their own for each array."""
    frame = next((words for key, words in _AXES.items() if key in name.split("_")), ("X", "Y", "Z"))
    words = frame if size == len(frame) else tuple(f"{dim} {k}" for k in range(size))
    label = f"{name}_labels_{axis}"
    width = max(map(len, words))
    about = {"FIELDNAM": label, "CATDESC": f"labels of {name}", "VAR_TYPE": "metadata", "FORMAT": f"A{width}"}
    values = np.array([word.ljust(width) for word in words])
    spec = {"Variable": label, "Data_Type": _CHAR, "Num_Elements": width, "Rec_Vary": False, "Dim_Sizes": [size]}
    file.write_var({**spec, "Compress": 0}, about, values)
    return {f"LABL_PTR_{axis}": label, f"DEPEND_{axis}": label}


def _write(
    file: Any,
    name: str,
    values: NDArray[Any],
    attributes: dict[str, Any],
    data_type: int | None = None,
    *,
    varies: bool = True,
) -> None:
    if values.dtype.kind == "b":
        values = values.astype(np.uint8)
    data_type = data_type or _TYPES[values.dtype.str[1:]]
    words = {_FLOAT: "CDF_FLOAT", _DOUBLE: "CDF_DOUBLE", _TT2000: "CDF_TIME_TT2000"}
    type_word = words.get(data_type) or f"CDF_{'U' * (values.dtype.kind == 'u')}INT{values.dtype.itemsize}"
    if values.dtype.kind == "f":
        low, high = (float(end(values[np.isfinite(values)], initial=0.0)) for end in (np.min, np.max))
        fill, values = _FILL, np.where(np.isnan(values), _FILL, values).astype(values.dtype)
    else:
        low, high = (int(end(values, initial=0)) for end in (np.min, np.max))
        info = np.iinfo(values.dtype)
        fill = info.max if values.dtype.kind == "u" else info.min
    numbers = {"FILLVAL": fill, "VALIDMIN": low, "VALIDMAX": high}
    given = {key: value for key, value in attributes.items() if key not in numbers}
    own = {key: [attributes.get(key, value), type_word] for key, value in numbers.items()}
    spec = {"Variable": name, "Data_Type": data_type, "Num_Elements": 1, "Rec_Vary": varies, "Compress": 0}
    file.write_var({**spec, "Dim_Sizes": list(values.shape[varies:])}, given | own, values)


def _attributes(name: str, what: str, unit: str, role: str) -> dict[str, Any]:
    found = {
        "FIELDNAM": name,
        "CATDESC": what,
        "LABLAXIS": name.replace("_", " "),
        "DEPEND_0": "Epoch",
        "DISPLAY_TYPE": "time_series",
        "FORMAT": "E14.6",
        "UNITS": unit or " ",
        "VAR_TYPE": role,
    }
    return found | ({"SI_CONVERSION": _SI[unit]} if unit in _SI else {})


def _epoch_attributes(utc_ns: NDArray[np.int64]) -> dict[str, Any]:
    known = tt2000(utc_ns[utc_ns != NO_TIME])
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return {
        "FIELDNAM": "Epoch",
        "CATDESC": "time of the sample, Terrestrial Time since J2000",
        "LABLAXIS": "Epoch",
        "UNITS": "ns",
        "SI_CONVERSION": _SI["ns"],
        "VAR_TYPE": "support_data",
        "MONOTON": "INCREASE" if bool((np.diff(known) > 0).all()) else "FALSE",
        "TIME_BASE": "J2000",
        "TIME_SCALE": "Terrestrial Time",
        "REFERENCE_POSITION": "rotating Earth geoid",
        "VALIDMIN": low,
        "VALIDMAX": high,
    }


def _globals(collection: Collection, origin: Origin, name: str) -> dict[str, dict[int, Any]]:
    what = f"{collection.instrument} {collection.product}".replace("_", " ")
    common = collection.common
    site = (origin.site or {}) if "site" in common else {}
    found = {
        "Project": origin.mission,
        "Source_name": f"{origin.mission}>{origin.mission}",
        "Discipline": "Planetary Physics>Fields",
        "Data_type": f"{collection.level}>{level_words(collection)}",
        "Descriptor": f"{collection.instrument}>{what}",
        "Data_version": "1",
        "Logical_file_id": name,
        "Logical_source": f"{origin.mission}_{collection.instrument}_{collection.product}",
        "Logical_source_description": f"{what} of {origin.mission}",
        "Mission_group": origin.mission,
        "Instrument_type": "Magnetic Fields (Planetary)" if collection.instrument == "magnetometer" else what,
        "PI_name": "not known to the pipeline",
        "PI_affiliation": "not known to the pipeline",
        "TEXT": f"All {what} products of one pass, row after row.",
        "Generated_by": software(),
        "Producer": PRODUCER,
        **{key.capitalize(): words for key, words in notes(collection, origin).items()},
        "Recordings": ", ".join(origin.recordings),
        "Stream": origin.stream,
        "Dictionary_sha256": common.get("dictionary_sha256"),
        "Calibration_sha256": common.get("calibration_sha256", {}).get(collection.instrument),
        "Frames": "; ".join(f"{key}: {value}" for key, value in common.get("frames", {}).items()),
        "Site": ", ".join(f"{key} {value}" for key, value in site.items()),
    }
    single = {key: {0: str(value)} for key, value in found.items() if value}
    return single | {"Product_ids": dict(enumerate(collection.ids))}


def cdflib_module() -> Any:
    """cdflib, an optional extra; ConfigError where it is missing."""
    try:
        import cdflib  # type: ignore[import-untyped] # noqa: PLC0415 -- an optional extra
        import cdflib.cdfwrite  # type: ignore[import-untyped] # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(f"CDF files need cdflib: {to_install('science')}") from error
    return cdflib
