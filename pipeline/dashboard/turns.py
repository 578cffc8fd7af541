"""Fair scheduling of pages: they work one after the other, and the event loop serves sockets between them.

Otherwise 50 viewers who open another look at once would block the loop for 20 s or more: their pongs would not be read
in time, and their connections would be closed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

SOCKETS_SHARE = 0.25
"""Pause after a page's turn, as a share of the turn's duration: a frame of a socket is read in about five passes of the
loop, and a pong waits behind other frames.
"""
LEAST_S = 0.005
"""Shorter pauses are added up until they are this long."""
LOCKED_S = 1.0
"""Timeout for locking the document of a page; then its turn goes to the next page."""


class Turns:
    """A first-in, first-out lock for work of pages on the event loop, with a pause for sockets after each turn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()
        self._owed_s = 0.0

    @property
    def taken(self) -> bool:
        """Whether a page works now."""
        return self._lock.locked()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the turn; the block of `async with` is the work."""
        async with self._lock:
            began_s = self._clock()
            yield
            self._owed_s += (self._clock() - began_s) * SOCKETS_SHARE
            if self._owed_s > LEAST_S:
                pause_s, self._owed_s = self._owed_s, 0.0
                await asyncio.sleep(pause_s)


async def in_turn(document: Any, turns: Turns, work: Callable[[], None]) -> None:
    """Do the work on a document of Bokeh in its turn, then wait until the changes are written to the viewer's socket.

    Does nothing if the document was destroyed, if no viewer is connected, or if earlier changes are still being
    written. Call it without the lock of the document: while a click waits for that lock, Bokeh reads no pong of its
    viewer; and a session does not expire while its document is locked.
    """
    if is_destroyed(document):  # a callback that was due when its session was discarded
        return
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


def is_destroyed(document: Any) -> bool:
    """Whether Bokeh discarded the session of a document: it takes roots and values of models away."""
    return not hasattr(document, "roots")


def _then(work: Callable[[], None], done: asyncio.Event) -> Callable[[], None]:
    def both() -> None:
        try:
            work()
        finally:
            done.set()

    return both
