"""The frames that names of arrays speak of, in words: `field_enu_nt` is in `enu`.

Places on Mars are in the frame of the site (for Zhurong the MARS_COORDINATE_SYSTEM of the archive's labels), or in one
that the product names; the two lie a kilometre apart and are never mixed in a product.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pipeline.instruments.context import Site

WORDS = {
    "enu": "local: east, north, up at the rover",
    "ned": "local: north, east, down at the rover",
    "rover": "rover body: X forward, Y right, Z down",
    "mast": "mast head, turned by its yaw and pitch from the rover body",
    "sensor": "axes of the sensor",
    "icrf": "axes of ICRF",
}
_PLACES = ("longitude_deg", "latitude_deg")


def frames_of(names: Iterable[str], site: Site | None) -> dict[str, str]:
    """Frame by the word that stands for it in names of arrays; longitudes and latitudes are in the site's."""
    return dict(_frames_of(tuple(names), site.frame if site else None))


@lru_cache(256)
def _frames_of(names: tuple[str, ...], place: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        found |= {word: WORDS[word] for word in name.split("_") if word in WORDS}
        if place is not None and name in _PLACES:
            found["longitude, latitude"] = place
    return found
