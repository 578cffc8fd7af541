"""What the radar receives: the direct wave, echoes of layers and rocks, and the clutter between (fact sheet 3.3).

Levels, decay and noise are those measured in the genuine records of sol 11; the geology is assumed: hard crust and
rocks in loose regolith for the high frequency, two fining-up sequences for the low.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import chance
from .arrays import Flags, Reals

Traces = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Ground:
    """One radar's window into the ground."""

    n_samples: int
    sample_ns: float
    carrier_ghz: float
    mixed_away_ghz: float
    """Frequency at the antenna minus frequency in the samples."""
    mirrored: bool
    """Samples are complex conjugates."""
    pulse_ns: float
    direct_ns: float
    direct_db: float
    direct_variation: float
    direct_jitter_ns: float
    floor_db: float
    """Noise below the direct wave."""
    envelope_ns: tuple[float, ...]
    envelope_db: tuple[float, ...]
    permittivity: float
    layers_m: tuple[float, ...]
    layer_relief_m: float
    n_rocks: int
    rock_depth_m: tuple[float, float]
    step: float
    """Samples are whole multiples of it."""
    self_test_step: float
    spur_db: float | None = None
    """Tone at 100 MHz, 45 MHz from the centre, below the direct wave."""
    reach_ghz: float | None = None
    """Half the width of the spectrum."""


HIGH_FREQUENCY = Ground(
    n_samples=2048,
    sample_ns=0.098,
    carrier_ghz=1.3,
    mixed_away_ghz=0.36,
    mirrored=True,
    pulse_ns=0.28,
    direct_ns=16.9,
    direct_db=122.0,
    direct_variation=0.10,
    direct_jitter_ns=0.1,
    floor_db=-59.0,
    envelope_ns=(2.0, 5.0, 20.0, 40.0, 60.0, 100.0, 180.0),
    envelope_db=(-14.0, -17.0, -23.0, -36.0, -45.0, -55.0, -75.0),
    permittivity=3.2,
    layers_m=(0.15, 1.6, 3.3),
    layer_relief_m=0.05,
    n_rocks=5,
    rock_depth_m=(0.4, 2.8),
    step=4.0,
    self_test_step=4.0,
)
LOW_FREQUENCY = Ground(
    n_samples=1500,
    sample_ns=10.0,
    carrier_ghz=0.055,
    mixed_away_ghz=0.055,
    mirrored=False,
    pulse_ns=6.0,
    direct_ns=210.0,
    direct_db=212.0,
    direct_variation=0.004,
    direct_jitter_ns=0.0,
    floor_db=-92.0,
    envelope_ns=(50.0, 100.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1000.0),
    envelope_db=(-30.0, -36.0, -47.0, -54.0, -64.0, -80.0, -90.0, -120.0),
    permittivity=4.0,
    layers_m=(11.0, 31.0, 58.0),
    layer_relief_m=0.8,
    n_rocks=2,
    rock_depth_m=(5.0, 20.0),
    step=2.0**17,
    self_test_step=2.0**15,
    spur_db=-103.0,
    reach_ghz=0.0345,
)
_SPUR_GHZ = 0.045
_EDGE_GHZ = 0.0014
"""Width of the edges of the spectrum."""


@dataclass(frozen=True, slots=True)
class Echoes:
    """Complex samples [n, n_samples], whole multiples of a step; depths of the layers [n, layers]; the rocks [k]."""

    samples: Traces
    layer_depth_m: Reals
    rock_along_m: Reals
    rock_depth_m: Reals


def traces(
    ground: Ground,
    distance_m: Reals,
    drive_m: float,
    self_test: Flags,
    geology: np.random.Generator,
    draw: np.random.Generator,
) -> Echoes:
    """Traces at these distances along a drive; `geology` draws the random ground, `draw` all else."""
    n = len(distance_m)
    time_ns = np.arange(ground.n_samples, dtype=np.float64) * ground.sample_ns
    peak = 10.0 ** (ground.direct_db / 20.0)
    relief = [chance.random_course(geology, distance_m, ground.layer_relief_m, 2.0, 15.0) for _ in ground.layers_m]
    layers = np.array(ground.layers_m) + np.stack(relief, axis=1)
    along, depth = _rocks(ground, drive_m, geology)
    delay: Reals = ground.direct_ns + ground.direct_jitter_ns * np.clip(draw.standard_normal(n), -2, 2)
    strength: Reals = peak * (1.0 + ground.direct_variation * np.clip(draw.standard_normal(n), -2.5, 0.5))
    echoes = _pulses(ground, time_ns, delay, strength)
    slant = [np.sqrt(d**2 + (distance_m - x) ** 2) for x, d in zip(along, depth, strict=True)]
    for way in [*layers.T, *slant]:
        lag: Reals = 2.0 * way * np.sqrt(ground.permittivity) / 0.299792458
        echoes += _pulses(ground, time_ns, ground.direct_ns + lag, 2.0 * peak * _envelope(ground, lag))
    echoes += peak * _envelope(ground, time_ns - ground.direct_ns) * _clutter(ground, n, time_ns, draw)
    test = _pulses(ground, time_ns, np.full(n, 2.0 * ground.direct_ns), np.full(n, peak / 8.0))
    seen = np.where(self_test[:, None], test, echoes)
    seen += peak * 10.0 ** (ground.floor_db / 20.0) * _gaussian((n, ground.n_samples), draw)
    if ground.reach_ghz is not None:
        seen = _within_reach(ground, ground.reach_ghz, time_ns, seen)
    if ground.spur_db is not None:
        seen += peak * 10.0 ** (ground.spur_db / 20.0) * np.exp(2j * np.pi * _SPUR_GHZ * time_ns)
    step = np.where(self_test, ground.self_test_step, ground.step)[:, None]
    return Echoes((np.rint(seen.real / step) + 1j * np.rint(seen.imag / step)) * step, layers, along, depth)


