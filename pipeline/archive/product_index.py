"""`products.sqlite`: the index of a folder of product files: contents and pass of each file."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ..model.errors import RunError
from ..system.software import software

NAME = "products.sqlite"
_COLUMNS = (
    "file", "kind", "mission", "stream", "pass", "instrument", "product", "level", "start_utc", "stop_utc", "sol",
    "rows", "product_ids", "bytes", "sha256", "clock_correlation", "software", "content",
)  # fmt: skip
Entry = Mapping[str, str | int | None]
"""Columns of the index for one file, without those that follow from the file itself."""


def write_index(folder: Path, entries: Mapping[Path, Entry]) -> None:
    """Add or replace the entries of files in the index of a folder, all or none. Raises RunError if it fails."""
    path = folder / NAME
    changes = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    differs = " or ".join(f"excluded.{name} is not files.{name}" for name in _COLUMNS)
    statement = (
        f"insert into files ({', '.join(_COLUMNS)}) values ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 -- own names
        f"on conflict (file) do update set {changes} where {differs}"
    )
    _remove_if_damaged(path)
    with _opened(path) as database:
        database.executemany(statement, [_row(path, entry) for path, entry in entries.items()])


def indexed_files(
    folder: Path, mission: str, stream: str, recordings: Sequence[str], content: str = ""
) -> frozenset[str]:
    """Return the names of the files of a pass in the index of a folder; empty if there is no index.

    `content`: digest of the recordings. Entries of earlier releases have none, and are matched by the other columns.
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
    """Copy the index of the subfolder `name` into that of `folder`, in place of its earlier entries.

    If the index of `folder` is damaged, it is made again from those of all subfolders.
    """
    names = [name]
    if _remove_if_damaged(folder / NAME):
        below = (path.parent.relative_to(folder).as_posix() for path in sorted(folder.rglob(f"*/{NAME}")))
        names += [one for one in below if not any(part.startswith(".") for part in one.split("/"))]
    for one in dict.fromkeys(names):
        if one == name or is_index(folder / one / NAME):
            _merge(folder, one)


def is_index(path: Path) -> bool:
    """Whether a file is a valid index."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=60)) as database:
            is_valid = database.execute("pragma quick_check(1)").fetchone() == ("ok",)
            return is_valid and bool(database.execute("select count(file) from files").fetchone())
    except (sqlite3.Error, OSError):
        return False


def _remove_if_damaged(path: Path) -> bool:
    """Remove an index that cannot be read, since it can be made again. Returns whether it was removed."""
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=60)) as database:
            if database.execute("pragma quick_check(1)").fetchone() == ("ok",):
                return False
    except sqlite3.OperationalError:  # locked, or the disk is full: reported when it is written
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
    """Open the index in a transaction; create it, or add the columns that an older one does not have."""
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


def _row(path: Path, entry: Entry) -> tuple[str | int | None, ...]:
    digest, n_bytes = _content_of(path)
    row = {**entry, "file": path.name, "bytes": n_bytes, "sha256": digest, "software": software()}
    return tuple(row[name] for name in _COLUMNS)


def _content_of(path: Path) -> tuple[str, int]:
    """SHA-256 and size of a file; of a folder, SHA-256 of the names and digests of all its files."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    files = sorted(one for one in path.rglob("*") if one.is_file())
    contents = [(one.relative_to(path).as_posix(), *_content_of(one)) for one in files]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest(), sum(n_bytes for _, _, n_bytes in contents)
