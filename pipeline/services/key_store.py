"""Published keys on disk: an SQLite file of digests, each with its time and a checksum, in bounded memory.

A file that cannot be read is rebuilt from its whole rows, which are found by form and checksum wherever they lie. Keys
that are lost cost duplicates with equal ids. So nothing is synced: publishing does not wait for the disk.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import structlog
from fastcrc import crc32

DIGEST_BYTES = 16
MAX_ON_DISK = 20_000_000
"""Keys on disk, some 80 bytes each; beyond it the oldest are forgotten."""
_OLD_RECORD_BYTES = DIGEST_BYTES + 8
_OLDEST_MS = 1_577_836_800_000  # 2020: no key is older
_TABLES = """
pragma secure_delete = on;
pragma locking_mode = exclusive; pragma journal_mode = wal; pragma synchronous = off; pragma cache_size = -8192;
create table if not exists keys (digest blob primary key, when_ms integer, crc integer) without rowid;
create index if not exists keys_by_time on keys (when_ms);
"""
_ROW_HEAD = re.compile(rb"\x04\x2c([\x05\x06])([\x01-\x06])")
"""Of a row in a page of the file: four bytes of header; a blob of 16 bytes, two integers (SQLite file format, 2.1)."""
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_log = structlog.get_logger("publish")

Row = tuple[bytes, int]
"""A digest, and when it was published, in milliseconds since 1970 UTC."""


class KeyStore:
    """The file `path`, locked by this process. Keys of a file of earlier versions are imported."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trouble = ""
        """Why the last read or write failed; empty if it did not."""
        self._whole: dict[bytes, int] = {}
        """Of a file that was removed."""
        old = _old_keys(path)
        self._database = self._open()
        self.n = 0
        self.write(old)
        self._write_whole()
        self.n = self._count()

    def has(self, digest: bytes, before_ms: int) -> bool:
        """Whether a key is there that was published before `before_ms`."""
        rows = self._rows("select digest, when_ms, crc from keys where digest = ?", (digest,))
        return any(when_ms < before_ms for _, when_ms in rows)

    def newest(self, n: int) -> list[Row]:
        """At most `n` keys, the oldest of them first. Damaged ones are dropped and logged."""
        return list(self._rows("select digest, when_ms, crc from keys order by when_ms desc limit ?", (n,)))[::-1]

    def write(self, rows: Sequence[Row]) -> bool:
        """Add keys, all or none; whether the disk took them."""
        signed = [(digest, when_ms, _checksum(digest, when_ms)) for digest, when_ms in rows]
        if signed and not self._change("insert or replace into keys values (?, ?, ?)", signed):
            return False
        self.n += len(signed)
        if self.n > MAX_ON_DISK + MAX_ON_DISK // 20:
            self._forget_oldest()
        return True

    def forget_since(self, since_ms: int) -> bool:
        """Forget keys of `since_ms` and later; whether the disk took that."""
        if not self._change("delete from keys where when_ms >= ?", [(since_ms,)]):
            return False
        self.n = self._count()
        return True

    def close(self) -> None:
        with suppress(sqlite3.Error):
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        """Open the database; recreate a file that is no database of keys."""
        for _ in range(2):
            database = sqlite3.connect(self._path, isolation_level="IMMEDIATE", check_same_thread=False)
            try:
                database.executescript(_TABLES)
                database.execute("select digest, when_ms, crc from keys limit 1")
            except sqlite3.OperationalError as error:
                if "no such column" not in str(error):
                    database.close()
                    raise
                self._remove(database, error)
            except sqlite3.DatabaseError as error:
                self._remove(database, error)
            else:
                return database
        raise OSError(5, f"{self._path} cannot be made")

    def _remove(self, database: sqlite3.Connection, error: Exception) -> None:
        """Remove the file, and keep its undamaged rows in memory."""
        with suppress(sqlite3.Error):
            database.close()
        for ending in ("", "-wal", "-shm", "-journal"):
            file = self._path.with_name(f"{self._path.name}{ending}")
            self._whole |= _whole_rows(file.read_bytes()) if file.is_file() else {}
            file.unlink(missing_ok=True)
        _log.error(
            "the published keys are damaged and made anew: some products may come twice",
            reason=str(error),
            kept=len(self._whole),
        )

    def _renew(self, error: Exception) -> None:
        """Recreate the file; retried with the next statement where the disk fails."""
        try:
            self._remove(self._database, error)
            self._database = self._open()
        except (OSError, sqlite3.Error) as problem:
            self._fail("made anew", problem)
            return
        self.n = 0
        self._write_whole()

    def _write_whole(self) -> None:
        if self.write(list(self._whole.items())):
            self._whole = {}

    def _rows(self, query: str, values: Sequence[object]) -> Iterator[Row]:
        try:
            rows = self._database.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            self._fail("read", error)
            return
        except sqlite3.DatabaseError as error:
            self._renew(error)
            return
        bad = [row for row in rows if not _is_whole(*row)]
        if bad:
            _log.error("damaged keys are dropped: their products may come twice", n=len(bad))
            self._change("delete from keys where digest = ?", [(row[0],) for row in bad])
        yield from ((row[0], row[1]) for row in rows if _is_whole(*row))

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> bool:
        try:
            with self._database:
                self._database.executemany(statement, rows)
        except sqlite3.OperationalError as error:
            self._fail("written", error)
            return False
        except sqlite3.DatabaseError as error:
            self._renew(error)
            return False
        self.trouble = ""
        return True

    def _fail(self, doing: str, error: Exception) -> None:
        """Set `trouble`; logged where it is new."""
        trouble = f"the published keys cannot be {doing}"
        if not self.trouble.startswith(trouble):
            _log.error(trouble, reason=str(error))
        self.trouble = f"{trouble}: {error}"

    def _count(self) -> int:
        with suppress(sqlite3.Error):
            return int(self._database.execute("select count(*) from keys").fetchone()[0])
        return 0

    def _forget_oldest(self) -> None:
        n_over = self.n - MAX_ON_DISK
        _log.warning("the oldest published keys are forgotten", n=n_over)
        oldest = "select digest from keys order by when_ms limit ?"
        self._change(f"delete from keys where digest in ({oldest})", [(n_over,)])  # noqa: S608 - constant
        self.n = self._count()


