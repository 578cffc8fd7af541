"""What this is, by name and version, for whoever asks where a product came from."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

NAME = "downlink-pipeline"


@cache
def software() -> str:
    """The name and version of the software."""
    try:
        return f"{NAME} {version(NAME)}"
    except PackageNotFoundError:
        return NAME
