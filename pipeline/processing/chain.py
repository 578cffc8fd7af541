"""Processes one stream from bytes to products: link, dictionary and instruments joined, and the pass report.

    bytes -link-> packets -join-> records -dictionary-> columns -instruments-> products

In: `ByteBatch`es, in order. Out: an `Outcome` for each; any split of the bytes gives the same in all. State: frames,
packets and groups of rows that a batch leaves unfinished. One thread at a time; no input or output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from ..dictionary.decoder import Decoder
from ..link.output import LinkOutput
from ..link.receiver import Receiver
from ..link.stations import StationsReceiver
from ..link.verdict import early_problem, nothing_right, problems
from ..mission.loading import Mission
from ..model.batches import NO_TIME, ByteBatch, ColumnBatch, Event, FrameBatch, PacketBatch, Product
from ..model.carrier import carrier
from ..products import Suite
from ..products.context import Context
from ..products.received_files import FileService
from .report_sum import add_reports

SETTINGS = "settings"
"""Kind of events of a pass that does not look like one of its mission."""
BAD_HEADERS = "bad_headers"
"""The same of one channel, while the pass is under way."""

MAX_DAMAGE = 1000
"""Damaged places that a report lists."""


@carrier
class Outcome:
    """What came out of a batch, in data order. `frames`: of the wanted channels, where the way ends with packets; None
    where there are none.
    """

    packets: PacketBatch
    columns: tuple[ColumnBatch, ...] = ()
    products: tuple[Product, ...] = ()
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None
    to_publish: PacketBatch | None = None
    """The packets, where the mission publishes them as they came."""


class DecodesRecords(Protocol):
    """What a chain asks of a decoder."""

    set_aside: Counter[str]
    failed_checks: Counter[str]

    def decode(self, records: PacketBatch) -> list[ColumnBatch]: ...
    def drain_events(self) -> tuple[Event, ...]: ...


class ProcessingChain:
    """One stream of one mission. `until` says how far the packets go: "packets", "columns" or "products".

    With `stations`, the names of several, their recordings of one pass are merged frame by frame. Without, recordings
    may follow each other; a batch that `begins` another pass ends the one before it: only the report goes on.
    """

    def __init__(
        self,
        mission: Mission,
        stream: str = "live",
        *,
        until: str = "products",
        raw: bool = False,
        stations: Sequence[str] = (),
        decoder: DecodesRecords | None = None,
    ) -> None:
        """`decoder`: in the place of the one that decodes all columns of the mission's dictionary."""
        self.mission = mission
        self._stations = stations
        self._stream = stream
        self._until = until
        self.n_stations = max(1, len(stations))
        decoded = mission.plan is not None and until != "packets"
        if decoder is None and decoded and mission.plan:
            decoder = Decoder(mission.plan, mission.time_terms, raw=raw or mission.publish_raw)
        self._decoder = decoder
        self._n_passes = 0
        self._file_counts: Counter[str] = Counter()
        """Of CFDP, over the passes that have ended."""
        self._problems: list[str] = []
        self._ended: dict[str, Any] = {}
        """The report of the link, over the passes that have ended."""
        self._begin()
        self._joiner = mission.record_joiner()
        self._made: Counter[str] = Counter()
        self._damage: list[str] = []
        self._n_rows = 0

    def _begin(self) -> None:
        """Make new state for the next pass."""
        mission = self.mission
        self._n_passes += 1
        self._receiver: Receiver | StationsReceiver = (
            StationsReceiver(mission.link, mission.channels, self._stations)
            if self.n_stations > 1
            else Receiver(mission.link, mission.channels, frames=self._until == "packets")
        )
        self._suite = Suite(mission.instruments, mission.calibrations, product_context(mission, self._stream))
        context = product_context(mission, self._stream)
        self._files = FileService(mission.cfdp, context) if mission.cfdp and self._until == "products" else None
        self._channels_reported: set[str] = set()
        self._has_bad_headers = False

    def wanted_station(self) -> int | None:
        """Number of the station whose bytes are to be fed next; 0 where there is one, None when all have ended."""
        return self._receiver.next_station() if isinstance(self._receiver, StationsReceiver) else 0

    def process(self, batch: ByteBatch, *, complete: bool = False) -> Outcome:
        """Decode a batch. `complete`: with it the chain has all that a live link has received so far, in whole frames;
        then products come too that only wait for rows of the same time.
        """
        if batch.begins:
            return self._end_pass()
        if not isinstance(self._receiver, StationsReceiver):
            received = self._receiver.receive(batch)
        elif batch.ended:
            received = self._receiver.end(batch.station)
        else:
            received = self._receiver.receive(batch.station, batch)
        outcome = self._onward(received, complete=complete)
        self._has_bad_headers = self._has_bad_headers or received.has_bad_headers
        if self._has_bad_headers and (early := self._early(batch)):
            outcome = replace(outcome, events=(*outcome.events, *early))
        if batch.damage and batch.damage not in self._damage and len(self._damage) < MAX_DAMAGE:
            self._damage.append(batch.damage)
            outcome = replace(outcome, events=(*outcome.events, Event("warning", "damage", batch.damage)))
        return outcome

    def _early(self, batch: ByteBatch) -> list[Event]:
        """An event for each channel, once a pass, as soon as more of its packet headers are bad than good."""
        events = []
        for counts in self._receiver.header_counts():
            if counts.channel not in self._channels_reported and (text := early_problem(counts, self.mission.link)):
                self._channels_reported.add(counts.channel)
                time_ns = int(batch.mark_ns[-1]) if len(batch.mark_ns) else 0
                details = {"channel": counts.channel, "bad_headers": counts.n_bad, "packets": counts.n_good}
                events.append(Event("warning", BAD_HEADERS, text, time_ns, details))
        return events

    def _judge(self) -> tuple[Event, ...]:
        """An event for each sign of wrong settings in the pass that ends here; none where no byte came."""
        own = self._receiver.report()
        if self._decoder and self._n_passes == 1:
            own = own | {"records": self._records(self._decoder)}
        if not own["bytes"]["read"]:
            return ()
        found = problems(own)
        self._problems += [f"pass {self._n_passes}: {text}" for text in found]
        severity = "error" if nothing_right(own) else "warning"
        return tuple(Event(severity, SETTINGS, text) for text in found)

    def _end_pass(self) -> Outcome:
        """Another pass follows: give what this one has left."""
        last = self.flush()
        self._ended = self._link_report()
        self._begin()
        return last

    def flush(self) -> Outcome:
        """End the stream: give what is whole; what is not is counted."""
        received = self._receiver.flush()
        rest = self._onward(received)
        if self._joiner:
            self._joiner.flush()
        last = tuple(self._suite.flush()) if self._decoder and self._until == "products" else ()
        events = (*rest.events, *self._suite.drain_events())
        if self._files is not None:
            last = (*last, *self._files.flush())
            events = (*events, *self._files.drain_events())
            self._file_counts.update(self._files.report())
        self._count(last)
        events = (*events, *self._judge())
        return replace(rest, products=(*rest.products, *last), events=events)

    def _onward(self, received: LinkOutput, *, complete: bool = False) -> Outcome:
        packets, events = received.packets, received.events
        to_publish = packets if self.mission.publish_packets and len(packets) else None
        wanted = self._decoder is not None or self._files is not None
        if not wanted or not (len(packets) or complete):
            return Outcome(packets, events=events, frames=received.frames, to_publish=to_publish)
        records = self._joiner.feed(packets) if self._joiner else packets
        products: list[Product] = []
        if self._files is not None:
            records, products = self._files.receive(records)
            events = (*events, *self._files.drain_events())
        columns: list[ColumnBatch] = []
        if self._decoder is not None:
            columns = self._decoder.decode(records)
            for one in columns:
                self._n_rows += len(one.quality)
            if self._until == "products":
                products += self._suite.make_products(columns, complete=complete)
            events = (*events, *self._timed(self._decoder.drain_events()), *self._suite.drain_events())
        self._count(products)
        return Outcome(packets, tuple(columns), tuple(products), events, received.frames, to_publish)

    def _timed(self, events: Sequence[Event]) -> list[Event]:
        """Events of packets with the UTC of the packet in place of its receive time, where it is known; by time."""
        if not events:
            return []
        timed = [self._with_utc(event) for event in events]
        return sorted(timed, key=attrgetter("time_ns")) if all(event.time_ns for event in timed) else timed

    def _with_utc(self, event: Event) -> Event:
        onboard_ns = event.details.get("onboard_ns")
        utc_ns = NO_TIME if onboard_ns is None else int(self.mission.clock.utc_ns(np.array([onboard_ns]))[0])
        return event if utc_ns == NO_TIME else replace(event, time_ns=utc_ns)

    def _count(self, products: Sequence[Product]) -> None:
        for product in products:
            self._made[f"{product.instrument}/{product.product}"] += 1

    def report(self) -> dict[str, Any]:
        """The pass report so far: the contract's keys, and what became of the packets."""
        report = self._link_report()
        if self._n_passes > 1:
            report |= {"passes": self._n_passes, "problems": list(self._problems)}
        if self._decoder:
            report["records"] = self._records(self._decoder)
        if self._files is not None:
            report["cfdp"] = dict(self._file_counts)
        report["products"] = dict(sorted(self._made.items()))
        return report | ({"damaged": list(self._damage)} if self._damage else {})

    def _records(self, decoder: DecodesRecords) -> dict[str, Any]:
        """What became of the packets in the dictionary."""
        joiner = self._joiner
        joined = {"joined": joiner.joined, "broken": joiner.broken, **joiner.headed.report()} if joiner else {}
        return {
            **joined,
            "decoded": self._n_rows,
            "set_aside": dict(sorted(decoder.set_aside.items())),
            "failed_checks": dict(sorted(decoder.failed_checks.items())),
        }

    def _link_report(self) -> dict[str, Any]:
        report = self._receiver.report()
        return add_reports(self._ended, report) if self._ended else report


def product_context(mission: Mission, stream: str) -> Context:
    """Give the instruments what they must know beside the columns."""
    return Context(
        mission=mission.name,
        stream=stream,
        clock=mission.clock,
        site=mission.site,
        window_s=mission.window_s,
        lineage=mission.lineage,
        descriptions=mission.descriptions,
        raw=mission.publish_raw,
    )
