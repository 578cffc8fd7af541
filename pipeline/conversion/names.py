"""Names of parameters and containers that XTCE allows, and space systems of keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

FORBIDDEN = re.compile(r"[^\w\-+]")
"""XTCE forbids . / : [ ] and blanks in names; other characters that are no letter, digit, - or + are replaced, too."""


def clean(name: str) -> str:
    """The name with an underscore for each character that XTCE does not allow."""
    return FORBIDDEN.sub("_", name.strip()) or "_"


def system_of(key: str, name: str) -> tuple[str, ...]:
    """The space systems of a parameter: the prefix of its key before its name."""
    return tuple(key[: -len(name) - 1].split(".")) if key.endswith(f".{name}") and key != name else ()


class Names:
    """Makes names unique: a repeated one gets a number."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken: set[str] = set(taken)

    def copy(self) -> Names:
        """A copy with the same names taken; later ones are independent."""
        return Names(self._taken)

    def take(self, name: str) -> str:
        wanted = clean(name)
        found, n = wanted, 1
        while found in self._taken:
            n += 1
            found = f"{wanted}_{n}"
        self._taken.add(found)
        return found
