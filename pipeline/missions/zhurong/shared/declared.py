"""Arrays that product kinds of several instruments declare alike, in the order of messages."""

from __future__ import annotations

from ....products.kinds import ArrayKind, ProductKind, View

_IN_MARS_SYSTEM = "in MARS_COORDINATE_SYSTEM, the first frame beginning at the site"
MARS_PLACE: dict[str, ArrayKind] = {
    "longitude_deg": ("f8", "row", "degree", f"east, {_IN_MARS_SYSTEM}"),
    "latitude_deg": ("f8", "row", "degree", f"north, {_IN_MARS_SYSTEM}"),
    "altitude_m": ("f8", "row", "m", _IN_MARS_SYSTEM),
}
"""Where the rover is."""
IMAGE_RECORD: dict[str, ArrayKind] = {
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
}
"""What the record of a camera's image tells, and how it came."""
REJECTED_STRIPE: dict[str, ArrayKind] = {
    "camera": ("u1", "row", "", ""),
    "stripe": ("u1", "row", "", ""),
    "n_stripes": ("u1", "row", "", ""),
    "first_line": ("u2", "row", "", ""),
    "n_lines": ("u2", "row", "", ""),
    "image_lines": ("u2", "row", "", ""),
    "image_samples": ("u2", "row", "", ""),
    "image_id": ("u2", "row", "", ""),
    "sequence_id": ("u2", "row", "", ""),
}
"""A stripe of an image that cannot be used."""
_STRIP: dict[str, ArrayKind] = {
    "image": ("f4", "row line sample band", "W m-2 sr-1 um-1", "spectral radiance"),
    "image_sigma": (
        "f4",
        "row line sample band",
        "W m-2 sr-1 um-1",
        "one sigma: photons, reading and counting; not of the response, nor of a lossy compression",
    ),
    "line_quality": ("u1", "row line", "", "of each line: 0 good, 1 missing, 2 does not decode"),
    "band_name": ("U", "band", "", ""),
    "binning": ("i8", "row", "", "detector pixels that became one"),
    "transaction": ("i8", "row", "", "number of the file"),
    "checksum": ("i8", "row", "", "1 verified, 0 failed, -1 not checked"),
    "n_rejected_pdus": ("i8", "row", "1", "PDUs that could not be used"),
    "pixel_scale_m": ("f8", "row", "m", "on the ground, of a sample at line 0"),
    "swath_m": ("f8", "row", "m", "across the track at line 0"),
    "altitude_m": ("i8", "row", "m", "above the ground at line 0"),
    "longitude_deg": ("f8", "row", "degree", "east, of the first line's centre, planetocentric"),
    "latitude_deg": ("f8", "row", "degree", "of the first line's centre, planetocentric"),
    "flight_azimuth_deg": ("f8", "row", "degree", "clockwise from north"),
    "exposure_s": ("f8", "row", "s", "exposure time of a line"),
    "line_interval_s": ("f8", "row", "s", "from line to line"),
    "duration_s": ("f8", "row", "s", "from first to last line's end"),
    "mean_radiance": ("f8", "row", "W m-2 sr-1 um-1", "over what is there"),
    "received_share": ("f8", "row", "1", "of the file's bytes"),
}
"""A strip of an orbiter's camera."""
_REJECTED_FILE: dict[str, ArrayKind] = {
    "transaction": ("i8", "row", "", "number of the file"),
    "file_bytes": ("i8", "row", "1", "size, as far as it is known"),
    "received_bytes": ("i8", "row", "1", "bytes that came"),
    "n_rejected_pdus": ("i8", "row", "1", "PDUs that could not be used"),
}
"""A file of an orbiter's camera that cannot be used."""


def strip_kinds(instrument: str, word: str) -> tuple[ProductKind, ProductKind]:
    """Strips and rejected files of an orbiter's camera. `word`: its name in titles and files."""
    strip = ProductKind(
        instrument,
        "strip",
        "2B",
        _STRIP,
        latest=("pixel_scale_m", "swath_m", "mean_radiance"),
        files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
        view=(View(f"{word}, newest strip", "picture"),),
        file_word=word,
    )
    return strip, ProductKind(instrument, "rejected", "01", _REJECTED_FILE)
