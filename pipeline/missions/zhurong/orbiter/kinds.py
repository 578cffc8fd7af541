"""The orbiter itself: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

STATE = ProductKind(
    "orbiter",
    "state",
    "2B",
    {
        "position_icrf_km": ("f8", "row axis=3", "km", "from the centre of Mars, axes of ICRF (assumed)"),
        "velocity_icrf_km_s": ("f8", "row axis=3", "km s-1", "axes of ICRF (assumed)"),
        "speed_km_s": ("f8", "row", "km s-1", "against ICRF"),
        "longitude_deg": ("f8", "row", "degree", "of the point below, east, 0 to 360"),
        "latitude_deg": ("f8", "row", "degree", "of the point below, planetocentric"),
        "altitude_km": ("f8", "row", "km", "above a sphere of 3396.19 km"),
        "semi_major_axis_km": ("f8", "row", "km", "osculating; negative where the orbit is open"),
        "eccentricity": ("f8", "row", "1", "osculating"),
        "inclination_deg": ("f8", "row", "degree", "osculating, to the equator of Mars"),
        "period_s": ("f8", "row", "s", "osculating"),
        "periapsis_altitude_km": ("f8", "row", "km", "osculating"),
    },
    latest=("altitude_km", "longitude_deg", "latitude_deg", "speed_km_s"),
    view=(View("Orbiter", "lines", {"label": "altitude", "arrays": {"altitude_km": "altitude"}}),),
    file_word="State",
)

INSTRUMENT = InstrumentFolder(
    instruments={"orbiter": "orbiter:Orbiter"},
    kinds=(STATE,),
    archive=InstrumentArchive(platform="orbiter"),
)
