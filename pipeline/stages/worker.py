"""The decode stage: the bytes of a run in, what became of them out, in the same order.

In: `Raw`. Out: `Out`, or `Lost` where a message is missing before this one. Held: a `Line` for each run, at most
MAX_RUNS of them. Dropped: what came twice. A batch that breaks the line is set aside with its bytes, counted and
told, and the run goes on: this is the stage's one place that catches Exception.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from pipeline import topics
from pipeline.batches import NO_TIME, Message, PacketBatch, Product
from pipeline.stages.latest import Latest
from pipeline.stages.ledger import MAX_KEYS
from pipeline.stages.line import Line, Outcome
from pipeline.stages.quarantine import set_aside
from pipeline.stages.stage_messages import Lost, Out, Outgoing, Raw, RunId, ids

MAX_RUNS = 16
OUT_BYTES = 4 << 20
"""An Out is cut before it grows beyond this."""
LINK_INTERVAL_S = 1.0
UNTIMED_KEPT = MAX_KEYS + MAX_KEYS // 4
"""More than publish keeps: an id forgotten here is forgotten there."""
log = structlog.get_logger("decode")


@dataclass(slots=True)
class _Run:
    line: Line
    latest: Latest = field(default_factory=Latest)
    seq: int = 0
    out_seq: int = 0
    n_bytes: int = 0
    received_ns: int = 0
    told_at: float = 0.0
    times_seen: dict[str, int] = field(default_factory=dict)
    """How often each id of a product without onboard time came, of the last UNTIMED_KEPT ids."""


class Worker:
    """`new_line` makes the way of a stream. `quarantine` is where the bytes of a broken batch go.

    `settles`: no row waits for later ones, so what was received at one time can be told when all of it is here. Rows
    of one frame that wait differently long would become other products than in a replay.
    """

    def __init__(
        self,
        mission: str,
        new_line: Callable[[str], Line],
        quarantine: Path,
        clock: Callable[[], float] = time.monotonic,
        *,
        settles: bool = False,
    ) -> None:
        self._mission = mission
        self._new_line = new_line
        self._quarantine_folder = quarantine
        self._clock = clock
        self._settles = settles
        self._runs: dict[RunId, _Run] = {}
        self.n_quarantined = 0
        self.last_report: dict[str, dict[str, Any]] = {}
        """The newest pass report of each station."""

    @property
    def n_runs(self) -> int:
        return len(self._runs)

    def take(self, raw: Raw) -> Sequence[Out | Lost]:
        """What to send on."""
        run = self._run(raw)
        if run is None or raw.seq > run.seq:
            return [Lost(raw.id, f"batch {raw.seq} came, and what is before it did not")]
        if raw.seq < run.seq:
            return []
        run.seq += 1
        run.n_bytes += len(raw.batch.data)
        if len(raw.batch.mark_ns):
            run.received_ns = int(raw.batch.mark_ns[-1])
        outs = list(self._outs(raw, run, self._messages(raw, run)))
        if raw.ended:
            del self._runs[raw.id]
        return outs

    def _run(self, raw: Raw) -> _Run | None:
        """The run; a new one begins with its first batch, and ends any earlier run of the pass."""
        if raw.id not in self._runs and raw.seq == 0:
            same = [one for one in self._runs if (one.station, one.name) == (raw.id.station, raw.id.name)]
            for one in [*same, *list(self._runs)[: max(len(self._runs) - MAX_RUNS + 1, 0)]]:
                self._runs.pop(one, None)
            self._runs[raw.id] = _Run(self._new_line(raw.id.station))
        return self._runs.get(raw.id)

    def _messages(self, raw: Raw, run: _Run) -> list[Outgoing]:
        try:
            outcome = run.line.feed(raw.batch) if len(raw.batch.data) else Outcome(PacketBatch.empty())
            found = list(self._told(raw.id, run, outcome))
            settled = run.line.settle() if raw.settled and self._settles else ()
            found += self._told(raw.id, run, Outcome(PacketBatch.empty(), products=settled))
            found += self._latest(run.latest.offer((*outcome.products, *settled), time.monotonic_ns()))
            if raw.ended:
                last = run.line.flush()
                found += self._told(raw.id, run, last)
                found += self._latest(run.latest.offer(last.products, time.monotonic_ns()) + run.latest.flush())
        except Exception as error:
            log.exception("a batch broke the decode stage and is set aside", **ids(raw))
            self.n_quarantined += 1
            path = self._quarantine_folder / f"{raw.id.station}-{raw.id.name}-{raw.seq}.bin"
            event = set_aside(raw.batch, lambda: path, error)
            found = list(self._told(raw.id, run, Outcome(PacketBatch.empty(), events=(event,))))
        if raw.ended or self._clock() >= run.told_at + LINK_INTERVAL_S:
            run.told_at = self._clock()
            found += self._books(raw.id, run.line.report(), ended=raw.ended)
        return found

    def _told(self, run_id: RunId, run: _Run, outcome: Outcome) -> Iterator[Outgoing]:
        for product in outcome.products:
            message = topics.product_message(product)
            yield Outgoing(message, self._key(run_id, run, product))
        for event in outcome.events:
            message = topics.event_message(self._mission, run_id.station, event)
            yield Outgoing(message, _digest(message))

    @staticmethod
    def _key(run_id: RunId, run: _Run, product: Product) -> str:
        """The product's id; one without onboard time may come again when sequence counts wrap, and is numbered."""
        if product.time.onboard_ns[0] != NO_TIME:
            return product.id
        n_before = run.times_seen.pop(product.id, 0)
        run.times_seen[product.id] = n_before + 1
        if len(run.times_seen) > UNTIMED_KEPT:
            del run.times_seen[next(iter(run.times_seen))]
        return f"{run_id.name}/{product.id}/{n_before}"

    @staticmethod
    def _latest(messages: list[Message]) -> list[Outgoing]:
        return [Outgoing(message) for message in messages]

    def _books(self, run: RunId, report: dict[str, Any], *, ended: bool) -> list[Outgoing]:
        self.last_report[run.station] = report
        messages = topics.link_messages(self._mission, run.station, report)
        if ended:
            told = {**report, "pass": run.name}
            messages.append(topics.report_message(self._mission, run.station, told))
        return [Outgoing(message) for message in messages]

    @staticmethod
    def _outs(raw: Raw, run: _Run, messages: list[Outgoing]) -> Iterator[Out]:
        """The messages in Outs of a bearable size; only the last says how far the run has come.

        Products come before what is retained, and do not wait for it.
        """
        parts: list[list[Outgoing]] = [[]]
        n_bytes = 0
        for one in messages:
            full = n_bytes + len(one.message.payload) > OUT_BYTES
            if parts[-1] and (full or one.message.retain != parts[-1][-1].message.retain):
                parts.append([])
                n_bytes = 0
            parts[-1].append(one)
            n_bytes += len(one.message.payload)
        before = run.n_bytes - len(raw.batch.data)
        for number, part in enumerate(parts, 1):
            last = number == len(parts)
            yield Out(
                raw.id,
                run.out_seq,
                run.n_bytes if last else before,
                raw.ended and last,
                run.received_ns,
                tuple(part),
            )
            run.out_seq += 1


def _digest(message: Message) -> str:
    """An event is known by its topic and its text."""
    return hashlib.blake2b(f"{message.topic}\0".encode() + message.payload, digest_size=12).hexdigest()
