"""Where the fields of a Kaitai Struct definition stand: uses of types, and the place of the next field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..dictionary.model.conditions import Size
from ..dictionary.model.definitions import Entry
from .kaitai_types import Order, labels_of
from .yaml_lines import Mapping


class StopError(Exception):
    """Nothing behind this field has a known place."""


@dataclass(slots=True)
class Scope:
    """One use of a type: where its fields stand among all, and the type's own definitions."""

    path: tuple[str, ...]
    spec: Mapping
    parent: Scope | None
    order: Order

    def type_named(self, name: str) -> Mapping | None:
        """A type of the file: of this type, of those around it, or of the root."""
        here: Scope | None = self
        while here is not None:
            found: Any = here.spec
            for part in name.split("::"):
                found = (found.get("types") or {}).get(part) if isinstance(found, Mapping) else None
            if isinstance(found, Mapping):
                return found
            here = here.parent
        return None

    def enum_named(self, name: str) -> Mapping | None:
        """An enumeration of the file, looked for as a type is."""
        *types, last = name.split("::")
        here: Scope | None = self
        while here is not None:
            holder: Any = here.spec
            for part in types:
                holder = (holder.get("types") or {}).get(part) if isinstance(holder, Mapping) else None
            found = (holder.get("enums") or {}).get(last) if isinstance(holder, Mapping) else None
            if isinstance(found, Mapping):
                return found
            here = here.parent
        return None

    def enum_value(self, word: str) -> int | None:
        """The number of `enumeration::label`."""
        name, _, label = word.rpartition("::")
        found = self.enum_named(name)
        if found is None:
            return None
        return next((low for low, _, text in labels_of(found) if text == label), None)

    def dotted(self, spec: Mapping) -> str:
        """The path of a field in words."""
        return ".".join((*self.path, str(spec.get("id", ""))))

    @property
    def depth(self) -> int:
        """How many types are around it."""
        return 0 if self.parent is None else self.parent.depth + 1


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of its own, of `size` bits. `n_before`, `gap`: entries, and bits to leave out, when it began."""

    size: Size
    n_before: int
    gap: int


@dataclass(slots=True)
class Cursor:
    """Where the next field stands. `bits`: of a byte that bit fields have begun; `gap`: to leave out before it;
    `stream`: what the fields stand in, None for the whole packet; `is_loose`: bits before are not in every packet.
    """

    entries: list[Entry]
    bits: int = 0
    gap: int = 0
    name: str = ""
    stream: Stream | None = None
    is_loose: bool = False

    def align(self) -> None:
        """The next field begins with a byte. Raises StopError where nobody knows with which."""
        if self.is_loose:
            raise StopError
        self.gap += -self.bits % 8
        self.bits = 0
