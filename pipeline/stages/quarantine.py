"""A batch that broke a stage: its bytes are kept for who will look, and the operator hears of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.batches import ByteBatch, Event


def set_aside(batch: ByteBatch, place: Callable[[], Path], error: Exception) -> Event:
    """Keep the bytes of the batch where `place` says, if the disk takes them, and tell of it."""
    try:
        path = place()
        path.parent.mkdir(parents=True, exist_ok=True)
        batch.data.tofile(path)
        where = str(path)
    except OSError as problem:
        where = f"not kept: {problem.strerror}"
    return Event("error", "quarantine", f"{len(batch.data)} bytes set aside: {error!r}", details={"file": where})
