"""Write batches of products as files of rows, each committed atomically.

In: entries (products with their key and pass). Out: files sorted by time, one for each kind, date and schema of a
batch. A product whose key the stream has already is skipped (dedup). A pass of another version replaces its rows: the
old ones are moved to `replaced/VERSION/`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ArrowException, parquet

from ..model.batches import NO_TIME
from ..model.errors import ConfigError
from .names import DAY_NS, RAW, REPLACED, ROWS, Part, date_of, encoded, part_name, partition
from .passes import PassRecord
from .rows import read_part_table
from .storage import Commit, Storage
from .summaries import MINUTE_NS, summary_of
from .tables import Entry, axis_ns, form_key, merged, table_of

ROW_GROUP_ROWS, ROW_GROUP_BYTES = 1 << 16, 64 << 20
_DELTA = {"time": "DELTA_BINARY_PACKED", "onboard_ns": "DELTA_BINARY_PACKED", "received": "DELTA_BINARY_PACKED"}
_WITH_STATISTICS = ["time", "onboard_ns", "received", "quality", "apid"]
Moves = list[tuple[str, str]]


def schema_digest(schema: pa.Schema) -> str:
    """Digest of the names, types and units of columns: files with equal digests are read together."""
    parts = [f"{one.name}\0{one.type}\0{(one.metadata or {}).get(b'unit', b'').decode()}" for one in schema]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=4).hexdigest()


def write_parquet(file: Any, table: pa.Table) -> None:
    """Write a sorted table: row groups by time, statistics of the columns that queries filter by."""
    n_bytes = max(table.nbytes, 1)
    rows = max(1, min(ROW_GROUP_ROWS, int(table.num_rows * ROW_GROUP_BYTES / n_bytes)))
    encoded = [name for name in table.schema.names if name not in _DELTA]
    with parquet.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=encoded,
        column_encoding=_DELTA,
        write_statistics=_WITH_STATISTICS,
        store_schema=True,
    ) as writer:
        writer.write_table(table, row_group_size=rows)


def stage_table(
    storage: Storage, root: str, folder: str, table: pa.Table, summaries: dict[str, pa.Table] | None = None
) -> Moves:
    """Write a table as hidden files, one for each date, sorted; return the moves that commit them.

    `summaries`: receives the minute summaries of each file by its path.
    """
    axis = axis_ns(table)
    days = np.where(axis == NO_TIME, NO_TIME, axis // DAY_NS)
    order = np.lexsort((axis, days)) if np.any(axis[1:] < axis[:-1]) else None
    if order is not None:
        table, axis, days = table.take(pa.array(order)), axis[order], days[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(days)) + 1, [len(days)]])
    digest = schema_digest(table.schema)
    moves: Moves = []
    for first, last in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        piece = table.slice(first, last - first)
        n_without = piece["time"].null_count
        times = "t" if not n_without else "n" if n_without == len(piece) else "m"
        name = part_name(int(axis[first]), int(axis[last - 1]), len(piece), times, digest)
        path = f"{partition(root, folder, date_of(int(axis[first])))}/{name}"
        if summaries is not None and axis[first] != NO_TIME:
            summaries[path] = summary_of(piece, MINUTE_NS)
        moves.append((storage.write_hidden(path, partial(write_parquet, table=piece)), path))
    return moves


def read_keys(storage: Storage, part: Part, stream: str, but_pass: str = "") -> set[str]:
    """Keys of the products of a stream in a file, without those of one pass; empty for a damaged file."""
    try:
        found = read_part_table(storage, part, ["stream", "pass", "product_id"])
    except (ArrowException, OSError):
        return set()
    wanted = pc.and_(pc.equal(found["stream"], stream), pc.not_equal(found["pass"], but_pass))
    return set(pc.unique(found.filter(wanted)["product_id"]).to_pylist())


@dataclass(slots=True)
class Batch:
    """Entries that are committed together; a key that a stream has twice is added once (dedup)."""

    entries: dict[tuple[Any, ...], list[Entry]] = field(default_factory=lambda: defaultdict(list))
    keys: set[tuple[str, str, str]] = field(default_factory=set)
    n_bytes: int = 0

    def add(self, entry: Entry) -> None:
        key = entry.kind, entry.product.stream, entry.key
        if key in self.keys:
            return
        self.keys.add(key)
        self.entries[form_key(entry.product)].append(entry)
        self.n_bytes += sum(one.values.nbytes for one in entry.product.arrays.values())


class KindMissions:
    """The mission of each kind of a history. Queries ask by kind, so a kind has rows of one mission."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._checked: set[tuple[str, str, str]] = set()

    def check(self, root: str, entries: Iterable[Sequence[Entry]]) -> None:
        """ConfigError if the files of a kind have rows of other missions only."""
        for group in entries:
            mission, kind = group[0].product.mission, group[0].kind
            if (root, kind, mission) not in self._checked:
                known = self._missions(f"{root}/kind={encoded(kind)}", mission)
                if known and mission not in known:
                    raise ConfigError(
                        f"{self._storage.url}: {kind} has rows of mission {', '.join(sorted(known))}: "
                        f"keep those of mission {mission} in another history"
                    )
                self._checked.add((root, kind, mission))

    def _missions(self, folder: str, wanted: str) -> set[str]:
        """Missions in the metadata of the files of a kind; reading ends at the one wanted."""
        found: set[str] = set()
        for part in self._storage.parts(folder)[0]:
            with suppress(ArrowException, OSError):
                schema = parquet.read_schema(self._storage.full(part.path), filesystem=self._storage.filesystem)
                found.add((schema.metadata or {}).get(b"mission", wanted.encode()).decode())
            if wanted in found:
                break
        return found


