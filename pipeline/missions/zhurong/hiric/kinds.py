"""HiRIC, the orbiter's high resolution camera: products."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder

STRIP = ProductKind(
    "hiric",
    "strip",
    "2B",
    {
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
    },
    latest=("pixel_scale_m", "swath_m", "mean_radiance"),
    files=("netcdf", "quicklook", "zarr", "pds4", "picture"),
    view=(View("HiRIC, newest strip", "picture"),),
    file_word="HiRIC",
)
REJECTED = ProductKind(
    "hiric",
    "rejected",
    "01",
    {
        "transaction": ("i8", "row", "", "number of the file"),
        "file_bytes": ("i8", "row", "1", "size, as far as it is known"),
        "received_bytes": ("i8", "row", "1", "bytes that came"),
        "n_rejected_pdus": ("i8", "row", "1", "PDUs that could not be used"),
    },
)

INSTRUMENT = InstrumentFolder(
    instruments={"hiric": "hiric:Hiric"},
    kinds=(STRIP, REJECTED),
)
