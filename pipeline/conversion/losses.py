"""Losses: elements that a conversion could not carry, each with file, line and reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..dictionary.model.definitions import Dictionary


@dataclass(frozen=True, slots=True)
class Loss:
    """One element of the source that the result lacks. `kind`: its name in the source format."""

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
    """The losses of one file, each once, in the order of `add`."""

    file: str = ""
    found: dict[Loss, None] = field(default_factory=dict)

    def add(self, kind: str, name: str, why: str, line: int = 0) -> None:
        self.found[Loss(kind, name, why, self.file, line)] = None

    def __iter__(self) -> Iterator[Loss]:
        return iter(self.found)


@dataclass(frozen=True, slots=True)
class Source:
    """One file of a definition: its content and its name."""

    document: bytes
    file: str


@dataclass(frozen=True, slots=True)
class Converted:
    """The dictionary made from a definition, and the losses."""

    dictionary: Dictionary
    losses: tuple[Loss, ...] = ()
