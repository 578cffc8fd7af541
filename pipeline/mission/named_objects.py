"""Objects that mission packages name as `module:object`, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..model.errors import ConfigError
from ..model.printable import printable


def load_place(module: str, place: str, what: str) -> Any:
    """Import `module:object`, the module within `module`. ConfigError of one line if that fails."""
    inner, _, name = place.partition(":")
    full = f"{module}.{inner}" if inner else module
    try:
        return getattr(import_module(full), name)
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{what} cannot be used: {place}: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error as one printable line of at most 400 characters."""
    return printable(" ".join(f"{type(error).__name__}: {error}".split()))[:400]
