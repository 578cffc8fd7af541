"""Name and version of this software, for lineage; optional libraries and how to install them."""

from __future__ import annotations

import shlex
import sys
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from ..model.errors import ConfigError

NAME = "downlink-pipeline"


@cache
def release() -> str:
    """The version; empty if it was never installed."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return ""


def software() -> str:
    """The name and version of the software."""
    return f"{NAME} {release()}".rstrip()


def to_install(extra: str) -> str:
    """The command that installs the libraries of an extra by their names, for a clone and for an installed package."""
    try:
        found = [line.partition(";") for line in requires(NAME) or ()]
    except PackageNotFoundError:
        return f"install what pyproject.toml names as {extra}"
    wanted = [name.strip() for name, _, marker in found if f"extra == '{extra}'" in marker.replace('"', "'")]
    return shlex.join([sys.executable, "-m", "pip", "install", *wanted])


def optional_module(name: str, needs: str, extra: str) -> Any:
    """Import a module of an extra. Raises ConfigError if it is missing: `needs`, and the command that installs it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"{needs}: {to_install(extra)}") from error
