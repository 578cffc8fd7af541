"""Write products into a history: all of a pass in one commit, or as they arrive.

`HistoryRecorder` is for services: after `flush` the rows of the products added are durable and visible to queries.
`PassImport` is for recordings: one commit adds all rows of a pass and replaces those of an older version.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..messages.time_texts import iso_utc
from ..model.batches import NO_TIME, Product
from .compaction import compact
from .leases import StreamLeases
from .names import RAW, REPLACED, ROWS, date_of, partition, rows_of
from .passes import PassRecord, nested, read_pass, stage_pass, write_pass
from .raw_values import raw_of, without_raw
from .rows import RowReader
from .storage import Commit, Storage
from .summary_files import update_summaries
from .tables import Entry, PacketFields, version_of
from .writer import Batch, KindMissions, Moves, retire, stage

MAX_EVENTS = 1000
"""Most events of a pass that its record keeps."""
FLUSH_BYTES = 256 << 20
"""Bytes of arrays that an import keeps in memory before it writes them."""


def product_key(product: Product, pass_name: str, n_untimed: Counter[tuple[str, str]]) -> str:
    """The key that identifies a product in its stream (dedup): its id. Ids without onboard time repeat when sequence
    counts wrap, so they are numbered within their pass and kind; `n_untimed` is the counter.
    """
    if product.time.onboard_ns and product.time.onboard_ns[0] != NO_TIME:
        return product.id
    kind = product.instrument, product.product
    n_untimed[kind] += 1
    return f"{pass_name}/{product.id}/{n_untimed[kind]}"


def now_text() -> str:
    """The current UTC, ISO 8601 with milliseconds."""
    return str(iso_utc(time.time_ns(), "ms"))


class PassImport:
    """Import of one pass of one stream: add products, then `finish`."""

    def __init__(self, storage: Storage, record: PassRecord, *, publishes_raw: bool = True) -> None:
        """`publishes_raw`: whether raw values that products carry stay in their rows, too, as in those published."""
        self._storage, self._record = storage, record
        self._publishes_raw = publishes_raw
        self._batch, self._raw = Batch(), Batch()
        self._moves: Moves = []
        self._minutes: dict[str, Any] = {}
        """Summaries of the files of rows, by path."""
        self._kinds = KindMissions(storage)
        self._untimed: Counter[tuple[str, str]] = Counter()

    def add(self, product: Product, packets: PacketFields | None = None) -> None:
        """Add a product. ConfigError if its kind has rows of another mission."""
        key = product_key(product, self._record.name, self._untimed)
        raw = raw_of(product)
        if raw is not None:
            self._add(self._raw, Entry(raw, key, self._record.name, packets))
        product = product if self._publishes_raw else without_raw(product)
        self._add(self._batch, Entry(product, key, self._record.name, packets))

    def add_raw(self, product: Product, packets: PacketFields | None = None) -> None:
        """Add raw values, in the form of a product, of a container that instruments read."""
        key = product_key(product, self._record.name, self._untimed)
        self._add(self._raw, Entry(product, key, self._record.name, packets))

    def _add(self, batch: Batch, entry: Entry) -> None:
        batch.add(entry)
        if batch.n_bytes >= FLUSH_BYTES:
            self._write(batch, RAW if batch is self._raw else ROWS)

    def finish(self) -> PassRecord:
        """Commit the rows and the record of the pass together; rows of an older version are moved to `replaced/`.

        RunError if the disk is full.
        """
        try:
            return self._finish()
        except BaseException:
            self._storage.discard()
            raise

    def discard(self) -> None:
        """Remove the files written so far: the import failed."""
        self._storage.discard()

    def _finish(self) -> PassRecord:
        storage, record = self._storage, self._record
        with storage.locked():
            storage.recover()
            before = read_pass(storage, record.stream, record.name)
            old = Commit()
            if before is not None and (before.rows or before.raw_rows):
                old = retire(storage, before)
                record.replaced = list(dict.fromkeys([*before.replaced, before.version]))
                if before.version == record.version:  # made again with the same version: the old rows are not kept
                    moved = [source for source, target in old.moves if target.startswith(f"{REPLACED}/")]
                    kept = [(source, target) for source, target in old.moves if source not in moved]
                    old = Commit(kept, [*old.removes, *moved])
                    record.replaced = before.replaced
            self._write(self._batch, ROWS)
            self._write(self._raw, RAW)
            record.rows = nested(rows_of(target for _, target in self._moves if target.startswith(f"{ROWS}/")))
            record.raw_rows = nested(rows_of(target for _, target in self._moves if target.startswith(f"{RAW}/")))
            record.written = now_text()
            storage.commit(Commit([*old.moves, *self._moves, stage_pass(storage, record)], old.removes))
            touched = {*record.dates, *(before.dates if before else [])}
            _summarise(storage, touched, self._minutes)
        return record

    def _write(self, batch: Batch, root: str) -> None:
        minutes = self._minutes if root == ROWS else None
        entries = batch.entries.values()
        self._kinds.check(root, entries)
        moves, _ = stage(self._storage, entries, root, but_pass=self._record.name, summaries=minutes)
        self._moves += moves
        batch.entries.clear()
        batch.n_bytes = 0


class HistoryRecorder:
    """Recorder of a service: rows of several passes, committed by each `flush`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._batch, self._raw = Batch(), Batch()
        self._made: dict[tuple[str, str], tuple[str, str]] = {}
        """Mission and version of each pass, by stream and name, of the products since the last flush."""
        self._records: dict[tuple[str, str], PassRecord] = {}
        self._dates: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._touched: set[tuple[str, str]] = set()
        self._leases = StreamLeases(storage)
        self._kinds = KindMissions(storage)
        with storage.locked():
            storage.recover()
            storage.clear()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of arrays that are not on disk yet."""
        return self._batch.n_bytes + self._raw.n_bytes

    def add(self, product: Product, key: str, pass_name: str, packets: PacketFields | None = None) -> None:
        """Add a product of a pass; `key` as `product_key` gives it."""
        self._made[product.stream, pass_name] = product.mission, version_of(product.lineage)
        self._batch.add(Entry(product, key, pass_name, packets))
        raw = raw_of(product)
        if raw is not None:
            self._raw.add(Entry(raw, key, pass_name, packets))

    def flush(self) -> int:
        """Commit the products added, and return the number of new rows.

        RunError if the disk is full, or another writer has the stream on an object store: it may be repeated.
        ConfigError if a kind has rows of another mission.
        """
        if not self._batch.keys:
            return 0
        storage = self._storage
        for stream in dict.fromkeys(stream for stream, _ in self._made):
            self._leases.hold(stream)
        try:
            with storage.locked():
                self._kinds.check(ROWS, self._batch.entries.values())
                self._kinds.check(RAW, self._raw.entries.values())
                for (stream, name), (mission, version) in self._made.items():
                    self._replace_older(stream, name, mission, version)
                moves, n = stage(storage, self._batch.entries.values())
                raw_moves, _ = stage(storage, self._raw.entries.values(), RAW)
                for move in [*moves, *raw_moves]:
                    storage.commit(Commit([move]))
        except BaseException:
            storage.discard()
            raise
        rows, raw_rows = (rows_of(target for _, target in some) for some in (moves, raw_moves))
        self._touched |= {*rows, *raw_rows}
        self._note(rows, raw_rows)
        self._batch, self._raw, self._made = Batch(), Batch(), {}
        return n

    def close(self) -> None:
        """Release the leases of its streams; products that were not flushed are dropped."""
        self._leases.release()

    def take_touched(self) -> set[tuple[str, str]]:
        """Kind folders and dates written since the last call, for `maintain`."""
        touched, self._touched = self._touched, set()
        return touched

    def maintain(self) -> None:
        """Merge small files and update summaries of what was written since the last call."""
        maintain(self._storage, self.take_touched())

    def end_pass(self, stream: str, name: str, report: Mapping[str, Any]) -> None:
        """Write the report of a pass into its record, with the rows that it has now."""
        record = self._record(stream, name)
        record.state, record.report, record.written = "complete", dict(report), now_text()
        times = _receive_times(report)
        record.received = [iso_utc(one) for one in times]
        record.dates_received = sorted({date_of(one) for one in times})
        record.rows = nested(count_rows(self._storage, record, [*self._dates_of(stream, name)]))
        write_pass(self._storage, record)
        self._records.pop((stream, name), None)
        self._dates.pop((stream, name), None)

    def note_event(self, stream: str, name: str, event: Mapping[str, Any]) -> None:
        """Add an event to the record of its pass, once; the record is written at the next report or new date."""
        record = self._record(stream, name)
        if dict(event) not in record.events and len(record.events) < MAX_EVENTS:
            record.events.append(dict(event))

    def _dates_of(self, stream: str, name: str) -> set[tuple[str, str]]:
        """Kind folders and dates that may have rows of a pass."""
        return self._dates.setdefault((stream, name), set(self._record(stream, name).dates))

    def _record(self, stream: str, name: str) -> PassRecord:
        key = stream, name
        if key not in self._records:
            found = read_pass(self._storage, stream, name)
            self._records[key] = found or PassRecord(stream, name, state="open")
        return self._records[key]

    def _replace_older(self, stream: str, name: str, mission: str, version: str) -> None:
        """Move rows of another version to `replaced/`: the pass is decoded again from its first byte."""
        record = self._record(stream, name)
        record.mission = mission
        if record.version == version:
            return
        if record.version and record.rows:
            self._storage.commit(retire(self._storage, record))
            self._touched |= {*record.dates, *record.raw_dates}
            record.replaced = list(dict.fromkeys([*record.replaced, record.version]))
            record.rows, record.raw_rows = {}, {}
        record.version = version

    def _note(self, rows: Iterable[tuple[str, str]], raw_rows: Iterable[tuple[str, str]]) -> None:
        """Add kinds and dates to the records of the passes of this batch; the files have the numbers of rows."""
        for stream, name in self._made:
            record = self._record(stream, name)
            known = {*record.dates}, {*record.raw_dates}
            record.rows = nested(dict.fromkeys(rows, 0), record.rows)
            record.raw_rows = nested(dict.fromkeys(raw_rows, 0), record.raw_rows)
            record.has_raw |= bool(record.raw_rows)
            self._dates_of(stream, name).update(rows)
            if ({*record.dates}, {*record.raw_dates}) != known or not record.written:
                record.written = now_text()
                write_pass(self._storage, record)


def count_rows(storage: Storage, record: PassRecord, dates: Iterable[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Number of rows of a pass by kind folder and date."""
    found: Counter[tuple[str, str]] = Counter()
    reader = RowReader(storage)
    for folder, date in dates:
        for part in storage.parts(partition(ROWS, folder, date))[0]:
            found[folder, date] += reader.count(part, record.stream, record.name)
    return Counter({key: n for key, n in found.items() if n})


def _receive_times(report: Mapping[str, Any]) -> list[int]:
    """First and last receive time of the channels of a report, ns since 1970 UTC; empty if there is none."""
    channels = report.get("channels", ())
    times = [one.get(key) or 0 for one in channels for key in ("first_received_ns", "last_received_ns")]
    known = [one for one in times if one]
    return [min(known), max(known)] if known else []


def maintain(storage: Storage, touched: Iterable[tuple[str, str]]) -> None:
    """Merge small files of these kinds and dates, and update their summaries; writers are not blocked."""
    own = Storage(storage.url)  # so that `discard` leaves the uncommitted files of the writer
    try:
        for folder, date in touched:
            for root in (ROWS, RAW):
                compact(own, folder, date, root=root)
        _summarise(own, touched)
    except BaseException:
        own.discard()
        raise


def _summarise(
    storage: Storage, touched: Iterable[tuple[str, str]], known: Mapping[str, Any] | None = None
) -> None:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for folder, date in touched:
        by_kind[folder].append(date)
    for folder, dates in by_kind.items():
        update_summaries(storage, folder, dates, known)
