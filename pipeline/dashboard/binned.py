"""Exact counts and means of rows of which only the least and greatest values of each bin are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .series import Statistics, statistics

Ns = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Binned:
    """Of one parameter, by bin: `time_ns` its beginning, `n` rows with a number, their `mean`. Rows from `until_ns` on
    are not in bins.
    """

    time_ns: Ns
    n: NDArray[np.int64]
    mean: Floats
    until_ns: int

    def statistics(self, time_ns: Ns, values: Floats, first_ns: int, last_ns: int) -> Statistics | None:
        """Statistics of the drawn rows `time_ns`, `values` from `first_ns` to `last_ns`: count and mean are those of
        all rows of the bins whose middle is there; sigma, which bins do not have, is NaN.
        """
        seen = (time_ns >= first_ns) & (time_ns <= last_ns)
        drawn = statistics(values[seen])
        if drawn is None:
            return None
        middle = self.time_ns + (self.until_ns - int(self.time_ns[-1])) // 2
        mine = (middle >= first_ns) & (middle <= last_ns) & (self.n > 0)
        later = values[seen & (time_ns >= self.until_ns)]
        later = later[np.isfinite(later)]
        n = int(self.n[mine].sum()) + len(later)
        total = float((self.n[mine] * self.mean[mine]).sum() + later.sum())
        mean = total / n if n else float("nan")
        return Statistics(n, drawn.low, drawn.high, mean, float("nan"), drawn.last)
