"""What each of several stations misses of one transmission: its own losses, and an end of the pass below its horizon.

A single station misses what the scenario's faults say. Of two, the first rises late and the other sets early.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import faults
from .arrays import Longs
from .faults import FrameFaults
from .link import Slots
from .scenario import Scenario

_UNSEEN = 0.08
"""Share of the pass that a station misses at its end."""


def lose(
    broken: FrameFaults, slots: Slots, n_relay: int, scenario: Scenario, station: tuple[int, int]
) -> FrameFaults:
    """The faults of one station, `station` being its number from 0 and how many there are."""
    k, n_stations = station
    if n_stations == 1:
        return broken
    own = faults.choose(n_relay, scenario.faults, scenario.seed + 101 * k) if k else broken
    hidden = unseen(slots, k)
    apart = np.concatenate([broken.duplicated, hidden])
    return replace(
        broken,
        lost=np.union1d(np.setdiff1d(own.lost, broken.duplicated), hidden),
        uncorrectable=np.setdiff1d(own.uncorrectable, apart),
    )


def unseen(slots: Slots, k: int) -> Longs:
    """Rows of the frames that are sent while a station does not see the orbiter: the first before, others after."""
    n = len(slots.frame)
    wide = round(_UNSEEN * n)
    seen = slots.frame[wide:] if k == 0 else slots.frame[: n - wide * k]
    return np.setdiff1d(slots.frame, seen)


def merged(received: list[FrameFaults]) -> FrameFaults:
    """What no station received well: lost where all lost it, else uncorrectable where no station has it right."""
    gone = [np.union1d(one.lost, one.uncorrectable) for one in received]
    nowhere, lost = gone[0], received[0].lost
    for one, faulty in zip(received[1:], gone[1:], strict=True):
        nowhere, lost = np.intersect1d(nowhere, faulty), np.intersect1d(lost, one.lost)
    return FrameFaults(lost, np.setdiff1d(nowhere, lost), received[0].duplicated)
