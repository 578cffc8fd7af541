"""SOUND: short bursts of sound: wind always, the wheels' gears while the rover drives.

Truth first, then the amplifier and the converter. The spectrum of wind noise falls as f^(-5/3), as turbulence does;
levels and tones are assumed.
"""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Reals
from .octets import constant, counts, onboard_time, rows, signed, unsigned
from .packets import Measurement, records_at
from .timeline import Timeline

APID = 306
_RATE_HZ, _SECONDS = 8000, 2.0
_GAIN_DB = 30
_PASCAL_PER_COUNT = 2.5 / 32768.0 / (0.0224 * 10.0 ** (_GAIN_DB / 20.0))
_NOISE_PA = 0.0005
_TRUTH_STEP_PA = 2.0**-16
_WIND_PA = 0.010
_GEARS = ((250.0, 0.030), (500.0, 0.012), (1000.0, 0.006))
"""Tones of the drive: Hz, and pascals at the crest."""
_BURSTS = (("STANDING", 0.4, False), ("DRIVING", 0.5, True), ("SECOND SCAN", 0.5, False))
"""Phase, share of it at which the burst begins, and whether the wheels turn."""


def record_sound(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
    """One record for each burst, sent when its last sample is taken."""
    draw = chance.stream(seed, "sound")
    n = int(_RATE_HZ * _SECONDS)
    pressure = np.stack([_burst(n, driving, draw) for _, _, driving in _BURSTS])
    time_ns = timeline.start_ns + np.array([_start_ms(timeline, *burst[:2]) for burst in _BURSTS]) * 1_000_000
    echoes = pressure + _NOISE_PA * draw.standard_normal(pressure.shape)
    octets = rows(
        onboard_time(time_ns, drift_ppm),
        unsigned(np.arange(1, len(_BURSTS) + 1), 2),
        constant(_RATE_HZ.to_bytes(2, "big") + bytes([_GAIN_DB, 0]) + n.to_bytes(4, "big"), len(_BURSTS)),
        signed(np.clip(counts(echoes, _PASCAL_PER_COUNT), -32768, 32767), 2),
    )
    done_ns = time_ns + round(_SECONDS * 1e9)
    truth = {
        "time_utc_ns": time_ns,
        "pressure_pa": pressure,
        "driving": np.array([driving for _, _, driving in _BURSTS]),
    }
    return Measurement("sound", records_at(APID, done_ns, octets), truth, {"pressure_pa": _NOISE_PA})


def _start_ms(timeline: Timeline, phase: str, share: float) -> int:
    begin, end = timeline.phase(phase)
    return round((begin + share * (end - begin)) * 1000.0)


def _burst(n: int, driving: bool, draw: np.random.Generator) -> Reals:
    """True sound pressure of one burst: float64[n], on a grid of 2^-16 Pa."""
    frequency = np.fft.rfftfreq(n, 1.0 / _RATE_HZ)
    amplitude = np.zeros(len(frequency))
    echoes = frequency >= 20.0
    amplitude[echoes] = frequency[echoes] ** (-5.0 / 6.0)
    wind = np.fft.irfft(amplitude * np.exp(2j * np.pi * draw.random(len(frequency))), n)
    sound: Reals = _WIND_PA * wind / wind.std()
    if driving:
        turn = 2.0 * np.pi * np.arange(n) / _RATE_HZ
        for hertz, crest in _GEARS:
            sound += crest * np.sin(hertz * turn + 2.0 * np.pi * draw.random())
    sound /= _TRUTH_STEP_PA
    return np.asarray(np.round(sound) * _TRUTH_STEP_PA)
