"""`products.sqlite`: which files stand in a folder of products, what is in each, and from which pass."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..model.errors import RunError
from ..system.software import software

NAME = "products.sqlite"
_COLUMNS = (
    "file", "kind", "mission", "stream", "pass", "instrument", "product", "level", "start_utc", "stop_utc", "sol",
    "rows", "product_ids", "bytes", "sha256", "clock_correlation", "software", "content",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `kind`: of `kinds.py`, or a part of one; times as ISO 8601, empty where not known, as `sol` is None.

    `content`: digest of the recordings, empty where it is not known.
    """

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
    sol: int | None
    n_rows: int
    ids: tuple[str, ...]
    clock_correlation: str
    content: str = ""


def write_index(folder: Path, entries: Sequence[Entry]) -> None:
    """Put files into the index of a folder, all or none; a file already in it is replaced. RunError where it fails."""
    path = folder / NAME
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    differs = " or ".join(f"excluded.{name} is not files.{name}" for name in _COLUMNS)
    statement = (
        f"insert into files ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 -- own names
        f"on conflict (file) do update set {changes} where {differs}"
    )
    _begun_anew_if_spoilt(path)
    with _opened(path) as database:
        database.executemany(statement, [_row(entry) for entry in entries])


def indexed_files(
    folder: Path, mission: str, stream: str, recordings: Sequence[str], content: str = ""
) -> frozenset[str]:
    """Give the names of the files that the index of a folder has of a pass; none where there is no index.

    `content`: digest of the recordings. An entry of an earlier release has none, and is known by the names alone.
    """
    path = folder / NAME
    if not path.is_file():
        return frozenset()
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as database:
            question = "select * from files where mission = ? and stream = ? and pass = ?"
            found = database.execute(question, (mission, stream, ", ".join(recordings)))
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found]
    except sqlite3.Error:
        return frozenset()
    return frozenset(str(row["file"]) for row in rows if (row.get("content") or content) == content)


def merge_index(folder: Path, name: str) -> None:
    """Put what the index of the folder `name` says into that of the folder above, in place of what it said before.

    An index above that is spoilt is made again from all those below.
    """
    names = [name]
    if _begun_anew_if_spoilt(folder / NAME):
        below = (path.parent.relative_to(folder).as_posix() for path in sorted(folder.rglob(f"*/{NAME}")))
        names += [one for one in below if not any(part.startswith(".") for part in one.split("/"))]
    for one in dict.fromkeys(names):
        if one == name or is_index(folder / one / NAME):
            _merge(folder, one)


def is_index(path: Path) -> bool:
    """Whether a file is an index that can be read."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as database:
            whole = database.execute("pragma quick_check(1)").fetchone() == ("ok",)
            return whole and bool(database.execute("select count(file) from files").fetchone())
    except (sqlite3.Error, OSError):
        return False


def _begun_anew_if_spoilt(path: Path) -> bool:
    """Remove an index that cannot be read: it is one, and can be made again. Whether it was removed."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            if database.execute("pragma quick_check(1)").fetchone() == ("ok",):
                return False
    except sqlite3.OperationalError:  # locked, or the disk is full: that is told where it is written
        return False
    except sqlite3.DatabaseError:
        pass
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
    return True


def _merge(folder: Path, name: str) -> None:
    others = ", ".join(_COLUMNS[1:])
    with _opened(folder / NAME) as database:
        database.execute("attach database ? as made", (str(folder / name / NAME),))
        database.execute("delete from files where substr(file, 1, ?) = ?", (len(name) + 1, f"{name}/"))
        database.execute(
            f"insert into files (file, {others}) select ? || file, {others} from made.files",  # noqa: S608 -- own names
            (f"{name}/",),
        )


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The index, made where there is none, with columns that an older one has not; all of the block, or nothing."""
    columns = ", ".join(["file primary key", *_COLUMNS[1:]])
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            database.execute(f"create table if not exists files ({columns}) without rowid")
            known = {row[1] for row in database.execute("pragma table_info(files)")}
            for name in _COLUMNS:
                if name not in known:
                    database.execute(f"alter table files add column {name}")
            database.commit()
            yield database
            database.commit()
    except (sqlite3.Error, OSError) as error:
        raise RunError(f"cannot write {path}: {error}") from error


def _row(entry: Entry) -> tuple[str | int | None, ...]:
    digest, n_bytes = _content_of(entry.path)
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
        entry.sol,
        entry.n_rows,
        json.dumps(entry.ids),
        n_bytes,
        digest,
        entry.clock_correlation,
        software(),
        entry.content or None,
    )


def _content_of(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file; of a folder, that of the names and digests of all files in it."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    files = sorted(one for one in path.rglob("*") if one.is_file())
    contents = [(one.relative_to(path).as_posix(), *_content_of(one)) for one in files]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest(), sum(n_bytes for _, _, n_bytes in contents)
