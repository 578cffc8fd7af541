"""What a conversion could not carry: one line for each thing, with its file and line, why, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..dictionary.model.definitions import Dictionary


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing of the source that the result does not have. `kind`: as the source format calls it."""

    kind: str
    name: str
    why: str
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        head = " ".join(part for part in (self.kind, self.name) if part)
        return ": ".join(part for part in (place, head, self.why) if part)


@dataclass(slots=True)
class Losses:
    """Losses of one file, each once, in the order in which they are found."""

    file: str = ""
    found: dict[Loss, None] = field(default_factory=dict)

    def add(self, kind: str, name: str, why: str, line: int = 0) -> None:
        self.found[Loss(kind, name, why, self.file, line)] = None

    def __iter__(self) -> Iterator[Loss]:
        return iter(self.found)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a definition: its bytes and its name."""

    document: bytes
    file: str


@dataclass(frozen=True, slots=True)
class Converted:
    """The neutral definition, and what it lacks."""

    dictionary: Dictionary
    losses: tuple[Loss, ...] = ()
