"""Which files a product becomes: a table by hand, and every kind of file with what plans it.

A new kind of file: its module, and a line in `KINDS`. A product that is to have more than the default: a line in
`FILES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.archive.cdf import cdflib_module, write_cdf
from pipeline.archive.jobs import Planner, each
from pipeline.archive.netcdf import netcdf4_module, write_netcdf
from pipeline.archive.pds4 import plan_radar


@dataclass(frozen=True, slots=True)
class FileKind:
    """`plan` names its files; `needs` imports the library that it writes with, or raises ConfigError."""

    plan: Planner
    needs: Callable[[], Any] = lambda: None


KINDS: Mapping[str, FileKind] = {
    "netcdf": FileKind(each("netcdf", ".nc", write_netcdf), netcdf4_module),
    "cdf": FileKind(each("cdf", ".cdf", write_cdf), cdflib_module),
    "pds4": FileKind(plan_radar),
}

DEFAULT = ("netcdf",)
FILES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("magnetometer", "field"): ("cdf",),
    ("momag", "field"): ("cdf",),
    ("momag", "field_32hz"): ("cdf",),
    ("gpr", "high_frequency"): (*DEFAULT, "pds4"),
    ("gpr", "high_frequency_self_test"): (*DEFAULT, "pds4"),
    ("gpr", "low_frequency"): (*DEFAULT, "pds4"),
    ("gpr", "low_frequency_self_test"): (*DEFAULT, "pds4"),
}
"""The kinds of file of a product (instrument, product), where they are not DEFAULT."""


def kinds_of(instrument: str, product: str, file_format: str) -> tuple[str, ...]:
    """What a product becomes: in the format "archive" what the table says, else the one kind that is named."""
    return FILES.get((instrument, product), DEFAULT) if file_format == "archive" else (file_format,)
