"""What can be wrong, as far as a person can mend it.

Noise from space is never an exception: it is counted and flagged. What is raised here is for people:
a configuration that cannot be used, a run that cannot go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend in a file: where it stands and what is wrong with it."""

    text: str
    file: str = ""
    line: int = 0
    """1-based; 0 where the problem has no line (a file that is missing)."""
    key: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.key, self.text) if part)


class DownlinkError(Exception):
    """A failure told in one clear line; `exit_status` is what the command ends with."""

    exit_status = 1


class RunError(DownlinkError):
    """The run failed: a file that cannot be read, a disk that is full, a broker that refuses."""


class StoppedError(DownlinkError):
    """Ctrl-C or SIGTERM, with what there is to know of what was finished before it."""

    exit_status = 130  # as a shell tells Ctrl-C


class ConfigError(DownlinkError):
    """Wrong usage or configuration, with every problem that was found, in the order of the files."""

    exit_status = 2

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (Problem(problems),) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
