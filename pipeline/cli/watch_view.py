"""Filter, sort order and scroll position of `watch`, changed by keys (names as `watch_keys` gives them)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SORTS = ("name", "age", "rate", "quality")
HELP = "/ filter  s sort  r reverse  ↑ ↓ pages scroll  q quit"
MAX_FILTER = 60  # characters


@dataclass(slots=True)
class View:
    """`filter`: text that topics must contain, in any case. `n_rows` of `n_all` were shown last."""

    filter: str = ""
    sort: str = "name"
    reverse: bool = False
    offset: int = 0
    n_rows: int = 1
    n_all: int = 0
    typing: bool = False

    def press(self, key: str) -> bool:
        """Handle a key: a character, or up, down, page up, page down, home, end, enter, escape, backspace.

        False if it ends the command.
        """
        if self.typing:
            self._type(key)
        elif key in {"q", "Q"}:
            return False
        elif key == "/":
            self.typing = True
        elif key == "escape":
            self.filter, self.offset = "", 0
        elif key == "s":
            self.sort, self.offset = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)], 0
        elif key == "r":
            self.reverse = not self.reverse
        else:
            self._scroll(key)
        return True

    def _type(self, key: str) -> None:
        if key in {"enter", "escape"}:
            self.typing = False
            self.filter = "" if key == "escape" else self.filter
        elif key == "backspace":
            self.filter = self.filter[:-1]
        elif len(key) == 1:
            self.filter = (self.filter + key)[:MAX_FILTER]
        self.offset = 0

    def _scroll(self, key: str) -> None:
        page = self.n_rows
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page, " ": page}
        if key in {"home", "g"}:
            self.offset = 0
        elif key in {"end", "G"}:
            self.offset = self.n_all
        else:
            self.offset += steps.get(key, 0)
        self.offset = max(0, min(self.offset, self.n_all - self.n_rows))

    def window(self, n: int, n_rows: int) -> slice:
        """The slice of `n` rows to show if `n_rows` fit; limits the scroll position."""
        self.n_rows, self.n_all = max(n_rows, 1), n
        self.offset = max(0, min(self.offset, n - self.n_rows))
        return slice(self.offset, self.offset + self.n_rows)


def common_prefix(topics: Sequence[str]) -> str:
    """The topic levels that all topics have in common, with a trailing "/"; never the last level of one."""
    if not topics:
        return ""
    first, last = min(topics).split("/"), max(topics).split("/")
    n = 0
    while n < min(len(first), len(last)) - 1 and first[n] == last[n]:
        n += 1
    return "".join(f"{level}/" for level in first[:n])
