"""Names of parameters and containers: what XTCE allows, and where a key stands among the space systems."""

from __future__ import annotations

import re
from collections.abc import Iterable

FORBIDDEN = re.compile(r"[^\w\-+]")
"""XTCE forbids . / : [ ] and blanks in names; what else is no letter, digit, - or + is taken out with them."""


def clean(name: str) -> str:
    """The name with an underscore for each character that XTCE does not allow."""
    return FORBIDDEN.sub("_", name.strip()) or "_"


def system_of(key: str, name: str) -> tuple[str, ...]:
    """The space systems around a parameter: what its key has before its name."""
    return tuple(key[: -len(name) - 1].split(".")) if key.endswith(f".{name}") and key != name else ()


class Names:
    """Gives each name once: a second one of the same spelling gets a number."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken: set[str] = set(taken)

    def copy(self) -> Names:
        """The same names taken, and none that one of the two takes later."""
        return Names(self._taken)

    def take(self, name: str) -> str:
        wanted = clean(name)
        found, n = wanted, 1
        while found in self._taken:
            n += 1
            found = f"{wanted}_{n}"
        self._taken.add(found)
        return found
