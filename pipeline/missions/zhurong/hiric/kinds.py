"""HiRIC, the orbiter's high resolution camera: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import REJECTED_FILE, STRIP_ARRAYS

STRIP = ProductKind(
    "hiric",
    "strip",
    "2B",
    STRIP_ARRAYS,
    latest=("pixel_scale_m", "swath_m", "mean_radiance"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("HiRIC, newest strip", "picture"),),
    file_word="HiRIC",
)
REJECTED = ProductKind("hiric", "rejected", "01", REJECTED_FILE)

INSTRUMENT = InstrumentFolder(
    instruments={"hiric": "hiric:Hiric"},
    kinds=(STRIP, REJECTED),
    archive=InstrumentArchive(title="High Resolution Imaging Camera", platform="orbiter"),
)
