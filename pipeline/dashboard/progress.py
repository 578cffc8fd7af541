"""The progress of a replay, parsed from its `progress` topic; and what sends it commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.printable import printable

STATES = ("playing", "paused", "seeking", "ended", "stopped")
SendCommand = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Sends a command to the replay of `<mission>/<stream>`; raises DownlinkError where it cannot."""
SILENT_S = 4.0
"""A replay publishes its progress every second; without one for so long it counts as gone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`share` of the bytes (None: their total is not known), `time`: of reception of the last ones, as text.

    `speed`: a factor, or "max". `began`: time of the start, another one after a restart. `frames`: counts so far.
    """

    state: str
    n_bytes: int
    share: float | None
    time: str
    speed: float | str
    behind_s: float | None
    began: str
    refused: str
    frames: Mapping[str, Any] = field(default_factory=dict)


def read_progress(found: Mapping[str, Any]) -> Progress:
    """Parse a progress message; ValueError, TypeError or KeyError if it is not one."""
    total = found["total"] and int(found["total"])
    if found["state"] not in STATES:
        raise ValueError("no state of a replay")
    return Progress(
        state=str(found["state"]),
        n_bytes=int(found["bytes"]),
        share=min(int(found["bytes"]) / total, 1.0) if total else None,
        time=printable(str(found["time"] or "")[:19].replace("T", " ")),
        speed="max" if found["speed"] == "max" else float(found["speed"]),
        behind_s=None if found["behind_s"] is None else float(found["behind_s"]),
        began=str(found["began"])[:40],
        refused=printable(str(found["refused"])[:200]),
        frames=dict(found.get("frames") or {}),
    )
