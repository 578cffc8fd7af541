"""Which files a product becomes: a table by hand, and every kind of file with what plans it.

A new kind of file: its module, and a line in `KINDS`. A product that is to have more than the default: a line in
`FILES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from .cdf import cdflib_module
from .cdf_days import plan_cdf
from .jobs import Planner, each
from .libraries import science
from .netcdf import netcdf4_module, write_netcdf
from .pds4 import plan_radar
from .pds4_images import plan_images
from .pictures import plan_pictures
from .quicklook import write_quicklook
from .segy import plan_segy
from .wav import plan_wav
from .zarr import plan_zarr


@dataclass(frozen=True, slots=True)
class FileKind:
    """`plans` name its files, each by itself; `needs` imports the library for them, or raises ConfigError."""

    plans: tuple[Planner, ...]
    needs: Callable[[], Any] = lambda: None


KINDS: Mapping[str, FileKind] = {
    "netcdf": FileKind((each("netcdf", ".nc", write_netcdf),), netcdf4_module),
    "cdf": FileKind((plan_cdf,), cdflib_module),
    "pds4": FileKind((plan_radar, plan_images)),
    "picture": FileKind((plan_pictures,)),
    "segy": FileKind((plan_segy,), partial(science, "segyio")),
    "wav": FileKind((plan_wav,), partial(science, "scipy.io.wavfile")),
    "quicklook": FileKind((each("quicklook", ".png", write_quicklook),), partial(science, "matplotlib.figure")),
    "zarr": FileKind((plan_zarr,), partial(science, "zarr")),
}

DEFAULT = ("netcdf", "quicklook", "zarr")
_RADAR = (*DEFAULT, "segy")
_IMAGES = (*DEFAULT, "pds4", "picture")
FILES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("magnetometer", "field"): ("cdf", "quicklook", "zarr"),
    ("momag", "field"): ("cdf", "quicklook", "zarr"),
    ("momag", "field_32hz"): ("cdf", "quicklook", "zarr"),
    ("gpr", "high_frequency"): (*_RADAR, "pds4"),
    ("gpr", "high_frequency_self_test"): (*_RADAR, "pds4"),
    ("gpr", "low_frequency"): (*_RADAR, "pds4"),
    ("gpr", "low_frequency_self_test"): (*_RADAR, "pds4"),
    ("gpr", "radargram_high"): _RADAR,
    ("gpr", "radargram_high_hv"): _RADAR,
    ("gpr", "radargram_high_vh"): _RADAR,
    ("gpr", "radargram_high_vv"): _RADAR,
    ("gpr", "radargram_low"): _RADAR,
    **{("gpr", f"traverse_{name}"): _RADAR for name in ("high", "high_hv", "high_vh", "high_vv", "low")},
    ("weather", "sound"): (*DEFAULT, "wav"),
    ("mscam", "image"): _IMAGES,
    ("natecam", "image"): _IMAGES,
    ("natecam", "panorama"): _IMAGES,
    ("moric", "strip"): _IMAGES,
    ("hiric", "strip"): _IMAGES,
}
"""The kinds of file of a product (instrument, product), where they are not DEFAULT."""


def kinds_of(instrument: str, product: str, file_format: str) -> tuple[str, ...]:
    """What a product becomes: in the format "archive" what the table says, else the one kind that is named."""
    return FILES.get((instrument, product), DEFAULT) if file_format == "archive" else (file_format,)
