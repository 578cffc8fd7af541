"""Files of summaries. Each has a digest of the files of rows that it covers, which tells whether it is up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pyarrow as pa
from pyarrow import ArrowException, parquet

from .forms import Naming, concat
from .names import DAY_NS, NO_DATE, SUMMARIES, SUMMARY_PERIODS, Part
from .rows import RowReader
from .storage import Storage
from .summaries import MINUTE_NS, coarser, named, summary_name, summary_of

_COVERS = b"covers"
_RETRIES = 4


def covers_of(parts: Iterable[Part]) -> str:
    """Digest of the names of files of rows, in hexadecimal."""
    return hashlib.blake2b("\n".join(sorted(one.name for one in parts)).encode(), digest_size=8).hexdigest()


def summary_path(level: str, folder: str, date: str) -> str:
    """The file of a level that contains a date. `folder`: the encoded name of the kind."""
    name, length = SUMMARY_PERIODS[level]
    return f"{level}/kind={folder}/{name}={date[:length]}/summary.parquet"


def read_summary(
    storage: Storage, path: str, columns: Sequence[str] | None = None, naming: Naming | None = None
) -> tuple[pa.Table, dict[str, str]]:
    """Read a file of summaries: its table, and the digests of the files that it covers, by date; empty if unreadable.

    `naming`: gives the present names of parameters; `columns`: of these names.
    """
    try:
        with storage.filesystem.open_input_file(storage.full(path)) as opened:
            file = parquet.ParquetFile(opened)
            schema = file.schema_arrow
            covers = json.loads((schema.metadata or {}).get(_COVERS, b"{}"))
            names = {one.name: summary_name(one, naming) if naming else one.name for one in schema}
            wanted = [one for one, name in names.items() if columns is None or name in columns]
            table = file.read(columns=wanted)
            return table.rename_columns([names[one] for one in table.schema.names]), covers
    except (ArrowException, OSError, ValueError):
        return pa.table({}), {}


def update_summaries(
    storage: Storage, folder: str, dates: Iterable[str], known: Mapping[str, pa.Table] | None = None
) -> None:
    """Update the summaries of these dates that are not up to date.

    `known`: minute summaries of files of rows by their path, which need not be read then. Retried if another writer
    merges files meanwhile; after _RETRIES the summaries stay out of date, and queries read the rows.
    """
    for _ in range(_RETRIES):
        with suppress(FileNotFoundError):
            _update(storage, folder, dates, known or {})
            return


def _update(storage: Storage, folder: str, dates: Iterable[str], known: Mapping[str, pa.Table]) -> None:
    reader = RowReader(storage)
    every = reader.parts(folder)
    naming = reader.naming(every)
    by_month: dict[str, list[tuple[str, str, pa.Table]]] = {}
    for date in sorted({*dates} - {NO_DATE}):
        parts = [one for one in every if one.date == date]
        if not parts:
            continue
        covers = covers_of(parts)
        path = summary_path("minutes", folder, date)
        if read_summary(storage, path, ())[1].get(date) == covers:
            continue
        minutes = _joined(parts, known)
        if minutes is None:
            minutes = summary_of(reader.read_parts(parts, every), MINUTE_NS)
        if minutes.num_columns:
            minutes = named(minutes, naming)
            _write(storage, path, minutes, {date: covers})
            by_month.setdefault(date[:7], []).append((date, covers, minutes))
    for found in by_month.values():
        _replace_dates(storage, "hours", folder, found, naming)
        _replace_dates(storage, "days", folder, found, naming)


def _joined(parts: Sequence[Part], known: Mapping[str, pa.Table]) -> pa.Table | None:
    """Minute summaries of files of one schema that do not overlap in time, if all are known; else None."""
    ordered = sorted(parts, key=lambda part: part.first)
    in_turn = all(one.last < other.first for one, other in pairwise(ordered))
    if not in_turn or len({part.schema for part in parts}) > 1 or any(part.path not in known for part in parts):
        return None
    return coarser(concat([known[part.path] for part in ordered], exact=False), 60)


def _replace_dates(
    storage: Storage, level: str, folder: str, found: Sequence[tuple[str, str, pa.Table]], naming: Naming
) -> None:
    path = summary_path(level, folder, found[0][0])
    table, covers = read_summary(storage, path, naming=naming)
    dates = [date for date, _, _ in found]
    if len(table):
        days = np.asarray(table["time"].cast(pa.int64()).to_numpy()) // DAY_NS
        table = table.filter(pa.array(~np.isin(days, np.array(dates, "datetime64[D]").astype(np.int64))))
    new = [coarser(minutes, SUMMARIES[level]) for _, _, minutes in found]
    whole = concat([*([table] if len(table) else []), *new], exact=False)
    _write(storage, path, whole.sort_by("time"), covers | {date: digest for date, digest, _ in found})


def _write(storage: Storage, path: str, table: pa.Table, covers: dict[str, str]) -> None:
    table = table.replace_schema_metadata({_COVERS: json.dumps(covers)})
    storage.write_with(path, lambda file: parquet.write_table(table, file, compression="zstd"))
