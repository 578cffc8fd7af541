"""The decode stage as a service: claims offered runs, decodes their chunks, and sends the outputs to publish.

A chunk is acknowledged to the broker once its outputs are with the broker. If the worker dies before, the broker
delivers the chunk again, or ingest begins a new run with another worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any

import structlog

from ..processing.one_thread import OneThread
from .bus import Bus
from .decoder_runs import Worker
from .metrics import DecodeMeters
from .protocol import Chunk, Claim, Nack, Offer, Output, StageMessage

THREAD_BYTES = 1 << 14
"""A larger batch is decoded in a thread, so that the event loop keeps serving the connection."""
_log = structlog.get_logger("decode")


class Decode:
    """One worker, known by `name`."""

    def __init__(self, name: str, worker: Worker, bus: Bus, meters: DecodeMeters) -> None:
        self._name = name
        self._worker = worker
        self._bus = bus
        self._meters = meters
        self._thread = OneThread("decode")
        self._stations: set[str] = set()
        """Those whose replaced values are measured."""
        meters.runs.set_function(lambda: worker.n_runs)
        meters.quarantined.set_function(lambda: worker.n_quarantined)
        self._sent: asyncio.Future[bool] | None = None
        """Done once publish or the broker has the outputs of the chunk before."""

    async def run(self) -> None:
        """Until cancelled. While the outputs of a chunk are sent, the next one is decoded."""
        await self._bus.serve(self._take)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """State for `/health`; always well: refusals of the broker are in `trouble` of the bus."""
        return True, {"worker": self._name, "runs": self._worker.n_runs, "quarantined": self._worker.n_quarantined}

    def _take(self, message: StageMessage) -> Awaitable[object] | None:
        if isinstance(message, Offer):
            _log.info("takes on", station=message.id.station, pass_=message.id.name, run=message.id.run)
            return self._bus.send([Claim(message.id, self._name)])
        if not isinstance(message, Chunk):
            return None
        self._worker.largest_message_bytes = self._bus.largest_bytes
        is_large = len(message.batch.data) > THREAD_BYTES or message.ended
        if is_large or not self._has_sent():
            return self._decode_later(message, in_thread=is_large)
        self._sent = self._bus.send(self._worker.decode(message))
        self._measure(message)
        return None

    async def _decode_later(self, chunk: Chunk, *, in_thread: bool) -> None:
        """Send the outputs of a chunk once those before are sent. `in_thread`: decode it meanwhile."""
        outputs: Iterable[Output | Nack] = self._worker.decode(chunk)
        if in_thread:
            outputs = await self._thread.run(list, outputs)
        if self._sent:
            await self._sent
        self._sent = self._bus.send(outputs)
        self._measure(chunk)

    def _has_sent(self) -> bool:
        """Whether the outputs of the chunk before are sent. Raises what sending them raised."""
        return self._sent is None or (self._sent.done() and (self._sent.result() or True))

    def _measure(self, chunk: Chunk) -> None:
        meters, station = self._meters, chunk.id.station
        meters.batches.inc()
        meters.octets.inc(len(chunk.batch.data))
        meters.seconds.observe(self._worker.took_s)
        if station not in self._stations:
            self._stations.add(station)
            meters.replaced.labels(station).set_function(partial(self._worker.n_replaced, station))
        if report := self._worker.last_report.pop(station, None):
            meters.report(station, report)
