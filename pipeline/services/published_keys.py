"""Dedup of the publish stage: keys of published messages, on disk, and the next output expected of each run.

In: `Output`s. Out: the messages that are not published yet, then an `Ack`; a `Nack` if an output before this one is
missing. After a restart the keys of the last `remember_s` are dropped: the broker may have lost those messages, and the
resend buffer is gone.
"""

from __future__ import annotations

import hashlib
import math
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from ..model.batches import Message
from ..model.errors import RunError
from .key_store import DIGEST_BYTES, KeyStore
from .protocol import Ack, Nack, Output, RunId

MAX_KEYS = 200_000
"""Keys in memory."""
MAX_RUNS = 256
RETRY_S = 1.0
"""Between retries of a failed write."""
NEVER_MS = (1 << 63) - 1
_LOOKED_AT = 64
"""Number of newest keys that are read for the time of the last: some may be damaged."""


class PublishedKeys:
    """Keys of published messages: all on disk, the newest MAX_KEYS in memory. A context manager."""

    def __init__(self, path: Path, remember_s: float) -> None:
        self._path = path
        self._remember_ms = int(remember_s * 1000)
        self._newest: dict[bytes, int] = {}
        self._are_all = True
        """Whether all keys on disk are in memory, too."""
        self._unwritten: dict[bytes, int] = {}
        self._forgotten_ms = NEVER_MS
        """Keys on disk of this time and later no longer count, and could not be deleted yet."""
        self._write_at = -math.inf

    def __enter__(self) -> Self:
        try:
            self._store = KeyStore(self._path)
            self._read()
        except (OSError, sqlite3.Error) as error:
            raise RunError(f"cannot write {self._path}: {error}") from error
        return self

    def _read(self) -> None:
        """OSError where the file cannot be read: the time of the last key, from which to forget, is not known."""
        last = self._store.newest(_LOOKED_AT)
        if last:
            self._forget_on_disk(last[-1][1] - self._remember_ms + 1)
        newest = dict(self._store.newest(MAX_KEYS))
        if self._store.trouble and self._forgotten_ms == NEVER_MS:
            self._store.close()
            raise OSError(self._store.trouble)
        self._newest = {key: when for key, when in newest.items() if when < self._forgotten_ms}
        self._are_all = self._store.n <= len(newest)

    def __exit__(self, *_error: object) -> None:
        self._write_at = -math.inf
        self.write()
        self._store.close()

    @property
    def trouble(self) -> str:
        """Why keys cannot be written; empty while they can."""
        return self._store.trouble

    @property
    def is_behind(self) -> bool:
        """Whether keys remain to be written or deleted on disk."""
        return bool(self._unwritten) or self._forgotten_ms < NEVER_MS

    def __contains__(self, key: str) -> bool:
        digest = _digest(key)
        if digest in self._newest:
            return True
        return not self._are_all and (digest in self._unwritten or self._store.has(digest, self._forgotten_ms))

    def __len__(self) -> int:
        return self._store.n + len(self._unwritten)

    def add(self, keys: list[str], now_ms: int) -> None:
        """Add keys of messages that the broker has acknowledged; `write` writes them to disk."""
        fresh = dict.fromkeys(map(_digest, keys), now_ms)
        self._newest.update(fresh)
        self._unwritten.update(fresh)
        while len(self._newest) > MAX_KEYS:
            del self._newest[next(iter(self._newest))]
            self._are_all = False

    def write(self) -> None:
        """Write added keys to disk. On failure the newest MAX_KEYS of them are kept and retried each RETRY_S.

        A restart before they are written costs duplicates, not data.
        """
        if not self.is_behind or time.monotonic() < self._write_at:
            return
        if self._forgotten_ms < NEVER_MS:
            self._forget_on_disk(self._forgotten_ms)
        if self._forgotten_ms == NEVER_MS and self._store.write(list(self._unwritten.items())):
            self._unwritten = {}
        if self.is_behind:
            self._write_at = time.monotonic() + RETRY_S
            self._unwritten = dict(list(self._unwritten.items())[-MAX_KEYS:])

    def forget_since(self, since_ms: int) -> None:
        """Drop keys of this time and later: their messages count as not published."""
        self.write()
        self._newest, self._unwritten = (
            {key: when for key, when in keys.items() if when < since_ms} for keys in (self._newest, self._unwritten)
        )
        self._forget_on_disk(since_ms)

    def _forget_on_disk(self, since_ms: int) -> None:
        since_ms = min(since_ms, self._forgotten_ms)
        self._forgotten_ms = NEVER_MS if self._store.forget_since(since_ms) else since_ms


class Deduplicator:
    """Drops published messages of each run, and checks that its Outputs come in order."""

    def __init__(self, keys: PublishedKeys) -> None:
        self._keys = keys
        self._next: dict[RunId, int] = {}
        self._in_flight: set[str] = set()
        """Keys of messages that are published and not committed yet."""
        self._refused: dict[RunId, str] = {}
        """Runs of which the broker refused something, and why."""
        self.n_dropped = 0

    def check(self, out: Output) -> Nack | Ack | list[Message]:
        """The messages to publish (then `commit` them); an Ack for a repeated Output; a Nack if one is missing."""
        expected = self._next.get(out.id, 0)
        if out.seq > expected:
            return Nack(out.id, f"output {out.seq} came, and what is before it did not")
        if out.seq < expected:
            return Ack(out.id, 0, ended=False)
        self._next.pop(out.id, None)
        self._next[out.id] = out.seq + 1
        while len(self._next) > MAX_RUNS:
            del self._next[next(iter(self._next))]
        keys, in_flight = self._keys, self._in_flight
        fresh = [one for one in out.messages if not one.key or (one.key not in in_flight and one.key not in keys)]
        in_flight.update([one.key for one in fresh if one.key])
        self.n_dropped += len(out.messages) - len(fresh)
        return [one.message for one in fresh]

    def commit(self, out: Output, taken: Sequence[Message], now_ms: int, reason: str = "") -> Ack:
        """Commit the messages of `out` that the broker has `taken`; those that it refused, a later run sends again.

        Outputs are committed in the order in which they were checked. `taken`: of the list that `check` gave. `reason`:
        why the broker refused others of it; empty if it did not.
        """
        taken_ids = {id(message) for message in taken}
        published = [one.key for one in out.messages if one.key and id(one.message) in taken_ids]
        dropped = [one for one in out.messages if one.key and id(one.message) not in taken_ids]
        self._in_flight.difference_update([one.key for one in out.messages])
        self._keys.add(list(dict.fromkeys(published)), now_ms)
        lost = next((one for one in dropped if one.key not in self._keys), None)  # in flight before, then refused
        if reason := reason or out.refused or (f"{lost.message.topic}: refused before" if lost else ""):
            self._refused[out.id] = reason
            while len(self._refused) > MAX_RUNS:
                del self._refused[next(iter(self._refused))]
        return Ack(out.id, out.n_bytes, out.ended, self._refused.get(out.id, ""))


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=DIGEST_BYTES).digest()
