"""NaTeCam, the navigation and terrain cameras: products."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

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
        "line_quality": ("u1", "row line", "", "of each line: 0 good, 1 missing, 2 does not decode"),
        "exposure_s": ("f8", "row", "s", "exposure time"),
        "image_id": ("u2", "row", "", "number of the image"),
        "sequence_id": ("u2", "row", "", "images taken for one purpose share it"),
        "window_line": ("u2", "row", "", "detector line at which the window begins"),
        "window_sample": ("u2", "row", "", "detector sample at which the window begins"),
        "binning": ("u1", "row", "", "detector pixels that became one, in each direction"),
        "compress_mode": ("U", "row", "", "how the first stripe that came was sent"),
        "compress_ratio": ("f8", "row", "1", "bits at 16 a sample over bits sent"),
        "detector_temperature_degc": ("f8", "row", "degC", "of the detector"),
        "rover_yaw_deg": ("f8", "row", "degree", "of the image record, to north-east-down"),
        "rover_pitch_deg": ("f8", "row", "degree", "of the image record"),
        "rover_roll_deg": ("f8", "row", "degree", "of the image record"),
        "mast_yaw_deg": ("f8", "row", "degree", "positive to the right"),
        "mast_pitch_deg": ("f8", "row", "degree", "positive up"),
        "mast_roll_deg": ("f8", "row", "degree", ""),
        "image_mode": ("U", "row", "", "what it was taken for"),
        "exposure_mode": ("U", "row", "", ""),
        "focus_mode": ("U", "row", "", ""),
        "focus_gear": ("u1", "row", "", "1 to 7, defocusing compensation"),
        "frame_count": ("u2", "row", "", "images since the instrument was switched on"),
        "aux_quality": ("u1", "row", "", "as sent; 0 good"),
        "n_stripes": ("i4", "row", "1", "stripes that the image was cut into"),
        "n_stripes_missing": ("i4", "row", "1", "stripes that never came"),
        "n_stripes_undecodable": ("i4", "row", "1", "stripes that came and do not decode"),
        "n_stripes_repeated": ("i4", "row", "1", "stripes that came again"),
        "pointing_enu": (
            "f8",
            "row point east_north_up",
            "1",
            "unit vectors: first line's first and last sample, last line's last and first, centre",
        ),
        "navigation_apart_deg": ("f8", "row", "degree", "navigation against the image's record"),
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
REJECTED = ProductKind(
    "natecam",
    "rejected",
    "01",
    {
        "camera": ("u1", "row", "", ""),
        "stripe": ("u1", "row", "", ""),
        "n_stripes": ("u1", "row", "", ""),
        "first_line": ("u2", "row", "", ""),
        "n_lines": ("u2", "row", "", ""),
        "image_lines": ("u2", "row", "", ""),
        "image_samples": ("u2", "row", "", ""),
        "image_id": ("u2", "row", "", ""),
        "sequence_id": ("u2", "row", "", ""),
    },
)

INSTRUMENT = InstrumentFolder(
    instruments={"natecam": "natecam:Natecam"},
    kinds=(IMAGE, PANORAMA, REJECTED),
)
