"""Which topics of `watch` are seen, and in what order: a filter, a sort order and a place, steered by keys.

No terminal here: keys come as names, as `watch_keys` reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SORTS = ("name", "age", "rate", "quality")
HELP = "/ filter  s sort  r reverse  ↑ ↓ pages scroll  q quit"
MAX_FILTER = 60  # characters


@dataclass(slots=True)
class View:
    """`filter`: text that a topic contains, upper and lower case alike. `n_rows` of `n_all` were shown last."""

    filter: str = ""
    sort: str = "name"
    reverse: bool = False
    offset: int = 0
    n_rows: int = 1
    n_all: int = 0
    typing: bool = False

    def press(self, key: str) -> bool:
        """Take a key: a character, or one of up, down, page up, page down, home, end, enter, escape, backspace.

        False where it ends the command.
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
        steps = {
            "up": -1,
            "k": -1,
            "down": 1,
            "j": 1,
            "page up": -self.n_rows,
            "page down": self.n_rows,
            " ": self.n_rows,
        }
        if key in {"home", "g"}:
            self.offset = 0
        elif key in {"end", "G"}:
            self.offset = self.n_all
        else:
            self.offset += steps.get(key, 0)
        self.offset = max(0, min(self.offset, self.n_all - self.n_rows))

    def window(self, n: int, n_rows: int) -> slice:
        """Which of `n` rows to show where `n_rows` have room; keeps the place within them."""
        self.n_rows, self.n_all = max(n_rows, 1), n
        self.offset = max(0, min(self.offset, n - self.n_rows))
        return slice(self.offset, self.offset + self.n_rows)


def common_prefix(topics: Sequence[str]) -> str:
    """The levels with which all topics begin, with the "/" behind; each keeps its last level."""
    if not topics:
        return ""
    first, last = min(topics).split("/"), max(topics).split("/")
    n = 0
    while n < min(len(first), len(last)) - 1 and first[n] == last[n]:
        n += 1
    return "".join(f"{level}/" for level in first[:n])
