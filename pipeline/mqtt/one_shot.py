"""Publishes single messages that are of use only at once: commands of a user to a replay.

The connection is made with the first message, and kept. A message that is not acknowledged within PATIENCE_S is
dropped with a RunError: a late command would surprise the user.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from ..model.batches import Message
from ..model.errors import RunError
from .address import BrokerAddress
from .publisher import Publisher

PATIENCE_S = 5.0


class OneShotPublisher:
    """Publishes from `async with` on. Connects with the first message."""

    def __init__(self, address: BrokerAddress) -> None:
        self._address = address
        self._stack = AsyncExitStack()
        self._publisher: Publisher | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def publish(self, message: Message) -> None:
        """Return once the broker has acknowledged the message; RunError where it does not within PATIENCE_S."""
        async with self._opening:
            if self._publisher is None:
                publisher = Publisher(self._address, remember_s=0.0, on_trouble=lambda _: None)
                self._publisher = await self._stack.enter_async_context(publisher)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._publisher.publish([message])
        except TimeoutError:
            raise RunError("the broker does not answer") from None
