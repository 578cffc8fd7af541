"""The tabs that show several instruments together, in the order in which they stand on the page."""

from __future__ import annotations

from ....model.looks import Kept, Look
from ..rover.kept_path import PATH

_FIELD = tuple(f"field_{sensor}_{what}_nt" for sensor in "ab" for what in ("sensor", "rover", "enu", "magnitude"))
_LINES = ("species", "listed_wavelength_nm", "found_wavelength_nm", "height_counts", "confidence", "point_id")

LOOKS = (
    Look(
        "Field and weather",
        "looks.field_look:FieldLook",
        {
            "magnetometer/field": Kept(20_000, _FIELD),
            "weather/meteorology": Kept(
                8_000, ("air_temperature_k", "pressure_pa", "wind_speed_m_s", "wind_from_direction_deg")
            ),
            "weather/sound": Kept(
                200, ("band_level_db", "sound_level_db"), ("band_low_hz", "band_centre_hz", "band_high_hz")
            ),
        },
    ),
    Look(
        "Spectra",
        "looks.spectra_look:SpectraLook",
        {
            "libs/mean": Kept(20, ("net_counts", "wavelength_nm", "point_id", "n_shots")),
            "libs/lines": Kept(2_000, _LINES),
            "libs/shot": Kept(60, ("net_counts", "wavelength_nm", "point_id", "shot")),
            "swir/reflectance": Kept(12, ("reflectance", "wavelength_nm", "point_id")),
        },
    ),
    Look(
        "Cameras",
        images={
            "natecam/image": "NaTeCam",
            "natecam/panorama": "NaTeCam panorama",
            "mscam/image": "MSCam",
            "moric/strip": "MoRIC",
            "hiric/strip": "HiRIC",
        },
    ),
    Look("Traverse", "rover.traverse_look:TraverseLook", {"rover/navigation": PATH}, is_row=True),
)
