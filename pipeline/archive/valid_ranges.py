"""Valid ranges of quantities, physically or by the instrument: `valid_range`, VALIDMIN and VALIDMAX.

A range does not depend on the data of a file, so it is the same in all files of a product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .collection import is_sigma

Range = tuple[float, float]
NO_LIMIT = 1e30
"""Means that a bound is not known; representable in float32."""

ARRAY_RANGES: dict[str, Range] = {
    "wind_from_direction_deg": (0.0, 360.0),
    "heading_deg": (0.0, 360.0),
    "solar_incidence_deg": (0.0, 180.0),
    "solar_azimuth_deg": (0.0, 360.0),
}
"""Ranges by array name."""

_NAME_RANGES: dict[str, Range] = {
    "lmst": (0.0, 24.0),
    "ltst": (0.0, 24.0),
    "ls": (0.0, 360.0),
    "usable": (0, 1),
    "slip": (-1.0, 1.0),
    "eccentricity": (0.0, NO_LIMIT),
    "latitude_deg": (-90.0, 90.0),
    "elevation_deg": (-90.0, 90.0),
    "inclination_deg": (0.0, 180.0),
}
_UNIT_RANGES: dict[str, Range] = {"K": (0.0, NO_LIMIT), "degC": (-273.15, NO_LIMIT)}
_NOT_NEGATIVE = re.compile(r"^n_|^quality$|^pressure_pa$|^exposure_|_magnitude_|^(visible_|infrared_)?wavelength_")


def known_range(limits: Mapping[str, Range], name: str, unit: str) -> Range | None:
    """Range of an array; a bound of NO_LIMIT is not known; None: no range. `limits`: of its instrument, by unit."""
    if is_sigma(name):
        return 0.0, NO_LIMIT
    if name.endswith("_share"):
        return 0.0, 1.0
    of_name = ARRAY_RANGES.get(name) or _NAME_RANGES.get(name)
    found = of_name or limits.get(unit) or _UNIT_RANGES.get(unit)
    if not _NOT_NEGATIVE.search(name):
        return found
    return (max(found[0], 0.0), found[1]) if found else (0.0, NO_LIMIT)
