"""Libraries that write product files: an optional extra, imported when a file is requested."""

from __future__ import annotations

from typing import Any

from ..system.software import optional_module


def science(name: str) -> Any:
    """Import a module of the extra `science`. Raises ConfigError if it is missing."""
    return optional_module(name, f"product files need {name.partition('.')[0]}", "science")


def cdf_writer() -> Any:
    """The module that writes CDF files. Raises ConfigError if it is missing."""
    return optional_module("cdflib.cdfwrite", "CDF files need cdflib", "science")


def pyarrow() -> Any:
    """The library, with its module `parquet`. Raises ConfigError if it is missing."""
    optional_module("pyarrow.parquet", "Parquet needs pyarrow", "parquet")
    return optional_module("pyarrow", "Parquet needs pyarrow", "parquet")
