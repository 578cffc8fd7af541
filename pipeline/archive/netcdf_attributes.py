"""The words of a NetCDF file: CF-1.11 and ACDD-1.3 attributes from what a collection of products knows.

What only the operator knows (people, licence) is left out, and so is the date of writing: equal products make equal
files.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pipeline.archive.collection import Collection, Origin
from pipeline.archive.provenance import PRODUCER, notes
from pipeline.batches import DOUBTFUL, NO_TIME, QUALITY_MEANINGS, Quality
from pipeline.software import software

STANDARD_NAMES = {
    "air_temperature_k": "air_temperature",
    "pressure_pa": "surface_air_pressure",
    "wind_speed_m_s": "wind_speed",
    "wind_from_direction_deg": "wind_from_direction",
    "air_density_kg_m3": "air_density",
    "speed_m_s": "platform_speed_wrt_ground",
    "solar_incidence_deg": "solar_zenith_angle",
    "solar_azimuth_deg": "solar_azimuth_angle",
    "wavelength_nm": "radiation_wavelength",
    "longitude_deg": "longitude",
    "latitude_deg": "latitude",
}
"""CF standard names, of arrays of any instrument that have this name and are what it says."""

VALID_RANGES = {
    "wind_from_direction_deg": (0.0, 360.0),
    "heading_deg": (0.0, 360.0),
    "solar_incidence_deg": (0.0, 180.0),
    "solar_azimuth_deg": (0.0, 360.0),
}
"""Of quantities that cannot lie elsewhere."""

CF_UNITS = {"dB": "0.1 lg(re 1)"}
"""Units as UDUNITS spells them, where it has another word."""

ANGLE_UNITS = {"longitude_deg": "degrees_east", "latitude_deg": "degrees_north"}
"""Units of arrays of this name, which CF tells apart from other angles."""

MARS_TIMES = {
    "sol": ("1", "sol of the mission, local mean solar time"),
    "lmst": ("1", "local mean solar time, in hours of 1/24 sol"),
    "ltst": ("1", "local true solar time, in hours of 1/24 sol; of the sol whose midnight is its own"),
    "ls": ("degree", "areocentric longitude of the Sun"),
}


def level_words(collection: Collection) -> str:
    """A processing level in the words of GRAS and of NASA."""
    return f"GRAS {collection.level}; NASA PDS4 {collection.common.get('level_pds4') or 'not assigned'}"


def iso(utc_ns: int, unit: str = "ms") -> str:
    """UTC as ISO 8601."""
    instant = np.datetime64(utc_ns, "ns")
    return f"{np.datetime_as_string(instant, unit=unit)}Z"  # type: ignore[call-overload]


def quality_flags() -> dict[str, Any]:
    """CF's masks and meanings of the quality bits."""
    masks = np.array([Quality[name].value for name in QUALITY_MEANINGS], np.uint32)
    return {"flag_masks": masks, "flag_meanings": " ".join(QUALITY_MEANINGS)}


USABLE = "no quality bit that makes the row doubtful; rows with corrected symbols or after a gap are exact"
"""What `usable` says of a row."""


def usable_attributes() -> dict[str, Any]:
    """Of the variable `usable`, 0 or 1 for each row."""
    return {
        "long_name": USABLE,
        "standard_name": "quality_flag",
        "coverage_content_type": "qualityInformation",
        "flag_values": np.array([0, 1], np.int8),
        "flag_meanings": "doubtful usable",
        "comment": f"(quality & {int(DOUBTFUL)}) == 0",
    }


def quality_attributes() -> dict[str, Any]:
    """Flags of the quality word, bit by bit."""
    return {
        "long_name": "what is known of how each row came and against it; see usable",
        "standard_name": "quality_flag",
        "coverage_content_type": "qualityInformation",
        **quality_flags(),
        "doubtful_mask": np.uint32(DOUBTFUL),
        "comment": "; ".join(f"{name}: {meaning}" for name, meaning in QUALITY_MEANINGS.items()),
    }


def global_attributes(collection: Collection, origin: Origin, name: str) -> dict[str, Any]:
    """What holds for the whole file."""
    common = collection.common
    what = f"{collection.instrument} {collection.product}".replace("_", " ")
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"{origin.mission}: {what}, level {collection.level}{', simulated' * origin.simulated}",
        "summary": f"All {what} products of one pass of {origin.mission}, row after row, with the time, the quality "
        "and the origin of each.",
        "keywords": f"{origin.mission}, {collection.instrument}, {what}, telemetry",
        "id": name,
        "naming_authority": "downlink-pipeline",
        "source": f"{'simulated ' * origin.simulated}telemetry of {origin.mission}, "
        f"received frames {', '.join(origin.recordings)}",
        "history": f"{software()}: frames, packets, dictionary {common.get('container', '')}, {what}",
        "processing_level": level_words(collection),
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "comment": "time is UTC as the onboard clock and its correlation give it",
        "project": origin.mission,
        "platform": origin.mission,
        "instrument": collection.instrument,
        "product_version": software(),
        "producer": PRODUCER,
        **notes(collection, origin),
        **_times(collection),
        **_place(collection, origin),
        **_lineage(collection, origin),
    }


def _times(collection: Collection) -> dict[str, Any]:
    if collection.start_ns == NO_TIME:
        return {}
    span_s = (collection.stop_ns - collection.start_ns) / 1e9
    found: dict[str, Any] = {
        "time_coverage_start": iso(collection.start_ns),
        "time_coverage_end": iso(collection.stop_ns),
        "time_coverage_duration": f"PT{span_s:.3f}S",
    }
    for end, mars in (("start", collection.start_mars), ("end", collection.stop_mars)):
        found |= {f"{key}_{end}": np.int32(value) if key == "sol" else value for key, value in mars.items()}
    return found


def _place(collection: Collection, origin: Origin) -> dict[str, Any]:
    """The site, of products that belong to it: an orbiter's do not."""
    site = origin.site
    if site is None or "site" not in collection.common:
        return {}
    longitude, latitude, altitude = (float(site[key]) for key in ("longitude_deg", "latitude_deg", "altitude_m"))
    return {
        "site": str(site["name"]),
        "site_frame": str(site["frame"]),
        "target": "Mars",
        "geospatial_lat_min": latitude,
        "geospatial_lat_max": latitude,
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_min": longitude,
        "geospatial_lon_max": longitude,
        "geospatial_lon_units": "degrees_east",
        "geospatial_vertical_min": altitude,
        "geospatial_vertical_max": altitude,
        "geospatial_vertical_units": "m",
        "geospatial_vertical_positive": "up",
        "geospatial_bounds_crs": f"{site['frame']} (Mars): none of Earth's",
    }


def _lineage(collection: Collection, origin: Origin) -> dict[str, Any]:
    common = collection.common
    hashes = common.get("calibration_sha256", {})
    calibration = common.get("calibration", {})
    found = {
        "mission": origin.mission,
        "stream": origin.stream,
        "recordings": ", ".join(origin.recordings),
        "frames_received": json.dumps({name: n for name, n in origin.frames.items() if isinstance(n, int)}),
        "dictionary_sha256": common.get("dictionary_sha256"),
        "calibration_sha256": hashes.get(collection.instrument) if isinstance(hashes, dict) else None,
        "calibration_version": calibration.get("version") if isinstance(calibration, dict) else None,
        "clock_correlation": common.get("clock_correlation"),
        "container": common.get("container"),
        "lineage": json.dumps({key: value for key, value in common.items() if key != "calibration_sha256"}),
    }
    return {key: value for key, value in found.items() if value and value != "{}"}
