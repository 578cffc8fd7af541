"""MSCam, the multispectral camera: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import IMAGE_RECORD, REJECTED_STRIPE

_SIGMA = "one sigma: photons, reading and counting; not of the response, nor of a lossy compression"

IMAGE = ProductKind(
    "mscam",
    "image",
    "2B",
    {
        "image": ("f4", "row line sample", "W m-2 sr-1 um-1", "spectral radiance"),
        "image_sigma": ("f4", "row line sample", "W m-2 sr-1 um-1", _SIGMA),
        "reflectance": ("f4", "row line sample", "1", "reflectance factor of a level surface"),
        "reflectance_sigma": ("f4", "row line sample", "1", _SIGMA),
        "filter_nm": ("f8", "row", "nm", "centre of the filter"),
        "filter_width_nm": ("f8", "row", "nm", "of the filter, between its edges"),
        "filter_position": ("i8", "row", "", "on the filter wheel, from 1"),
        "filter_name": ("U", "row", "", ""),
        "mean_radiance": ("f8", "row", "W m-2 sr-1 um-1", "over the good lines"),
        "mean_reflectance": ("f8", "row", "1", "over the good lines"),
        "saturated_share": ("f8", "row", "1", "pixels at the end of scale"),
        "solar_incidence_deg": ("f8", "row", "degree", "of the Sun from the zenith"),
        "solar_azimuth_deg": ("f8", "row", "degree", "of the Sun clockwise from north"),
        "sun_distance_au": ("f8", "row", "au", "of the Sun"),
        **IMAGE_RECORD,
    },
    latest=("filter_nm", "exposure_s", "mean_radiance", "mean_reflectance"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("MSCam, newest image", "picture"),),
    file_word="MSCam",
)
REJECTED = ProductKind("mscam", "rejected", "01", REJECTED_STRIPE)

INSTRUMENT = InstrumentFolder(
    instruments={"mscam": "mscam:Mscam"},
    kinds=(IMAGE, REJECTED),
    archive=InstrumentArchive(title="Multispectral Camera"),
)
