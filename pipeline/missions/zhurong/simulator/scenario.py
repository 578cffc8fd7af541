"""What to simulate, and the summary of what was written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ....model.errors import ConfigError, Problem

SHORTEST_S = 60.0
MOST_NOISE_BYTES = 100_000_000
LONGEST_S = 14_400.0
"""Beyond this the rover leaves the 327 m that its radar's position fields can encode."""


@dataclass(frozen=True, slots=True)
class Faults:
    """Faults of the link; none by default."""

    symbol_errors: int = 0
    """Wrong symbols in every codeword that is hit, at most 16: as many as can be corrected."""
    symbol_error_share: float = 1.0
    """Share of the codewords that is hit."""
    lost_frames: int = 0
    """Relay frames that never arrive, in bursts; never the first nor the last of the pass."""
    noise_bytes: int = 0
    """Garbage between frames."""
    duplicate_frames: int = 0
    """Relay frames that come twice, one right after the other."""
    other_channel: bool = False
    """Idle frames (VC 3) in between, and the orbiter's own packets (VC 1) as with `Scenario.orbiter`."""
    uncorrectable_frames: int = 0
    """Relay frames with more than 16 wrong symbols in one codeword; never the first nor the last."""
    clock_drift_ppm: float = 0.0
    """The onboard clock counts (UTC - epoch) * (1 + drift)."""

    def problems(self) -> list[Problem]:
        """All invalid values."""
        found = [
            Problem(f"{value}: cannot be negative", key=name)
            for name in ("symbol_errors", "lost_frames", "noise_bytes", "duplicate_frames", "uncorrectable_frames")
            if (value := getattr(self, name)) < 0
        ]
        if self.symbol_errors > 16:
            found.append(Problem(f"{self.symbol_errors}: at most 16 can be corrected", key="symbol_errors"))
        if self.noise_bytes > MOST_NOISE_BYTES:
            found.append(Problem(f"{self.noise_bytes}: at most {MOST_NOISE_BYTES}", key="noise_bytes"))
        if not 0.0 <= self.symbol_error_share <= 1.0:
            found.append(Problem(f"{self.symbol_error_share}: must be in 0 to 1", key="symbol_error_share"))
        if not (math.isfinite(self.clock_drift_ppm) and abs(self.clock_drift_ppm) <= 1000.0):
            found.append(Problem(f"{self.clock_drift_ppm}: must be in -1000 to 1000", key="clock_drift_ppm"))
        return found


@dataclass(frozen=True, slots=True)
class Scenario:
    """One stay of the rover, and the pass in which its packets are received."""

    sol: int = 11
    seed: int = 1
    duration_s: float = 600.0
    profile: Literal["high", "low"] = "high"
    """892-byte frames at 2.048 Mbit/s or 220-byte frames at 8.192 kbit/s."""
    faults: Faults = field(default_factory=Faults)
    orbiter: bool = False
    """The orbiter's own packets (VC 1) in between: its state and its instruments, up to the time of sending."""
    night: bool = False
    """The stay begins at 02:00 local time, and the rover sleeps: housekeeping, weather and field alone."""
    radar_files: tuple[Path, ...] = ()
    """Genuine level-2B radar products whose records take the place of simulated radar."""
    all_polarizations: bool = False
    """The radar's high frequency in HH, HV, VH and VV: four times the records."""

    def check(self) -> None:
        """Raise ConfigError with every problem."""
        found = self.faults.problems()
        if not 1 <= self.sol <= 2000:
            found.append(Problem(f"{self.sol}: must be in 1 to 2000", key="sol"))
        if self.seed < 0:
            found.append(Problem(f"{self.seed}: cannot be negative", key="seed"))
        if not SHORTEST_S <= self.duration_s <= LONGEST_S:
            found.append(
                Problem(f"{self.duration_s:g} s: must be in {SHORTEST_S:g} to {LONGEST_S:g}", key="duration_s")
            )
        if self.profile not in ("high", "low"):
            found.append(Problem(f"{self.profile!r}: must be high or low", key="profile"))
        if found:
            raise ConfigError(found)


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written: the pass, its receive times and its truth."""

    files: tuple[Path, ...]
    sol: int
    n_bytes: int
    """Of the pass."""
    n_cadus: int
    pass_duration_s: float
    """From the first bit received to the last."""
    packets: dict[int, int]
    """Packets sent, by APID, idle ones (2047) too."""
    frames: dict[str, int]
    """Frames sent by channel, "scid/vcid"; a repeated one counts once."""
