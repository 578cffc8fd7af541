"""Geometry of an image in its PDS4 label: camera model, position, attitude, pointing, scan, grid of a panorama.

In: an `ImageProduct`, whose lineage has `camera_model`, and the track of the pass. Out: elements of the mission area.
Unknown values are nil, with the reason. A panorama has the class Cartography of the PDS4 cartography dictionary
(projection Cylindrical: constant steps of azimuth and elevation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from ..products.archive_rules import Attitude, PlaceElements
from .collection import Origin
from .pds4_xml import add, add_texts, add_unknown, add_value
from .pictures import ImageProduct

_POINTS = ("first_line_first_sample", "first_line_last_sample", "last_line_last_sample", "last_line_first_sample")
_TERMS = ("k1", "k2", "p1", "p2")


def camera_model(area: ET.Element, model: dict[str, Any]) -> None:
    """Add the camera model and its source. Values that a line scanner does not have are nil."""
    group = add(area, "Camera_Model_Parameters")
    pixel_mm = model.get("pixel_mm")
    add(group, "camera_model_type", str(model["model"]))
    add_value(group, "focal_length", model.get("focal_length_mm"), "mm")
    add_value(group, "pixel_width", None if pixel_mm is None else 1000 * pixel_mm, "micrometer")
    add_value(group, "pixel_height", None if pixel_mm is None else 1000 * pixel_mm, "micrometer")
    ifov_rad = model.get("ifov_rad") or (pixel_mm / model["focal_length_mm"] if pixel_mm else None)
    add_value(group, "instantaneous_field_of_view", ifov_rad, "rad")
    add_value(group, "detector_samples", model.get("detector_samples", model.get("detector_pixels")), "pixel")
    add_value(group, "detector_lines", model.get("detector_pixels"), "pixel")
    principal = model.get("principal_point_mm") or (None, None)
    for axis, value in zip(("sample", "line"), principal, strict=True):
        add_value(group, f"principal_point_{axis}_offset", value, "mm")
    if "distortion" in model:
        terms = add(group, "Lens_Distortion")
        add(terms, "removed_from_image", "true" if model["undistorted"] else "false")
        add_texts(terms, {key: f"{value:.10g}" for key, value in zip(_TERMS, model["distortion"], strict=True)})
    add(group, "basis", str(model["source"]))


def location(area: ET.Element, image: ImageProduct, origin: Origin, elements: PlaceElements) -> None:
    """Add the position of the camera platform, interpolated between the waypoints of the pass."""
    found = None if origin.track is None else origin.track.at(np.array([image.utc_ns]))
    is_known = found is not None and bool(np.isfinite(found.enu_m).all())
    if found is None or not is_known:
        add_unknown(area, elements.element)
        add_unknown(area, elements.local_element)
    else:
        place = add(area, elements.element)
        add(place, "reference_frame", str(origin.site["frame"]) if origin.site else "of the mission's site")
        longitude, latitude, altitude_m = found.coordinates[0]
        add_value(place, "longitude", longitude, "deg", ".8f")
        add_value(place, "latitude", latitude, "deg", ".8f")
        add_value(place, "altitude", altitude_m / 1000, "km", ".6f")
        local = add(area, elements.local_element)
        add(local, "reference_frame", elements.local_frame)
        for axis, value, sigma in zip("xyz", found.enu_m[0], found.sigma_m[0], strict=True):
            add_value(local, axis, value, "m", ".4f")
            add_value(local, f"{axis}_one_sigma", sigma, "m", ".4f")


def has_attitude(image: ImageProduct, attitude: Attitude) -> bool:
    """Whether an image has any of these angles."""
    return any(name in image.collection.columns for name in attitude.angles.values())


def attitudes(area: ET.Element, image: ImageProduct, declared: Sequence[Attitude]) -> None:
    """Add the attitude angles that the image has."""
    for one in declared:
        group = add(area, one.element)
        if one.reference_frame:
            add(group, "reference_frame", one.reference_frame)
        for angle, array in one.angles.items():
            add_value(group, angle, image.value(array), "deg")


def pointing(area: ET.Element, vectors: NDArray[np.float64]) -> None:
    """Add pointing. `vectors [5, 3]`: unit vectors (east, north, up) of the corner pixels and the centre."""
    group = add(area, "Pointing_Vectors")
    add(group, "reference_frame", "local east, north, up")
    for point, vector in zip((*_POINTS, "centre"), vectors, strict=True):
        add_texts(add(group, point), {axis: f"{value:.8f}" for axis, value in zip("xyz", vector, strict=True)})
    east, north, up = vectors[4]
    add_value(group, "instrument_azimuth", float(np.rad2deg(np.arctan2(east, north)) % 360), "deg", ".6f")
    add_value(group, "instrument_elevation", float(np.rad2deg(np.arcsin(np.clip(up, -1, 1)))), "deg", ".6f")


def scan_geometry(area: ET.Element, image: ImageProduct) -> None:
    """Add the ground geometry and timing of the lines of a strip."""
    group = add(area, "Scan_Geometry")
    add(group, "map_projection", "none: lines as they were scanned, one after the other")
    add_value(group, "flight_azimuth", image.value("flight_azimuth_deg"), "deg")
    add_value(group, "line_interval", image.value("line_interval_s"), "s")
    add_unknown(group, "sample_direction")
    add_unknown(group, "ground_track_speed")


def panorama_grid(area: ET.Element, image: ImageProduct, local_identifier: str, projection: str) -> None:
    """Add the grid of a panorama by the PDS4 cartography dictionary. `projection`: its description."""
    azimuth, elevation = (np.asarray(image.array(f"{name}_deg"), np.float64) for name in ("azimuth", "elevation"))
    if min(len(azimuth), len(elevation)) < 2:  # no step from pixel to pixel
        add_unknown(area, "Panorama_Grid")
        return
    turns = np.unwrap(azimuth, period=360)
    across, down = _step(turns), -_step(elevation)
    cartography = add(add(area, "Panorama_Grid"), "cart:Cartography")
    reference = add(cartography, "Local_Internal_Reference", xmlns="http://pds.nasa.gov/pds4/pds/v1")
    add_texts(
        reference,
        {
            "local_identifier_reference": local_identifier,
            "local_reference_type": "cartography_parameters_to_image_object",
        },
    )
    space = add(
        add(cartography, "cart:Spatial_Reference_Information"), "cart:Horizontal_Coordinate_System_Definition"
    )
    local = add(space, "cart:Local")
    add(local, "cart:local_description", projection or "azimuth and elevation in constant steps")
    lander = add(local, "cart:Map_Projection_Lander")
    add(lander, "cart:lander_map_projection_name", "Cylindrical")
    grid = add(lander, "cart:Cylindrical")
    add_value(grid, "cart:pixel_scale_x", 1 / across, "pixel/deg")
    add_value(grid, "cart:pixel_scale_y", 1 / down, "pixel/deg")
    add_value(grid, "cart:maximum_elevation", elevation[0], "deg", ".8f")
    add_value(grid, "cart:minimum_elevation", elevation[-1], "deg", ".8f")
    add_value(grid, "cart:start_azimuth", (turns[0] - across / 2) % 360, "deg", ".8f")
    add_value(grid, "cart:stop_azimuth", (turns[-1] + across / 2) % 360, "deg", ".8f")
    add_value(grid, "cart:zero_elevation_line", 1 + elevation[0] / down, "", ".6f")


def _step(values: NDArray[np.float64]) -> float:

    return float((values[-1] - values[0]) / (len(values) - 1))
