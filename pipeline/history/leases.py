"""Leases of streams: one writer for each stream of a history on an object store, which has no locks.

`writers/STREAM.json` names the last writer that committed. Other writers are refused until LEASE_S after its commit, so
a killed writer blocks its successor no longer. On a disk the lock of the folder serialises writers, without leases.
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
    """The leases of one writer."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own = secrets.token_hex(8)
        self._renewed: dict[str, float] = {}

    def hold(self, stream: str) -> None:
        """Acquire or renew the lease of a stream. RunError if another writer has it."""
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
        """Release all leases."""
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
