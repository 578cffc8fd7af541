"""Short-wave infrared spectra of MarSCoDe: products."""

from __future__ import annotations

from ....products.kinds import ArrayKind, ProductKind, View
from ....products.package import InstrumentFolder

_OF_SPECTRUM: dict[str, ArrayKind] = {
    "aotf_temperature_degc": ("f8", "row", "degC", "of the AOTF"),
    "point_id": ("u2", "row", "", ""),
    "kind": ("U", "row", "", ""),
    "gain": ("u1", "row", "1", "factor"),
    "exposure_us": ("u4", "row", "us", "exposure time"),
}
RADIANCE = ProductKind(
    "swir",
    "radiance",
    "2A",
    {
        "radiance": ("f8", "row channel", "W m-2 sr-1 um-1", "spectral radiance"),
        "radiance_sigma": ("f8", "row channel", "W m-2 sr-1 um-1", "one sigma, read and photon noise"),
        "wavelength_nm": ("f8", "row channel", "nm", "in vacuum"),
        "mean_radiance": ("f8", "row", "W m-2 sr-1 um-1", "mean over the channels"),
    }
    | _OF_SPECTRUM,
    latest=("mean_radiance", "point_id", "kind"),
    view=(),
    file_word="MarSCoDe-SWIR-RAD",
)
REFLECTANCE = ProductKind(
    "swir",
    "reflectance",
    "2C",
    {
        "reflectance": ("f8", "row channel", "1", "reflectance against the white panel"),
        "reflectance_sigma": ("f8", "row channel", "1", "one sigma, read and photon noise"),
        "wavelength_nm": ("f8", "row channel", "nm", "in vacuum"),
        "mean_reflectance": ("f8", "row", "1", "mean over the channels"),
    }
    | _OF_SPECTRUM,
    latest=("mean_reflectance", "point_id", "kind"),
    view=(View("Reflectance, short-wave infrared", "spectra", {"array": "reflectance", "label": "reflectance"}),),
    file_word="MarSCoDe-SWIR-REF",
)
BANDS = ProductKind(
    "swir",
    "bands",
    "2C",
    {
        "band_depth": ("f8", "row band", "1", "1 - reflectance / continuum between the shoulders"),
        "band_depth_sigma": ("f8", "row band", "1", "one sigma, read and photon noise"),
        "band_present": ("?", "row band", "", "deep enough to count, by its depth and sigma"),
        "band": ("U", "band", "", ""),
        "band_marks": ("U", "band", "", "what absorbs there"),
        "band_centre_nm": ("f8", "band", "nm", "in vacuum"),
        "point_id": ("u2", "row", "", ""),
    },
    latest=("point_id",),
    view=(),
    file_word="MarSCoDe-SWIR-BANDS",
)

INSTRUMENT = InstrumentFolder(
    instruments={"swir": "swir:Swir"},
    kinds=(RADIANCE, REFLECTANCE, BANDS),
)
