"""The decode stage: the bytes of a run in, what became of them out, in the same order.

In: `Chunk`. Out: `Output`, or `Nack` where a message is missing before this one. State: a `ProcessingChain` for each
run, at most MAX_RUNS of them. Dropped: what came twice. A batch at which the chain raises is set aside with its
bytes, counted and reported, and the run goes on: this is the stage's one place that catches Exception.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from ..messages import topics
from ..model.batches import NO_TIME, Event, Message, Product
from ..processing.chain import ProcessingChain
from ..processing.latest import MESSAGES_PER_SECOND, MESSAGES_PER_SECOND_MAX_SPEED, Latest
from ..processing.quarantine import set_aside
from ..recordings.disk import OF_THE_DISK
from .protocol import Chunk, Nack, Outgoing, Output, RunId, ids

MAX_RUNS = 16
OUT_BYTES = 4 << 20
"""An Out is cut before it grows beyond this."""
LINK_INTERVAL_S = 1.0
BACKLOG_S = 10.0
"""Of bytes received longer ago the newest values are sent as rarely as those of a replay at maximum speed."""
log = structlog.get_logger("decode")


@dataclass(slots=True)
class _Run:
    chain: ProcessingChain
    latest: Latest = field(default_factory=Latest)
    seq: int = 0
    out_seq: int = 0
    n_bytes: int = 0
    received_ns: int = 0
    told_at: float = 0.0
    n_untimed: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Products without onboard time so far, by instrument and product."""


