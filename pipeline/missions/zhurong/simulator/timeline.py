"""Activities of the rover: the phases of a stay, as shares of its duration [assumed]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from .arrays import Longs, Reals

SOL_NS = 88_775_244_147_000
"""A Martian solar day."""
_SOL_11_START_NS = 1_621_916_400_000_000_000
"""2021-05-25T04:20:00 UTC, 12:27 LMST: the genuine radar run of sol 11 begins (fact sheet 8.2)."""
_SOL_11_MIDNIGHT_NS = _SOL_11_START_NS - 46_053_664_000_000
"""12:27:01.46 LMST earlier."""

PHASES = (
    ("STANDING", 0.06),
    ("MAST SCAN", 0.22),
    ("LIBS POINT 1", 0.34),
    ("SWIR", 0.40),
    ("DRIVING", 0.65),
    ("STOPPED", 0.70),
    ("LIBS POINT 2", 0.82),
    ("SECOND SCAN", 0.94),
    ("RESTING", 1.00),
)
"""What the rover is doing, and the share of the stay at which it ends."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A stay that begins at `start_ns` (UTC from 1970) and takes whole seconds."""

    start_ns: int
    duration_s: int
    quiet: bool = False
    """Only housekeeping, weather and field are measured: at night, and while the Sun is between Mars and Earth."""

    def phase(self, name: str) -> tuple[int, int]:
        """First and last second of a phase, from the start of the stay."""
        names = [phase for phase, _ in PHASES]
        at = names.index(name)
        begin = PHASES[at - 1][1] if at else 0.0
        return round(begin * self.duration_s), round(PHASES[at][1] * self.duration_s)

    def activity(self, second: int) -> str:
        """The phase of this second."""
        if self.quiet:
            return "SLEEPING"
        for name, _ in PHASES:
            if second < self.phase(name)[1]:
                return name
        return PHASES[-1][0]

    def at_seconds(self, seconds: Reals) -> Longs:
        """UTC ns at seconds of the stay, to the millisecond."""
        return self.start_ns + np.rint(seconds * 1000.0).astype(np.int64) * 1_000_000

    @property
    def stop_ns(self) -> int:
        return self.start_ns + self.duration_s * 1_000_000_000

    @property
    def sol(self) -> int:
        """The sol in which the stay begins, landing being sol 1."""
        return sol_of(self.start_ns)


def sol_of(utc_ns: int) -> int:
    """Sol at the landing site, landing being sol 1."""
    return 11 + (utc_ns - _SOL_11_MIDNIGHT_NS) // SOL_NS


def local_hour(utc_ns: int) -> float:
    """Local mean solar time at the landing site, in hours of 1/24 sol."""
    return (utc_ns - _SOL_11_MIDNIGHT_NS) % SOL_NS / SOL_NS * 24.0


def midnight_ns(sol: int) -> int:
    """UTC at which a sol begins at the landing site."""
    return _SOL_11_MIDNIGHT_NS + (sol - 11) * SOL_NS


def night(sol: int, duration_s: float) -> Timeline:
    """A quiet stay that begins at 02:00 local mean solar time of this sol, on a whole second."""
    start_ns = midnight_ns(sol) + SOL_NS // 12
    return Timeline(start_ns // 1_000_000_000 * 1_000_000_000, round(duration_s), quiet=True)


def stay(sol: int, duration_s: float) -> Timeline:
    """A stay that begins at 12:27 local mean solar time of this sol, on a whole second."""
    start_ns = _SOL_11_START_NS + (sol - 11) * SOL_NS
    return Timeline(start_ns // 1_000_000_000 * 1_000_000_000, round(duration_s))


def stay_around(first_ns: int, last_ns: int, duration_s: float) -> Timeline:
    """A stay that includes these two times, and takes `duration_s` at least."""
    start_s = first_ns // 1_000_000_000
    needed_s = last_ns // 1_000_000_000 - start_s + 10
    return Timeline(start_s * 1_000_000_000, max(round(duration_s), needed_s))


def utc(time_ns: int) -> str:
    """ISO 8601 to the millisecond."""
    seconds, left_ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{left_ns // 1_000_000:03d}Z"
