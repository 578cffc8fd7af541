"""The bundled pass of the package and its mission, named in `bundled.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..model.errors import ConfigError

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class BundledPass:
    """A recording in `replay_data/`, and the name of its mission."""

    mission: str
    recording: str


@cache
def bundled_pass() -> BundledPass:
    """Return the recording and the mission that `bundled.toml` names."""
    return BundledPass(**tomllib.loads((_PACKAGE / "bundled.toml").read_text()))


def bundled_recording(name: str) -> Path:
    """Find a recording of replay_data/ in the current folder, the clone, or the installed package. ConfigError if
    absent.
    """
    for root in (Path.cwd(), _PACKAGE.parent, _PACKAGE):
        if (root / "replay_data" / name).is_file():
            return root / "replay_data" / name
    raise ConfigError(f"replay_data/{name} is neither in this folder nor in the installed package")
