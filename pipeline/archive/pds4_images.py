"""Images as PDS4: an array file and its label for each.

In: collections of products with an array `image`. Out: the array of the product, little-endian, by lines, samples and
bands; then, if there is one, the array `reflectance`. The label has camera, exposure, window, mast, pointing and
statistics, from the product only. Missing pixels have a constant that the label declares; unknown values are nil.
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

from ..model.batches import usable
from ..system.files import whole_path
from . import pds4_geometry as geometry
from .collection import Collection, Origin
from .jobs import Job
from .pds4_observation import Header, lineage, local_times, observational, pds4_rules, place
from .pds4_xml import add, add_texts, add_value, document
from .pictures import ImageProduct, image_products

MISSING = -9999.0
_VISIBLE_NM = (400.0, 750.0)
_INFRARED = "near infrared"
_TYPES = {"u1": "UnsignedByte", "f4": "IEEE754LSBSingle", "f8": "IEEE754LSBDouble"}
_AXES = ("Line", "Sample", "Band")


def plan_images(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan array file and label of each image."""
    for product in image_products(collections):
        yield Job(
            product.stem(origin),
            (("pds4-image", ""), ("pds4-label", "L")),
            partial(_write, product, origin),
            (product.collection,),
            (product.utc_ns, product.stop_ns),
            1,
            (product.collection.ids[product.number],),
        )


def _write(product: ImageProduct, origin: Origin, paths: Sequence[Path]) -> None:
    path, label_path = paths
    names = [name for name in ("image", "reflectance") if name in product.collection.columns]
    arrays: dict[str, NDArray[Any]] = {name: _stored(product.array(name)) for name in names}
    with whole_path(label_path) as label_part, whole_path(path) as part:
        label_part.write_bytes(_label(product, origin, path.name, arrays))
        part.write_bytes(b"".join(array.tobytes() for array in arrays.values()))


def _stored(array: NDArray[Any]) -> NDArray[Any]:
    """Convert to little-endian; pixels that are not finite become MISSING."""
    if array.dtype.kind == "f":
        array = np.where(np.isfinite(array), array, array.dtype.type(MISSING))
    return array.astype(array.dtype.newbyteorder("<"))


def _label(product: ImageProduct, origin: Origin, name: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    root, mission = observational(_header(product, name), origin)
    _mission(mission, product, origin, arrays)
    area = add(root, "File_Area_Observational")
    file = add(area, "File")
    add(file, "file_name", name)
    add(file, "file_size", str(sum(array.nbytes for array in arrays.values())), unit="byte")
    content = b"".join(array.tobytes() for array in arrays.values())
    add(file, "md5_checksum", hashlib.md5(content, usedforsecurity=False).hexdigest())
    offset = 0
    for key, array in arrays.items():
        _array(area, product, key, array, offset)
        offset += array.nbytes
    return document(root, pds4_rules(origin).schemas)


def _header(product: ImageProduct, name: str) -> Header:
    collection = product.collection
    number = product.sequence
    return Header(
        name,
        collection.instrument,
        collection.instrument,
        collection.level,
        "Derived" if collection.level == "2C" else "Calibrated",
        wavelength_ranges(product),
        "Imaging",
        (product.utc_ns, product.stop_ns),
        "" if number is None else f"{number:05d}",
    )


def wavelength_ranges(product: ImageProduct) -> tuple[str, ...]:
    """`wavelength_range` of PDS4, by the edges of the filter or the names of the bands; visible if there are none.

    PDS4 does not define exact boundaries: visible is 400 to 750 nm here, near infrared above.
    """
    columns = product.collection.columns
    bands = np.atleast_1d(product.array("band_name")).tolist() if "band_name" in columns else []
    low, high = _VISIBLE_NM
    if "filter_nm" in columns:
        centre, width = float(product.array("filter_nm")), float(product.text("filter_width_nm") or 0)
        low, high = centre - width / 2, centre + width / 2
    found = {"Ultraviolet": low < _VISIBLE_NM[0], "Visible": low < _VISIBLE_NM[1]}
    found |= {"Near Infrared": high > _VISIBLE_NM[1] or _INFRARED in bands}
    return tuple(words for words, is_there in found.items() if is_there)


def _mission(area: ET.Element, product: ImageProduct, origin: Origin, arrays: Mapping[str, NDArray[Any]]) -> None:
    collection = product.collection
    for title, parameters in pds4_rules(origin).parameters.items():
        known = [one for one in parameters if one[1] in collection.columns]
        group = add(area, title) if known else area
        for element, column, unit in known:
            add_value(group, element, product.value(column), unit)
    _geometry(area, product, origin)
    _statistics(add(area, "Image_Statistics"), arrays["image"])
    if product.on_ground and origin.site is not None:
        place(add(area, "Landing_Site_Location"), origin.site)
        local_times(area, (int(product.local_time("sol")), product.local_time("lmst"), product.local_time("ltst")))
    own_ids = [collection.ids[product.number]]
    lineage(add(area, "Lineage"), origin, (collection,), collection.instrument, own_ids)
    quality = collection.quality.part(product.number)
    add(area, "quality", str(int(quality[0])))
    add(area, "usable", "true" if usable(quality)[0] else "false")


def _geometry(area: ET.Element, product: ImageProduct, origin: Origin) -> None:
    collection = product.collection
    if model := product.lineage("camera_model"):
        geometry.camera_model(area, model)
    rules = pds4_rules(origin)
    if rules.place and any(name in collection.columns for name in rules.place.arrays):
        geometry.location(area, product, origin, rules.place)
    if rules.attitudes and geometry.has_attitude(product, rules.attitudes[0]):
        geometry.attitudes(area, product, rules.attitudes)
    if "pointing_enu" in collection.columns:
        geometry.pointing(area, product.array("pointing_enu"))
    if "azimuth_deg" in collection.columns:
        geometry.panorama_grid(area, product, "image", rules.projection)
    if "line_interval_s" in collection.columns:
        geometry.scan_geometry(area, product)


def _statistics(area: ET.Element, image: NDArray[Any]) -> None:
    good = image[image != MISSING] if image.dtype.kind == "f" else image.ravel()
    if len(good):
        spread = good.astype(np.float64)
        of = {"maximum": spread.max(), "minimum": spread.min(), "mean": spread.mean(), "std": spread.std()}
        add_texts(area, {key: f"{float(value):.6g}" for key, value in of.items()})


def _array(area: ET.Element, product: ImageProduct, key: str, array: NDArray[Any], offset: int) -> None:
    one = add(area, f"Array_{array.ndim}D_Image")
    add(one, "local_identifier", key)
    add(one, "offset", str(offset), unit="byte")
    add_texts(one, {"axes": str(array.ndim), "axis_index_order": "Last Index Fastest"})
    column = product.collection.columns[key]
    add(one, "description", column.description)
    element = add(one, "Element_Array")
    add(element, "data_type", _TYPES[array.dtype.str[1:]])
    if column.unit not in ("", "1"):
        add(element, "unit", column.unit)
    for number, (axis, size) in enumerate(zip(_AXES, array.shape, strict=False), 1):
        add_texts(
            add(one, "Axis_Array"), {"axis_name": axis, "elements": str(size), "sequence_number": str(number)}
        )
    if array.dtype.kind == "f":
        add(add(one, "Special_Constants"), "missing_constant", f"{MISSING:.1f}")
