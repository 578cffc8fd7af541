"""The stages of one process: source, decode, publish, each a named task, joined by bounded channels.

Ctrl-C stops the source; the others drain in data order. This file has the one place that catches Exception: a
batch that breaks a stage is set aside with its bytes, counted and told, and the stream goes on.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from pipeline import topics
from pipeline.batches import ByteBatch, Event, Message, PacketBatch
from pipeline.errors import DownlinkError
from pipeline.stages.channel import Channel
from pipeline.stages.latest import Latest
from pipeline.stages.line import Line, Outcome
from pipeline.stages.quarantine import set_aside

LINK_INTERVAL_S = 1.0
Publish = Callable[[Sequence[Message]], Awaitable[None]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one batch became: how many bytes it was, its messages, and the link's counters at that point."""

    n_bytes: int
    messages: list[Message]
    report: dict[str, Any]


class Replay:
    """One stream through the three stages."""

    def __init__(self, line: Line, mission: str, stream: str, publish: Publish) -> None:
        self._line = line
        self._mission = mission
        self._stream = stream
        self._publish = publish
        self._latest = Latest()
        self.n_quarantined = 0
        self.n_messages = 0

    async def run(
        self, source: AsyncIterator[ByteBatch], stop: asyncio.Event, seen: Callable[[int, Sequence[Message]], None]
    ) -> None:
        """Run until the source ends or `stop` is set, then drain."""
        batches: Channel[ByteBatch] = Channel()
        sent: Channel[Sent] = Channel()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_read(source, batches, stop), name="source")
                group.create_task(self._decode(batches, sent), name="decode")
                group.create_task(self._deliver(sent, seen), name="publish")
        except* DownlinkError as failures:
            raise _first(failures) from None

    async def _decode(self, batches: Channel[ByteBatch], sent: Channel[Sent]) -> None:
        async for batch in batches:
            await sent.send(await asyncio.to_thread(self._batch, batch))
        await sent.send(await asyncio.to_thread(self._batch, None))
        await sent.close()

    def _batch(self, batch: ByteBatch | None) -> Sent:
        """Decode one batch, or what is held at the end, and pack its messages."""
        n_bytes = len(batch.data) if batch else 0
        try:
            outcome = self._line.feed(batch) if batch else self._line.flush()
            messages = self._messages(outcome)
        except Exception as error:
            log.exception("a batch broke the decode stage and is set aside", stream=self._stream)
            messages = self._messages(Outcome(PacketBatch.empty(), events=(self._quarantine(batch, error),)))
        return Sent(n_bytes, messages, self._line.report())

    def _messages(self, outcome: Outcome) -> list[Message]:
        messages = [topics.product_message(product) for product in outcome.products]
        messages += self._latest.offer(outcome.products, time.monotonic_ns())
        messages += [topics.event_message(self._mission, self._stream, event) for event in outcome.events]
        return messages

    def _quarantine(self, batch: ByteBatch | None, error: Exception) -> Event:
        self.n_quarantined += 1
        if batch is None:
            return Event("error", "quarantine", f"the end of the stream could not be processed: {error!r}")
        return set_aside(batch, lambda: Path(tempfile.mkdtemp(prefix="downlink-quarantine-")) / "batch.bin", error)

    async def _deliver(self, sent: Channel[Sent], seen: Callable[[int, Sequence[Message]], None]) -> None:
        told, report = 0.0, {}
        async for item in sent:
            await self._send(item.messages)
            report = item.report
            seen(item.n_bytes, item.messages)
            if time.monotonic() - told >= LINK_INTERVAL_S:
                told = time.monotonic()
                await self._send(topics.link_messages(self._mission, self._stream, report))
        await self._send(self._latest.flush())
        await self._send(topics.link_messages(self._mission, self._stream, report))
        await self._send([topics.report_message(self._mission, self._stream, report)])

    async def _send(self, messages: Sequence[Message]) -> None:
        await self._publish(messages)
        self.n_messages += len(messages)


def _first(failures: BaseExceptionGroup[DownlinkError]) -> DownlinkError:
    """The failure to tell: the others only followed from it."""
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _read(source: AsyncIterator[ByteBatch], batches: Channel[ByteBatch], stop: asyncio.Event) -> None:
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(anext(source))
            await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                break
            await batches.send(coming.result())
    except StopAsyncIteration:
        pass
    finally:
        stopped.cancel()
    await batches.close()
