"""Errors that a user can fix: a configuration that cannot be used, a run that cannot continue.

Bad data from the link are never an exception: they are counted and flagged.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a file. `line`: from 1; 0: none (the file is missing)."""

    text: str
    file: str = ""
    line: int = 0
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.key, self.text) if part)


class DownlinkError(Exception):
    """A failure that is reported in one line. `exit_status`: of the command."""

    exit_status = 1


class RunError(DownlinkError):
    """The run failed: a file that cannot be read, a disk that is full, a broker that refuses."""


class StoppedError(DownlinkError):
    """Ctrl-C or SIGTERM; the text says what was finished before it."""

    exit_status = 130  # as shells do for SIGINT


class ConfigError(DownlinkError):
    """Wrong usage or configuration, with all problems, in order of the files."""

    exit_status = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
