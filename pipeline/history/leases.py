"""One live writer for each stream of a history on an object store, which has no locks.

`writers/STREAM.json` names the writer that committed last. Another one is refused until LEASE_S after that, so a writer
that was killed does not block its successor for longer. On a disk the lock of the folder orders all writers: no lease.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress

from pyarrow import ArrowException

from ..model.errors import RunError
from .names import encoded
from .storage import Storage

LEASE_S = 30.0


class StreamLeases:
    """The streams that one writer holds."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own = secrets.token_hex(8)
        self._renewed: dict[str, float] = {}

    def hold(self, stream: str) -> None:
        """Take or keep a stream. RunError where another writer has it."""
        if self._storage.is_local or time.monotonic() - self._renewed.get(stream, -LEASE_S) < LEASE_S / 3:
            return
        path = f"writers/{encoded(stream)}.json"
        other, at = self._read(path)
        if other not in {"", self._own} and abs(time.time() - at) < LEASE_S:
            raise RunError(
                f"{self._storage.url}: another writer keeps stream {stream}: on an object store a stream has one; "
                f"it is free {LEASE_S:.0f} s after the other's last commit"
            )
        self._storage.write(path, json.dumps({"writer": self._own, "at": time.time()}).encode())
        self._renewed[stream] = time.monotonic()

    def release(self) -> None:
        """Give back all streams."""
        for stream in self._renewed:
            path = f"writers/{encoded(stream)}.json"
            if self._read(path)[0] == self._own:
                self._storage.remove(path)
        self._renewed.clear()

    def _read(self, path: str) -> tuple[str, float]:
        with suppress(ArrowException, OSError, ValueError, KeyError, TypeError):
            entry = json.loads(self._storage.read(path))
            return str(entry["writer"]), float(entry["at"])
        return "", 0.0
