"""What a spectrum is read by: emission lines in vacuum, and reflectance bands.

Air wavelengths of public line lists, put to vacuum by Morton's index of air (Mars has 7 mbar, and MarSCoDe's tables
are in vacuum too). C I and O I are of the atmosphere and always there.
"""

from __future__ import annotations

LINES_NM: tuple[tuple[str, float], ...] = (
    ("C I", 247.931),
    ("Si I", 251.687),
    ("Mg II", 279.635),
    ("Mg II", 280.353),
    ("Mg I", 285.297),
    ("Si I", 288.243),
    ("Al I", 308.305),
    ("Ti II", 335.037),
    ("Ca II", 393.477),
    ("Al I", 394.513),
    ("Al I", 396.264),
    ("Ca II", 396.959),
    ("Mn I", 403.190),
    ("Fe I", 404.695),
    ("Sr II", 407.886),
    ("Ca I", 422.792),
    ("Fe I", 438.477),
    ("Na I", 589.158),
    ("Na I", 589.755),
    ("H alpha", 656.460),
    ("Li I", 670.976),
    ("K I", 766.701),
    ("K I", 770.108),
    ("O I", 777.408),
)

BANDS_NM: tuple[tuple[str, float, float], ...] = (
    ("OH, H2O", 1380, 1420),
    ("H2O", 1880, 1940),
    ("CO2 air", 1980, 2040),
    ("metal-OH", 2200, 2300),
)
"""Name, from, to."""
