"""MSCam, the multispectral camera: products."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

IMAGE = ProductKind(
    "mscam",
    "image",
    "2B",
    {
        "image": ("f4", "row line sample", "W m-2 sr-1 um-1", "spectral radiance"),
        "image_sigma": (
            "f4",
            "row line sample",
            "W m-2 sr-1 um-1",
            "one sigma: photons, reading and counting; not of the response, nor of a lossy compression",
        ),
        "reflectance": ("f4", "row line sample", "1", "reflectance factor of a level surface"),
        "reflectance_sigma": (
            "f4",
            "row line sample",
            "1",
            "one sigma: photons, reading and counting; not of the response, nor of a lossy compression",
        ),
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
    latest=("filter_nm", "exposure_s", "mean_radiance", "mean_reflectance"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("MSCam, newest image", "picture"),),
    file_word="MSCam",
)
REJECTED = ProductKind(
    "mscam",
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
    instruments={"mscam": "mscam:Mscam"},
    kinds=(IMAGE, REJECTED),
)
