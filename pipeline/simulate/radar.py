"""GPR_HF and GPR_LF: records of the penetrating radar in the genuine layout (fact sheet 3.1).

One record each 5.4 cm (high frequency) and
50 cm (low) driven; the first record of a run and each 64th of the high frequency is a self-test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.simulate import chance
from pipeline.simulate.arrays import Flags, Longs, Octets, Reals
from pipeline.simulate.echoes import HIGH_FREQUENCY, LOW_FREQUENCY, Ground, Traces, traces
from pipeline.simulate.octets import constant, onboard_time, rows, sign_magnitude, unsigned
from pipeline.simulate.packets import Measurement, Record
from pipeline.simulate.radar_records import HF, LF, Layout, describe
from pipeline.simulate.timeline import Timeline
from pipeline.simulate.traverse import Traverse


@dataclass(frozen=True, slots=True)
class _Band:
    """How one of the two radars is run."""

    layout: Layout
    ground: Ground
    interval_m: float
    self_test_ms: int
    """When the self-test before the drive is taken."""
    self_test_every: int
    frame_count_step: int


_HF = _Band(
    layout=HF,
    ground=HIGH_FREQUENCY,
    interval_m=0.054,
    self_test_ms=1081,
    self_test_every=64,
    frame_count_step=4,
)
_LF = _Band(
    layout=LF,
    ground=LOW_FREQUENCY,
    interval_m=0.50,
    self_test_ms=601,
    self_test_every=1 << 30,
    frame_count_step=1,
)


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
    echoes, layers_m = traces(band.ground, rover.at(rover.distance_m, time_s)[:, 0], self_test, draw)
    time_ns = timeline.start_ns + milliseconds * 1_000_000
    frame_count = (1 + band.frame_count_step * np.arange(n)) % 256
    codes, samples = fields(self_test, echoes, unsigned(frame_count, 1))
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
        "permittivity": band.ground.permittivity,
        "direct_wave_ns": band.ground.direct_ns,
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


def _modes(self_test: Flags) -> Octets:
    return np.where(self_test, 0xCC, 0xFF).astype(np.uint8)[:, None]


def _high_fields(self_test: Flags, echoes: Traces, frame_count: Octets) -> tuple[Octets, Octets]:
    """Bytes 10 to 17 of a record, and its samples: real and imaginary in turn, little-endian."""
    n = len(echoes)
    codes = [frame_count, constant(b"\xa8", n), _modes(self_test), constant(b"\x0f\xee\xaa\x40\x00", n)]
    return np.hstack(codes), np.ascontiguousarray(echoes, "<c8").view(np.uint8)


def _low_fields(self_test: Flags, echoes: Traces, frame_count: Octets) -> tuple[Octets, Octets]:
    """As the high frequency's, but all reals, then all imaginaries."""
    n = len(echoes)
    codes = [frame_count, constant(b"\xcc\xaa", n), _modes(self_test), constant(b"\x0f\x32\x2e\xe0", n)]
    parts = np.hstack([echoes.real, echoes.imag]).astype("<f4")
    return np.hstack(codes), parts.view(np.uint8)
