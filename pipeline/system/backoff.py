"""Exponential backoff for everything that reconnects or retries."""

from __future__ import annotations

import asyncio


class Backoff:
    """Exponential backoff: a pause of `first_s`, doubled each time up to `longest_s`; `reset` begins again."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._pause_s = min(first_s, longest_s)

    def next_s(self) -> float:
        """The length of the next pause, in seconds."""
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, self._longest_s)
        return pause_s

    async def wait(self) -> None:
        """Sleep until the next attempt."""
        await asyncio.sleep(self.next_s())

    def reset(self) -> None:
        """Begin again with the first pause, after a success."""
        self._pause_s = min(self._first_s, self._longest_s)
