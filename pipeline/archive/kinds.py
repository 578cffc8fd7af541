"""All file formats and their planners. The `ProductKind` of a product declares its formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..products.kinds import DEFAULT_FILES, ProductKind
from .cdf_days import plan_cdf
from .jobs import Planner, per_collection, plan_tables
from .libraries import cdf_writer, science
from .netcdf import write_netcdf
from .pds4_images import plan_images
from .pictures import plan_pictures
from .quicklook import write_quicklook
from .received_files import plan_files
from .segy import plan_segy
from .wav import plan_wav
from .zarr import plan_zarr


@dataclass(frozen=True, slots=True)
class FileKind:
    """A format. `plans`: its planners; `needs`: imports its library, or raises ConfigError."""

    plans: tuple[Planner, ...]
    needs: Callable[[], Any] = lambda: None


KINDS: Mapping[str, FileKind] = {
    "netcdf": FileKind((per_collection("netcdf", ".nc", write_netcdf),), partial(science, "netCDF4")),
    "cdf": FileKind((plan_cdf,), cdf_writer),
    "pds4": FileKind((plan_tables, plan_images)),
    "picture": FileKind((plan_pictures,)),
    "segy": FileKind((plan_segy,), partial(science, "segyio")),
    "wav": FileKind((plan_wav,), partial(science, "scipy.io.wavfile")),
    "quicklook": FileKind(
        (per_collection("quicklook", ".png", write_quicklook),), partial(science, "matplotlib.figure")
    ),
    "file": FileKind((plan_files,)),
    "zarr": FileKind((plan_zarr,), partial(science, "zarr")),
}


def kinds_of(declared: ProductKind | None, file_format: str) -> tuple[str, ...]:
    """Formats of a product: those that its kind declares if `file_format` is "archive", else `file_format` only."""
    if file_format != "archive":
        return (file_format,)
    return DEFAULT_FILES if declared is None else declared.files
