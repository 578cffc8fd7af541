"""A replay: the player as a source in front of the decoding that the services run, and the publishing of its output.

    Player -bytes-> StreamRun -queue-> publish

Each is a named task; the queue is bounded, so a slow broker delays the player (back-pressure). `BEGIN` of the player
begins another `StreamRun`: a seek back is a new run. Ctrl-C stops the player; what was read is decoded and published.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from ..messages import topics
from ..messages.time_texts import iso_utc
from ..mission.loading import Mission
from ..model.batches import ByteBatch, Message, Outgoing
from ..model.errors import DownlinkError, RunError
from ..processing.chain import ProcessingChain
from ..processing.one_thread import OneThread
from ..processing.stream_run import StreamRun
from .control import read_command
from .player import BEGIN, END, Player, PlayerItem

PROGRESS_INTERVAL_S = 1.0
MAX_BATCHES = 2
"""Most batches in the queue: the messages of a batch are several times as large as its bytes."""
_NOTHING = ByteBatch.of(b"")
Publish = Callable[[Sequence[Message]], Awaitable[None]]
Seen = Callable[[int, Sequence[Message]], None]
Keep = Callable[[Sequence[Outgoing], dict[str, Any] | None], None]
"""Called in the decoding thread with messages and their keys, and at the end with the pass report."""
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """Output for one item of the player: number of bytes, newest receive time, messages, newest pass report."""

    item: PlayerItem
    n_bytes: int = 0
    received_ns: int = 0
    messages: Sequence[Message] = ()
    report: dict[str, Any] = field(default_factory=dict)


class Replay:
    """Replays recordings as one stream of a mission. `ended`: called with the report when their end is published."""

    def __init__(
        self,
        player: Player,
        mission: Mission,
        stream: str,
        publish: Publish,
        *,
        ended: Callable[[dict[str, Any]], None] = lambda _: None,
        keep: Keep | None = None,
    ) -> None:
        self._keep = keep
        self._player, self._mission, self._stream = player, mission, stream
        self._publish, self._ended = publish, ended
        self._thread = OneThread("decode")
        self._run: StreamRun | None = None
        self._published = Sent(BEGIN)
        """The newest item whose messages are published."""
        self._n_bytes = 0
        """Bytes of the run whose messages are published."""
        self._began = ""
        self._refused = ""
        self._n_quarantined_before = 0  # in earlier runs
        self.n_messages = 0

    @property
    def n_quarantined(self) -> int:
        """Batches that could not be decoded, in all runs."""
        return self._n_quarantined_before + (self._run.n_quarantined if self._run else 0)

    def report(self) -> dict[str, Any]:
        """Return the newest pass report."""
        return self._run.report if self._run else {}

    async def run(self, stop: asyncio.Event, seen: Seen) -> None:
        """Run until the player ends or `stop` is set, then drain.

        `seen`: called with what was published: number of bytes (negative when another run begins) and messages. Raises
        RunError if the disk or a limit of the system prevents decoding, or the broker rejects messages.
        """
        sent: asyncio.Queue[Sent | None] = asyncio.Queue(MAX_BATCHES)
        try:
            async with asyncio.TaskGroup() as group:
                progress = group.create_task(self._repeat_progress(), name="progress")
                group.create_task(self._decode(stop, sent), name="decode")
                group.create_task(self._deliver(sent, seen), name="publish").add_done_callback(
                    lambda _: progress.cancel()
                )
        except* DownlinkError as failures:
            raise _first(failures) from None
        await self._send([self._progress("stopped" if stop.is_set() else "ended")])

    async def command(self, payload: bytes) -> None:
        """Carry out a command and publish the progress at once, with the reason where the command is refused."""
        try:
            self._player.take(read_command(payload))
            self._refused = ""
        except ValueError as error:
            self._refused = str(error)
            log.warning("a command is refused", why=self._refused)
        await self._send([self._progress()])

    async def _decode(self, stop: asyncio.Event, sent: asyncio.Queue[Sent | None]) -> None:
        """Decode the items of the player; None ends the queue."""
        async with aclosing(_until(stop, self._player.play())) as items:
            async for item in items:
                await sent.put(await self._thread.run(self._decoded, item))
                if self._run:
                    self._player.next_station = self._run.next_station()
        await sent.put(None)

    def _decoded(self, item: PlayerItem) -> Sent:
        if item == BEGIN or self._run is None:
            self._n_quarantined_before = self.n_quarantined
            self._run = self._new_run()
            return Sent(BEGIN)
        batch = item if isinstance(item, ByteBatch) else _NOTHING
        try:
            made = self._run.decode(batch, ended=item == END, at_max_speed=self._player.speed is None)
            outgoing = [one for found, _ in made for one in found]
            if self._keep is not None:
                self._keep(outgoing, self._run.report if item == END else None)
        except OSError as error:
            raise RunError(f"the replay cannot continue: {error.strerror or error}") from error
        messages = [one.message for one in outgoing]
        return Sent(item, len(batch.data), self._run.received_ns, messages, self._run.report)

    def _new_run(self) -> StreamRun:
        chain = ProcessingChain(self._mission, self._stream, stations=self._player.stations)
        return StreamRun(chain, self._mission.name, self._stream, _quarantine_file)

    async def _deliver(self, sent: asyncio.Queue[Sent | None], seen: Seen) -> None:
        while item := await sent.get():
            await self._send(item.messages)
            n_bytes = item.n_bytes
            if item.item == BEGIN:
                n_bytes = -self._n_bytes
                self._began = iso_utc(time.time_ns()) or ""
            self._n_bytes += n_bytes
            self._published = item
            seen(n_bytes, item.messages)
            if not isinstance(item.item, ByteBatch):
                await self._send([self._progress()])
            if item.item == END:
                self._ended(item.report)

    async def _repeat_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            await self._send([self._progress()])

    def _progress(self, state: str | None = None) -> Message:
        player, received_ns = self._player, self._published.received_ns
        if state is None:  # the player may be at the end before the last products are published
            ended_early = player.state == "ended" and self._published.item != END
            state = "playing" if ended_early else player.state
        content = {
            "state": state,
            "bytes": self._n_bytes,
            "total": player.n_total,
            "time": iso_utc(received_ns, "ms") if received_ns else None,
            "speed": player.speed or "max",
            "behind_s": player.lag_s(received_ns),
            "began": self._began,
            "refused": self._refused,
            "frames": self._published.report.get("frames", {}),
        }
        return topics.progress_message(self._mission.name, self._stream, content)

    async def _send(self, messages: Sequence[Message]) -> None:
        await self._publish(messages)
        self.n_messages += len(messages)


def _quarantine_file(_: int) -> Path:
    return Path(tempfile.mkdtemp(prefix="downlink-quarantine-")) / "batch.bin"


def _first(failures: BaseExceptionGroup[DownlinkError]) -> DownlinkError:
    """The failure to report: the others followed from it."""
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _until(stop: asyncio.Event, items: AsyncGenerator[PlayerItem, None]) -> AsyncGenerator[PlayerItem, None]:
    """Yield the items until they end or `stop` is set; END is the last one, unless there are none."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    last: PlayerItem | None = None
    coming: asyncio.Future[PlayerItem | None] | None = None
    async with aclosing(items):
        try:
            while not stop.is_set():
                coming = asyncio.ensure_future(anext(items, None))
                await asyncio.wait((coming, stopped), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done() or (item := coming.result()) is None:
                    break
                last = item
                yield item
        finally:
            stopped.cancel()
            if coming:
                coming.cancel()
                await asyncio.wait((coming,))
    if last is not None and last != END:
        yield END
