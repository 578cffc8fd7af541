"""Attributes of a NetCDF file (CF-1.11, ACDD-1.3), from a collection of products and its origin.

People and licence come from the table `[archive]` of the mission file, and are left out if they are not there. There is
no date of writing: equal products give equal files.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, NO_TIME, QUALITY_MEANINGS, Quality
from ..system.software import software
from .collection import ROW, Collection, Origin
from .provenance import PRODUCER, notes

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
"""CF standard names of arrays of any instrument."""

CF_UNITS = {"dB": "0.1 lg(re 1)"}
"""Units that UDUNITS spells differently."""

ANGLE_UNITS = {"longitude_deg": "degrees_east", "latitude_deg": "degrees_north"}
"""Units of arrays for which CF has special ones."""

_PEOPLE = (
    "creator_name", "creator_type", "creator_email", "creator_url", "institution", "publisher_name", "publisher_type",
    "publisher_email", "publisher_url", "license", "acknowledgement", "references",
)  # fmt: skip

LOCAL_TIMES = {
    "sol": ("1", "sol of the mission, local mean solar time"),
    "lmst": ("1", "local mean solar time, in hours of 1/24 sol"),
    "ltst": ("1", "local true solar time, in hours of 1/24 sol; of the sol whose midnight is its own"),
    "ls": ("degree", "areocentric longitude of the Sun"),
}


def level_words(collection: Collection, origin: Origin) -> str:
    """Processing level by the definitions of the mission's archive and of PDS4."""
    own = f"{origin.rules.levels} {collection.level}".strip()
    return f"{own}; NASA PDS4 {collection.common.get('level_pds4') or 'not assigned'}"


def iso(utc_ns: int, unit: str = "ms") -> str:
    """UTC as ISO 8601, cut to `unit`."""
    instant = np.datetime64(utc_ns, "ns")
    return f"{np.datetime_as_string(instant, unit=unit)}Z"  # type: ignore[call-overload]


def quality_flags() -> dict[str, Any]:
    """CF flag masks and meanings of the quality bits."""
    masks = np.array([Quality[name].value for name in QUALITY_MEANINGS], np.uint32)
    return {"flag_masks": masks, "flag_meanings": " ".join(QUALITY_MEANINGS)}


USABLE = "no quality bit that makes the row doubtful; rows with corrected symbols or after a gap are exact"
"""Meaning of `usable`."""


def usable_attributes() -> dict[str, Any]:
    """Attributes of the variable `usable`, 0 or 1 for each row."""
    return {
        "long_name": USABLE,
        "standard_name": "quality_flag",
        "coverage_content_type": "qualityInformation",
        "flag_values": np.array([0, 1], np.int8),
        "flag_meanings": "doubtful usable",
        "comment": f"(quality & {int(DOUBTFUL)}) == 0",
    }


def quality_attributes() -> dict[str, Any]:
    """Attributes of the variable `quality`."""
    return {
        "long_name": "what is known of how each row came and against it; see usable",
        "standard_name": "quality_flag",
        "coverage_content_type": "qualityInformation",
        **quality_flags(),
        "doubtful_mask": np.uint32(DOUBTFUL),
        "comment": "; ".join(f"{name}: {meaning}" for name, meaning in QUALITY_MEANINGS.items()),
    }


def global_attributes(collection: Collection, origin: Origin, name: str) -> dict[str, Any]:
    """Global attributes of the file."""
    common = collection.common
    what = f"{collection.instrument} {collection.product}".replace("_", " ")
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"{origin.mission}: {what}, level {collection.level}{', simulated' * origin.simulated}",
        "summary": f"All {what} products of one pass of {origin.mission}, row after row, with the time, the quality "
        "and the origin of each.",
        "keywords": ", ".join(_keywords(collection, origin, what)),
        "id": name,
        "naming_authority": origin.archive_table.get("naming_authority", "downlink-pipeline"),
        "source": f"{'simulated ' * origin.simulated}telemetry of {origin.mission}, "
        f"received frames {', '.join(origin.recordings)}",
        "history": f"{software()}: frames, packets, dictionary {common.get('container', '')}, {what}",
        "processing_level": level_words(collection, origin),
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "comment": "time is UTC as the onboard clock and its correlation give it",
        "project": origin.archive_table.get("project", origin.mission),
        "platform": origin.archive_table.get("platform", origin.mission),
        "instrument": collection.instrument,
        "product": f"{collection.instrument}/{collection.product}",
        "level": collection.level,
        "n_products": np.int64(len(collection.ids)),
        "product_version": software(),
        "producer": PRODUCER,
        **notes(collection, origin),
        **_people(origin),
        **_times(collection),
        **_place(collection, origin),
        **_lineage(collection, origin),
    }


def _keywords(collection: Collection, origin: Origin, what: str) -> list[str]:
    own = (origin.mission, collection.instrument, what, "telemetry")
    return list(dict.fromkeys([*own, *origin.archive_table.get("keywords", ())]))


