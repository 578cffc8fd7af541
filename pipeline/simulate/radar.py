"""GPR_HF and GPR_LF: the penetrating radar over regolith, crust, rocks and two deep layers (fact sheet 3).

Each trace is the direct wave, echoes of layers and rocks and the clutter between, under the envelope measured in
the genuine records of sol 11; each record has the genuine layout. One record each 5.4 cm (high frequency) and
50 cm (low) driven; the first record of a run and each 64th of the high frequency is a self-test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate import chance
from pipeline.simulate.arrays import Flags, Longs, Octets, Reals
from pipeline.simulate.octets import constant, onboard_time, rows, sign_magnitude, unsigned
from pipeline.simulate.packets import Measurement, Record
from pipeline.simulate.radar_records import HF, LF, Layout, describe
from pipeline.simulate.timeline import Timeline
from pipeline.simulate.traverse import Traverse

Traces = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class _Band:
    """What one of the two radars is and sees."""

    layout: Layout
    interval_m: float
    self_test_ms: int
    """When the self-test before the drive is taken."""
    self_test_every: int
    frame_count_step: int
    n_samples: int
    sample_ns: float
    carrier_ghz: float
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
    """Samples are whole multiples of it; a quarter of it in the low frequency's self-test."""


_HF = _Band(
    layout=HF,
    interval_m=0.054,
    self_test_ms=1081,
    self_test_every=64,
    frame_count_step=4,
    n_samples=2048,
    sample_ns=0.098,
    carrier_ghz=1.3,
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
)
_LF = _Band(
    layout=LF,
    interval_m=0.50,
    self_test_ms=601,
    self_test_every=1 << 30,
    frame_count_step=1,
    n_samples=1500,
    sample_ns=10.0,
    carrier_ghz=0.055,
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
)
_SPUR_GHZ, _SPUR_DB = 0.045, -84.0


def sound_high(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float) -> Measurement:
    """High frequency, HH."""
    return _sound(_HF, "gpr_hf", timeline, rover, chance.stream(seed, "radar hf"), drift_ppm, _high_fields)


def sound_low(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float) -> Measurement:
    """Low frequency."""
    return _sound(_LF, "gpr_lf", timeline, rover, chance.stream(seed, "radar lf"), drift_ppm, _low_fields)


def _sound(
    band: _Band,
    name: str,
    timeline: Timeline,
    rover: Traverse,
    draw: np.random.Generator,
    drift_ppm: float,
    fields: Callable[[Flags, Traces, Octets], tuple[Octets, Octets]],
) -> Measurement:
    milliseconds = _triggers(band, rover)
    n = len(milliseconds)
    time_s = milliseconds / 1000.0
    self_test = np.arange(n) % band.self_test_every == 0
    traces, layers_m = _traces(band, rover.at(rover.distance_m, time_s)[:, 0], self_test, draw)
    time_ns = timeline.start_ns + milliseconds * 1_000_000
    frame_count = (1 + band.frame_count_step * np.arange(n)) % 256
    codes, samples = fields(self_test, traces, unsigned(frame_count, 1))
    velocity = _velocity(rover, time_s, draw)
    attitude = rover.at(rover.attitude_deg, time_s)
    position = rover.at(rover.position_ned_m, time_s)
    octets = rows(
        constant(band.layout.channel, n),
        onboard_time(time_ns, drift_ppm),
        codes,
        samples,
        sign_magnitude(velocity, 1e-5),
        sign_magnitude(position, 0.01),
        sign_magnitude(attitude[:, [1, 0, 2]], 180.0 / 32768.0),
    )
    records = [Record(band.layout.apid, int(at), row, False) for at, row in zip(time_ns, octets, strict=True)]
    truth = describe(time_ns, octets, band.layout) | {
        "position_ned_m": position,
        "attitude_deg": attitude,
        "velocity_body_m_s": velocity,
        "layer_depth_m": layers_m,
    }
    facts: dict[str, object] = {
        "samples": "none beyond what is in the record: samples are stored as they were sent",
        "permittivity": band.permittivity,
        "direct_wave_ns": band.direct_ns,
    }
    return Measurement(name, records, truth, facts)


def _triggers(band: _Band, rover: Traverse) -> Longs:
    """Milliseconds from the start: the self-test, then each interval driven."""
    distances = np.arange(band.interval_m, rover.distance_m[-1], band.interval_m)
    begin = int(np.argmax(rover.driving))
    end = begin + int(np.count_nonzero(rover.driving)) + 1
    moving = slice(begin - 1, end)
    driven = np.interp(distances, rover.distance_m[moving], rover.time_s[moving])
    return np.append(band.self_test_ms, np.rint(driven * 1000.0).astype(np.int64))


def _velocity(rover: Traverse, time_s: Reals, draw: np.random.Generator) -> Reals:
    """Along the rover's own axes, m/s; wheels slip sideways a little."""
    forward = rover.at(rover.speed_m_s, time_s)
    sideways = forward * np.array([[1.0, 0.0008, 0.006]])
    wobble = np.where(forward > 0.0, 1.0, 0.0) * draw.standard_normal((len(time_s), 3)) * (2e-4, 4e-5, 8e-4)
    velocity: Reals = sideways + wobble
    return velocity


