"""Whose turn it is: work for pages is done one page after the other, and in between the event loop serves sockets.

Without that, 50 viewers who turn to another look at once block the loop for 20 s and more: their pongs are not read in
time, and they are taken for gone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

SOCKETS_SHARE = 0.25
"""Of the time that a page's turn took, how long the event loop is then for sockets alone: a frame is read in five or so
passes of the loop, and a pong waits behind other frames.
"""
LEAST_S = 0.005
"""Shorter pauses are put together."""
LOCKED_S = 1.0
"""A page that cannot lock its document for so long gives its turn to the next."""


class Turns:
    """One page at a time works on the event loop, in the order in which they ask; after it, sockets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._owed_s = 0.0

    @property
    def taken(self) -> bool:
        """Whether a page has its turn now."""
        return self._lock.locked()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until it is one's turn; the block is the work."""
        async with self._lock:
            began_s = self._clock()
            yield
            self._owed_s += (self._clock() - began_s) * SOCKETS_SHARE
            if self._owed_s > LEAST_S:
                pause_s, self._owed_s = self._owed_s, 0.0
                await asyncio.sleep(pause_s)


async def in_turn(document: Any, turns: Turns, work: Callable[[], None]) -> None:
    """Do the work on a document of Bokeh when it is its turn, then wait until the viewer has what came of it.

    It is left out where no viewer is there, or one who has not yet taken what was sent to him. To be called without
    the lock of the document: while a click waits for that lock, Bokeh reads no pong of its viewer; nor does a session
    expire while its document is locked.
    """
    context = document.session_context
    session = context.session if context else None
    if session is None:  # a document of no server
        async with turns.turn():
            work()
    elif session.connection_count:
        sending = None
        async with turns.turn():
            if session.connection_count and not session.expiration_blocked:  # which is set while it is locked
                done = asyncio.Event()
                sending = asyncio.create_task(session.with_document_locked(_then(work, done)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOCKED_S):
                        await done.wait()
        if sending:
            await sending


def _then(work: Callable[[], None], done: asyncio.Event) -> Callable[[], None]:
    def both() -> None:
        try:
            work()
        finally:
            done.set()

    return both
