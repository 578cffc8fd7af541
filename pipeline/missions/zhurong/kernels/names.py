"""Names and numbers of a mission's objects and frames in SPICE kernels.

NAIF has given none: all are made from the number of the spacecraft (negative) as NAIF does it, instruments from
`spacecraft * 1000 - 110` on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MARS = 499
PLANET_FRAME = "IAU_MARS"
_FRAME, _ROVER = 26, 14
"""Characters: a name behind `FRAME_` in the pool of kernels, which takes 32, and what `_LOCAL_LEVEL` leaves of it."""


@dataclass(frozen=True, slots=True)
class Names:
    """Of one rover. `spacecraft`: number of the rover and of its clock. `simulated`: its telemetry is simulated."""

    mission: str
    spacecraft: int
    simulated: bool = False

    @property
    def words(self) -> str:
        """The mission, and whether a simulator made its telemetry."""
        return f"{self.mission}{', simulated: none of it was measured' * self.simulated}"

    @property
    def rover(self) -> str:
        return re.sub(r"[^A-Z0-9]+", "_", self.mission.upper()).strip("_")[:_ROVER]

    @property
    def site(self) -> str:
        return f"{self.rover}_SITE"

    @property
    def level_frame(self) -> str:
        """X north, Y east, Z down at the site."""
        return f"{self.rover}_LOCAL_LEVEL"

    @property
    def body_frame(self) -> str:
        """X forward, Y right, Z down."""
        return f"{self.rover}_BODY"

    @property
    def mast_frame(self) -> str:
        """As the body, turned by yaw about Z, then by pitch about Y."""
        return f"{self.rover}_MAST"

    @property
    def site_id(self) -> int:
        return self.spacecraft * 1000 - 900

    @property
    def level_id(self) -> int:
        return self.spacecraft * 1000 - 910

    @property
    def body_id(self) -> int:
        return self.spacecraft * 1000

    @property
    def mast_id(self) -> int:
        return self.spacecraft * 1000 - 100

    def camera_id(self, number: int) -> int:
        return self.spacecraft * 1000 - 110 - 10 * number

    def camera(self, word: str) -> str:
        """Of an instrument and, where it has several cameras, which of them: its name and its frame's."""
        return f"{self.rover}_{re.sub(r'[^A-Z0-9]+', '_', word.upper()).strip('_')}"[:_FRAME]
