"""Which pages may be opened, and which looks of open pages are kept: what bounds the work and memory of viewers.

A page costs the event loop about a tenth of a second to make, so pages are made at a bounded rate. Each look of a page
takes megabytes, so it is made when it is first seen, or ahead while few pages are open, and of hidden ones a bounded
number is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAGES_PER_S = 2.0
BURST = 10
MAX_HIDDEN_LOOKS = 24
"""Of all pages, beside the one that each page shows."""
MAX_AHEAD_LOOKS = 8
"""Of hidden looks, beyond which none is made ahead: one viewer has them all at once, several wait 0.1 s for each."""
AHEAD_S = 0.45
"""Between looks that are made before they are seen, of all pages."""


class Admission:
    """Takes a number of pages at once, `BURST` of them together and `PAGES_PER_S` after those."""

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
    """Looks that were seen and are hidden now, of all pages. Of more than `MAX_HIDDEN_LOOKS` the oldest is let go."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made_ahead_at = -AHEAD_S
        self._hidden: dict[tuple[int, int], Callable[[int], None]] = {}

    def __len__(self) -> int:
        return len(self._hidden)

    def has_room_ahead(self) -> bool:
        """Whether a look may be made now that nobody has seen yet; if so it is to be made."""
        now_s = self._clock()
        if len(self._hidden) >= min(MAX_AHEAD_LOOKS, MAX_HIDDEN_LOOKS) or now_s - self._made_ahead_at < AHEAD_S:
            return False
        self._made_ahead_at = now_s
        return True

    def shown(self, page: object, look: int) -> None:
        """A look of a page is seen."""
        self._hidden.pop((id(page), look), None)

    def hide(self, page: object, look: int, let_go: Callable[[int], None]) -> None:
        """A look of a page is no longer seen; `let_go(look)` is called when it is not to be kept."""
        self._hidden[id(page), look] = let_go
        while len(self._hidden) > MAX_HIDDEN_LOOKS:
            (_, oldest), call = next(iter(self._hidden.items()))
            del self._hidden[next(iter(self._hidden))]
            call(oldest)

    def closed(self, page: object) -> None:
        """Forget the looks of a page."""
        self._hidden = {key: call for key, call in self._hidden.items() if key[0] != id(page)}