def _whole_rows(octets: bytes) -> dict[bytes, int]:
    """The rows that stand anywhere in the bytes of a damaged file."""
    found: dict[bytes, int] = {}
    for head in _ROW_HEAD.finditer(octets):
        begin = head.end() + DIGEST_BYTES
        middle = begin + _INTEGER_BYTES[head[1][0]]
        end = middle + _INTEGER_BYTES[head[2][0]]
        digest = octets[head.end() : begin]
        when_ms, crc = int.from_bytes(octets[begin:middle], "big"), int.from_bytes(octets[middle:end], "big")
        if len(octets) >= end and _is_whole(digest, when_ms, crc):
            found[digest] = max(when_ms, found.get(digest, 0))
    return found


def _checksum(digest: bytes, when_ms: int) -> int:
    return crc32.iscsi(digest + when_ms.to_bytes(8, "big"))


def _is_whole(digest: object, when_ms: object, crc: object) -> bool:
    if not isinstance(digest, bytes) or not isinstance(when_ms, int) or not 0 <= when_ms < 1 << 63:
        return False
    return _checksum(digest, when_ms) == crc


def _old_keys(path: Path) -> list[Row]:
    """The keys of a file as earlier versions wrote it, which is removed; nothing where there is none."""
    octets = path.read_bytes()[: 64 << 20] if path.is_file() else b""
    if not octets or octets.startswith(b"SQLite format 3\0"):
        return []
    rows = []
    for start in range(0, len(octets) - _OLD_RECORD_BYTES + 1, _OLD_RECORD_BYTES):
        record = octets[start : start + _OLD_RECORD_BYTES]
        rows.append((record[:DIGEST_BYTES], int.from_bytes(record[DIGEST_BYTES:], "big")))
    latest = int(time.time() * 1000) + 86_400_000
    whole = [row for row in rows if _OLDEST_MS <= row[1] <= latest]
    if len(whole) < len(rows) or len(octets) % _OLD_RECORD_BYTES:
        _log.error("published keys are damaged: their products may come twice", n=len(rows) - len(whole))
    path.unlink()
    return whole