def stage(
    storage: Storage,
    entries: Iterable[Sequence[Entry]],
    root: str = ROWS,
    *,
    but_pass: str = "",
    summaries: dict[str, pa.Table] | None = None,
) -> tuple[Moves, int]:
    """Write entries, grouped by schema, as hidden files, without the products that the history has already (dedup).

    Returns the moves and the number of rows. `but_pass`: a pass whose rows are replaced, and so not compared.
    `summaries`: as in `stage_table`.
    """
    tables: dict[tuple[str, str], list[pa.Table]] = defaultdict(list)
    for group in entries:
        fresh = _without_known(storage, root, group, but_pass)
        if fresh:
            table = table_of(fresh)
            tables[encoded(fresh[0].kind), schema_digest(table.schema)].append(table)
    moves: Moves = []
    for (folder, _), found in tables.items():
        moves += stage_table(storage, root, folder, merged(found), summaries)
    return moves, sum(len(one) for found in tables.values() for one in found)


def _without_known(storage: Storage, root: str, entries: Sequence[Entry], but_pass: str) -> list[Entry]:
    """Entries whose key is in no file of their time range."""
    stream = entries[0].product.stream
    spans = [_span(one) for one in entries]
    low, high = min(first for first, _ in spans), max(last for _, last in spans)
    parts, _ = storage.parts(f"{root}/kind={encoded(entries[0].kind)}")
    keys = [read_keys(storage, one, stream, but_pass) for one in parts if one.overlaps(low, high + 1)]
    known = set().union(*keys)
    return [one for one in entries if one.key not in known]


def _span(entry: Entry) -> tuple[int, int]:
    """First and last time of a product, else receive time, ns since 1970 UTC; NO_TIME without both."""
    utc = entry.product.time.utc_ns
    known = [one for one in utc if one != NO_TIME]
    received = entry.product.lineage.get("received_ns") or []
    both = [*known, *(map(int, received) if len(known) < 2 else [])]
    return (min(both), max(both)) if both else (NO_TIME, NO_TIME)


def retire(storage: Storage, record: PassRecord) -> Commit:
    """The commit that moves the rows of a pass to `replaced/VERSION/`."""
    moves: Moves = []
    removes: list[str] = []
    for root, dates in ((ROWS, record.dates), (RAW, _raw_dates(storage, record))):
        for folder, date in dates:
            for part in storage.parts(partition(root, folder, date))[0]:
                more, gone = _retire_part(storage, part, root, record.stream, record.name, record.version)
                moves += more
                removes += gone
    return Commit(moves, removes)


def _raw_dates(storage: Storage, record: PassRecord) -> list[tuple[str, str]]:
    """Kind folders and dates with raw values of a pass; all that exist if its record, of an older version, has none."""
    if record.raw_rows or not record.has_raw:
        return record.raw_dates
    kinds = storage.folders(RAW)
    return [
        (kind.removeprefix("kind="), date.removeprefix("date="))
        for kind in kinds
        for date in storage.folders(f"{RAW}/{kind}")
    ]


def _retire_part(
    storage: Storage, part: Part, root: str, stream: str, pass_name: str, version: str
) -> tuple[Moves, list[str]]:
    try:
        table = read_part_table(storage, part)
    except (ArrowException, OSError):
        return [], []
    mine = pc.and_(pc.equal(table["stream"], stream), pc.equal(table["pass"], pass_name))
    n_mine = pc.sum(mine).as_py() or 0
    old_root = f"{REPLACED}/{version}/{root}"
    if not n_mine:
        return [], []
    if n_mine == len(table):
        return [(part.path, f"{old_root}{part.path.removeprefix(root)}")], []
    kept = stage_table(storage, root, part.kind_folder, table.filter(pc.invert(mine)))
    old = stage_table(storage, old_root, part.kind_folder, table.filter(mine))
    return [*kept, *old], [part.path]