class Worker:
    """`new_line` makes the way of a stream. `quarantine` is where the bytes of a broken batch go.

    `settles`: no row waits for later ones, so what was received at one time can be told when all of it is here. Rows
    of one frame that wait differently long would become other products than in a replay.
    """

    def __init__(
        self,
        mission: str,
        new_line: Callable[[str], ProcessingChain],
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
        self.largest_message_bytes = 1 << 62
        """What the broker takes of an Out's content at most; set by the service."""
        self.n_quarantined = 0
        self.n_thinned: Counter[str] = Counter()
        """Newest values that were replaced before they were sent, by station."""
        self.last_report: dict[str, dict[str, Any]] = {}
        """The newest pass report of each station."""

    @property
    def n_runs(self) -> int:
        return len(self._runs)

    def take(self, raw: Chunk) -> Iterator[Output | Nack]:
        """What to send on. All of it is to be asked for; what is retained is made after the products were.

        Where the system takes no more open files, or a disk fails (a library is loaded when first used), the run is
        lost, and sent again with backoff: nothing is wrong with its bytes.
        """
        try:
            yield from self._take(raw)
        except OSError as error:
            if error.errno not in OF_THE_DISK:
                raise
            self._runs.pop(raw.id, None)
            yield Nack(raw.id, f"decode cannot read a file: {error.strerror}")

    def _take(self, raw: Chunk) -> Iterator[Output | Nack]:
        run = self._run(raw)
        if run is None or raw.seq > run.seq:
            yield Nack(raw.id, f"batch {raw.seq} came, and what is before it did not")
            return
        if raw.seq < run.seq:
            return
        run.seq += 1
        run.n_bytes += len(raw.batch.data)
        if len(raw.batch.mark_ns):
            run.received_ns = int(raw.batch.mark_ns[-1])
        lags = time.time_ns() - run.received_ns > BACKLOG_S * 1e9
        run.latest.messages_per_second = MESSAGES_PER_SECOND_MAX_SPEED if lags else MESSAGES_PER_SECOND
        now_ns, n_thinned = time.monotonic_ns(), run.latest.n_thinned
        found = self._unless_broken(raw, run, self._products)
        tells_books = raw.ended or self._clock() >= run.told_at + LINK_INTERVAL_S
        more = tells_books or run.latest.is_due(now_ns)
        yield from self._outs(raw, run, found, last=not more)
        if more:
            found = self._unless_broken(raw, run, partial(self._retained, now_ns))
            found += self._books(raw, run) if tells_books else []
            yield from self._outs(raw, run, found, last=True)
        if run.latest.n_thinned > n_thinned:
            self.n_thinned[raw.id.station] += run.latest.n_thinned - n_thinned
        if raw.ended:
            del self._runs[raw.id]

    def _run(self, raw: Chunk) -> _Run | None:
        """The run; a new one begins with its first batch, and ends any earlier run of the pass."""
        run = self._runs.get(raw.id)
        if run is None and raw.seq == 0:
            same = [one for one in self._runs if (one.station, one.name) == (raw.id.station, raw.id.name)]
            for one in [*same, *list(self._runs)[: max(len(self._runs) - MAX_RUNS + 1, 0)]]:
                self._runs.pop(one, None)
            run = self._runs[raw.id] = _Run(self._new_line(raw.id.station))
        return run

    def _unless_broken(
        self, raw: Chunk, run: _Run, make: Callable[[Chunk, _Run], list[Outgoing]]
    ) -> list[Outgoing]:
        """What is made, or the event that it broke."""
        try:
            return make(raw, run)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                raise
            log.exception("a batch broke the decode stage and is set aside", **ids(raw))
            self.n_quarantined += 1
            path = self._quarantine_folder / f"{raw.id.station}-{raw.id.name}-{raw.seq}.bin"
            return self._told(raw.id, run, (), [set_aside(raw.batch, lambda: path, error)])

    def _products(self, raw: Chunk, run: _Run) -> list[Outgoing]:
        """Products and events of a batch."""
        if not len(raw.batch.data) and not raw.batch.damage:
            return self._told(raw.id, run, (), raw.events)
        outcome = run.chain.feed(raw.batch, settled=raw.settled and self._settles)
        run.latest.hold(outcome.products)
        return self._told(raw.id, run, outcome.products, (*raw.events, *outcome.events))

    def _retained(self, now_ns: int, raw: Chunk, run: _Run) -> list[Outgoing]:
        """Values as they stand; at the end of the run also products that were held until then."""
        found = [Outgoing(message) for message in run.latest.tell(now_ns)]
        if raw.ended:
            last = run.chain.flush()
            found += self._told(raw.id, run, last.products, last.events)
            messages = run.latest.offer(last.products, now_ns) + run.latest.flush()
            found += [Outgoing(message) for message in messages]
        return found

    def _told(
        self, run_id: RunId, run: _Run, products: Sequence[Product], events: Sequence[Event] = ()
    ) -> list[Outgoing]:
        found = [Outgoing(topics.product_message(one), self._key(run_id, run, one)) for one in products]
        for event in events:
            message = topics.event_message(self._mission, run_id.station, event)
            found.append(Outgoing(message, _digest(message)))
        return found

    @staticmethod
    def _key(run_id: RunId, run: _Run, product: Product) -> str:
        """The product's id. The id of one without onboard time may come again when sequence counts wrap: those are
        numbered within their kind.
        """
        if product.time.onboard_ns[0] != NO_TIME:
            return product.id
        kind = product.instrument, product.product
        run.n_untimed[kind] += 1
        return f"{run_id.name}/{product.id}/{run.n_untimed[kind]}"

    def _books(self, raw: Chunk, run: _Run) -> list[Outgoing]:
        """The counters as they stand."""
        run.told_at = self._clock()
        report, station = run.chain.report(), raw.id.station
        self.last_report[station] = report
        messages = topics.link_messages(self._mission, station, report)
        if raw.ended:
            messages.append(topics.report_message(self._mission, station, {**report, "pass": raw.id.name}))
        return [Outgoing(message) for message in messages]

    def _outs(self, raw: Chunk, run: _Run, messages: list[Outgoing], *, last: bool) -> Iterator[Output]:
        """The messages in Outs of a bearable size. `last`: the last of them says how far the run has come.

        A message larger than the broker takes is left out, and the Out says so: the run is not settled then.
        """
        messages, refused = self._sendable(messages)
        parts = _parts(messages, min(OUT_BYTES, self.largest_message_bytes)) or ([()] if last or refused else [])
        for number, part in enumerate(parts, 1):
            is_last = last and number == len(parts)
            n_bytes = run.n_bytes if is_last else run.n_bytes - len(raw.batch.data)
            yield Output(raw.id, run.out_seq, n_bytes, raw.ended and is_last, run.received_ns, part, refused)
            run.out_seq += 1

    def _sendable(self, messages: list[Outgoing]) -> tuple[list[Outgoing], str]:
        """The messages that fit into an Out, and what is wrong with the others."""
        most = self.largest_message_bytes
        if max(map(_size, messages), default=0) <= most:
            return messages, ""
        first = next(one.message for one in messages if _size(one) > most)
        refused = f"{first.topic}: {len(first.payload)} bytes, and the broker takes {self.largest_message_bytes}"
        return [one for one in messages if _size(one) <= self.largest_message_bytes], refused


def _size(one: Outgoing) -> int:
    """Upper bound of the bytes that a message takes in an Out."""
    return len(one.message.payload) + 4 * (len(one.message.topic) + len(one.key)) + 200


def _parts(messages: Sequence[Outgoing], max_bytes: int) -> list[tuple[Outgoing, ...]]:
    """Products apart from what is retained, and never more than `max_bytes` at once unless it is one message."""
    if len(messages) < 2:
        return [tuple(messages)] if messages else []
    first, n_bytes, parts = 0, 0, []
    for i, one in enumerate(messages):
        message = one.message
        full = n_bytes + _size(one) > max_bytes
        if i > first and (full or message.retain != messages[i - 1].message.retain):
            parts.append(tuple(messages[first:i]))
            first, n_bytes = i, 0
        n_bytes += _size(one)
    return [*parts, tuple(messages[first:])]


def _digest(message: Message) -> str:
    """An event is known by its topic and its text."""
    return hashlib.blake2b(f"{message.topic}\0".encode() + message.payload, digest_size=12).hexdigest()
