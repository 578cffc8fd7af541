"""`products.sqlite`: which files stand in a folder of products, what is in each, and from which pass."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RunError

NAME = "products.sqlite"
_COLUMNS = (
    "file", "kind", "mission", "stream", "pass", "instrument", "product", "level", "start_utc", "stop_utc", "rows",
    "product_ids", "bytes", "sha256",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `kind`: netcdf, cdf, pds4-table or pds4-label; times as ISO 8601, empty where not known."""

    path: Path
    kind: str
    mission: str
    stream: str
    recordings: tuple[str, ...]
    instrument: str
    product: str
    level: str
    start_utc: str
    stop_utc: str
    n_rows: int
    ids: tuple[str, ...]


def write_index(folder: Path, entries: Sequence[Entry]) -> None:
    """Put files into the index of a folder, all or none; a file already in it is replaced. RunError where it fails."""
    path = folder / NAME
    names = ", ".join(_COLUMNS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    differs = " or ".join(f"excluded.{name} is not files.{name}" for name in _COLUMNS)
    statement = (
        f"insert into files ({names}) values ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 -- own column names
        f"on conflict (file) do update set {changes} where {differs}"
    )
    try:
        rows = [_row(entry) for entry in entries]
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(
                f"create table if not exists files ({names.replace('file,', 'file primary key,', 1)}) without rowid"
            )
            database.executemany(statement, rows)
    except (sqlite3.Error, OSError) as error:
        raise RunError(f"cannot write {path}: {error}") from error


def _row(entry: Entry) -> tuple[str | int, ...]:
    digest, n_bytes = _told(entry.path)
    return (
        entry.path.name,
        entry.kind,
        entry.mission,
        entry.stream,
        ", ".join(entry.recordings),
        entry.instrument,
        entry.product,
        entry.level,
        entry.start_utc,
        entry.stop_utc,
        entry.n_rows,
        json.dumps(entry.ids),
        n_bytes,
        digest,
    )


def _told(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file; of a folder, that of the names and digests of all files in it."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    files = sorted(one for one in path.rglob("*") if one.is_file())
    told = [(one.relative_to(path).as_posix(), *_told(one)) for one in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest(), sum(n_bytes for _, _, n_bytes in told)
