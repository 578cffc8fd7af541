"""The decode stage as a service: takes on passes that are offered, and sends on what becomes of their bytes.

A message is acknowledged when its outputs are with the broker; a worker that dies before gets it again, or loses
the run to another.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import dropwhile
from typing import Any, TypeVar

import structlog

from pipeline.stages.bus import Bus
from pipeline.stages.meters import DecodeMeters
from pipeline.stages.one_thread import OneThread
from pipeline.stages.stage_messages import Claim, Lost, Offer, Out, Raw, StageMessage, ids
from pipeline.stages.worker import Worker

THREAD_BYTES = 1 << 14
"""A batch larger than this is decoded in a thread, so that the connection stays served."""
_LOST_KEPT = 256
T = TypeVar("T")
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
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until cancelled. While the outputs of a message are sent, the next is decoded."""
        self._bus.attend(self._take_now)
        async for message in self._bus.received():
            if isinstance(message, Offer):
                _log.info("takes on", station=message.id.station, pass_=message.id.name, run=message.id.run)
                await self._bus.send([Claim(message.id, self._name)])
            elif isinstance(message, Raw):
                await self._decode(message)

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Well as long as it answers."""
        return True, {"worker": self._name, "runs": self._worker.n_runs, "quarantined": self._worker.n_quarantined}

    async def _decode(self, raw: Raw) -> None:
        stopwatch = _Stopwatch()
        outs: Iterable[Out | Lost] = stopwatch.over(self._worker.take(raw))
        if not _is_small(raw):
            outs = await self._thread.run(list, outs)
        if self._sending:
            await self._sending
        self._send_on(raw, outs)
        self._measure(raw, stopwatch.seconds)

    def _take_now(self, message: StageMessage) -> bool:
        """A small batch, if the outputs of the one before are sent."""
        if not isinstance(message, Raw) or not _is_small(message) or (self._sending and not self._sending.done()):
            return False
        stopwatch = _Stopwatch()
        self._send_on(message, stopwatch.over(self._worker.take(message)))
        self._measure(message, stopwatch.seconds)
        return True

    def _send_on(self, raw: Raw, outs: Iterable[Out | Lost]) -> None:
        """Each as soon as it is made, where it is taken at once."""
        worth = (one for one in outs if self._is_worth_it(raw, one))
        left = list(dropwhile(self._bus.give, worth))
        self._sending = asyncio.create_task(self._bus.send(left), name="send on") if left else None

    def _is_worth_it(self, raw: Raw, message: Out | Lost) -> bool:
        """A lost run is told once."""
        if isinstance(message, Out):
            return True
        known = message.id.run in self._lost
        self._lost[message.id.run] = None
        if len(self._lost) > _LOST_KEPT:
            del self._lost[next(iter(self._lost))]
        if not known:
            _log.warning("lost the run", why=message.why, **ids(raw))
        return not known

    def _measure(self, raw: Raw, seconds: float) -> None:
        meters, station = self._meters, raw.id.station
        meters.batches.inc()
        meters.octets.inc(len(raw.batch.data))
        meters.seconds.observe(seconds)
        meters.runs.set(self._worker.n_runs)
        meters.quarantined.set(self._worker.n_quarantined)
        if report := self._worker.last_report.pop(station, None):
            meters.report(station, report)


class _Stopwatch:
    """Runs while things are made, and not while they are used."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def over(self, made: Iterator[T]) -> Iterator[T]:
        while True:
            began = time.perf_counter()
            one = next(made, None)
            self.seconds += time.perf_counter() - began
            if one is None:
                return
            yield one


def _is_small(raw: Raw) -> bool:
    """Whether it is decoded before anything else would be worth doing."""
    return len(raw.batch.data) <= THREAD_BYTES and not raw.ended
