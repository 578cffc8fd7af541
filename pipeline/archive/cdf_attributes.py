"""Attributes of a CDF file and of its variables.

Source: ISTP/IACG Guidelines for global and variable attributes (NASA SPDF). `FORMAT` is that of Fortran; `FILLVAL` is
that of the guidelines for each type; `VALIDMIN` and `VALIDMAX` are the range of the quantity (`valid_ranges`), not that
of the data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..products.archive_rules import Limits
from ..system.software import software
from .collection import Collection, Origin
from .netcdf_attributes import level_words
from .provenance import PRODUCER, notes
from .valid_ranges import NO_LIMIT, known_range

FILL = -1e31
"""FILLVAL of real numbers."""
NOT_KNOWN = "not known to the pipeline"
SI = {"nT": "1.0e-9>T", "degree": "0.0174532925>rad", "ns": "1.0e-9>s", "m": "1.0>m", "m s-1": "1.0>m s^-1"}
TT2000_CHARACTERS = 29  # 9999-12-31T23:59:59.999999999
_STAMP = re.compile(r"_\d{14}_.*$")


def attributes(name: str, what: str, unit: str, role: str) -> dict[str, Any]:
    """Attributes of a variable that depends on Epoch. `role`: VAR_TYPE."""
    found = {
        "FIELDNAM": name,
        "CATDESC": what,
        "LABLAXIS": name.replace("_", " "),
        "DEPEND_0": "Epoch",
        "UNITS": unit or " ",
        "VAR_TYPE": role,
    }
    return found | ({"SI_CONVERSION": SI[unit]} if unit in SI else {})


def epoch_attributes(tt2000_ns: NDArray[np.int64], first: int, last: int) -> dict[str, Any]:
    """Attributes of `Epoch`. `tt2000_ns`: its values; `first`, `last`: the valid range."""
    return {
        "FIELDNAM": "Epoch",
        "CATDESC": "time of the sample, Terrestrial Time since J2000",
        "LABLAXIS": "Epoch",
        "UNITS": "ns",
        "SI_CONVERSION": SI["ns"],
        "VAR_TYPE": "support_data",
        "MONOTON": "INCREASE" if bool((np.diff(tt2000_ns) > 0).all()) else "FALSE",
        "TIME_BASE": "J2000",
        "TIME_SCALE": "Terrestrial Time",
        "REFERENCE_POSITION": "rotating Earth geoid",
        "FORMAT": f"A{TT2000_CHARACTERS}",
        "VALIDMIN": first,
        "VALIDMAX": last,
    }


def display_type(n_dims: int) -> dict[str, str]:
    """DISPLAY_TYPE of a variable whose records have `n_dims` dimensions."""
    return {"DISPLAY_TYPE": "spectrogram" if n_dims else "time_series"}


def number_attributes(limits: Mapping[str, Limits], name: str, unit: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """FILLVAL, VALIDMIN, VALIDMAX and FORMAT of a numeric variable; VAR_NOTES if no range is known.

    `limits`: measurement ranges of the instrument, by unit.
    """
    known = known_range(limits, name, unit)
    notes_ = {} if known else {"VAR_NOTES": "no valid range is known: VALIDMIN and VALIDMAX only exclude FILLVAL"}
    low, high = known or (-NO_LIMIT, NO_LIMIT)
    if dtype.kind == "f":
        digits = "E24.16" if dtype.itemsize == 8 else "E15.8"
        return {"FILLVAL": FILL, "VALIDMIN": low, "VALIDMAX": high, "FORMAT": digits, **notes_}
    info, fill = np.iinfo(dtype), integer_fill(dtype)
    least, most = (info.min, info.max - 1) if dtype.kind == "u" else (info.min + 1, info.max)
    least, most = (int(low) if low > least else least), (int(high) if high < most else most)
    width = max(len(str(least)), len(str(most)))
    return {"FILLVAL": fill, "VALIDMIN": least, "VALIDMAX": most, "FORMAT": f"I{width}", **notes_}


def integer_fill(dtype: np.dtype[Any]) -> int:
    """FILLVAL of an integer type."""
    info = np.iinfo(dtype)
    return int(info.max if dtype.kind == "u" else info.min)


def label_attributes(label: str, name: str, width: int) -> dict[str, Any]:
    """Attributes of a variable with the labels of an axis."""
    return {
        "FIELDNAM": label,
        "CATDESC": f"labels of {name}",
        "VAR_TYPE": "metadata",
        "FORMAT": f"A{width}",
        "FILLVAL": " ",
    }


def global_attributes(collection: Collection, origin: Origin, name: str) -> dict[str, dict[int, Any]]:
    """Global attributes. `name`: of the file, without extension; its part before the times is `Logical_source`."""
    what = f"{collection.instrument} {collection.product}".replace("_", " ")
    common, words = collection.common, origin.archive_table
    site = (origin.site or {}) if "site" in common else {}
    found = {
        "Project": words.get("project", origin.mission),
        "Source_name": f"{origin.mission}>{words.get('platform', origin.mission)}",
        "Discipline": origin.rules.discipline,
        "Data_type": f"{collection.level}>{level_words(collection, origin)}",
        "Descriptor": f"{collection.instrument}>{what}",
        "Data_version": "1",
        "Logical_file_id": name,
        "Logical_source": _STAMP.sub("", name),
        "Logical_source_description": f"{what} of {origin.mission}",
        "Mission_group": words.get("project", origin.mission),
        "Instrument_type": origin.instrument(collection.instrument).istp_type or what,
        "PI_name": words.get("creator_name", NOT_KNOWN),
        "PI_affiliation": words.get("institution", NOT_KNOWN),
        "Acknowledgement": words.get("acknowledgement"),
        "Rules_of_use": words.get("license"),
        "References": words.get("references"),
        "TEXT": f"All {what} products of one pass, in the order of their times.",
        "Generated_by": software(),
        "Producer": PRODUCER,
        **{key.capitalize(): one for key, one in notes(collection, origin).items()},
        "Recordings": ", ".join(origin.recordings),
        "Stream": origin.stream,
        "Dictionary_sha256": common.get("dictionary_sha256"),
        "Calibration_sha256": common.get("calibration_sha256", {}).get(collection.instrument),
        "Frames": "; ".join(f"{key}: {value}" for key, value in common.get("frames", {}).items()),
        "Site": ", ".join(f"{key} {value}" for key, value in site.items()),
    }
    single = {key: {0: str(value)} for key, value in found.items() if value}
    return single | {"Product_ids": dict(enumerate(collection.ids))}
