"""The context of an instrument: mission, stream, clock and site."""

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
    """Descriptions of the parameters of a container, by name. Compared by identity, as a cheap cache key."""

    of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class FrameWords:
    """Descriptions of reference frames, by the part of array names that means them. Compared by identity."""

    of: Mapping[str, str] = field(default_factory=dict)


NO_FRAMES = FrameWords()


@dataclass(frozen=True, slots=True)
class Context:
    """Settings that all products of one stream share.

    `window_s`: rows with the same floor(onboard time / window_s) become one product; 0: no windows. `lineage`: plain
    values that every product has (dictionary hash and the like). `site`: None: no local times. `descriptions`: of
    parameters, by container. `frames`: reference frames of the instrument. `raw`: add raw counts to generic products.
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
        """The context for instruments that are not at the site: no site, and an uncorrelated clock."""
        return replace(self, site=None, clock=self.clock.without_correlation())
