"""Reports datagrams that are no whole number of frames: in the log, as an event and in `/health`.

In: a UDP source, at intervals. Out: the size received and the size expected, once for each new size, then at most once
in QUIET_S while more of that size come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog

from ..model.batches import Event
from ..stations.udp import OddSize, UdpListener

QUIET_S = 60.0
_log = structlog.get_logger("ingest")


def odd_datagrams_health(source: object) -> dict[str, Any]:
    """The received sizes and the expected one, for /health; empty where all are as expected."""
    if not isinstance(source, UdpListener) or not source.n_odd:
        return {}
    sizes = {str(size): {"n": one.n, "unused": one.n_unused} for size, one in source.odd.items()}
    return {"odd_datagrams": {"n": source.n_odd, "expected_bytes": source.block_bytes, "by_size": sizes}}


class OddWatch:
    """Reports the odd datagrams of one station. `clock`: monotonic, in seconds."""

    def __init__(self, station: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._station, self._clock = station, clock
        self._reported: dict[int, tuple[int, float]] = {}
        """By size: the count when it was last reported, and when that was."""

    def report(self, source: UdpListener) -> list[Event]:
        """Log sizes that are new, or due again. Returns the same as events."""
        now, events = self._clock(), []
        for size, one in source.odd.items():
            n_before, at = self._reported.get(size, (0, -QUIET_S))
            if one.n > n_before and now - at >= QUIET_S:
                self._reported[size] = one.n, now
                events.append(_event(size, source.block_bytes, one))
                _log.warning(events[-1].text, station=self._station, n=one.n, unused=one.n_unused)
        return events


def _event(size: int, expected: int, one: OddSize) -> Event:
    """Event with the received and the expected size, and how such datagrams are used."""
    what = "recorded and not used" if one.n_unused else "recorded, and the frames inside are looked for"
    text = f"datagrams of {size} bytes come, {expected} are expected: {what}"
    details = {"size_bytes": size, "expected_bytes": expected, "n": one.n, "unused": one.n_unused}
    return Event("warning", "datagram_size", text, time.time_ns(), details)
