"""ORBITER_STATE: where the orbiter is, in the genuine layout of APID 1287 (link facts).

Packet bytes 18 to 23 are the time, 72 to 119 six big-endian floats; nobody knows what the others mean, so they
are noise here. How often it is sent is assumed.
"""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Longs, Octets
from .octets import EPOCH_UTC_NS, rows, unsigned
from .orbit import Orbit, below
from .packets import Measurement, Record

APID = 1287
PERIOD_S = 8
_TICK_NS = 100_000


def clock_ticks(utc_ns: Longs) -> Octets:
    """The orbiter's time: 48-bit count of 100 us since the epoch, uint8[n, 6]."""
    return unsigned((np.asarray(utc_ns) - EPOCH_UTC_NS) // _TICK_NS, 6)


def sample_times(start_ns: int, stop_ns: int, period_s: float) -> Longs:
    """Every `period_s` from the start on, none after the stop: UTC ns, on whole ticks."""
    period_ns = round(period_s * 1e9)
    first = -(-start_ns // _TICK_NS) * _TICK_NS
    return np.arange(first, stop_ns - period_ns + 1, period_ns, dtype=np.int64)


def report_state(start_ns: int, stop_ns: int, orbit: Orbit, seed: int) -> Measurement:
    """A packet each 8 s."""
    time_ns = sample_times(start_ns, stop_ns, PERIOD_S)
    position, velocity = orbit.states(time_ns)
    longitude, latitude, altitude = below(position, time_ns)
    noise = chance.stream(seed, "unknown bytes").integers(0, 256, (len(time_ns), 60), np.uint8)
    vector = np.hstack([position, velocity]).astype(">f8").view(np.uint8)
    octets = rows(noise[:, :12], clock_ticks(time_ns), noise[:, 12:], vector)
    records = [Record(APID, int(at), row, False) for at, row in zip(time_ns, octets, strict=True)]
    truth = {
        "time_utc_ns": time_ns,
        "position_icrf_km": position,
        "velocity_icrf_km_s": velocity,
        "longitude_deg": longitude,
        "latitude_deg": latitude,
        "altitude_km": altitude,
    }
    return Measurement("orbiter_state", records, dict(truth), {})
