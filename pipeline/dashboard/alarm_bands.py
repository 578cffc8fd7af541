"""Ranges of values that are of concern, by the alarms of a dictionary, as bands that do not overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite


@dataclass(frozen=True, slots=True)
class Band:
    """Values from `low` to `high` (infinite: no end) are at a level of concern, as the dictionary calls it."""

    low: float
    high: float
    level: str
    is_severe: bool = False
    """Whether an event of it is an error, and not a warning."""


def edges(bands: Sequence[Band]) -> list[float]:
    """The finite ends of bands, ascending."""
    return sorted({end for one in bands for end in (one.low, one.high) if isfinite(end)})


def joined_bands(levels: list[tuple[int, float, float]], names: tuple[str, ...], severe: int) -> tuple[Band, ...]:
    """Bands without overlap of (level, low, high) that may overlap: where several hold, the highest level does.

    `names`: of the levels; level 0 is normal and gives no band. `severe`: the lowest level whose events are errors.
    """
    ends = sorted({end for _, low, high in levels for end in (low, high)} | {-inf, inf})
    found: list[Band] = []
    for low, high in pairwise(ends):
        level = max((one for one, first, last in levels if first <= low and high <= last), default=0)
        if level and found and found[-1].high == low and found[-1].level == names[level]:
            found[-1] = Band(found[-1].low, high, names[level], level >= severe)
        elif level:
            found.append(Band(low, high, names[level], level >= severe))
    return tuple(found)
