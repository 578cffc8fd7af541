"""Scopes of a Kaitai Struct definition: uses of types, and the position of the next field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..dictionary.model.conditions import Size
from ..dictionary.model.definitions import Entry
from .kaitai_types import Order, labels_of
from .yaml_lines import Mapping


class StopError(Exception):
    """The positions of the fields after this one are unknown."""


@dataclass(slots=True)
class Scope:
    """One use of a type: the path of its fields, and the definition of the type."""

    path: tuple[str, ...]
    spec: Mapping
    parent: Scope | None
    order: Order

    def type_named(self, name: str) -> Mapping | None:
        """A type defined in this type, in one around it, or in the root; None if there is none."""
        return self._named(name.split("::"))

    def enum_named(self, name: str) -> Mapping | None:
        """An enumeration, searched as a type is; None if there is none."""
        *types, last = name.split("::")
        return self._named(types, last)

    def _named(self, types: list[str], enum: str = "") -> Mapping | None:
        here: Scope | None = self
        steps = [("types", part) for part in types] + ([("enums", enum)] if enum else [])
        while here is not None:
            found: Any = here.spec
            for section, part in steps:
                found = (found.get(section) or {}).get(part) if isinstance(found, Mapping) else None
            if isinstance(found, Mapping):
                return found
            here = here.parent
        return None

    def enum_value(self, word: str) -> int | None:
        """The value of `enumeration::label`; None if it is not defined."""
        name, _, label = word.rpartition("::")
        found = self.enum_named(name)
        if found is None:
            return None
        return next((low for low, _, text in labels_of(found) if text == label), None)

    def dotted(self, spec: Mapping) -> str:
        """The path of a field as text."""
        return ".".join((*self.path, str(spec.get("id", ""))))

    @property
    def depth(self) -> int:
        """The number of types around it."""
        return 0 if self.parent is None else self.parent.depth + 1


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of `size` bits. `n_before`, `gap`: number of entries, and bits to skip, at its begin."""

    size: Size
    n_before: int
    gap: int


@dataclass(slots=True)
class Cursor:
    """Position of the next field. `bits`: used of a byte by bit fields; `gap`: bits to skip before it; `stream`: of the
    fields, None: the packet; `is_loose`: bits before it are not in every packet.
    """

    entries: list[Entry]
    bits: int = 0
    gap: int = 0
    name: str = ""
    stream: Stream | None = None
    is_loose: bool = False

    def align(self) -> None:
        """Align the next field to a byte. Raises StopError if the position is unknown."""
        if self.is_loose:
            raise StopError
        self.gap += -self.bits % 8
        self.bits = 0
