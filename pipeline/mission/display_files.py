"""Where the files of a mission's displays are."""

from __future__ import annotations

from pathlib import Path

FOLDER = "displays"
MAX_DISPLAYS = 40


def display_files(mission_folder: Path) -> list[Path]:
    """Return the display files of a mission, sorted by name."""
    return sorted((mission_folder / FOLDER).glob("*.toml"))
