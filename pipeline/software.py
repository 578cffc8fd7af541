"""What this is, by name and version, for whoever asks where a product came from."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

NAME = "downlink-pipeline"


@cache
def release() -> str:
    """The version; empty where it was never installed."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return ""


def software() -> str:
    """The name and version of the software."""
    return f"{NAME} {release()}".rstrip()
