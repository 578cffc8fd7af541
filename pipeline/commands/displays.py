"""Displays of missions for the live page, reread when their files change; and their check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages.topics import level
from ..mission.display_files import MAX_DISPLAYS, display_files
from ..model.batches import GENERIC_INSTRUMENT
from ..model.displays import Display

if TYPE_CHECKING:
    from ..mission.loading import Mission

_Version = tuple[int, int]
"""Of a file: time of its last change in ns, and bytes."""


class DisplayFiles:
    """The displays of missions, by name and folder. Each call reads new and changed files."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._read: dict[Path, tuple[_Version, Display]] = {}

    def __call__(self) -> dict[str, tuple[Display, ...]]:
        """The displays of each mission, in order of their files; invalid ones have their problems."""
        found = {name: tuple(self._of(display_files(folder))) for name, folder in self._folders.items()}
        return {name: displays for name, displays in found.items() if displays}

    def _of(self, paths: Iterable[Path]) -> Iterable[Display]:
        for path in list(paths)[:MAX_DISPLAYS]:
            try:
                status = path.stat()
            except OSError:  # it went between the two
                continue
            version = status.st_mtime_ns, status.st_size
            if path not in self._read or self._read[path][0] != version:
                from ..mission.displays import shown_display  # noqa: PLC0415 - Pydantic: where there are displays

                self._read[path] = version, shown_display(path)
            yield self._read[path][1]


def displays_of(mission: Mission) -> list[Display]:
    """The displays of a mission, checked against its parameters. ConfigError with all problems of all files."""
    if not display_files(mission.folder):
        return []
    from ..mission.displays import check_displays  # noqa: PLC0415 - as above

    return check_displays(mission.folder, parameter_keys(mission))


def parameter_keys(mission: Mission) -> set[str]:
    """The keys of a mission's parameters on the live page."""
    from .catalogue import catalogue  # noqa: PLC0415 - it takes packets of the dictionary apart

    return {
        f"{form.topic.removeprefix(f'{GENERIC_INSTRUMENT}/')}/{level(name)}"
        for form in catalogue(mission)
        for name in form.arrays
        if not name.startswith("time_")
    }
