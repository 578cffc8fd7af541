"""Images as PDS4: an array file and its label for each, in the names of the archive.

In: collections of products with an array `image`. Out: the array as it lies in the product, little-endian, lines then
samples then bands; MSCam's reflectance behind its radiance. The label says what the archived labels of images say
(camera, exposure, window, mast, pointing, statistics), from the product alone. What is missing has a constant that the
label names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import Collection, Origin
from pipeline.archive.jobs import Job
from pipeline.archive.netcdf_attributes import iso
from pipeline.archive.pds4_xml import (
    add,
    clock,
    context,
    document,
    facets,
    identification,
    lineage,
    mission_area,
    place,
    product_root,
    texts,
)
from pipeline.archive.pictures import Sight, sights
from pipeline.archive.provenance import SIMULATED
from pipeline.archive.whole import whole_path
from pipeline.batches import NO_TIME, true_sol, usable

MISSING = -9999.0
_VISIBLE_NM = 750.0
_TYPES = {"u1": "UnsignedByte", "f4": "IEEE754LSBSingle", "f8": "IEEE754LSBDouble"}
_AXES = ("Line", "Sample", "Band")
_NAMES = {
    "mscam": "Multispectral Camera",
    "natecam": "Navigation and Terrain Camera",
    "moric": "Moderate Resolution Imaging Camera",
    "hiric": "High Resolution Imaging Camera",
}
_POINTS = ("first_line_first_sample", "first_line_last_sample", "last_line_last_sample", "last_line_first_sample")
_PARAMETERS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Instrument_Parm": (
        ("central_wavelength", "filter_nm", "nm"),
        ("full_width_half_max", "filter_width_nm", "nm"),
        ("camera", "camera", ""),
        ("exposure_duration", "exposure_s", "s"),
        ("exposure_mode", "exposure_mode", ""),
        ("focusing_mode", "focus_mode", ""),
        ("defocusing_compensation_gear", "focus_gear", ""),
        ("temperature", "detector_temperature_degc", "degC"),
        ("compress_mode", "compress_mode", ""),
        ("compress_ratio", "compress_ratio", ""),
        ("image_mode", "image_mode", ""),
        ("window_first_line", "window_line", "pixel"),
        ("window_first_sample", "window_sample", "pixel"),
        ("binning", "binning", "pixel"),
    ),
    "Mast_Rotation_Angle": (
        ("roll", "mast_roll_deg", "deg"),
        ("pitch", "mast_pitch_deg", "deg"),
        ("yaw", "mast_yaw_deg", "deg"),
    ),
    "Ground_Scale": (
        ("pixel_scale", "pixel_scale_m", "m/pixel"),
        ("swath", "swath_m", "m"),
        ("altitude", "altitude_m", "m"),
        ("longitude", "longitude_deg", "deg"),
        ("latitude", "latitude_deg", "deg"),
    ),
    "Solar_Geometry": (
        ("incidence_angle", "solar_incidence_deg", "deg"),
        ("azimuth_angle", "solar_azimuth_deg", "deg"),
        ("distance", "sun_distance_au", "au"),
    ),
}
"""Areas of the label: element, array of the product, unit; what a product does not have is left out."""


def plan_images(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """An array and its label for each image."""
    for sight in sights(collections):
        yield Job(
            sight.stem(origin),
            (("pds4-image", ""), ("pds4-label", "L")),
            partial(_write, sight, origin),
            (sight.collection,),
            (sight.utc_ns, sight.utc_ns),
            1,
            (sight.collection.ids[sight.number],),
        )


def _write(sight: Sight, origin: Origin, paths: Sequence[Path]) -> None:
    path, label_path = paths
    names = [name for name in ("image", "reflectance") if name in sight.collection.columns]
    arrays: dict[str, NDArray[Any]] = {name: _stored(sight.array(name)) for name in names}
    with whole_path(label_path) as label_part, whole_path(path) as part:
        label_part.write_bytes(_label(sight, origin, path.name, arrays))
        part.write_bytes(b"".join(array.tobytes() for array in arrays.values()))


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """Little-endian, with the constant for what is missing."""
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array), array, array.dtype.type(MISSING))
    return array.astype(array.dtype.newbyteorder("<"))


def _label(sight: Sight, origin: Origin, name: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    root = product_root()
    identification(root, name, origin, sight.collection.instrument)
    _observation(add(root, "Observation_Area"), sight, origin, name, arrays)
    area = add(root, "File_Area_Observational")
    file = add(area, "File")
    add(file, "file_name", name)
    add(file, "file_size", str(sum(array.nbytes for array in arrays.values())), unit="byte")
    content = b"".join(array.tobytes() for array in arrays.values())
    add(file, "md5_checksum", hashlib.md5(content, usedforsecurity=False).hexdigest())
    offset = 0
    for key, array in arrays.items():
        _array(area, sight, key, array, offset)
        offset += array.nbytes
    return document(root)


def _observation(
    area: ET.Element, sight: Sight, origin: Origin, name: str, arrays: Mapping[str, NDArray[Any]]
) -> None:
    collection = sight.collection
    if origin.simulated:
        add(area, "comment", SIMULATED)
    time = "" if sight.utc_ns == NO_TIME else iso(sight.utc_ns, "us")
    texts(add(area, "Time_Coordinates"), {"start_date_time": time, "stop_date_time": time})
    facets(area, "Derived" if collection.level == "2C" else "Calibrated", _range(sight), "Imaging")
    craft = "Rover" if "sol" in collection.mars else "Orbiter"
    context(area, origin, craft, _NAMES.get(collection.instrument, collection.instrument))
    _mission(mission_area(area), sight, origin, name, arrays)


def _range(sight: Sight) -> str:
    """The range of wavelengths, by the filter where there is one: what is beyond 750 nm is near infrared."""
    is_known = "filter_nm" in sight.collection.columns
    return "Near Infrared" if is_known and float(sight.array("filter_nm")) > _VISIBLE_NM else "Visible"


def _mission(area: ET.Element, sight: Sight, origin: Origin, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
    collection = sight.collection
    ids = {
        "product_id": name,
        "product_version": "A",
        "product_level": collection.level,
        "instrument_name": _NAMES.get(collection.instrument, collection.instrument),
        "instrument_id": collection.instrument,
    }
    on_ground = origin.site is not None and "sol" in collection.mars
    texts(area, ids | ({"sequence_id": f"{int(sight.mars('sol')):05d}"} if on_ground else {}))
    for title, parameters in _PARAMETERS.items():
        known = [one for one in parameters if one[1] in collection.columns]
        group = add(area, title) if known else area
        for element, column, unit in known:
            add(group, element, sight.text(column), **({"unit": unit} if unit else {}))
    if "pointing_enu" in collection.columns:
        _pointing(add(area, "Pointing_Vectors"), sight.array("pointing_enu"))
    _statistics(add(area, "Image_Statistics"), arrays["image"])
    if on_ground and origin.site is not None:
        place(add(area, "Landing_Site_Location"), origin.site)
        sol = int(sight.mars("sol"))
        lmst, ltst = sight.mars("lmst"), sight.mars("ltst")
        add(area, "local_mean_solar_time", f"{sol:05d}M{clock(lmst, 'ms')}")
        add(area, "local_true_solar_time", f"{true_sol(sol, lmst, ltst):05d} {clock(ltst, 's')}")
    own_ids = [collection.ids[sight.number]]
    lineage(add(area, "Lineage"), origin, (collection,), collection.instrument, own_ids)
    quality = collection.quality.part(sight.number)
    add(area, "quality", str(int(quality[0])))
    add(area, "usable", "true" if usable(quality)[0] else "false")


def _pointing(area: ET.Element, vectors: NDArray[np.float64]) -> None:
    add(area, "reference_frame", "local east, north, up")
    for point, vector in zip((*_POINTS, "centre"), vectors, strict=True):
        texts(add(area, point), {axis: f"{value:.8f}" for axis, value in zip("xyz", vector, strict=True)})


def _statistics(area: ET.Element, image: NDArray[Any]) -> None:
    good = image[image != MISSING] if image.dtype.kind == "f" else image.ravel()
    if len(good):
        spread = good.astype(np.float64)
        of = {"maximum": spread.max(), "minimum": spread.min(), "mean": spread.mean(), "std": spread.std()}
        texts(area, {key: f"{float(value):.6g}" for key, value in of.items()})


def _array(area: ET.Element, sight: Sight, key: str, array: NDArray[Any], offset: int) -> None:
    one = add(area, f"Array_{array.ndim}D_Image")
    add(one, "local_identifier", key)
    add(one, "offset", str(offset), unit="byte")
    texts(one, {"axes": str(array.ndim), "axis_index_order": "Last Index Fastest"})
    column = sight.collection.columns[key]
    add(one, "description", column.description)
    element = add(one, "Element_Array")
    add(element, "data_type", _TYPES[array.dtype.str[1:]])
    if column.unit not in ("", "1"):
        add(element, "unit", column.unit)
    for number, (axis, size) in enumerate(zip(_AXES, array.shape, strict=False), 1):
        texts(add(one, "Axis_Array"), {"axis_name": axis, "elements": str(size), "sequence_number": str(number)})
    if array.dtype.kind == "f":
        add(add(one, "Special_Constants"), "missing_constant", f"{MISSING:.1f}")
