"""Converts the bytes of a recording to the bytes of the link: container first, then symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..settings import LinkSettings, record_bytes
from .kiss import KissReader
from .pcap import PcapReader
from .symbols import SymbolPacker


class Unwrapper(Protocol):
    """One step. `overhead_bytes`: removed headers and padding; `dropped_bytes`: unusable bytes."""

    overhead_bytes: int
    dropped_bytes: int

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """Return the bytes completed by `batch`, with their receive times."""

    def flush(self) -> NDArray[np.uint8] | None:
        """End the stream; returns the last bytes, if any."""


class Unwrapping:
    """All steps of one stream. False if there are none."""

    def __init__(self, settings: LinkSettings) -> None:
        self._steps = _steps(settings)
        self._n_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._steps)

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """Return the bytes of the link completed by `batch`, with their receive times."""
        self._n_bytes += len(batch.data)
        for step in self._steps:
            batch = step.unwrap(batch)
        return batch

    def flush(self) -> ByteBatch | None:
        """End the recording; returns the last bytes, if any."""
        last = None
        for step in self._steps:
            last = step.flush()  # an incomplete container frame has no payload
        return ByteBatch.of(last) if last is not None and len(last) else None

    def on_report(self, report: dict[str, Any]) -> dict[str, Any]:
        """Correct the byte counts of a link report to bytes of the recording, and add `overhead` of the container."""
        inside = report["bytes"]
        dropped, overhead = 0, 0
        for step in self._steps:
            dropped += step.dropped_bytes
            overhead += step.overhead_bytes
        return report | {
            "bytes": {**inside, "read": self._n_bytes, "skipped": inside["skipped"] + dropped, "overhead": overhead}
        }


def unit_of(settings: LinkSettings) -> int:
    """Length in bytes of which payloads must be a multiple; 0: any length."""
    return record_bytes(settings) if settings.framing in {"frames", "codeblocks"} else 0


def _steps(settings: LinkSettings) -> Sequence[Unwrapper]:
    steps: list[Unwrapper] = []
    unit = unit_of(settings)
    if settings.in_capture:
        steps.append(PcapReader(settings.udp_port, 0 if settings.in_kiss else unit))
    if settings.in_kiss:
        steps.append(KissReader(settings.kiss_time_port, unit))
    if settings.symbols != "packed":
        steps.append(SymbolPacker(settings.symbols))
    return steps
