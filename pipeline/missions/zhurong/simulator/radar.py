"""GPR_HF and GPR_LF: records of the penetrating radar in the genuine layout (fact sheet 3.1).

One record each 5.4 cm (high frequency, of each polarisation) and 50 cm (low) driven; the first record of a run and
each 64th of HH is a self-test. HH alone, or all four polarisations, whose codes are assumed.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Flags, Longs, Octets, Reals
from .echoes import HIGH_FREQUENCY, LOW_FREQUENCY, Echoes, Ground, Traces, traces
from .octets import constant, onboard_time, rows, sign_magnitude, unsigned
from .packets import Measurement, records_at
from .radar_records import HF, LF, Layout, describe
from .timeline import Timeline
from .traverse import Traverse


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
    layout=HF, ground=HIGH_FREQUENCY, interval_m=0.054, self_test_ms=1081, self_test_every=64, frame_count_step=4
)
_LF = _Band(
    layout=LF, ground=LOW_FREQUENCY, interval_m=0.50, self_test_ms=601, self_test_every=1 << 30, frame_count_step=1
)


@dataclass(frozen=True, slots=True)
class _Polarization:
    """A pair of antennas: its codes in the record, its place in a cycle, its echoes over those of HH [assumed]."""

    node: int
    code: int
    turn: int
    gain: float


_ALL = (
    _Polarization(0xA8, 0xEE, 0, 1.0),
    _Polarization(0xA9, 0xE1, 1, 0.25),
    _Polarization(0xAA, 0x1E, 2, 0.25),
    _Polarization(0xAB, 0x11, 3, 0.8),
)


def sound_high(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float, *, four: bool) -> Measurement:
    """High frequency: HH, or all `four` polarisations in turn."""
    sounded = [_sound_one(pair, timeline, rover, seed, drift_ppm) for pair in (_ALL if four else _ALL[:1])]
    return _together("gpr_hf", _HF, sounded)


def sound_low(timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float) -> Measurement:
    """Low frequency."""
    milliseconds = _triggers(_LF, rover, 0.0)
    self_test = np.arange(len(milliseconds)) % _LF.self_test_every == 0
    count = (1 + np.arange(len(milliseconds))) % 256
    draws = chance.stream(seed, "radar lf ground"), chance.stream(seed, "radar lf")
    echoes, sent = _sound(_LF, milliseconds, self_test, timeline, rover, draws)
    codes, samples = _low_fields(self_test, echoes.samples, unsigned(count, 1))
    return _together("gpr_lf", _LF, [(echoes, sent, _octets(_LF, sent, drift_ppm, codes, samples))])


def _sound_one(
    pair: _Polarization, timeline: Timeline, rover: Traverse, seed: int, drift_ppm: float
) -> tuple[Echoes, _Sent, list[bytes]]:
    milliseconds = _triggers(_HF, rover, _HF.interval_m * pair.turn / len(_ALL))[pair.turn > 0 :]
    record = np.arange(len(milliseconds)) + (pair.turn > 0)
    self_test = (record % _HF.self_test_every == 0) & (pair.turn == 0)
    count = (1 + pair.turn + _HF.frame_count_step * record) % 256
    draws = chance.stream(seed, "radar hf ground"), chance.stream(seed, f"radar hf {pair.turn}")
    ground = dataclasses.replace(HIGH_FREQUENCY, direct_db=HIGH_FREQUENCY.direct_db + 20.0 * np.log10(pair.gain))
    band = dataclasses.replace(_HF, ground=ground)
    echoes, sent = _sound(band, milliseconds, self_test, timeline, rover, draws)
    codes, samples = _high_fields(self_test, echoes.samples, unsigned(count, 1), pair)
    return echoes, sent, _octets(band, sent, drift_ppm, codes, samples)


@dataclass(frozen=True, slots=True)
class _Sent:
    """Where and when the records were taken."""

    time_ns: Longs
    position_ned_m: Reals
    attitude_deg: Reals
    velocity_body_m_s: Reals


def _sound(
    band: _Band,
    milliseconds: Longs,
    self_test: Flags,
    timeline: Timeline,
    rover: Traverse,
    draws: tuple[np.random.Generator, np.random.Generator],
) -> tuple[Echoes, _Sent]:
    time_s = milliseconds / 1000.0
    distance = rover.at(rover.distance_m, time_s)[:, 0]
    echoes = traces(band.ground, distance, float(rover.distance_m[-1]), self_test, *draws)
    sent = _Sent(
        time_ns=timeline.start_ns + milliseconds * 1_000_000,
        position_ned_m=rover.at(rover.position_ned_m, time_s),
        attitude_deg=rover.at(rover.attitude_deg, time_s),
        velocity_body_m_s=_velocity(rover, time_s, draws[1]),
    )
    return echoes, sent


def _octets(band: _Band, sent: _Sent, drift_ppm: float, codes: Octets, samples: Octets) -> list[bytes]:
    return rows(
        constant(band.layout.channel, len(codes)),
        onboard_time(sent.time_ns, drift_ppm),
        codes,
        samples,
        sign_magnitude(sent.velocity_body_m_s, 1e-5),
        sign_magnitude(sent.position_ned_m, 0.01),
        sign_magnitude(sent.attitude_deg[:, [1, 0, 2]], 180.0 / 32768.0),
    )


def _together(name: str, band: _Band, sounded: list[tuple[Echoes, _Sent, list[bytes]]]) -> Measurement:
    """All records in the order of their times, and their truth."""
    time_ns = np.concatenate([sent.time_ns for _, sent, _ in sounded])
    order = np.argsort(time_ns, kind="stable")
    every = [row for _, _, octets in sounded for row in octets]
    octets = [every[k] for k in order]
    records = records_at(band.layout.apid, time_ns[order], octets, secondary_header=False)
    truth = describe(time_ns[order], octets, band.layout) | {
        "position_ned_m": np.concatenate([sent.position_ned_m for _, sent, _ in sounded])[order],
        "attitude_deg": np.concatenate([sent.attitude_deg for _, sent, _ in sounded])[order],
        "velocity_body_m_s": np.concatenate([sent.velocity_body_m_s for _, sent, _ in sounded])[order],
        "layer_depth_m": np.concatenate([echoes.layer_depth_m for echoes, _, _ in sounded])[order],
        "rock_along_m": sounded[0][0].rock_along_m,
        "rock_depth_m": sounded[0][0].rock_depth_m,
    }
    facts = {
        "samples": "none beyond what is in the record: samples are stored as they were sent",
        "permittivity": band.ground.permittivity,
        "direct_wave_ns": band.ground.direct_ns,
    }
    return Measurement(name, records, truth, facts)


def _triggers(band: _Band, rover: Traverse, later_m: float) -> Longs:
    """Milliseconds from the start: the self-test, then each interval driven and a little more."""
    distances = np.arange(band.interval_m + later_m, rover.distance_m[-1], band.interval_m)
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


def _high_fields(
    self_test: Flags, echoes: Traces, frame_count: Octets, pair: _Polarization
) -> tuple[Octets, Octets]:
    """Bytes 10 to 17 of a record, and its samples: real and imaginary in turn, little-endian."""
    n = len(echoes)
    tail = bytes([0x0F, pair.code, 0xAA, 0x40, 0x00])
    codes = [frame_count, constant(bytes([pair.node]), n), _modes(self_test), constant(tail, n)]
    return np.hstack(codes), np.ascontiguousarray(echoes, "<c8").view(np.uint8)


def _low_fields(self_test: Flags, echoes: Traces, frame_count: Octets) -> tuple[Octets, Octets]:
    """As the high frequency's, but all reals, then all imaginaries."""
    n = len(echoes)
    codes = [frame_count, constant(b"\xcc\xaa", n), _modes(self_test), constant(b"\x0f\x32\x2e\xe0", n)]
    parts = np.hstack([echoes.real, echoes.imag]).astype("<f4")
    return np.hstack(codes), parts.view(np.uint8)
