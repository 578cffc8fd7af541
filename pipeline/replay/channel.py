"""A bounded channel between two stages: a full one makes the sender wait (back-pressure), a closed one is drained."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic, TypeVar, cast

T = TypeVar("T")
_END = object()


class Channel(Generic[T]):
    """At most `capacity` items lie between sender and receiver."""

    def __init__(self, capacity: int = 4) -> None:
        self._queue: asyncio.Queue[T | object] = asyncio.Queue(capacity)

    async def send(self, item: T) -> None:
        await self._queue.put(item)

    async def close(self) -> None:
        """End the receiver's loop after the items that are still in the channel."""
        await self._queue.put(_END)

    async def __aiter__(self) -> AsyncIterator[T]:
        while (item := await self._queue.get()) is not _END:
            yield cast("T", item)
