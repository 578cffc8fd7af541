"""Binary kernels, written by SPICE itself: positions of the site and the rover (SPK), attitude of body and mast (CK).

In: positions and quaternions at instants, in order. Out: one file each. Between instants SPICE interpolates linearly
and turns at a constant rate; where they are far apart and something moved between them, there is a gap. The kernels of
leap seconds, clock and frames must be loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....system.software import optional_module, software
from .names import MARS, PLANET_FRAME, Names

GAP_S = 15.0
"""Longest interval that is interpolated over, unless nothing moved in it."""
MOVED_M, MOVED = 0.1, 1e-3
"""What counts as moved: metres, or components of a quaternion."""
_EDGE_S = 1e-3
"""Coverage begins and ends so much beyond the first and last instant, so that rounding does not leave these out."""
_EDGE_TICKS = 1.0
_Floats = NDArray[np.float64]


def spice_module() -> Any:
    """spiceypy, an optional extra; ConfigError where it is missing."""
    return optional_module("spiceypy", "SPICE kernels need spiceypy", "spice")


def ephemeris_times(utc: list[str]) -> _Floats:
    """Seconds of ET of UTC in ISO 8601, by SPICE and its kernel of leap seconds."""
    return np.asarray(spice_module().str2et(utc), np.float64)


def write_positions(path: Path, names: Names, site_km: _Floats, et: _Floats, position_m: _Floats) -> None:
    """Write the SPK: the site (`site_km [3]`, axes of the planet), the rover from it (`position_m [n, 3]`, level)."""
    spice = spice_module()
    handle = spice.spkopn(str(path), f"{names.mission} positions", 0)
    start, stop = float(et[0] - _EDGE_S), float(et[-1] + _EDGE_S)
    still = [[*site_km.tolist(), 0.0, 0.0, 0.0]] * 2
    spice.spkw09(handle, names.site_id, MARS, PLANET_FRAME, start, stop, names.site, 1, 2, still, [start, stop])
    for part in _runs(et, position_m / MOVED_M):
        times, places = _with_edges(et[part], position_m[part] / 1000, _EDGE_S)
        speed = np.gradient(places, times, axis=0)
        states = np.concatenate([places, speed], axis=1).tolist()
        ends = float(times[0]), float(times[-1])
        spice.spkw09(
            handle, names.spacecraft, names.site_id, names.level_frame, *ends, names.rover, 1, len(times), states,
            times.tolist(),
        )  # fmt: skip
    _close(spice, spice.spkcls, handle, names)


def write_pointing(path: Path, names: Names, et: _Floats, body: _Floats, mast: _Floats) -> None:
    """Write the CK. Quaternions, scalar first: `body [n, 4]` to local level, `mast [n, 4]` to the axes of the body."""
    spice = spice_module()
    handle = spice.ckopn(str(path), f"{names.mission} attitude", 0)
    ticks = np.array([spice.sce2c(names.spacecraft, one) for one in et.tolist()])
    turned: Mapping[int, tuple[str, _Floats]] = {
        names.body_id: (names.level_frame, body),
        names.mast_id: (names.body_frame, mast),
    }
    for id_, (reference, quaternion) in turned.items():
        pieces = [_with_edges(ticks[part], quaternion[part], _EDGE_TICKS) for part in _runs(et, quaternion / MOVED)]
        times = np.concatenate([one for one, _ in pieces])
        inverse = np.concatenate([one for _, one in pieces]) * np.array(
            [1.0, -1.0, -1.0, -1.0]
        )  # reference to frame
        starts = [float(one[0]) for one, _ in pieces]
        spice.ckw03(
            handle, float(times[0]), float(times[-1]), id_, reference, False, f"{names.rover} {id_}", len(times),
            times.tolist(), inverse.tolist(), np.zeros((len(times), 3)).tolist(), len(starts), starts,
        )  # fmt: skip
    _close(spice, spice.ckcls, handle, names)


def _runs(et: _Floats, values: _Floats) -> Iterator[slice]:
    """Parts without a gap; `values [n, k]` in units of what counts as moved."""
    moved = np.abs(np.diff(values, axis=0)).max(axis=1, initial=0.0) > 1
    cuts = np.flatnonzero((np.diff(et) > GAP_S) & moved) + 1
    ends = [0, *cuts.tolist(), len(et)]
    yield from (slice(first, last) for first, last in pairwise(ends))


def _with_edges(times: _Floats, values: _Floats, edge: float) -> tuple[_Floats, _Floats]:
    """The same, held a little before the first and after the last instant."""
    around = np.concatenate([[times[0] - edge], times, [times[-1] + edge]])
    return around, np.concatenate([values[:1], values, values[-1:]])


def _close(spice: Any, close: Any, handle: int, names: Names) -> None:
    """Write producer and source into the comments, and close the file."""
    made = f"Made by {software()} from telemetry of {names.words}."
    spice.dafac(handle, [made, "Numbers of objects and frames are not NAIF's."])
    close(handle)