def _people(origin: Origin) -> dict[str, str]:
    """ACDD attributes of people and licence."""
    found = {key: str(origin.archive_table[key]) for key in _PEOPLE if key in origin.archive_table}
    if "institution" in found:
        found |= {"creator_institution": found["institution"]}
    return found


def _times(collection: Collection) -> dict[str, Any]:
    if collection.start_ns == NO_TIME:
        return {}
    span_s = (collection.stop_ns - collection.start_ns) / 1e9
    found: dict[str, Any] = {
        "time_coverage_start": iso(collection.start_ns),
        "time_coverage_end": iso(collection.stop_ns),
        "time_coverage_duration": f"PT{span_s:.3f}S",
        **_resolution(collection),
    }
    for end, local in (("start", collection.start_local), ("end", collection.stop_local)):
        found |= {f"{key}_{end}": np.int32(value) if key == "sol" else value for key, value in local.items()}
    return found


def _resolution(collection: Collection) -> dict[str, str]:
    """The median of the positive steps from row to row, if there are any."""
    if "time_utc_ns" not in collection.columns:
        return {}
    steps: list[Any] = []
    for part in collection.columns["time_utc_ns"].array.parts():
        known = part[part != NO_TIME]
        steps.append(np.diff(known))
    forward = np.concatenate(steps) if steps else np.empty(0)
    forward = forward[forward > 0]
    return {"time_coverage_resolution": f"PT{float(np.median(forward)) / 1e9:.9g}S"} if len(forward) else {}


def _place(collection: Collection, origin: Origin) -> dict[str, Any]:
    """Location of the measurements: coordinates of the rows if they have any, else the site."""
    site = origin.site if origin.site is not None and "site" in collection.common else None
    ends = _row_places(collection)
    found: dict[str, Any] = {}
    if site is not None:
        frame = str(site["frame"])
        crs = f"{frame} ({origin.body or 'body not known'})"
        low, high = (_row_altitudes(collection) if ends else None) or (float(site["altitude_m"]),) * 2
        found = {
            "site": str(site["name"]),
            "site_frame": frame,
            **({"target": origin.body} if origin.body else {}),
            "geospatial_vertical_min": low,
            "geospatial_vertical_max": high,
            "geospatial_vertical_units": "m",
            "geospatial_vertical_positive": "up",
            "geospatial_bounds_crs": f"{crs}: none of Earth's",
            "geospatial_bounds_vertical_crs": f"{crs}: altitude above its reference surface",
        }
        ends = ends or (float(site["longitude_deg"]),) * 2 + (float(site["latitude_deg"]),) * 2
    elif ends and "place" in collection.common.get("frames", {}):
        found = {"geospatial_bounds_crs": str(collection.common["frames"]["place"])}
    return found | (_bounds(*ends) if ends else {})


def _row_altitudes(collection: Collection) -> tuple[float, float] | None:
    """Lowest and highest altitude of the rows; None if they have none."""
    column = collection.columns.get("altitude_m")
    if column is None or column.dims != (ROW,):
        return None
    altitude = np.asarray(column.array.whole(), np.float64)
    return float(np.nanmin(altitude)), float(np.nanmax(altitude))


def _row_places(collection: Collection) -> tuple[float, float, float, float] | None:
    """West, east, south and north bound of the rows; None if they have no coordinates."""
    columns = [collection.columns.get(name) for name in ("longitude_deg", "latitude_deg")]
    if any(one is None or one.dims != (ROW,) for one in columns):
        return None
    longitude, latitude = (np.asarray(one.array.whole(), np.float64) for one in columns if one is not None)
    known = np.isfinite(longitude) & np.isfinite(latitude)
    if not known.any():
        return None
    west, east = _arc(longitude[known])
    return west, east, float(latitude[known].min()), float(latitude[known].max())


def _arc(longitude_deg: NDArray[np.float64]) -> tuple[float, float]:
    """Ends, eastwards, of the shortest arc with all longitudes; the first is larger if the arc crosses 0."""
    around = np.unique(longitude_deg)
    gaps = np.diff(around, append=around[0] + 360)
    widest = int(np.argmax(gaps))
    return float(around[(widest + 1) % len(around)]), float(around[widest])


def _bounds(west: float, east: float, south: float, north: float) -> dict[str, Any]:
    """ACDD attributes of a box or a point; WKT has latitude first, as in ACDD."""
    corners = ((south, west), (north, west), (north, east), (south, east), (south, west))
    ring = ", ".join(f"{latitude:.9g} {longitude:.9g}" for latitude, longitude in corners)
    is_point = (west, south) == (east, north)
    return {
        "geospatial_lat_min": south,
        "geospatial_lat_max": north,
        "geospatial_lat_units": "degrees_north",
        "geospatial_lon_min": west,
        "geospatial_lon_max": east,
        "geospatial_lon_units": "degrees_east",
        "geospatial_bounds": f"POINT ({south:.9g} {west:.9g})" if is_point else f"POLYGON (({ring}))",
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