def _within_reach(ground: Ground, reach_ghz: float, time_ns: Reals, seen: Traces) -> Traces:
    """The same traces, their spectrum ending at the reach, and the direct wave as strong as before."""
    n = 2 * ground.n_samples  # so that what rings before the first sample does not come in at the end
    frequency = np.abs(np.fft.fftfreq(n, ground.sample_ns))
    edge = 1.0 / (1.0 + np.exp(np.clip((frequency - reach_ghz) / _EDGE_GHZ, -60.0, 60.0)))
    one = np.exp(-0.5 * ((time_ns - ground.direct_ns) / ground.pulse_ns) ** 2)
    lost = np.abs(np.fft.ifft(np.fft.fft(one, n) * edge)).max()
    limited: Traces = np.fft.ifft(np.fft.fft(seen, n, axis=1) * edge, axis=1)[:, : ground.n_samples] / lost
    return limited


def _pulses(ground: Ground, time_ns: Reals, delay_ns: Reals, amplitude: Reals) -> Traces:
    """One echo in each trace: a Gaussian with the phase of its delay."""
    shape = np.exp(-0.5 * ((time_ns - delay_ns[:, None]) / ground.pulse_ns) ** 2)
    way = 1.0 if ground.mirrored else -1.0
    turned: Traces = shape * (amplitude * np.exp(2j * np.pi * way * ground.carrier_ghz * delay_ns))[:, None]
    return turned * _carrier(ground, time_ns)


def _carrier(ground: Ground, time_ns: Reals) -> Traces:
    way = -1.0 if ground.mirrored else 1.0
    turning: Traces = np.exp(2j * np.pi * way * (ground.carrier_ghz - ground.mixed_away_ghz) * time_ns)
    return turning


def _rocks(ground: Ground, drive_m: float, draw: np.random.Generator) -> tuple[Reals, Reals]:
    """Point reflectors: how far along the drive, and how deep."""
    along = draw.random(ground.n_rocks) * max(drive_m, 1.0)
    low, high = ground.rock_depth_m
    return along, low + (high - low) * draw.random(ground.n_rocks)


def _envelope(ground: Ground, lag_ns: Reals) -> Reals:
    """Amplitude of what the ground returns, over that of the direct wave; none before it."""
    decibels = np.interp(lag_ns, ground.envelope_ns, ground.envelope_db)
    return np.where(lag_ns > ground.envelope_ns[0], 10.0 ** (decibels / 20.0), 0.0)


def _clutter(ground: Ground, n: int, time_ns: Reals, draw: np.random.Generator) -> Traces:
    """Scatter of unit power in the band of the pulse, alike in neighbouring traces, never more than twice the rms."""
    scatter = _gaussian((n + 4, len(time_ns)), draw)
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / np.sqrt(19.0)
    smooth = np.zeros((n, len(time_ns)), np.complex128)
    for k, weight in enumerate(weights):
        smooth += weight * scatter[k : k + n]
    band = np.exp(-0.5 * (2.0 * np.pi * np.fft.fftfreq(len(time_ns), ground.sample_ns) * ground.pulse_ns) ** 2)
    band /= np.sqrt(np.mean(band**2))
    narrow: Traces = np.fft.ifft(np.fft.fft(smooth, axis=1) * band, axis=1) * _carrier(ground, time_ns)
    return narrow / np.maximum(1.0, np.abs(narrow) / 2.0)


def _gaussian(shape: tuple[int, int], draw: np.random.Generator) -> Traces:
    noise: Traces = (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)) / np.sqrt(2.0)
    return noise
