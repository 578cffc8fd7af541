"""The frames of vectors, in words, by what the names of arrays and of their axes say: `field_enu_nt` is in `enu`.

Places on Mars are in the frame of the site (for Zhurong the MARS_COORDINATE_SYSTEM of the archive's labels), or in one
that the product names; the two lie a kilometre apart and are never mixed in a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..model.quantities import MAX_KNOWN, ArrayMetadata
from .context import Site

WORDS = {
    "enu": "local: east, north, up at the rover",
    "ned": "local: north, east, down at the rover",
    "rover": "rover body: X forward, Y right, Z down",
    "sensor": "axes of the sensor",
    "icrf": "axes of ICRF",
}
_AXES = {"east_north_up": "enu", "north_east_down": "ned"}
_PLACES = ("longitude_deg", "latitude_deg")


@lru_cache(MAX_KNOWN)
def frames_of(legend: ArrayMetadata, site: Site | None) -> Mapping[str, str]:
    """Frame by the word that stands for it; longitudes and latitudes are in the site's."""
    found: dict[str, str] = {}
    for name, (_, _, dims) in legend.said.items():
        if len(dims) > 1:
            words = [*name.split("_"), *(_AXES.get(axis, "") for axis in dims)]
            found |= {word: WORDS[word] for word in words if word in WORDS}
        if site is not None and name in _PLACES:
            found["longitude, latitude"] = site.frame
    return found
