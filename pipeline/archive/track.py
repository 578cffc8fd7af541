"""Position of a vehicle at any time of a pass, interpolated between the waypoints among the products, for labels.

In: the collection of waypoints (`position_enu_m` with longitude, latitude and altitude) and, if there is one, that of
transmitted positions (`position_enu_m` with `frame_id` and `velocity_enu_m_s`). Out: positions, linearly interpolated;
NaN more than HOLD_S before the first or after the last waypoint, and between two waypoints that are more than HOLD_S
and MOVED_M apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..products.track import rows_at
from .collection import ROW, Collection

HOLD_S = 15.0
MOVED_M = 0.1
_PLACE = ("longitude_deg", "latitude_deg", "altitude_m")
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Places:
    """Positions at n times; NaN if unknown.

    `enu_m [n, 3]`: from the mission's site, with `sigma_m [n, 3]`; `coordinates [n, 3]`: longitude, latitude (degrees),
    altitude (m); `frame_origin_m [n, 3]`: origin of transmitted positions, in the axes of `enu_m`.
    """

    enu_m: _Floats
    sigma_m: _Floats
    coordinates: _Floats
    frame_origin_m: _Floats


@dataclass(frozen=True, slots=True)
class Track:
    """Waypoints in order of time. `values [n, 12]`: the fields of `Places`, in order."""

    utc_ns: NDArray[np.int64]
    values: _Floats

    def at(self, utc_ns: NDArray[np.int64]) -> Places:
        """Positions at times, UTC int64[n] in ns."""
        wanted = np.asarray(utc_ns, np.int64)
        known = wanted != NO_TIME
        time_s = (np.where(known, wanted, self.utc_ns[0]) - self.utc_ns[0]) / 1e9
        own_s = (self.utc_ns - self.utc_ns[0]) / 1e9
        right = np.clip(np.searchsorted(own_s, time_s), 0, len(own_s) - 1)
        left = np.maximum(right - 1, 0)
        moved = np.linalg.norm(self.values[right, :3] - self.values[left, :3], axis=1)
        known &= (time_s >= own_s[0] - HOLD_S) & (time_s <= own_s[-1] + HOLD_S)
        between = (own_s[left] < time_s) & (time_s < own_s[right])
        known &= ~between | (own_s[right] - own_s[left] <= HOLD_S) | (moved <= MOVED_M)
        found = np.stack([np.interp(time_s, own_s, column) for column in self.values.T], axis=1)
        found[~known] = np.nan
        return Places(*np.split(found, 4, axis=1))


def track_of(collections: Sequence[Collection]) -> Track | None:
    """Return the waypoints among the collections of a pass; None if there are none."""
    waypoints = [
        one for one in collections if {"position_enu_m", "position_enu_m_sigma", *_PLACE} <= one.columns.keys()
    ]
    found = [one for one in waypoints if one.columns["longitude_deg"].dims == (ROW,)]
    if not found:
        return None
    columns = found[0].columns
    utc_ns = columns["time_utc_ns"].array.whole()
    enu = columns["position_enu_m"].array.whole()
    place = np.stack([columns[name].array.whole() for name in _PLACE], axis=1)
    values = np.concatenate(
        [enu, columns["position_enu_m_sigma"].array.whole(), place, _frame_origins(collections, utc_ns, enu)],
        axis=1,
    )
    timed = np.flatnonzero(utc_ns != NO_TIME)
    order = timed[np.argsort(utc_ns[timed], kind="stable")]
    return Track(utc_ns[order], values[order].astype(np.float64)) if len(order) else None


def _frame_origins(collections: Sequence[Collection], utc_ns: NDArray[np.int64], enu: _Floats) -> _Floats:
    """Origin of transmitted positions at each waypoint; NaN if there are none."""
    sent = [one for one in collections if {"position_enu_m", "frame_id", "velocity_enu_m_s"} <= one.columns.keys()]
    if not sent:
        return np.full(enu.shape, np.nan)
    own_ns, index = np.unique(sent[0].columns["time_utc_ns"].array.whole(), return_index=True)
    position = sent[0].columns["position_enu_m"].array.whole()[index]
    at, same = rows_at(own_ns, utc_ns)
    return np.where(same[:, None], enu - position[at], np.nan)
