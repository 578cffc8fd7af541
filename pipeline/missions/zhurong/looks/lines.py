"""What a reflectance spectrum is read by: where known bands lie. It says nothing of whether a spectrum has them."""

from __future__ import annotations

BANDS_NM: tuple[tuple[str, float, float], ...] = (
    ("OH, H2O", 1380, 1420),
    ("H2O", 1880, 1940),
    ("CO2 air", 1980, 2040),
    ("metal-OH", 2200, 2300),
)
"""Name, from, to."""
