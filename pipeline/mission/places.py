"""Where the files are that a mission file names: beside it, or in a folder that an environment variable names.

The dictionaries of others do not lie beside the mission file of a package that is installed: `$NAME/file.xml` begins
in the folder that NAME holds.
"""

from __future__ import annotations

import os
from pathlib import Path


class UnsetVariableError(LookupError):
    """A path begins with an environment variable that is not set, or empty."""


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
