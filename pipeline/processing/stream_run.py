"""Decodes one run of a stream: the bytes of a pass in, the messages to publish out. Services and replays share it.

In: `ByteBatch`es in order, from the first byte of a pass on. Out, for each: messages of products and events with their
dedup keys, then the newest values that are due, and at most once in LINK_INTERVAL_S the counters of the link. At its
end come the last products, the last newest values, the counters and the pass report. A seek back begins another run.

Quarantine: only this module catches Exception. If the chain raises at a batch, the batch is written to a file, counted
and reported as an event, and the run continues. OSError of the disk or of system limits is raised: the bytes are not
the cause, and must be decoded again.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import structlog

from ..messages import topics
from ..model.batches import NO_TIME, ByteBatch, Event, Message, Outgoing, PacketBatch, Product
from ..recordings.disk import OF_THE_DISK
from .chain import ProcessingChain
from .latest import MESSAGES_PER_SECOND, MESSAGES_PER_SECOND_MAX_SPEED, Latest
from .quarantine import write_quarantine

LINK_INTERVAL_S = 1.0
P = ParamSpec("P")
log = structlog.get_logger("decode")


class StreamRun:
    """Decodes one run. `pass_name`: name of the recorded pass in keys and report; empty: the report has none.

    `quarantine(number)`: path of the file for a batch, counted from 0. `log_ids`: added to each log entry.
    """

    def __init__(
        self,
        chain: ProcessingChain,
        mission: str,
        stream: str,
        quarantine: Callable[[int], Path],
        *,
        pass_name: str = "",
        log_ids: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain, self._mission, self._stream = chain, mission, stream
        self._quarantine, self._pass_name, self._clock = quarantine, pass_name, clock
        self._log_ids = log_ids or {"stream": stream}
        self._latest = Latest()
        self._reported_at = 0.0
        self._n_untimed: Counter[tuple[str, str]] = Counter()
        """Number of products without onboard time so far, by instrument and product."""
        self._n_packets: Counter[tuple[int, int, int]] = Counter()
        """Number of packets published so far, by spacecraft id, virtual channel and APID."""
        self.n_batches = self.n_bytes = self.n_quarantined = 0
        self.received_ns = 0
        """Receive time of the newest bytes, ns since 1970 UTC; 0: unknown."""
        self.report: dict[str, Any] = {}
        """The pass report at the time when the counters were last output."""

    @property
    def n_thinned(self) -> int:
        """Number of newest values that were replaced by newer ones before they were sent."""
        return self._latest.n_thinned

    def next_station(self) -> int | None:
        """As in ProcessingChain."""
        return self._chain.next_station()

    def decode(
        self,
        batch: ByteBatch,
        *,
        ended: bool = False,
        complete: bool = False,
        events: Sequence[Event] = (),
        at_max_speed: bool = False,
    ) -> Iterator[tuple[list[Outgoing], bool]]:
        """Yield the messages of a batch, in one or two lists, each with whether it is the last of the batch.

        `ended`: the run ends with this batch. `complete`: as in `ProcessingChain.process`. `events`: published with the
        batch. `at_max_speed`: newest values are sent at the lower rate of `latest`. Raises OSError as described above.
        """
        self.n_bytes += len(batch.data)
        if len(batch.mark_ns):
            self.received_ns = batch.mark_ns.item(-1)
        self._latest.messages_per_second = MESSAGES_PER_SECOND_MAX_SPEED if at_max_speed else MESSAGES_PER_SECOND
        found = self._or_quarantine(batch, self._products, batch, events, complete)
        self.n_batches += 1
        now_ns = time.monotonic_ns()
        reports = ended or self._clock() >= self._reported_at + LINK_INTERVAL_S
        is_last = not reports and not self._latest.is_due(now_ns)
        yield found, is_last
        if not is_last:
            found = self._or_quarantine(batch, self._newest, now_ns, ended)
            yield found + (self._counters(ended=ended) if reports else []), True

    def _or_quarantine(
        self, batch: ByteBatch, make: Callable[P, list[Outgoing]], *args: P.args, **kwargs: P.kwargs
    ) -> list[Outgoing]:
        """Give what `make` gives for a batch; the event of its quarantine where `make` raises."""
        try:
            return make(*args, **kwargs)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in OF_THE_DISK:
                raise
            log.exception("a batch broke the decode stage and is set aside", **self._log_ids, batch=self.n_batches)
            self.n_quarantined += 1
            return self._messages((), [self._quarantined(batch, error)])

    def _quarantined(self, batch: ByteBatch, error: Exception) -> Event:
        if not len(batch.data):
            return Event("error", "quarantine", f"the end of the stream could not be processed: {error!r}")
        number = self.n_batches
        return write_quarantine(batch, lambda: self._quarantine(number), error)

    def _products(self, batch: ByteBatch, events: Sequence[Event], complete: bool) -> list[Outgoing]:
        if not len(batch.data) and not (batch.damage or batch.begins or batch.ended):
            return self._messages((), events)
        outcome = self._chain.process(batch, complete=complete)
        self._latest.add(outcome.products)
        found = self._messages(outcome.products, (*events, *outcome.events))
        return found if outcome.to_publish is None else self._packets(outcome.to_publish) + found

    def _newest(self, now_ns: int, ended: bool) -> list[Outgoing]:
        """Newest values that are due; at the end of the run the last results of the chain, then all newest values."""
        if not ended:
            return [Outgoing(message) for message in self._latest.due_messages(now_ns)]
        last = self._chain.flush()
        self._latest.add(last.products)
        found = self._messages(last.products, last.events)
        found = found if last.to_publish is None else self._packets(last.to_publish) + found
        return found + [Outgoing(message) for message in self._latest.flush()]

    def _messages(self, products: Iterable[Product], events: Iterable[Event]) -> list[Outgoing]:
        found = [Outgoing(topics.product_message(product), self._key(product)) for product in products]
        for event in events:
            message = topics.event_message(self._mission, self._stream, event)
            found.append(Outgoing(message, _digest(message)))
        return found

    def _packets(self, packets: PacketBatch) -> list[Outgoing]:
        """Make a message for each packet. Keys count within the APID of a channel, since sequence counts wrap."""
        found = []
        rows = zip(packets.start.tolist(), packets.length.tolist(), strict=True)
        names = zip(packets.scid.tolist(), packets.vcid.tolist(), packets.apid.tolist(), strict=True)
        for (start, length), name in zip(rows, names, strict=True):
            self._n_packets[name] += 1
            octets = packets.data[start : start + length].tobytes()
            message = topics.packet_message(self._mission, self._stream, name[2], octets)
            key = "/".join(map(str, name))
            found.append(Outgoing(message, f"{self._pass_name}/packet/{key}/{self._n_packets[name]}"))
        return found

    def _key(self, product: Product) -> str:
        """Dedup key of a product: its id.

        The ids of products without onboard time repeat when sequence counts wrap; their keys are the name of the pass,
        the id, and a number within the kind.
        """
        if product.time.onboard_ns[0] != NO_TIME:
            return product.id
        kind = product.instrument, product.product
        self._n_untimed[kind] += 1
        return f"{self._pass_name}/{product.id}/{self._n_untimed[kind]}"

    def _counters(self, *, ended: bool) -> list[Outgoing]:
        """Messages of the counters of link and packets, and at the end of the pass report."""
        self._reported_at = self._clock()
        self.report = report = self._chain.report()
        messages = topics.link_messages(self._mission, self._stream, report)
        messages.append(topics.packets_message(self._mission, self._stream, report))
        if ended:
            named = {**report, "pass": self._pass_name} if self._pass_name else report
            messages.append(topics.report_message(self._mission, self._stream, named))
        return [Outgoing(message) for message in messages]


def _digest(message: Message) -> str:
    """Dedup key of an event: a digest of its topic and payload."""
    return hashlib.blake2b(f"{message.topic}\0".encode() + message.payload, digest_size=12).hexdigest()
