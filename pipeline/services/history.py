"""The history as a service: stores the products of outputs as rows, and acknowledges them to ingest.

In: the same outputs as publish. Out: rows on disk within FLUSH_S, then an Ack for each run; a Nack where an output is
missing before this one. Products that are stored already are dropped by their key (dedup), so a run may begin again.
On a full disk it accepts no more outputs (back-pressure), `/health` has the reason, and the write is retried.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from ..history.messages import product_of
from ..history.recorder import HistoryRecorder, maintain
from ..history.retention import prune
from ..history.storage import Storage
from ..model.errors import RunError
from ..processing.one_thread import OneThread
from .bus import Bus
from .metrics import HistoryMeters
from .protocol import Ack, Nack, Output, Restarted, RunId, StageMessage, ids

FLUSH_S = 0.4
"""Between two commits of rows, while rows come."""
RETRY_S = 1.0
"""Between retries of a failed write."""
MAX_WAITING_BYTES = 64 << 20
"""Limit of messages that are not written; beyond it no output is accepted (back-pressure)."""
MAINTAIN_S = 20.0
PRUNE_S = 3600.0
MAX_RUNS = 256
BY = "history"
_log = structlog.get_logger(BY)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long rows are kept: days and bytes, None without bound; `summary_days` for summaries."""

    days: float | None = None
    n_bytes: int | None = None
    summary_days: float | None = None


