"""One radargram of a traverse: the runs of any number of passes, over sols, one behind the other, with coordinates.

In: products of passes in the order in which they were driven: `gpr/radargram_...` and `rover/navigation`, whose frames
are joined as `rover/traverse` joins those of one pass. Out, when all have come: for each channel and polarisation one
product `gpr/traverse_high`, `_low`, `_high_hv` ... Traces are as in the radargrams. Coordinates are NaN for traces
further than a minute from any navigation. Held: amplitudes and envelopes of all runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....model.batches import Product, Quantity, TimeRange
from ....products.context import Site
from ....products.rotations import Floats
from ..rover.traverse import coordinates, frame_shifts
from .radar_topography import over_elevation

_FARTHEST_NS = 60_000_000_000


class TraverseRadargram:
    """Join the radargrams of all passes of one command (`downlink products --traverse`), with topography.

    State: the runs by kind and number of samples, and the path.
    """

    def __init__(self, site: Site | None) -> None:
        self._site = site
        self._runs: dict[tuple[str, int], list[Product]] = {}
        self._way: list[tuple[NDArray[np.int64], Floats, NDArray[np.int64]]] = []

    def add_products(self, products: Iterable[Product]) -> None:
        """Take products of a pass; others than radargrams and navigation are ignored."""
        for one in products:
            if one.instrument == "gpr" and one.product.startswith("radargram_"):
                key = one.product.replace("radargram", "traverse"), len(one.arrays["twt_ns"].values)
                self._runs.setdefault(key, []).append(one)
            elif (one.instrument, one.product) == ("rover", "navigation"):
                place, frame = one.arrays["position_enu_m"].values, one.arrays["frame_id"].values
                self._way.append((one.arrays["time_onboard_ns"].values, place, frame))

    def finish(self) -> list[Product]:
        """The joined radargrams; the state is empty then."""
        times_ns, way = _joined_way(self._way)
        made = [self._joined(name, runs, times_ns, way) for (name, _), runs in self._runs.items()]
        self._runs, self._way = {}, []
        return made

    def _joined(self, name: str, runs: list[Product], times_ns: NDArray[np.int64], way: Floats) -> Product:
        def all_of(array: str) -> NDArray[Any]:
            return np.concatenate([run.arrays[array].values for run in runs])

        number = np.repeat(np.arange(len(runs)), [len(run.quality) for run in runs])
        enu = _places(all_of("time_onboard_ns"), times_ns, way)
        known = coordinates(enu, self._site)
        first = runs[0].arrays
        arrays = {
            **{
                key: _like(first[key], all_of(key))
                for key in (
                    "time_onboard_ns",
                    "time_utc_ns",
                    "amplitude",
                    "amplitude_sigma",
                    "envelope",
                    "envelope_sigma",
                )
                if key in first
            },
            **{key: first[key] for key in ("twt_ns", "depth_m", "depth_m_sigma")},
            "distance_m": Quantity(_distance(runs, enu, number), "m", "along the track, from the first trace"),
            "position_enu_m": Quantity(
                enu, "m", "east, north, up of where the first frame began", ("row", "east_north_up")
            ),
            **known,
            "run": Quantity(number, "1", "number of the run, from 0"),
            "interpolated": _like(first["interpolated"], all_of("interpolated")),
        }
        height = known["altitude_m"].values if known else enu[:, 2]
        if np.isfinite(height).all():
            counted = "as altitude_m; of the first frame without a site"
            depth_m = first["depth_m"].values
            arrays |= over_elevation(arrays["amplitude"].values, depth_m, height, None, counted)
        ids = "\0".join(run.id for run in runs).encode()
        lineage = {**runs[0].lineage, "n_runs": len(runs), "runs": [run.id for run in runs]}
        lineage["frames"] = {"position": "local east, north, up"}
        return Product(
            id=f"gpr-{name}-{hashlib.blake2b(ids, digest_size=8).hexdigest()}",
            mission=runs[0].mission,
            stream=runs[0].stream,
            instrument="gpr",
            product=name,
            level="2C",
            time=_span(runs[0].time, runs[-1].time),
            arrays=arrays,
            quality=np.concatenate([run.quality for run in runs]),
            lineage=lineage,
        )


def _like(known: Quantity, values: NDArray[Any]) -> Quantity:
    return Quantity(values, known.unit, known.description, known.dims)


def _span(first: TimeRange, last: TimeRange) -> TimeRange:
    """From the beginning of the first to the end of the last."""

    def ends(name: str) -> Any:
        begin, end = getattr(first, name), getattr(last, name)
        return None if begin is None or end is None else (begin[0], end[1])

    return TimeRange(*(ends(name) for name in ("onboard_ns", "utc_ns", "sol", "lmst_h", "ltst_h", "ls_deg")))


def _joined_way(
    parts: list[tuple[NDArray[np.int64], Floats, NDArray[np.int64]]],
) -> tuple[NDArray[np.int64], Floats]:
    """Onboard times [n, ascending] and east, north, up [n, 3] in the first frame."""
    if not parts:
        return np.empty(0, np.int64), np.empty((0, 3))
    time_ns, place, frame = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(time_ns, kind="stable")
    order = order[np.isfinite(place[order]).all(axis=1)]
    time_ns, place, frame = time_ns[order], place[order], frame[order].astype(np.int64)
    if not len(place):
        return time_ns, place
    return time_ns, place + frame_shifts(place, frame, np.full(3, np.nan), int(frame[0]))


def _places(time_ns: NDArray[np.int64], known_ns: NDArray[np.int64], way: Floats) -> Floats:
    """East, north, up [n, 3] at onboard times; NaN more than a minute from any navigation."""
    if not len(known_ns):
        return np.full((len(time_ns), 3), np.nan)
    after = np.clip(np.searchsorted(known_ns, time_ns), 0, len(known_ns) - 1)
    before = np.maximum(after - 1, 0)
    apart = np.minimum(np.abs(known_ns[after] - time_ns), np.abs(time_ns - known_ns[before]))
    at, known = ((times - known_ns[0]).astype(np.float64) for times in (time_ns, known_ns))
    places = np.stack([np.interp(at, known, axis) for axis in way.T], axis=1)
    return np.where((apart <= _FARTHEST_NS)[:, None], places, np.nan)


def _distance(runs: list[Product], enu: Floats, number: NDArray[np.intp]) -> Floats:
    """Distance [n] driven from the first trace: that of each run, and the straight line from one to the next."""
    out, behind = [], 0.0
    for k, run in enumerate(runs):
        own = run.arrays["distance_m"].values
        if k:
            first = int(np.searchsorted(number, k))
            gap = float(np.linalg.norm(enu[first] - enu[first - 1]))
            behind += gap if np.isfinite(gap) else 0.0
        out.append(behind + own - own[0])
        behind = float(out[-1][-1])
    return np.concatenate(out)
