"""The messages of one call of `publish`, until the broker has answered for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from ..model.batches import Message
from ..model.errors import RunError

_OVERHEAD_BYTES = 300
"""Topic, properties and headers of a message, as our topics are."""


class PublishRefusedError(RunError):
    """The broker did not take some messages; `refused`: each with the reason."""

    def __init__(self, refused: Sequence[tuple[Message, str]]) -> None:
        message, reason = refused[0]
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        super().__init__(f"the broker refuses {message.topic}: {reason}{more}")
        self.refused = refused


class Batch:
    """Awaitable: done when all messages are acknowledged or refused; PublishRefusedError where any was refused."""

    def __init__(self, n_open: int) -> None:
        """`n_open`: number of messages without an answer."""
        self._n_open = n_open
        self._refusals: list[tuple[Message, str]] = []
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not n_open:
            self.done.set_result(None)

    def __await__(self) -> Generator[Any, None, None]:
        yield from self.done
        if self._refusals:
            raise PublishRefusedError(self._refusals)

    def answer(self, message: Message, refusal: str) -> None:
        """Count the answer for one message. `refusal`: the reason; empty where it was taken."""
        self._n_open -= 1
        if refusal:
            self._refusals.append((message, refusal))
        if not self._n_open and not self.done.done():
            self.done.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End the wait with an error, if it has not ended."""
        if not self.done.done():
            self.done.set_exception(error)


@dataclass(slots=True)
class Entry:
    """A message that is to be sent, or is in flight."""

    message: Message
    batch: Batch | None
    """None for what is resent from the resend buffer, and for a birth: nobody waits for it."""
    n_bytes: int
    """Upper bound of its packet."""
    n_losses: int = 0
    """Connections that were lost while this was the oldest message without an acknowledgement."""

    @staticmethod
    def of(message: Message, batch: Batch | None) -> Entry:
        return Entry(message, batch, len(message.payload) + _OVERHEAD_BYTES)

    def close(self, refusal: str) -> None:
        """The message is answered, or given up. `refusal`: the reason; empty where it was taken."""
        if self.batch:
            self.batch.answer(self.message, refusal)
