"""Quarantine of a batch that cannot be decoded: its bytes are written to a file, and an event reports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..model.batches import ByteBatch, Event
from ..model.errors import RunError
from ..system.files import whole_file


def write_quarantine(batch: ByteBatch, place: Callable[[], Path], error: Exception) -> Event:
    """Write the bytes of a batch to the file `place()`. The returned event has its path, or why there is none."""
    try:
        path = place()
        with whole_file(path) as file:
            file.write(batch.data.tobytes())
        where = str(path)
    except (OSError, RunError) as problem:
        where = f"not kept: {problem}"
    return Event("error", "quarantine", f"{len(batch.data)} bytes set aside: {error!r}", details={"file": where})
