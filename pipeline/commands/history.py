"""Import passes into a history, for `downlink history import` and `reprocess --history`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..history.names import date_of, decoded, pass_path
from ..history.passes import PassRecord, read_pass, write_pass
from ..history.recorder import MAX_EVENTS, PassImport
from ..history.storage import Storage
from ..history.tables import PacketFields, version_of
from ..messages.time_texts import iso_utc
from ..mission.loading import Mission
from ..model.batches import NO_TIME, ColumnBatch, Event, PacketBatch
from ..model.errors import ConfigError
from ..processing.chain import Outcome, ProcessingChain
from ..processing.packet_rows import PacketRows
from ..processing.passes import named_outcomes, station_names, with_origin
from ..processing.raw_products import raw_products
from ..system.files import printable_name
from ..system.identity import content_of_all
from .recordings import stream_name

_MODULO = 1 << 14


@dataclass(frozen=True, slots=True)
class Imported:
    """Result of the import of a pass. `was_there`: it was imported before; nothing was done."""

    record: PassRecord
    was_there: bool = False

    @property
    def rows(self) -> dict[str, int]:
        return {decoded(kind): sum(dates.values()) for kind, dates in self.record.rows.items()}


def mission_version(mission: Mission) -> str:
    """The version of a mission's products in a history (`history.tables.version_of`)."""
    return version_of({**mission.lineage, "clock_correlation": mission.clock.correlation_id})


def import_passes(
    passes: Sequence[Path],
    mission: Mission,
    url: str,
    progress: Callable[[int], None],
    *,
    stream: str | None = None,
    merge: bool = False,
    raw: bool = False,
    again: bool = False,
) -> list[Imported]:
    """Put the products of recordings into a history, each pass in one commit.

    A pass that was imported from the same recording with the same version is skipped, unless `again`; rows of another
    version are replaced. Each recording is a pass; with `merge` all are one. `raw`: with raw values.

    ConfigError if the mission has no dictionary, or the history has rows of another mission in its kinds.
    """
    mission.check_dictionary()
    storage = Storage(url, create=True)
    runs = [list(passes)] if merge or station_names(mission, passes) else [[path] for path in passes]
    return [
        _import(run, mission, storage, progress, stream=stream, merge=merge, raw=raw, again=again) for run in runs
    ]


def _import(
    passes: Sequence[Path],
    mission: Mission,
    storage: Storage,
    progress: Callable[[int], None],
    *,
    stream: str | None,
    merge: bool,
    raw: bool,
    again: bool,
) -> Imported:
    mission, raw = with_origin(mission, passes), raw or mission.publish_raw
    name, content = ", ".join(map(printable_name, passes)), content_of_all(passes)
    record = PassRecord(stream_name(stream, passes), name, mission.name, mission_version(mission), content=content)
    record, before = _claimed(storage, record)
    same = before is not None and before.version == record.version and before.content == content and content
    if before is not None and same and before.has_raw >= raw and before.state == "complete" and not again:
        return Imported(before, was_there=True)
    record.has_raw = raw
    stations = station_names(mission, passes, merge=merge)
    chain = ProcessingChain(replace(mission, publish_raw=raw), record.stream, stations=stations)
    target = PassImport(storage, record, publishes_raw=mission.publish_raw)
    filling = _Filling(target, mission, record)
    try:
        for _, outcome in named_outcomes(chain, passes, progress):
            filling.add(outcome)
        record.report = chain.report()
        return Imported(filling.finish())
    except BaseException:
        target.discard()
        if before is None:
            storage.remove(pass_path(record.stream, record.name))
        raise


def _claimed(storage: Storage, record: PassRecord) -> tuple[PassRecord, PassRecord | None]:
    """The record, renamed if the history has another recording under its name, and the record that it replaces.

    A new record is written at once, so that an import of another recording of that name, in another process, takes
    another name. ConfigError where the pass there is of another mission.
    """
    with storage.locked():
        before = read_pass(storage, record.stream, record.name)
        if before is not None and before.content and record.content and before.content != record.content:
            record = replace(record, name=f"{record.name}~{record.content[:8]}")
            before = read_pass(storage, record.stream, record.name)
        if before is not None and before.mission not in {"", record.mission}:
            raise ConfigError(
                f"{storage.url}: stream {record.stream} has the pass {record.name} of mission {before.mission}: "
                f"give those of mission {record.mission} another --stream"
            )
        if before is None:
            write_pass(storage, replace(record, state="open", version=""))
    return record, before


class _Filling:
    """Adds the outcomes of the processing chain to an import, and counts packets, losses and events."""

    def __init__(self, target: PassImport, mission: Mission, record: PassRecord) -> None:
        self._target, self._mission, self._record = target, mission, record
        self._packets = PacketRows(mission.instruments)
        self._by_apid: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()
        self._last: dict[int, int] = {}
        self._received: list[int] = []
        self._events: list[Event] = []

    def add(self, outcome: Outcome) -> None:
        self._packets.add(outcome.columns)
        self._count_lost(outcome.packets)
        for product in outcome.products:
            fields = self._packets.pop(product)
            self._target.add(product, PacketFields(*fields) if fields else None)
        for batch in outcome.columns:
            self._count(batch)
            if batch.raw and self._packets.is_read(batch.container):
                for product, fields in raw_products(batch, self._mission, self._record.stream):
                    self._target.add_raw(product, PacketFields(*fields))
        self._events += outcome.events[: MAX_EVENTS - len(self._events)]

    def _count(self, batch: ColumnBatch) -> None:
        apids, counts = np.unique(batch.apid, return_counts=True)
        self._by_apid.update(dict(zip(apids.tolist(), counts.tolist(), strict=True)))
        known = batch.received_ns[batch.received_ns != 0]
        if len(known):
            self._received = [*self._received, int(known.min()), int(known.max())]
            self._received = [min(self._received), max(self._received)]

    def _count_lost(self, packets: PacketBatch) -> None:
        """Count missing packets of each APID by sequence counts; a count that goes back is no loss."""
        for apid in np.unique(packets.apid).tolist():
            counts = packets.seq_count[packets.apid == apid].astype(np.int64)
            missing = np.diff(counts, prepend=self._last.get(apid, int(counts[0]) - 1)) % _MODULO - 1
            self._lost[apid] += int(missing[(missing > 0) & (missing < _MODULO // 2)].sum())
            self._last[apid] = int(counts[-1])

    def finish(self) -> PassRecord:
        record = self._record
        record.lost = {str(apid): n for apid, n in sorted(self._lost.items()) if n}
        record.packets = {str(apid): n for apid, n in sorted(self._by_apid.items())}
        record.received = [iso_utc(ns) for ns in self._received]
        record.dates_received = sorted({date_of(ns) for ns in self._received if ns != NO_TIME})
        record.events = [event_words(one) for one in self._events]
        return self._target.finish()


def event_words(event: Event) -> dict[str, Any]:
    """An event as in pass records."""
    return {
        "time": iso_utc(event.time_ns) if event.time_ns else None,
        "severity": event.severity,
        "kind": event.kind,
        "text": event.text,
        "details": dict(event.details),
    }
