"""Local times of a site, row by row: what coordinates of decoded packets say beside UTC.

In: UTC. Out: the sol of the mission, local mean and true solar time in hours of a 24th of it, and the season (degrees).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from .mars import MarsTime, mars_time

BODY = "Mars"
"""The planet whose local times these are; sites are on it."""
_BLOCK = 1 << 16


def local_times(utc_ns: NDArray[np.int64], longitude_deg: float, sol_offset: int) -> dict[str, NDArray[Any]]:
    """Give `sol: int32[n]`, `lmst`, `ltst`, `ls: float64[n]` at a longitude (degrees east).

    All are floats, and NaN where there is no time, if any row has none.
    """
    known = utc_ns != NO_TIME
    found: dict[str, NDArray[Any]] = {name: np.empty(len(utc_ns)) for name in ("lmst", "ltst", "ls")}
    sol = np.empty(len(utc_ns), np.int32)
    for start in range(0, len(utc_ns), _BLOCK):  # a few MB of intermediate values, whatever the number of rows
        rows = slice(start, start + _BLOCK)
        time = mars_time(np.where(known[rows], utc_ns[rows], 0), longitude_deg, sol_offset)
        sol[rows] = time.sol
        for name, values in (("lmst", time.lmst_h), ("ltst", time.ltst_h), ("ls", time.ls_deg)):
            found[name][rows] = np.where(known[rows], values, np.nan)
    return {"sol": sol if known.all() else np.where(known, sol, np.nan), **found}


def site_times(utc_ns: NDArray[np.int64], longitude_deg: float, sol_offset: int) -> MarsTime:
    """Sol, mean and true solar time and Ls of instants at a site, for rooms that know no planet."""
    return mars_time(utc_ns, longitude_deg, sol_offset)
