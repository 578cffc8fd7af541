"""NaTeCam, the navigation and terrain cameras: products."""

from __future__ import annotations

from ....products.archive_rules import InstrumentArchive
from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import IMAGE_RECORD, REJECTED_STRIPE

IMAGE = ProductKind(
    "natecam",
    "image",
    "2C",
    {
        "image": ("u1", "row line sample band", "1", "red, green, blue by the curve of sRGB"),
        "image_sigma": (
            "f8",
            "row band",
            "1",
            "one sigma of each colour: noise in the middle of the picture, and 8 bits; not of a lossy compression",
        ),
        "camera": ("U", "row", "", "right"),
        "saturated_share": ("f8", "row", "1", "pixels at the end of scale"),
        "pair_id": ("i8", "row", "", "of a stereo pair; -1: none"),
        "pair_image_id": ("i8", "row", "", "the pair's other image, if it came before; -1: none"),
        "pair_interval_s": ("f8", "row", "s", "since the pair's other exposure"),
        **IMAGE_RECORD,
    },
    latest=("camera", "exposure_s", "image_id"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("NaTeCam, newest image", "picture"),),
    file_word="NaTeCam",
)
PANORAMA = ProductKind(
    "natecam",
    "panorama",
    "2C",
    {
        "image": ("u1", "row line sample band", "", "red, green, blue by the curve of sRGB"),
        "n_views": ("u1", "row line sample", "1", "images that show this direction"),
        "azimuth_deg": ("f8", "sample", "degree", "clockwise from north"),
        "elevation_deg": ("f8", "line", "degree", "above the level"),
        "camera": ("U", "row", "", "right"),
        "sequence_id": ("i8", "row", "", "of the images"),
        "n_images": ("i8", "row", "1", "in the sweep"),
        "duration_s": ("f8", "row", "s", "from the first image's exposure to the last's"),
    },
    latest=("n_images",),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("NaTeCam, panorama", "picture"),),
    file_word="NaTeCam-PAN",
)
REJECTED = ProductKind("natecam", "rejected", "01", REJECTED_STRIPE)

INSTRUMENT = InstrumentFolder(
    instruments={"natecam": "natecam:Natecam"},
    kinds=(IMAGE, PANORAMA, REJECTED),
    archive=InstrumentArchive(title="Navigation and Terrain Camera"),
)