class History:
    """One folder of history, which other histories and imports may write too."""

    def __init__(self, url: str, bus: Bus, meters: HistoryMeters, keep: Keep = Keep()) -> None:
        self._storage = Storage(url, create=True)
        self._recorder = HistoryRecorder(self._storage)
        self._bus, self._meters, self._keep = bus, meters, keep
        self._thread, self._upkeep = OneThread("history"), OneThread("upkeep")
        self._next: dict[RunId, int] = {}
        self._waiting: list[Output] = []
        self._n_bytes = 0
        self._since: float | None = None
        """When the oldest unwritten output was received."""
        self._nacks: dict[str, Nack] = {}
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._announces = True
        meters.lag.set_function(self._lag_s)
        self.trouble = ""
        """Why rows cannot be written; empty while they can."""

    async def run(self) -> None:
        """Run until cancelled. Unwritten outputs are not acknowledged, so ingest sends them again."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._bus.serve(self._take), name="take")
                group.create_task(self._write(), name="write")
                group.create_task(self._maintain(), name="upkeep")
        finally:
            self._recorder.close()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Well while rows can be written. `lag_s`: age of the oldest unwritten product; `waiting_bytes`: of all."""
        state: dict[str, Any] = {"waiting_bytes": self._n_bytes, "lag_s": round(self._lag_s(), 2)}
        return not self.trouble, state | ({"disk": self.trouble} if self.trouble else {})

    def _lag_s(self) -> float:
        """Seconds since the oldest product was received whose rows are not written."""
        return time.monotonic() - self._since if self._since is not None else 0.0

    def _take(self, message: StageMessage) -> Awaitable[None] | None:
        """Accept an output: at once if there is room for it, else later."""
        if not isinstance(message, Output):
            return None
        if self._n_bytes > MAX_WAITING_BYTES:
            return self._add_later(message)
        self._add_output(message)
        return None

    async def _add_later(self, message: Output) -> None:
        while self._n_bytes > MAX_WAITING_BYTES:
            self._room.clear()
            await self._room.wait()
        self._add_output(message)

    def _add_output(self, message: Output) -> None:
        expected = self._next.get(message.id, 0)
        if message.seq > expected:
            self._nack(message)
        elif message.seq == expected:
            self._next.pop(message.id, None)
            self._next[message.id] = message.seq + 1
            while len(self._next) > MAX_RUNS:
                del self._next[next(iter(self._next))]
            self._waiting.append(message)
            self._n_bytes += sum(len(one.message.payload) for one in message.messages)
            self._since = self._since if self._since is not None else time.monotonic()
            self._wake.set()

    def _nack(self, out: Output) -> None:
        """An output is missing before this one: the run has to begin again. One Nack for each run."""
        if out.id.run not in self._nacks:
            _log.warning("lost the run", **ids(out))
            self._nacks[out.id.run] = Nack(out.id, f"history: output {out.seq} came, and what is before it did not")
            self._wake.set()

    async def _write(self) -> None:
        nacked: set[str] = set()
        while True:
            if self._announces:
                self._announces = False
                await self._bus.send([Restarted(BY)])
            await self._wake.wait()
            self._wake.clear()
            lost = [one for run, one in self._nacks.items() if run not in nacked]
            nacked = set(self._nacks)
            if lost:
                await self._bus.send(lost)
            await asyncio.sleep(FLUSH_S)
            outs, self._waiting = self._waiting, []
            began = time.monotonic()
            if outs:
                await self._until_stored(outs, began)
                await self._bus.send(list(_acks(outs).values()))

    async def _until_stored(self, outs: Sequence[Output], began: float) -> None:
        """Write rows; retried while the disk fails."""
        while True:
            try:
                n_rows = await self._thread.run(self._store, outs)
            except RunError as error:
                if self.trouble != str(error):
                    _log.error("rows cannot be written; tried again", reason=str(error))
                self.trouble = str(error)
                self._meters.failed.set(1)
                await asyncio.sleep(RETRY_S)
            else:
                break
        if self.trouble:
            _log.warning("rows can be written again")
        self.trouble = ""
        self._since = time.monotonic() if self._waiting else None
        self._n_bytes -= sum(len(one.message.payload) for out in outs for one in out.messages)
        self._room.set()
        self._meters.failed.set(0)
        self._meters.rows.inc(n_rows)
        self._meters.seconds.observe(time.monotonic() - began)

    def _store(self, outs: Sequence[Output]) -> int:
        """Store rows of the products of outputs, and the reports of passes that ended. In a thread."""
        reports = []
        for out in outs:
            for one in out.messages:
                topic = one.message.topic.split("/")
                if topic[2:3] == ["product"]:
                    self._add_product(one.message.payload, one.key, out)
                elif topic[2:] == ["report"]:
                    reports.append((topic[1], out.id.name, one.message.payload))
                elif topic[2:3] == ["event"]:
                    self._recorder.note_event(topic[1], out.id.name, _json(one.message.payload))
        n_rows = self._recorder.flush()
        for stream, name, payload in reports:
            self._recorder.end_pass(stream, name, _json(payload))
        return n_rows

    def _add_product(self, payload: bytes, key: str, out: Output) -> None:
        try:
            product = product_of(payload)
        except ValueError as error:
            _log.error("not stored", reason=str(error), **ids(out))
            return
        self._recorder.add(product, key or product.id, out.id.name)

    async def _maintain(self) -> None:
        pruned_at = -PRUNE_S
        while True:
            await asyncio.sleep(MAINTAIN_S)
            touched = await self._thread.run(self._recorder.take_touched)
            try:
                await self._upkeep.run(maintain, self._storage, touched)
                if self._keep != Keep() and time.monotonic() - pruned_at > PRUNE_S:
                    pruned_at = time.monotonic()
                    await self._upkeep.run(self._prune)
            except RunError as error:
                _log.error("files cannot be merged; tried again", reason=str(error))

    def _prune(self) -> None:
        today = datetime.now(UTC).date().isoformat()
        keep = self._keep
        gone = prune(
            self._storage, today=today, days=keep.days, max_bytes=keep.n_bytes, summary_days=keep.summary_days
        )
        if gone.n_files:
            _log.info("old rows are removed", files=gone.n_files, bytes=gone.n_bytes)


def _acks(outs: Sequence[Output]) -> dict[RunId, Ack]:
    """An Ack for the last output of each run."""
    return {out.id: Ack(out.id, out.n_bytes, out.ended, by=BY) for out in outs}


def _json(payload: bytes) -> Mapping[str, Any]:
    try:
        nacked = json.loads(payload)
    except ValueError:
        return {}
    return nacked if isinstance(nacked, dict) else {}
