"""Admission control: a rate limit for opening pages, and a bound on the hidden looks that are kept.

Making a page takes about 0.15 s of the event loop, so pages are made at a bounded rate. Each look of a page takes a
megabyte or more, so it is made when it is first seen, or ahead while few are kept, and a bounded number of hidden ones
is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAGES_PER_S = 2.0
BURST = 10
MAX_HIDDEN_LOOKS = 24
"""Of all pages together, without the one that each page shows."""
MAX_AHEAD_LOOKS = 8
"""Of hidden looks, beyond which none is made ahead: one viewer has them all at once, several wait 0.1 s for each."""
AHEAD_S = 0.45
"""Least time between two looks that are made ahead, of all pages."""


class Admission:
    """A token bucket: `BURST` pages at once, then `PAGES_PER_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left, self._at_s = float(BURST), clock()
        self.n_pages = 0

    def refusal(self, max_pages: int) -> str:
        """Why no page can be opened now; empty where one can."""
        if self.n_pages >= max_pages:
            return f"{max_pages} pages are open: close one"
        now_s = self._clock()
        self._left = min(self._left + (now_s - self._at_s) * PAGES_PER_S, BURST)
        self._at_s = now_s
        return "many pages are being opened" if self._left < 1 else ""

    def opened(self) -> None:
        """A page was opened that was not refused."""
        self._left -= 1
        self.n_pages += 1

    def closed(self) -> None:
        """An open page was closed."""
        self.n_pages -= 1


class HiddenLooks:
    """Hidden looks of all pages; beyond `MAX_HIDDEN_LOOKS` the one hidden first is dropped."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made_ahead_at = -AHEAD_S
        self._hidden: dict[tuple[int, int], Callable[[int], None]] = {}

    def __len__(self) -> int:
        return len(self._hidden)

    def has_room_ahead(self) -> bool:
        """Whether a look may be made ahead now. After True it counts as made."""
        now_s = self._clock()
        if len(self._hidden) >= min(MAX_AHEAD_LOOKS, MAX_HIDDEN_LOOKS) or now_s - self._made_ahead_at < AHEAD_S:
            return False
        self._made_ahead_at = now_s
        return True

    def shown(self, page: object, look: int) -> None:
        """A look of a page is in sight."""
        self._hidden.pop((id(page), look), None)

    def hide(self, page: object, look: int, drop: Callable[[int], None]) -> None:
        """A look of a page is hidden; `drop(look)` is called when it is not to be kept."""
        self._hidden[id(page), look] = drop
        while len(self._hidden) > MAX_HIDDEN_LOOKS:
            (_, oldest), call = next(iter(self._hidden.items()))
            del self._hidden[next(iter(self._hidden))]
            call(oldest)

    def closed(self, page: object) -> None:
        """Remove the looks of a page that was closed."""
        self._hidden = {key: call for key, call in self._hidden.items() if key[0] != id(page)}
