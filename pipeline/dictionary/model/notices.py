"""What a reader passed over or read as it was meant: one notice for each kind, with its first place and its count.

Also the lines of several files in one number, so that definitions of one dictionary need no file name of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ...model.errors import Problem

MAX_LINE_BITS = 28
"""The lines of the i-th file of a dictionary are counted from i << 28 on; a document has no more lines."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One kind of thing, where it stood first, and how often."""

    text: str
    file: str = ""
    line: int = 0
    key: str = ""
    n: int = 1

    def __str__(self) -> str:
        more = f" ({self.n:,} times, here the first)" if self.n > 1 else ""
        return f"{Problem(self.text, self.file, self.line, self.key)}{more}"


class Notices:
    """Notices by kind, in the order in which each kind came up first."""

    def __init__(self) -> None:
        self._found: dict[str, Notice] = {}

    def add(self, notice: Notice) -> None:
        known = self._found.get(notice.text)
        if known is None:
            self._found[notice.text] = notice
        else:
            first = known if known.line <= notice.line else notice
            self._found[notice.text] = replace(first, n=known.n + notice.n)

    def collected(self, files: Sequence[str]) -> tuple[Notice, ...]:
        """All of them with their files and lines."""
        return tuple(
            replace(notice, file=place.file, line=place.line)
            for notice in self._found.values()
            for place in located([Problem("", notice.file, notice.line)], files)
        )


def located(problems: Iterable[Problem], files: Sequence[str]) -> list[Problem]:
    """Problems with the file and line that their line number stands for."""
    return [
        replace(problem, file=files[place], line=problem.line & ((1 << MAX_LINE_BITS) - 1))
        if 0 < (place := problem.line >> MAX_LINE_BITS) < len(files)
        else problem
        for problem in problems
    ]
