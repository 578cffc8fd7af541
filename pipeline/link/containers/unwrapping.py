"""From the bytes of a recording to the bytes of the link, by the settings: container first, then symbols."""

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
    """One step. `overhead_bytes`: what it took off; `dropped_bytes`: what it could not use."""

    overhead_bytes: int
    dropped_bytes: int

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """What is whole with `batch`."""

    def flush(self) -> NDArray[np.uint8] | None:
        """The stream ends; gives bytes that are left."""


class Unwrapping:
    """All steps of one stream. Without any it is false."""

    def __init__(self, settings: LinkSettings) -> None:
        self._steps = _steps(settings)
        self._n_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._steps)

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """The bytes of the link that are whole with `batch`, with their receive times."""
        self._n_bytes += len(batch.data)
        for step in self._steps:
            batch = step.unwrap(batch)
        return batch

    def flush(self) -> ByteBatch | None:
        """The recording ends: the last bytes, where some are left."""
        last = None
        for step in self._steps:
            last = step.flush()  # what is left of a container is no payload
        return ByteBatch.of(last) if last is not None and len(last) else None

    def on_report(self, report: dict[str, Any]) -> dict[str, Any]:
        """The report of a link with bytes as they were recorded: `read`, `skipped`, and `overhead` of the container.

        A skipped byte of the link counts as the bytes of the recording that it was made of.
        """
        inside = report["bytes"]
        dropped, overhead = 0, 0
        for step in self._steps:
            dropped += step.dropped_bytes
            overhead += step.overhead_bytes
        return report | {
            "bytes": {
                **inside,
                "read": self._n_bytes,
                "skipped": inside["skipped"] + dropped,
                "overhead": overhead,
            }
        }


def unit_of(settings: LinkSettings) -> int:
    """The bytes of which a payload must hold a whole number; 0: it may be of any length."""
    return record_bytes(settings) if settings.framing in {"frames", "codeblocks"} else 0


def _steps(settings: LinkSettings) -> Sequence[Unwrapper]:
    steps: list[Unwrapper] = []
    unit = unit_of(settings)
    if settings.container == "kiss":
        steps.append(KissReader(settings.kiss_time_port, unit))
    elif settings.container == "pcap":
        steps.append(PcapReader(settings.udp_port, unit))
    if settings.symbols != "packed":
        steps.append(SymbolPacker(settings.symbols))
    return steps
