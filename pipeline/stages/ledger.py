"""The publish stage's books: which messages are published, on disk, and how far each run has come.

In: `Out`s. Out: the messages that are not published yet, then `Done`, or `Lost` where an Out is missing before this
one. A key is forgotten when MAX_KEYS newer ones came; after a restart the keys of the last `remember_s` count for
nothing, since the broker may have lost their messages and nobody is left to send them again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Self

import structlog

from pipeline.batches import Message
from pipeline.errors import RunError
from pipeline.files import whole_file
from pipeline.stages.stage_messages import Done, Lost, Out, RunId

MAX_KEYS = 200_000
MAX_RUNS = 256
_DIGEST_BYTES = 16
_RECORD_BYTES = _DIGEST_BYTES + 8
_log = structlog.get_logger("publish")


class Keys:
    """Keys of what is published, in a file: 16 bytes of digest and 8 of time (ms) each. Use it in `with`."""

    def __init__(self, path: Path, remember_s: float) -> None:
        self._path = path
        self._remember_ms = int(remember_s * 1000)
        self._known: dict[bytes, int] = {}
        self._file = -1
        self._n_in_file = 0
        self._unwritten: list[bytes] = []

    def __enter__(self) -> Self:
        octets = self._path.read_bytes() if self._path.exists() else b""
        newest = 0
        for start in range(0, len(octets) - _RECORD_BYTES + 1, _RECORD_BYTES):
            when_ms = int.from_bytes(octets[start + _DIGEST_BYTES : start + _RECORD_BYTES], "big")
            self._known[octets[start : start + _DIGEST_BYTES]] = when_ms
            newest = max(newest, when_ms)
        self._known = {key: when for key, when in self._known.items() if when <= newest - self._remember_ms}
        self._bound()
        self._rewrite()
        return self

    def __exit__(self, *_error: object) -> None:
        self.write()
        os.close(self._file)

    def __contains__(self, key: str) -> bool:
        return _digest(key) in self._known

    def __len__(self) -> int:
        return len(self._known)

    def add(self, keys: list[str], now_ms: int) -> None:
        """Note keys whose messages the broker has; `write` then writes them."""
        digests = [_digest(key) for key in keys]
        when = now_ms.to_bytes(8, "big")
        self._known.update(dict.fromkeys(digests, now_ms))
        self._bound()
        self._unwritten += [digest + when for digest in digests]

    def write(self) -> None:
        """What was added, into the file. A disk that does not take it costs duplicates, not data."""
        records, self._unwritten = self._unwritten, []
        try:
            os.write(self._file, b"".join(records))
        except OSError as error:
            _log.error("the published keys cannot be written", reason=error.strerror)
        self._n_in_file += len(records)
        if self._n_in_file > 2 * MAX_KEYS:
            os.close(self._file)
            self._rewrite()

    def forget_since(self, since_ms: int) -> None:
        """Their messages count as not published."""
        self._known = {key: when for key, when in self._known.items() if when < since_ms}

    def _bound(self) -> None:
        while len(self._known) > MAX_KEYS:
            del self._known[next(iter(self._known))]

    def _rewrite(self) -> None:
        try:
            with whole_file(self._path) as file:
                file.write(b"".join(key + when.to_bytes(8, "big") for key, when in self._known.items()))
        except RunError as error:
            _log.error("the published keys cannot be rewritten", reason=str(error))
        self._n_in_file = len(self._known)
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunError(f"cannot write {self._path}: {error.strerror}") from error


class Ledger:
    """What is expected next of each run."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._next: dict[RunId, int] = {}
        self._refused: dict[RunId, str] = {}
        """Runs of which the broker refused something, and why."""
        self.n_dropped = 0

    def judge(self, out: Out) -> Lost | Done | list[Message]:
        """The messages to publish, then to `note`; Done for what came twice; Lost where something is missing."""
        expected = self._next.get(out.id, 0)
        if out.seq > expected:
            return Lost(out.id, f"output {out.seq} came, and what is before it did not")
        if out.seq < expected:
            return Done(out.id, 0, ended=False)
        self._next.pop(out.id, None)
        self._next[out.id] = out.seq + 1
        while len(self._next) > MAX_RUNS:
            del self._next[next(iter(self._next))]
        fresh = [one.message for one in out.messages if not one.key or one.key not in self._keys]
        self.n_dropped += len(out.messages) - len(fresh)
        return fresh

    def note(self, out: Out, now_ms: int, refused: Collection[Message] = (), reason: str = "") -> Done:
        """The messages of `out` are published, but for those that were `refused`: these come again in a later run."""
        left = {id(message) for message in refused}
        sent = [one.key for one in out.messages if one.key and id(one.message) not in left]
        self._keys.add([key for key in dict.fromkeys(sent) if key not in self._keys], now_ms)
        if reason or out.refused:
            self._refused[out.id] = reason or out.refused
            while len(self._refused) > MAX_RUNS:
                del self._refused[next(iter(self._refused))]
        return Done(out.id, out.n_bytes, out.ended, self._refused.get(out.id, ""))


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_DIGEST_BYTES).digest()
