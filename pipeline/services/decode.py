"""The decode stage as a service: claims offered runs, decodes their chunks, and sends the outputs to publish.

A chunk is acknowledged to the broker once its outputs are with the broker. If the worker dies before, the broker
delivers the chunk again, or ingest begins a new run with another worker.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Iterator
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
        self._n_thinned: dict[str, int] = {}
        meters.runs.set_function(lambda: worker.n_runs)
        meters.quarantined.set_function(lambda: worker.n_quarantined)
        self._sent: asyncio.Future[bool] | None = None
        """Done once publish or the broker has the outputs of the chunk before."""

    async def run(self) -> None:
        """Until cancelled. While the outputs of a chunk are sent, the next one is decoded."""
        await self._bus.serve(self._take)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """State for `/health`; always well: what the broker refuses is in the bus's `trouble`."""
        return True, {"worker": self._name, "runs": self._worker.n_runs, "quarantined": self._worker.n_quarantined}

    def _take(self, message: StageMessage) -> Awaitable[object] | None:
        if isinstance(message, Offer):
            _log.info("takes on", station=message.id.station, pass_=message.id.name, run=message.id.run)
            return self._bus.send([Claim(message.id, self._name)])
        if not isinstance(message, Chunk):
            return None
        self._worker.largest_message_bytes = self._bus.largest_bytes
        outs = self._worker.take(message)
        if not _is_small(message) or not self._has_sent():
            return self._decode_later(message, outs)
        self._send(message, outs)
        return None

    async def _decode_later(self, raw: Chunk, outs: Iterable[Output | Nack]) -> None:
        """Decode in the thread what is large, then send, once the outputs before are sent."""
        began = time.perf_counter()
        if not _is_small(raw):
            outs = await self._thread.run(list, outs)
        took_s = time.perf_counter() - began
        if self._sent:
            await self._sent
        self._send(raw, outs, took_s)

    def _has_sent(self) -> bool:
        """Whether the outputs of the chunk before are sent. Raises what sending them raised."""
        return self._sent is None or (self._sent.done() and (self._sent.result() or True))

    def _send(self, raw: Chunk, outs: Iterable[Output | Nack], took_s: float = 0.0) -> None:
        """Send each output as soon as it is made. `took_s`: seconds in which `outs` were made, if they are."""
        spent = [took_s]
        self._sent = self._bus.send(self._timed(raw, outs, spent))
        self._measure(raw, sum(spent))

    def _timed(self, raw: Chunk, outs: Iterable[Output | Nack], spent: list[float]) -> Iterator[Output | Nack]:
        """The outputs, and in `spent` the seconds in which they were made. A loss is reported once of each run."""
        began = time.perf_counter()
        for one in outs:
            spent.append(time.perf_counter() - began)
            if isinstance(one, Output) or self._is_news(raw, one):
                yield one
            began = time.perf_counter()
        spent.append(time.perf_counter() - began)

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
        if (n_thinned := self._worker.n_thinned[station]) != self._n_thinned.get(station):
            self._n_thinned[station] = n_thinned
            meters.thinned.labels(station).set(n_thinned)
        if report := self._worker.last_report.pop(station, None):
            meters.report(station, report)


def _is_small(raw: Chunk) -> bool:
    """Whether it is decoded in less time than a switch of threads is worth."""
    return len(raw.batch.data) <= THREAD_BYTES and not raw.ended
