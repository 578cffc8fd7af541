"""What the rover's instruments have in common: attitude that is looked up by time, and the words for frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ....products.instrument import Auxiliary, Instrument
from .attitude import Navigation

FRAMES = {
    "enu": "local: east, north, up at the rover",
    "ned": "local: north, east, down at the rover",
    "rover": "rover body: X forward, Y right, Z down",
}


class OnRover(Instrument):
    """An instrument of the rover. Its rows wait for the next navigation, as many as `wait_rows` says."""

    auxiliary: ClassVar[type[Auxiliary] | None] = Navigation
    waits_for: ClassVar[tuple[str, ...]] = ("NAVIGATION",)
    frames: ClassVar[Mapping[str, str]] = FRAMES
