"""The decode stage as a service: claims offered runs, decodes their chunks, and sends the outputs to publish.

A chunk is acknowledged to the broker once its outputs are with the broker. If the worker dies before, the broker
delivers the chunk again, or ingest begins a new run with another worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import structlog

from ..processing.one_thread import OneThread
from .bus import Bus
from .decoder_runs import Worker
from .metrics import DecodeMeters
from .protocol import Chunk, Claim, Nack, Offer, Output, StageMessage, ids

THREAD_BYTES = 1 << 14
"""A larger batch is decoded in a thread, so that the event loop keeps serving the connection."""
_LOST_KEPT = 256
_log = structlog.get_logger("decode")


class Decode:
    """One worker, known by `name`."""

    def __init__(self, name: str, worker: Worker, bus: Bus, meters: DecodeMeters) -> None:
        self._name = name
        self._worker = worker
        self._bus = bus
        self._meters = meters
        self._thread = OneThread("decode")
        self._lost: dict[str, None] = {}
        self._sending: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Until cancelled. While the outputs of a message are sent, the next is decoded."""
        self._bus.attend(self._take_now)
        async for message in self._bus.received():
            if isinstance(message, Offer):
                _log.info("takes on", station=message.id.station, pass_=message.id.name, run=message.id.run)
                await self._bus.send([Claim(message.id, self._name)])
            elif isinstance(message, Chunk):
                await self._decode(message)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """State for `/health`; always well: what the broker refuses is in the bus's `trouble`."""
        return True, {"worker": self._name, "runs": self._worker.n_runs, "quarantined": self._worker.n_quarantined}

    async def _decode(self, raw: Chunk) -> None:
        began = time.perf_counter()
        self._worker.largest_message_bytes = self._bus.largest_bytes
        outs: Iterable[Output | Nack] = self._worker.take(raw)
        if not _is_small(raw):
            outs = await self._thread.run(list, outs)
        took_s = time.perf_counter() - began
        if self._sending:
            await self._sending
        self._measure(raw, took_s + self._send_on(raw, outs))

    def _take_now(self, message: StageMessage) -> bool:
        """A small batch, if the outputs of the one before are sent."""
        if not isinstance(message, Chunk) or not _is_small(message) or (self._sending and not self._sending.done()):
            return False
        self._measure(message, self._send_on(message, self._worker.take(message)))
        return True

    def _send_on(self, raw: Chunk, outs: Iterable[Output | Nack]) -> float:
        """Each as soon as it is made, where it is taken at once; gives the seconds in which they were made."""
        left: list[Output | Nack] = []
        took_s, began = 0.0, time.perf_counter()
        for one in outs:
            took_s += time.perf_counter() - began
            if (isinstance(one, Output) or self._is_news(raw, one)) and (left or not self._bus.give(one)):
                left.append(one)
            began = time.perf_counter()
        self._sending = asyncio.create_task(self._bus.send(left), name="send on") if left else None
        return took_s + time.perf_counter() - began

    def _is_news(self, raw: Chunk, message: Nack) -> bool:
        """Whether the loss of this run was not reported yet."""
        known = message.id.run in self._lost
        self._lost[message.id.run] = None
        if len(self._lost) > _LOST_KEPT:
            del self._lost[next(iter(self._lost))]
        if not known:
            _log.warning("lost the run", why=message.why, **ids(raw))
        return not known

    def _measure(self, raw: Chunk, seconds: float) -> None:
        meters, station = self._meters, raw.id.station
        meters.batches.inc()
        meters.octets.inc(len(raw.batch.data))
        meters.seconds.observe(seconds)
        meters.runs.set(self._worker.n_runs)
        meters.quarantined.set(self._worker.n_quarantined)
        meters.thinned.labels(station).set(self._worker.n_thinned[station])
        if report := self._worker.last_report.pop(station, None):
            meters.report(station, report)


def _is_small(raw: Chunk) -> bool:
    """Whether it is decoded in less time than a switch of threads is worth."""
    return len(raw.batch.data) <= THREAD_BYTES and not raw.ended
