"""Unpacks msgpack from untrusted senders within a small multiple of the payload's memory.

An empty list is one byte of msgpack and 60 bytes of Python, so 64 MiB of them would be 4 GB. Large payloads of ours are
few large blobs; one with more than MAX_ENTRIES entries is not ours: a ValueError, raised while it is unpacked.
"""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]

MAX_ENTRIES = 600_000
"""Of all lists and maps together. An Output of 65 thousand messages has fewer."""
UNCOUNTED_BYTES = 1 << 20
"""A smaller payload is not counted: it cannot become large, and counting takes time."""


def unpack_bounded(payload: bytes) -> Any:
    """The value in a payload; ValueError (msgpack's own are some) where there is none or too much of it."""
    if len(payload) <= UNCOUNTED_BYTES:
        return msgpack.unpackb(payload, raw=False, strict_map_key=True)
    count = _Count()
    return msgpack.unpackb(
        payload,
        raw=False,
        strict_map_key=True,
        max_array_len=MAX_ENTRIES,
        max_map_len=MAX_ENTRIES // 4,
        list_hook=count,
        object_hook=count,
    )


class _Count:
    """Hook of msgpack, called with each list and map once it is complete: counts their entries."""

    def __init__(self) -> None:
        self._n = 0

    def __call__(self, value: Any) -> Any:
        self._n += len(value) + 1
        if self._n > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES} entries")
        return value
