"""Descriptions of the reference frames of vectors, found by the names of arrays and axes: `field_enu_nt` is in `enu`.

Longitudes and latitudes are in the frame of the mission's site, or in one that the product names.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..model.quantities import ArrayMetadata
from .context import FrameWords, Site

WORDS = {
    "enu": "local: east, north, up",
    "ned": "local: north, east, down",
    "sensor": "axes of the sensor",
    "icrf": "axes of ICRF",
}
_AXES = {"east_north_up": "enu", "north_east_down": "ned"}
_PLACES = ("longitude_deg", "latitude_deg")


def frames_of(metadata: ArrayMetadata, site: Site | None, own: FrameWords) -> Mapping[str, str]:
    """Description of each frame, by its part of the name. `own`: descriptions that replace those of WORDS."""
    found: dict[str, str] = {}
    known = {**WORDS, **own.of}
    for name, (_, _, dims) in metadata.arrays.items():
        if len(dims) > 1:
            words = [*name.split("_"), *(_AXES.get(axis, "") for axis in dims)]
            found |= {word: known[word] for word in words if word in known}
        if site is not None and name in _PLACES:
            found["longitude, latitude"] = site.frame
    return found
