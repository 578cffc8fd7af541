"""The stages of one process: tape, decode, publish, each a named task, joined by bounded channels.

Ctrl-C stops the tape; the others drain in data order. What the tape begins anew, decoding begins anew: a fresh line
travels the same way as the bytes for it. This file has the one place that catches Exception: a batch that breaks a
stage is set aside with its bytes, counted and told, and the stream goes on.
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

from ..messages import topics
from ..model.batches import ByteBatch, Event, Message, PacketBatch
from ..model.errors import DownlinkError
from ..processing.chain import Outcome, ProcessingChain
from ..processing.latest import MESSAGES_PER_SECOND, MESSAGES_PER_SECOND_MAX_SPEED, Latest
from ..processing.one_thread import OneThread
from ..processing.quarantine import set_aside
from .channel import Channel
from .control import read_command
from .player import END, Player, TapeItem

LINK_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 1.0
Publish = Callable[[Sequence[Message]], Awaitable[None]]
Seen = Callable[[int, Sequence[Message]], None]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What one item of the tape became: its bytes and last receive time, its messages, the counters at that point."""

    item: TapeItem
    n_bytes: int
    time_ns: int
    messages: list[Message]
    report: dict[str, Any]


class Replay:
    """One stream through the three stages. `ended` is told the report whenever the end of the tape is published."""

    def __init__(
        self,
        player: Player,
        mission: str,
        stream: str,
        publish: Publish,
        *,
        ended: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self._player, self._mission, self._stream, self._publish, self._ended = (
            player,
            mission,
            stream,
            publish,
            ended,
        )
        self._chain: ProcessingChain | None = None
        self._thread = OneThread("decode")
        self._latest = Latest()
        self._began = ""
        self._n_published = self._time_ns = 0
        self._frames: dict[str, Any] = {}
        self._refused = ""
        self.n_quarantined = 0
        self.n_messages = 0

    def report(self) -> dict[str, Any]:
        """The pass report so far."""
        return self._chain.report() if self._chain else {}

    async def run(self, stop: asyncio.Event, seen: Seen) -> None:
        """Run until the tape ends or `stop` is set, then drain. `seen`: bytes (less than none: gone back), messages."""
        items: Channel[TapeItem] = Channel()
        sent: Channel[Sent] = Channel()
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell_progress(), name="progress")
                group.create_task(_read(self._player.play(), items, stop), name="tape")
                group.create_task(self._decode(items, sent), name="decode")
                group.create_task(self._deliver(sent, seen), name="publish").add_done_callback(
                    lambda _: telling.cancel()
                )
        except* DownlinkError as failures:
            raise _first(failures) from None
        await self._send([self._progress("stopped" if stop.is_set() else "ended")])

    async def command(self, payload: bytes) -> None:
        """Do as a message from outside says, and tell at once how it stands; what cannot be done is told too."""
        try:
            self._player.take(read_command(payload))
            self._refused = ""
        except ValueError as error:
            self._refused = str(error)
            log.warning("a command is refused", why=self._refused)
        await self._send([self._progress()])

    async def _decode(self, items: Channel[TapeItem], sent: Channel[Sent]) -> None:
        async for item in items:
            await sent.send(await self._thread.run(self._work, item))
        await sent.close()

    def _work(self, item: TapeItem) -> Sent:
        if isinstance(item, ProcessingChain):
            self._chain, self._latest = item, Latest()
            return Sent(item, 0, 0, [], {})
        batch = item if isinstance(item, ByteBatch) else None
        time_ns = int(batch.mark_ns[-1]) if batch and len(batch.mark_ns) else 0
        return Sent(item, len(batch.data) if batch else 0, time_ns, self._batch(batch), self.report())

    def _batch(self, batch: ByteBatch | None) -> list[Message]:
        """Decode one batch, or what is held at the end, and pack its messages."""
        assert self._chain is not None
        try:
            return self._messages(self._chain.feed(batch) if batch else self._chain.flush())
        except Exception as error:
            log.exception("a batch broke the decode stage and is set aside", stream=self._stream)
            return self._messages(Outcome(PacketBatch.empty(), events=(self._quarantine(batch, error),)))

    def _messages(self, outcome: Outcome) -> list[Message]:
        messages = [topics.product_message(product) for product in outcome.products]
        at_max_speed = self._player.speed is None
        self._latest.messages_per_second = MESSAGES_PER_SECOND_MAX_SPEED if at_max_speed else MESSAGES_PER_SECOND
        messages += self._latest.offer(outcome.products, time.monotonic_ns())
        messages += [topics.event_message(self._mission, self._stream, event) for event in outcome.events]
        return messages

    def _quarantine(self, batch: ByteBatch | None, error: Exception) -> Event:
        self.n_quarantined += 1
        if batch is None:
            return Event("error", "quarantine", f"the end of the stream could not be processed: {error!r}")
        return set_aside(batch, lambda: Path(tempfile.mkdtemp(prefix="downlink-quarantine-")) / "batch.bin", error)

    async def _deliver(self, sent: Channel[Sent], seen: Seen) -> None:
        told = 0.0
        async for item in sent:
            if isinstance(item.item, ProcessingChain):
                await self._begin(seen)
                told = 0.0
                continue
            await self._send(item.messages)
            self._n_published += item.n_bytes
            self._time_ns = item.time_ns or self._time_ns
            self._frames = item.report.get("frames", {})
            seen(item.n_bytes, item.messages)
            if item.item == END:
                await self._end(item.report, seen)
            elif time.monotonic() - told >= LINK_INTERVAL_S:
                told = time.monotonic()
                await self._send(topics.link_messages(self._mission, self._stream, item.report))

    async def _begin(self, seen: Seen) -> None:
        seen(-self._n_published, [])
        self._n_published = self._time_ns = 0
        self._frames = {}
        self._began = topics.iso_utc(time.time_ns()) or ""
        await self._send([self._progress()])

    async def _end(self, report: dict[str, Any], seen: Seen) -> None:
        last = self._latest.flush()
        await self._send(last)
        seen(0, last)
        await self._send(topics.link_messages(self._mission, self._stream, report))
        await self._send([topics.report_message(self._mission, self._stream, report), self._progress()])
        self._ended(report)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            await self._send([self._progress()])

    def _progress(self, state: str | None = None) -> Message:
        player = self._player
        content = {
            "state": state or player.state,
            "bytes": self._n_published,
            "total": player.n_total,
            "time": topics.iso_utc(self._time_ns, "ms") if self._time_ns else None,
            "speed": player.speed or "max",
            "behind_s": player.lag_s(self._time_ns),
            "began": self._began,
            "refused": self._refused,
            "frames": self._frames,
        }
        return topics.progress_message(self._mission, self._stream, content)

    async def _send(self, messages: Sequence[Message]) -> None:
        await self._publish(messages)
        self.n_messages += len(messages)


def _first(failures: BaseExceptionGroup[DownlinkError]) -> DownlinkError:
    """The failure to tell: the others only followed from it."""
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _read(player: AsyncIterator[TapeItem], items: Channel[TapeItem], stop: asyncio.Event) -> None:
    """What the tape gives until it ends or `stop` is set; either way END is the last of it."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    last: TapeItem | None = None
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(anext(player))
            await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not coming.done():
                coming.cancel()
                break
            last = coming.result()
            await items.send(last)
    except StopAsyncIteration:
        pass
    finally:
        stopped.cancel()
    if last is not None and last != END:
        await items.send(END)
    await items.close()
