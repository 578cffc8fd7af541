"""Quarantine of a batch that cannot be decoded: its bytes go to a file, an event reports it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..model.batches import ByteBatch, Event
from ..model.errors import RunError
from ..system.files import whole_file


def set_aside(batch: ByteBatch, place: Callable[[], Path], error: Exception) -> Event:
    """Write the bytes of the batch to the file that `place` gives; the event has the file, or the reason for none."""
    try:
        path = place()
        with whole_file(path) as file:
            file.write(batch.data.tobytes())
        where = str(path)
    except (OSError, RunError) as problem:
        where = f"not kept: {problem}"
    return Event("error", "quarantine", f"{len(batch.data)} bytes set aside: {error!r}", details={"file": where})
