"""What an instrument knows besides its columns: whose stream it is, its clock, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..clock.onboard import OnboardClock


@dataclass(frozen=True, slots=True)
class Site:
    """A place on a planet: degrees east and north in the frame named, metres above its reference surface.

    Sols are counted by `sol_offset`: sol = floor(sol date + longitude/360) - sol_offset (`clock`).
    """

    longitude_deg: float
    latitude_deg: float
    altitude_m: float
    frame: str
    sol_offset: int
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Descriptions:
    """What the parameters of a container are, in words, by name. Equal to itself alone: a cheap key of a cache."""

    of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class FrameWords:
    """Reference frames in words, by the part of names that stands for them. Equal to itself alone."""

    of: Mapping[str, str] = field(default_factory=dict)


NO_FRAMES = FrameWords()


@dataclass(frozen=True, slots=True)
class Context:
    """What holds for all products of one stream.

    `window_s`: rows whose onboard time has the same floor(time / window_s) become one product; 0: each row its own.
    `lineage`: plain values that every product repeats (dictionary hash and the like). `site` None: no local times.
    `descriptions`: of the parameters of each container. `frames`: what an instrument calls its reference frames.
    `raw`: products of the dictionary have raw counts beside.
    """

    mission: str
    stream: str
    clock: OnboardClock
    site: Site | None = None
    window_s: float = 10.0
    lineage: Mapping[str, Any] = field(default_factory=dict)
    descriptions: Mapping[str, Descriptions] = field(default_factory=dict)
    frames: FrameWords = NO_FRAMES
    raw: bool = False

    def away(self) -> Context:
        """For instruments that are not at the site: they have none, and their clock is not the correlated one."""
        return replace(self, site=None, clock=self.clock.without_correlation())
