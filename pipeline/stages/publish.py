"""The publish stage as a service: what decode made goes out once, and ingest hears how far it has come.

Its first word is Hello: what it published last may be lost with a broker, so ingest sends unsettled passes again and
the keys drop what is known to be out for good.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from pipeline.batches import Message
from pipeline.errors import RunError
from pipeline.stages.bus import Bus
from pipeline.stages.ledger import Keys, Ledger
from pipeline.stages.meters import PublishMeters
from pipeline.stages.stage_messages import Done, Hello, Lost, Out, RunId, ids

_LOST_KEPT = 256
_log = structlog.get_logger("publish")


class Publish:
    """`publish` hands messages to the broker and returns when it has them; `remember_s` as in `Keys`."""

    def __init__(
        self,
        keys: Keys,
        publish: Callable[[Sequence[Message]], Awaitable[None]],
        bus: Bus,
        meters: PublishMeters,
        *,
        remember_s: float,
    ) -> None:
        self._keys = keys
        self._ledger = Ledger(keys)
        self._publish = publish
        self._bus = bus
        self._meters = meters
        self._remember_s = remember_s
        self._done: dict[RunId, Done] = {}
        self._lost: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._again = True
        self._publishing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled. While one output is published, the next is read."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(), name="take")
            group.create_task(self._answer(), name="answer")

    def begin_anew(self) -> None:
        """The broker came back, and not all of the last `remember_s` could be sent again: have it decoded again."""
        self._keys.forget_since(int((time.time() - self._remember_s) * 1000))
        self._again = True
        self._wake.set()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Well as long as it answers."""
        return True, {"keys": len(self._keys), "dropped": self._ledger.n_dropped}

    async def _take(self) -> None:
        async for message in self._bus.received():
            if isinstance(message, Out):
                with bound_contextvars(**ids(message)):
                    await self._take_one(message)

    async def _take_one(self, out: Out) -> None:
        judged = self._ledger.judge(out)
        if isinstance(judged, Lost):
            if judged.id.run not in self._lost:
                _log.warning("lost the run", why=judged.why)
                await self._bus.send([judged])
            self._lost[judged.id.run] = None
            if len(self._lost) > _LOST_KEPT:
                del self._lost[next(iter(self._lost))]
            return
        if isinstance(judged, Done):
            return
        if self._publishing:
            await self._publishing
        self._publishing = asyncio.create_task(self._publish_one(out, judged), name="publish one")

    async def _publish_one(self, out: Out, messages: list[Message]) -> None:
        began = time.perf_counter()
        try:
            await self._publish(messages)
        except (RunError, ValueError) as error:
            self._meters.refused.inc()
            _log.error("not published", reason=str(error))
        self._meters.seconds.observe(time.perf_counter() - began)
        self._meters.published.inc(len(messages))
        self._meters.dropped.set(self._ledger.n_dropped)
        if out.received_ns:
            self._meters.latency.observe(max(time.time() - out.received_ns / 1e9, 0.0))
        self._done[out.id] = self._ledger.note(out, time.time_ns() // 1_000_000)
        self._wake.set()

    async def _answer(self) -> None:
        """How far each run has come; the last word only, where the broker is slower than the news."""
        while True:
            if self._again:
                self._again = False
                await self._bus.send([Hello("publish")])
            self._wake.clear()
            done, self._done = self._done, {}
            if done:
                await self._bus.send(list(done.values()))
            elif not self._again:
                await self._wake.wait()
