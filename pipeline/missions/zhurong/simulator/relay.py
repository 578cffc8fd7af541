"""Passes of the orbiter over the rover, and the bytes that each can carry (fact sheet 8.1).

In: an orbit and a span of time. Out: passes: arcs above the lowest elevation, with the rate at each moment: steps of
four by slant range, as the received power allows, with hysteresis, so that a rate is not changed back at once. All
numbers assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arrays import Longs, Reals
from .heavens import conjunction
from .orbit import RADIUS_KM, Orbit, fixed_to_icrf, orbit_of
from .timeline import SOL_NS, midnight_ns, sol_of, utc

STORED_NS = 9_000_000_000_000
"""The orbiter keeps the rover's packets for two hours and a half before it sends them [assumed]."""
LOWEST_DEG = 10.0
RATES_KBIT_S = (8, 32, 128, 512, 2048)
_REACH_KM = (np.inf, 8_000.0, 4_000.0, 2_000.0, 1_000.0)
"""Longest slant range at which each rate is selected."""
_HYSTERESIS = 1.10
"""A rate is dropped where the range exceeds that of its selection by this factor."""
_STEP_S = 5
_SITE_DEG = (109.908440, 25.083319)
_SITE_KM = RADIUS_KM - 4.918556


@dataclass(frozen=True, slots=True)
class Pass:
    """An arc above the rover; its arrays have one element each 5 s."""

    time_ns: Longs
    elevation_deg: Reals
    range_km: Reals
    rate_kbit_s: Longs

    @property
    def rise_ns(self) -> int:
        return int(self.time_ns[0])

    @property
    def set_ns(self) -> int:
        return int(self.time_ns[-1]) + _STEP_S * 1_000_000_000

    @property
    def capacity_bytes(self) -> int:
        """Bytes that the rover can send in the pass."""
        return int(self.rate_kbit_s.sum()) * _STEP_S * 125

    def steps(self) -> list[tuple[int, int]]:
        """Times (UTC ns) from which on a rate (kbit/s) is used."""
        change = np.flatnonzero(np.append(True, self.rate_kbit_s[1:] != self.rate_kbit_s[:-1]))
        return [(int(self.time_ns[at]), int(self.rate_kbit_s[at])) for at in change]


@dataclass(frozen=True, slots=True)
class Relay:
    """Transfer of a stay's bytes to the orbiter, and when it could send them to Earth."""

    passes: tuple[Pass, ...]
    needed_bytes: int
    silence: tuple[int, int] | None
    """The conjunction that delayed them."""
    send_ns: int
    """The orbiter begins to send to Earth."""

    def as_truth(self) -> dict[str, object]:
        """As entries of the truth file."""
        return {
            "passes": [
                {
                    "rise_utc": utc(one.rise_ns),
                    "set_utc": utc(one.set_ns),
                    "highest_deg": round(float(one.elevation_deg.max()), 2),
                    "closest_km": round(float(one.range_km.min()), 1),
                    "steps": [[utc(at), rate] for at, rate in one.steps()],
                    "capacity_bytes": one.capacity_bytes,
                }
                for one in self.passes
            ],
            "needed_bytes": self.needed_bytes,
            "silence": [utc(end) for end in self.silence] if self.silence else None,
            "send_from_utc": utc(self.send_ns),
        }


def relay(stop_ns: int, needed_bytes: int) -> Relay:
    """The passes after a stay that ends at `stop_ns`, as many as its bytes need, and their transmission to Earth."""
    used: list[Pass] = []
    sol = sol_of(stop_ns)
    while sum(one.capacity_bytes for one in used) < max(needed_bytes, 1):
        midnight = midnight_ns(sol)
        used += [one for one in passes(orbit_of(sol), midnight, midnight + SOL_NS) if one.rise_ns >= stop_ns][:1]
        sol += 1
    send_ns = used[-1].set_ns + STORED_NS
    quiet = conjunction(send_ns)
    return Relay(tuple(used), needed_bytes, quiet, quiet[1] if quiet else send_ns)


def passes(orbit: Orbit, start_ns: int, stop_ns: int) -> list[Pass]:
    """All passes that rise in this span, in order."""
    time_ns = np.arange(start_ns, stop_ns, _STEP_S * 1_000_000_000, dtype=np.int64)
    elevation, distance = look_up(orbit, time_ns)
    up = elevation >= LOWEST_DEG
    begin = np.flatnonzero(up & ~np.append(False, up[:-1]))
    end = np.flatnonzero(up & ~np.append(up[1:], False)) + 1
    return [
        Pass(time_ns[a:b], elevation[a:b], distance[a:b], rates(distance[a:b]))
        for a, b in zip(begin, end, strict=True)
        if a > 0 and b < len(up)
    ]


def look_up(orbit: Orbit, utc_ns: Longs) -> tuple[Reals, Reals]:
    """Elevation above the rover's horizon (deg, of a sphere) and slant range (km), [n] each."""
    position, _ = orbit.states(utc_ns)
    longitude, latitude = np.radians(_SITE_DEG)
    zenith = np.array(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )
    x_y_z = np.einsum("nji,nj->ni", fixed_to_icrf(utc_ns), position) - _SITE_KM * zenith
    distance = np.sqrt((x_y_z**2).sum(axis=1))
    return np.degrees(np.arcsin(x_y_z @ zenith / distance)), distance


def rates(range_km: Reals) -> Longs:
    """Rate at each moment of a pass, kbit/s, with hysteresis: selected by `_REACH_KM`, dropped a tenth later."""
    found = np.empty(len(range_km), np.int64)
    level = 0
    for at, distance in enumerate(range_km):
        while level and distance > _REACH_KM[level] * _HYSTERESIS:
            level -= 1
        while level + 1 < len(_REACH_KM) and distance <= _REACH_KM[level + 1]:
            level += 1
        found[at] = RATES_KBIT_S[level]
    return found
