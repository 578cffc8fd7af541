"""Times of products on every clock, computed for many products at once, since each call costs 0.1 ms.

In: the onboard times of each product. Out: UTC of its rows, its first and last instant on each clock, one sigma.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..clock.local import site_times
from ..model.batches import NO_TIME, TimeRange
from ..model.reductions import extent
from .context import Context

_NEVER = TimeRange((NO_TIME, NO_TIME), (NO_TIME, NO_TIME))


class ProductTimes(NamedTuple):
    """Times of one product: `utc_ns int64[n]`; `range`; `sigma_s`: largest sigma of UTC, None if it is not known."""

    utc_ns: NDArray[np.int64]
    range: TimeRange
    sigma_s: float | None


NO_TIMES = ProductTimes(np.empty(0, np.int64), _NEVER, None)


def product_times(time_ns: Sequence[NDArray[np.int64]], context: Context) -> list[ProductTimes]:
    """Times of each product, from the onboard times of its rows, int64[n] (NO_TIME: none)."""
    spans = [ends(own) for own in time_ns]
    if len(time_ns) == 1 and spans[0] is None:
        return [ProductTimes(time_ns[0].copy(), _NEVER, None)]
    utc_ns = context.clock.utc_ns(np.concatenate(time_ns))
    known = [i for i, span in enumerate(spans) if span is not None]
    ranges, sigmas_s = [_NEVER] * len(spans), _unknown(len(spans))
    if known:
        together = np.array([span for span in spans if span is not None], np.int64)
        for i, found, sigma_s in zip(
            known, time_ranges(together, context), _sigmas_s(together, context), strict=True
        ):
            ranges[i], sigmas_s[i] = found, sigma_s
    stops = accumulate(map(len, time_ns))
    parts = (utc_ns[stop - len(own) : stop] for own, stop in zip(time_ns, stops, strict=True))
    return list(map(ProductTimes, parts, ranges, sigmas_s))


def ends(time_ns: NDArray[np.int64]) -> tuple[int, int] | None:
    """First and last onboard time; None if no row has one."""
    first, last = extent(time_ns) if len(time_ns) else (NO_TIME, NO_TIME)
    if last == NO_TIME:
        return None
    return first if first != NO_TIME else int(time_ns[time_ns != NO_TIME].min()), last


def time_ranges(spans: NDArray[np.int64], context: Context) -> list[TimeRange]:
    """First and last onboard times of n products, int64[n, 2], on each clock; local times if there is a site."""
    utc_ns = context.clock.utc_ns(spans)
    pairs: list[NDArray[Any]] = [spans, utc_ns]
    if context.site is not None:
        local = site_times(utc_ns, context.site.longitude_deg, context.site.sol_offset)
        pairs += [local.sol, local.lmst_h, local.ltst_h, local.ls_deg]
    return [TimeRange(*row) for row in zip(*(map(tuple, pair.tolist()) for pair in pairs), strict=True)]


def _sigmas_s(spans: NDArray[np.int64], context: Context) -> list[float | None]:
    """Largest sigma of UTC in each of the spans int64[n, 2]; None without a correlation."""
    if not context.clock.segments:
        return _unknown(len(spans))
    return [float(sigma_ns) / 1e9 for sigma_ns in context.clock.sigma_ns(spans).max(axis=1)]


def _unknown(n: int) -> list[float | None]:
    return [None] * n
