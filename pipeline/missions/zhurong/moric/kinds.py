"""MoRIC, the orbiter's medium resolution camera: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import REJECTED_FILE, STRIP_ARRAYS

STRIP = ProductKind(
    "moric",
    "strip",
    "2B",
    STRIP_ARRAYS,
    latest=("pixel_scale_m", "swath_m", "mean_radiance"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("MoRIC, newest strip", "picture"),),
    file_word="MoRIC",
)
REJECTED = ProductKind("moric", "rejected", "01", REJECTED_FILE)

INSTRUMENT = InstrumentFolder(
    instruments={"moric": "moric:Moric"},
    kinds=(STRIP, REJECTED),
    archive=InstrumentArchive(title="Moderate Resolution Imaging Camera", platform="orbiter"),
)
