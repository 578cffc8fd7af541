"""MMS, the orbiter's mineralogical spectrometer: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

_SIGMA = "one sigma: photons, reading and counting, of the spectrum and of its dark; not of the response"

RADIANCE = ProductKind(
    "mms",
    "radiance",
    "2A",
    {
        "bin": ("u1", "row", "", "across the track, from 0"),
        "visible_radiance": ("f8", "row visible_channel", "W m-2 sr-1 um-1", "visible detector"),
        "visible_radiance_sigma": ("f8", "row visible_channel", "W m-2 sr-1 um-1", _SIGMA),
        "visible_wavelength_nm": ("f8", "visible_channel", "nm", "visible detector, in vacuum"),
        "infrared_radiance": ("f8", "row infrared_channel", "W m-2 sr-1 um-1", "infrared detector"),
        "infrared_radiance_sigma": ("f8", "row infrared_channel", "W m-2 sr-1 um-1", _SIGMA),
        "infrared_wavelength_nm": ("f8", "infrared_channel", "nm", "infrared detector, in vacuum"),
        "mean_radiance": ("f8", "row", "W m-2 sr-1 um-1", "mean of the visible detector"),
        "mean_radiance_sigma": ("f8", "row", "W m-2 sr-1 um-1", _SIGMA),
    },
    latest=("mean_radiance",),
    view=(
        View(
            "MMS, visible",
            "spectra",
            {"array": "visible_radiance", "label": "radiance", "wavelength": "visible_wavelength_nm"},
        ),
    ),
    file_word="MMS",
)

INSTRUMENT = InstrumentFolder(
    instruments={"mms": "mms:Mms"},
    kinds=(RADIANCE,),
    archive=InstrumentArchive(platform="orbiter"),
)