def _traces(band: _Band, distance_m: Reals, self_test: Flags, draw: np.random.Generator) -> tuple[Traces, Reals]:
    """Complex samples [n, n_samples], whole multiples of a step, and the depths of the layers [n, layers]."""
    n = len(distance_m)
    time_ns = np.arange(band.n_samples, dtype=np.float64) * band.sample_ns
    peak = 10.0 ** (band.direct_db / 20.0)
    relief = [chance.wander(draw, distance_m, band.layer_relief_m, 2.0, 15.0) for _ in band.layers_m]
    layers = np.array(band.layers_m) + np.stack(relief, axis=1)
    delay: Reals = band.direct_ns + band.direct_jitter_ns * np.clip(draw.standard_normal(n), -2, 2)
    strength: Reals = peak * (1.0 + band.direct_variation * np.clip(draw.standard_normal(n), -2.5, 0.5))
    echoes = _pulses(band, time_ns, delay, strength)
    for depth in [*layers.T, *_rocks(band, distance_m, draw)]:
        lag: Reals = 2.0 * depth * np.sqrt(band.permittivity) / 0.299792458
        echoes += _pulses(band, time_ns, delay + lag, 2.0 * peak * _envelope(band, lag))
    echoes += peak * _envelope(band, time_ns - band.direct_ns) * _clutter(n, band.n_samples, draw)
    test = _pulses(band, time_ns, np.full(n, 2.0 * band.direct_ns), np.full(n, peak / 8.0))
    ground = np.where(self_test[:, None], test, echoes)
    ground += peak * 10.0 ** (band.floor_db / 20.0) * _gaussian((n, band.n_samples), draw)
    if band is _LF:
        ground += peak * 10.0 ** (_SPUR_DB / 20.0) * np.exp(2j * np.pi * _SPUR_GHZ * time_ns)
    step = np.where(self_test & (band is _LF), band.step / 4.0, band.step)[:, None]
    return (np.rint(ground.real / step) + 1j * np.rint(ground.imag / step)) * step, layers


def _pulses(band: _Band, time_ns: Reals, delay_ns: Reals, amplitude: Reals) -> Traces:
    """One echo in each trace: a Gaussian with the phase of its delay."""
    shape = np.exp(-0.5 * ((time_ns - delay_ns[:, None]) / band.pulse_ns) ** 2)
    turned: Traces = shape * (amplitude * np.exp(-2j * np.pi * band.carrier_ghz * delay_ns))[:, None]
    return turned


def _rocks(band: _Band, distance_m: Reals, draw: np.random.Generator) -> list[Reals]:
    """Slant distances to point reflectors: hyperbolas."""
    along = draw.random(band.n_rocks) * max(float(distance_m.max()), 1.0)
    low, high = band.rock_depth_m
    depth = low + (high - low) * draw.random(band.n_rocks)
    return [np.sqrt(d**2 + (distance_m - x) ** 2) for x, d in zip(along, depth, strict=True)]


def _envelope(band: _Band, lag_ns: Reals) -> Reals:
    """Amplitude of what the ground returns, over that of the direct wave; none before it."""
    decibels = np.interp(lag_ns, band.envelope_ns, band.envelope_db)
    return np.where(lag_ns > band.envelope_ns[0], 10.0 ** (decibels / 20.0), 0.0)


def _clutter(n: int, n_samples: int, draw: np.random.Generator) -> Traces:
    """Scatter of unit power, alike in neighbouring traces."""
    scatter = _gaussian((n + 4, n_samples), draw)
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / np.sqrt(19.0)
    smooth = np.zeros((n, n_samples), np.complex128)
    for k, weight in enumerate(weights):
        smooth += weight * scatter[k : k + n]
    return smooth


def _gaussian(shape: tuple[int, int], draw: np.random.Generator) -> Traces:
    noise: Traces = (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)) / np.sqrt(2.0)
    return noise


def _modes(self_test: Flags) -> Octets:
    return np.where(self_test, 0xCC, 0xFF).astype(np.uint8)[:, None]


def _high_fields(self_test: Flags, traces: Traces, frame_count: Octets) -> tuple[Octets, Octets]:
    """Bytes 10 to 17 of a record, and its samples: real and imaginary in turn, little-endian."""
    n = len(traces)
    codes = [frame_count, constant(b"\xa8", n), _modes(self_test), constant(b"\x0f\xee\xaa\x40\x00", n)]
    return np.hstack(codes), np.ascontiguousarray(traces, "<c8").view(np.uint8)


def _low_fields(self_test: Flags, traces: Traces, frame_count: Octets) -> tuple[Octets, Octets]:
    """As the high frequency's, but all reals, then all imaginaries."""
    n = len(traces)
    codes = [frame_count, constant(b"\xcc\xaa", n), _modes(self_test), constant(b"\x0f\x32\x2e\xe0", n)]
    parts = np.hstack([traces.real, traces.imag]).astype("<f4")
    return np.hstack(codes), parts.view(np.uint8)
