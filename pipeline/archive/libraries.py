"""Libraries that write product files: an optional extra, imported when a file is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..model.errors import ConfigError
from ..system.software import to_install


def science(name: str) -> Any:
    """Import a module of the extra `science`; ConfigError where it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        library = name.partition(".")[0]
        raise ConfigError(f"product files need {library}: {to_install('science')}") from error
