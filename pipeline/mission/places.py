"""Paths of files in a mission file: relative to its folder, or to a folder in an environment variable.

The mission file of an installed package may use a dictionary from elsewhere: `$NAME/file.xml` is in the folder of NAME.
"""

from __future__ import annotations

import os
from pathlib import Path


class UnsetVariableError(LookupError):
    """A path begins with an environment variable that is unset or empty."""


def place(folder: Path, name: str) -> Path:
    """The path of `name`, relative to the mission's folder. Raises UnsetVariableError."""
    if not name.startswith("$"):
        return folder / name
    variable, _, rest = name[1:].partition("/")
    value = os.environ.get(variable, "")
    if not value:
        raise UnsetVariableError(
            f"the environment variable {variable} is not set: it names the folder where {rest or 'the dictionary'} is"
        )
    return Path(value).expanduser() / rest
