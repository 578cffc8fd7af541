"""TIME_CORRELATION: the rover's clock at frame lock, and when the orbiter received that frame [assumed]."""

from __future__ import annotations

import numpy as np

from . import chance
from .octets import EPOCH_UTC_NS, constant, onboard_time, rows, unsigned
from .packets import Measurement, Record
from .timeline import Timeline

APID = 261
_PERIOD_S = 10
_JITTER_S = 0.15e-3
_DELAY_NS = 61_035
_METRES_PER_NS = 0.299792458
_LATE_EACH, _OVER_EACH = 20, 30
_OVER_NS = 65_536_000_000


def tell_time(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
    """A pair each 10 s; one in 20 is late, and in one in 30 the millisecond counter ran over."""
    draw = chance.stream(seed, "clock correlation")
    seconds = np.arange(5, timeline.duration_s, _PERIOD_S)
    n = len(seconds)
    made_ns = timeline.start_ns + seconds.astype(np.int64) * 1_000_000_000
    lock_ns = made_ns - 2_000_000_000 + draw.integers(0, 1_000_000_000, n)
    range_m = 1.2e6 + 6e5 * ((seconds - seconds.mean()) / timeline.duration_s) ** 2
    light_us = np.rint(range_m / _METRES_PER_NS / 1e3).astype(np.int64)
    odd = draw.permutation(n)
    late, over = odd[: max(1, n // _LATE_EACH)], odd[n - n // _OVER_EACH :]
    error_ns = np.rint(draw.normal(0.0, _JITTER_S * 1e9, n)).astype(np.int64)
    error_ns[late] += draw.integers(5_000_000, 400_000_000, len(late))
    received_us = (lock_ns - EPOCH_UTC_NS + light_us * 1000 + _DELAY_NS + error_ns) // 1000
    octets = rows(
        onboard_time(made_ns, drift_ppm),
        constant(b"\x01\x00", n),
        onboard_time(lock_ns - _OVER_NS * np.isin(np.arange(n), over), drift_ppm),
        unsigned(received_us // 1_000_000, 4),
        unsigned(received_us % 1_000_000, 4),
        unsigned(light_us, 4),
        unsigned(np.full(n, _DELAY_NS), 4),
    )
    records = [Record(APID, int(at), row) for at, row in zip(made_ns, octets, strict=True)]
    truth = {
        "time_utc_ns": made_ns,
        "lock_utc_ns": lock_ns,
        "late": np.isin(np.arange(n), late),
        "run_over": np.isin(np.arange(n), over),
    }
    return Measurement("time_correlation", records, dict(truth), {"received_s": _JITTER_S})
