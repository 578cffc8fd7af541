"""Local times of a site: sol of the mission, local mean and true solar time, areocentric longitude of the Sun (Ls)."""

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
    """Compute `sol: int32[n]`, `lmst`, `ltst` (hours of 1/24 sol), `ls` (degrees): float64[n], of UTC (ns since 1970).

    `longitude_deg`: east. Rows without time are NaN; if there are any, `sol` is float64, too.
    """
    known = utc_ns != NO_TIME
    found: dict[str, NDArray[Any]] = {name: np.empty(len(utc_ns)) for name in ("lmst", "ltst", "ls")}
    sol = np.empty(len(utc_ns), np.int32)
    for start in range(0, len(utc_ns), _BLOCK):  # bounds the memory of intermediate values
        rows = slice(start, start + _BLOCK)
        time = mars_time(np.where(known[rows], utc_ns[rows], 0), longitude_deg, sol_offset)
        sol[rows] = time.sol
        for name, values in (("lmst", time.lmst_h), ("ltst", time.ltst_h), ("ls", time.ls_deg)):
            found[name][rows] = np.where(known[rows], values, np.nan)
    return {"sol": sol if known.all() else np.where(known, sol, np.nan), **found}


def site_times(utc_ns: NDArray[np.int64], longitude_deg: float, sol_offset: int) -> MarsTime:
    """Local times of instants (UTC in ns, any shape) at a site, for callers that do not depend on the planet."""
    return mars_time(utc_ns, longitude_deg, sol_offset)
