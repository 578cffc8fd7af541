"""Processes one stream from bytes to products: link, dictionary and instruments joined, and the pass report.

    bytes -link-> packets -join-> records -dictionary-> columns -instruments-> products

In: `ByteBatch`es, in order. Out: an `Outcome` for each; their sum does not depend on how the bytes are split. State:
unfinished frames, packets and groups of rows. Not thread-safe; no I/O.
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
from ..products.context import Context
from ..products.received_files import FileService
from ..products.suite import Suite
from .report_sum import add_reports

SETTINGS = "settings"
"""Kind of the events of a pass that was read with wrong settings."""
BAD_HEADERS = "bad_headers"
"""Kind of the event of a channel with more bad packet headers than good ones, before the pass has ended."""

MAX_DAMAGE = 1000
"""Most damaged ranges that a report lists."""


@carrier
class Outcome:
    """Results of one batch, in data order.

    `frames`: of the wanted channels, if the chain ends with packets; None: no frames.
    """

    packets: PacketBatch
    columns: tuple[ColumnBatch, ...] = ()
    products: tuple[Product, ...] = ()
    events: tuple[Event, ...] = ()
    frames: FrameBatch | None = None
    to_publish: PacketBatch | None = None
    """The packets, if the mission publishes them as received."""


class DecodesRecords(Protocol):
    """The interface of a decoder in a chain."""

    set_aside: Counter[str]
    failed_checks: Counter[str]

    def decode(self, records: PacketBatch) -> list[ColumnBatch]: ...
    def drain_events(self) -> tuple[Event, ...]: ...


class ProcessingChain:
    """One stream of one mission. `until`: the last step: "packets", "columns" or "products".

    `stations`: names of several stations whose recordings of one pass are merged frame by frame. Without, several
    recordings may be read one after the other; a batch with `begins` ends the pass before it, and only the report is
    continued.
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
        """`decoder`: replaces the decoder of all columns of the mission's dictionary."""
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
        """Counts of CFDP, over the passes that have ended."""
        self._problems: list[str] = []
        self._ended: dict[str, Any] = {}
        """The report of the link, over the passes that have ended."""
        self._begin()
        self._joiner = mission.record_joiner()
        self._n_products: Counter[str] = Counter()
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

    def next_station(self) -> int | None:
        """Number of the station to read next; 0 if there is only one; None when all have ended."""
        return self._receiver.next_station() if isinstance(self._receiver, StationsReceiver) else 0

    def process(self, batch: ByteBatch, *, complete: bool = False) -> Outcome:
        """Process a batch.

        `complete`: with this batch the chain has all bytes that a live link has received so far, in whole frames. Then
        products that only wait for more rows of the same receive time are output, too.
        """
        if batch.begins:
            return self._end_pass()
        if not isinstance(self._receiver, StationsReceiver):
            received = self._receiver.receive(batch)
        elif batch.ended:
            received = self._receiver.end(batch.station)
        else:
            received = self._receiver.receive(batch.station, batch)
        outcome = self._decode_packets(received, complete=complete)
        self._has_bad_headers = self._has_bad_headers or received.has_bad_headers
        if self._has_bad_headers and (early_events := self._early_events(batch)):
            outcome = replace(outcome, events=(*outcome.events, *early_events))
        if batch.damage and batch.damage not in self._damage and len(self._damage) < MAX_DAMAGE:
            self._damage.append(batch.damage)
            outcome = replace(outcome, events=(*outcome.events, Event("warning", "damage", batch.damage)))
        return outcome

    def _early_events(self, batch: ByteBatch) -> list[Event]:
        """Make an event for each channel, once in a pass, as soon as it has more bad packet headers than good ones."""
        events = []
        for counts in self._receiver.header_counts():
            if counts.channel not in self._channels_reported and (text := early_problem(counts, self.mission.link)):
                self._channels_reported.add(counts.channel)
                time_ns = int(batch.mark_ns[-1]) if len(batch.mark_ns) else 0
                details = {"channel": counts.channel, "bad_headers": counts.n_bad, "packets": counts.n_good}
                events.append(Event("warning", BAD_HEADERS, text, time_ns, details))
        return events

    def _settings_events(self) -> tuple[Event, ...]:
        """Make an event for each sign of wrong settings in the pass that ends; none if it has no bytes."""
        report_of_pass = self._receiver.report()
        if self._decoder and self._n_passes == 1:
            report_of_pass = report_of_pass | {"records": self._records(self._decoder)}
        if not report_of_pass["bytes"]["read"]:
            return ()
        found = problems(report_of_pass)
        self._problems += [f"pass {self._n_passes}: {text}" for text in found]
        severity = "error" if nothing_right(report_of_pass) else "warning"
        return tuple(Event(severity, SETTINGS, text) for text in found)

    def _end_pass(self) -> Outcome:
        """End a pass before another one: return its last results and begin new state."""
        last = self.flush()
        self._ended = self._link_report()
        self._begin()
        return last

    def flush(self) -> Outcome:
        """End the stream: return the last results; incomplete frames and packets are counted."""
        received = self._receiver.flush()
        rest = self._decode_packets(received)
        if self._joiner:
            self._joiner.flush()
        last = tuple(self._suite.flush()) if self._decoder and self._until == "products" else ()
        events = (*rest.events, *self._suite.drain_events())
        if self._files is not None:
            last = (*last, *self._files.flush())
            events = (*events, *self._files.drain_events())
            self._file_counts.update(self._files.report())
        self._count(last)
        events = (*events, *self._settings_events())
        return replace(rest, products=(*rest.products, *last), events=events)

    def _decode_packets(self, received: LinkOutput, *, complete: bool = False) -> Outcome:
        packets, events = received.packets, received.events
        n = len(packets.start)
        to_publish = packets if self.mission.publish_packets and n else None
        is_decoded = self._decoder is not None or self._files is not None
        if not is_decoded or not (n or complete):
            return Outcome(packets, events=events, frames=received.frames, to_publish=to_publish)
        records = self._joiner.join(packets) if self._joiner else packets
        products: list[Product] = []
        if self._files is not None:
            records, products = self._files.receive(records)
            events = (*events, *self._files.drain_events())
        columns: list[ColumnBatch] = []
        if self._decoder is not None:
            columns = self._decoder.decode(records)
            for columns_of_container in columns:
                self._n_rows += len(columns_of_container.quality)
            if self._until == "products":
                products += self._suite.make_products(columns, complete=complete)
            events = (*events, *self._with_utc_times(self._decoder.drain_events()), *self._suite.drain_events())
        self._count(products)
        return Outcome(packets, tuple(columns), tuple(products), events, received.frames, to_publish)

    def _with_utc_times(self, events: Sequence[Event]) -> list[Event]:
        """Replace the receive time of packet events by the UTC of the packet, if it is known; sort by time."""
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
            self._n_products[f"{product.instrument}/{product.product}"] += 1

    def report(self) -> dict[str, Any]:
        """Return the pass report so far."""
        report = self._link_report()
        if self._n_passes > 1:
            report |= {"passes": self._n_passes, "problems": list(self._problems)}
        if self._decoder:
            report["records"] = self._records(self._decoder)
        if self._files is not None:
            report["cfdp"] = dict(self._file_counts)
        report["products"] = dict(sorted(self._n_products.items()))
        return report | ({"damaged": list(self._damage)} if self._damage else {})

    def _records(self, decoder: DecodesRecords) -> dict[str, Any]:
        """Return the key records of the report: counts of decoding by the dictionary."""
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
    """Make the context of instruments: what they need besides columns."""
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
