"""MOSIR: a chirp down to the ground and back, off the surface and a layer below it (fact sheet 9).

Each echo is the pulse itself, delayed exactly and not by whole samples. Three bands in turn. All numbers assumed but
the bands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Reals
from .octets import counts, rows, signed, unsigned
from .orbit import Orbit, below, clock_ticks, sample_times
from .packets import Measurement, records_at

APID = 1312
_PERIOD_S = 8.0
_LIGHT_M_S = 299_792_458.0
_N = 1024
_GAIN_DB = 12
_AMPLITUDE = 250.0
_LAYER_M = 320.0
"""Depth of a layer, as far as it looks in free space."""
_LAYER_SHARE = 10 ** (-18 / 20)
NOISE = 40.0
"""Standard deviation of the real and of the imaginary part, before the gain."""


@dataclass(frozen=True, slots=True)
class _Band:
    code: int
    bandwidth_hz: float
    pulse_s: float
    sampling_hz: float
    lead_s: float
    """From the beginning of the window to the surface's echo, some 20 of them."""


_BANDS = (
    _Band(1, 5e6, 100e-6, 6.25e6, 12e-6),
    _Band(2, 5e6, 100e-6, 6.25e6, 12e-6),
    _Band(3, 20e6, 20e-6, 25e6, 6e-6),
)


def sound_ground(start_ns: int, stop_ns: int, orbit: Orbit, seed: int) -> Measurement:
    """An echo each 8 s, one band after the other."""
    time_ns = sample_times(start_ns, stop_ns, _PERIOD_S)
    draw = chance.stream(seed, "mosir")
    position, _ = orbit.states(time_ns)
    range_m = below(position, time_ns)[2] * 1e3
    which = np.arange(len(time_ns)) % len(_BANDS)
    delay_ns = np.empty(len(time_ns), np.int64)
    echo = np.empty((len(time_ns), _N, 2))
    for k, band in enumerate(_BANDS):
        mine = which == k
        delay_ns[mine] = np.rint((2.0 * range_m[mine] / _LIGHT_M_S - band.lead_s) * 1e9 / 1000.0) * 1000
        echo[mine] = _echo(band, range_m[mine], delay_ns[mine] * 1e-9)
    echo += NOISE * draw.standard_normal(echo.shape)
    octets = signed(counts(echo * 10 ** (_GAIN_DB / 20), 1.0).reshape(len(time_ns), -1), 2)
    codes = np.array([band.code for band in _BANDS])[which]
    gain = np.full(len(time_ns), _GAIN_DB)
    packets = rows(clock_ticks(time_ns), unsigned(codes, 1), unsigned(gain, 1), unsigned(delay_ns, 4), octets)
    records = records_at(APID, time_ns, packets)
    truth = {"time_utc_ns": time_ns, "band": codes, "surface_range_m": range_m}
    expected = {"echo_count": NOISE, "surface_amplitude": _AMPLITUDE, "layer_m": _LAYER_M}
    return Measurement("mosir", records, truth, expected)


def _echo(band: _Band, range_m: Reals, delay_s: Reals) -> Reals:
    """Both echoes float64[n, 1024, 2]; `delay_s` of sample 0."""
    time_s = delay_s[:, None] + np.arange(_N) / band.sampling_hz
    total = np.zeros(time_s.shape, np.complex128)
    for extra_m, share in ((0.0, 1.0), (_LAYER_M, _LAYER_SHARE)):
        since = time_s - 2.0 * (range_m[:, None] + extra_m) / _LIGHT_M_S
        phase = np.pi * band.bandwidth_hz / band.pulse_s * (since - band.pulse_s / 2.0) ** 2
        total += np.where((since >= 0.0) & (since < band.pulse_s), _AMPLITUDE * share * np.exp(1j * phase), 0.0)
    return np.stack([total.real, total.imag], axis=2)
