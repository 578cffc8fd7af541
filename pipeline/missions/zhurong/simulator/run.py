"""A pass from beginning to end: the rover measures, hands over packets; the orbiter stores, frames, codes, sends.

In goes a scenario, out come the pass, its receive times and its truth. Nothing here knows the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....model.errors import ConfigError
from . import faults, link, stations, traffic, truth
from .aim import stance, target
from .clock import tell_time
from .files import check_writable, npz, write_together
from .frames import PROFILES, Profile
from .heavens import light_time_ns, silence
from .housekeeping import keep_house, tell_events
from .libs import shoot
from .magnetometer import measure_field
from .mms import scan_surface
from .momag import measure_wind
from .mosir import sound_ground
from .mscam import look_in_nine_colours
from .natecam import look_around
from .navigation import navigate
from .orbit import orbit_of
from .orbiter import report_state
from .packets import Measurement, PacketStream, Record, fill, queue
from .particles import count_particles, sort_ions
from .radar import sound_high, sound_low
from .radar_records import read_products
from .relay import Relay, relay
from .scenario import LONGEST_S, Scenario, Summary
from .scene import lay_out
from .sound import listen
from .strips import HIRIC, MORIC, take_strip
from .swir import look
from .timeline import Timeline, night, sol_of, stay, stay_around
from .traverse import Traverse, travel
from .truth import Sent
from .weather import observe_weather

_CLOSE_NS = 300_000_000_000
"""How long the orbiter looks down around periapsis, at most; it sends that when it can [assumed]."""


@dataclass(frozen=True, slots=True)
class Stay:
    """What the rover did and measured."""

    timeline: Timeline
    rover: Traverse
    measurements: list[Measurement]


@dataclass(slots=True)
class Counters:
    """What goes on from pass to pass: the next sequence count of each APID, the next frame count of each channel."""

    sequence: dict[int, int]
    frames: dict[int, int]


def simulate(out: Path, scenario: Scenario, progress: Callable[[float], None] | None = None) -> Summary:
    """Write `out` (CADUs), and beside it its `.times`, `.truth.npz` and `.truth.json`.

    `progress` is told the share that is done. The same scenario gives the same bytes. Raises ConfigError for a
    scenario that makes no sense or a radar file that is none, RunError where the files cannot be written.
    """
    tell = progress or (lambda _: None)
    scenario.check()
    check_writable(files_of(out))
    stay = live(scenario, tell)
    counters = Counters({}, traffic.first_counts(scenario.seed))
    whole = queue(records_of(stay.measurements), scenario.seed, counters.sequence)
    way = relay(stay.timeline.stop_ns, len(whole.octets))
    orbiter_measurements = observe(scenario, way.send_ns, stay.timeline.duration_s)
    (sent,) = send(whole, (0, len(whole)), orbiter_measurements, scenario, way, counters)
    tell(0.8)
    write(out, scenario, stay, orbiter_measurements, sent)
    tell(1.0)
    return summary(files_of(out), stay.timeline.sol, sent)


def live(scenario: Scenario, tell: Callable[[float], None], since: Traverse | None = None) -> Stay:
    """A stay of the rover, which goes on where the one before ended."""
    radar = read_products(scenario.radar_files)
    timeline = _timeline(scenario, radar)
    rover = travel(timeline, scenario.seed, since)
    return Stay(timeline, rover, _measure(scenario, timeline, rover, radar, tell))


def send(
    whole: PacketStream,
    part: tuple[int, int],
    orbiter_measurements: Sequence[Measurement],
    scenario: Scenario,
    way: Relay,
    counters: Counters,
    n_stations: int = 1,
) -> list[Sent]:
    """The orbiter frames a part of the rover's packets and sends, its own in between; each station has a `Sent`."""
    seed, profile = scenario.seed, PROFILES[scenario.profile]
    stream = fill(whole.cut(*part), profile.zone_bytes, counters.sequence)
    own = _own(orbiter_measurements, seed, profile, counters) if orbiter_measurements else None
    n_relay = len(stream.octets) // profile.zone_bytes
    n_idle = traffic.how_many_idle(n_relay) if scenario.faults.other_channel else 0
    channels = traffic.all_frames(stream, own, n_idle, profile, counters.frames)
    frames = np.vstack(channels)
    broken = faults.choose(n_relay, scenario.faults, seed)
    order = link.sending_order([len(channel) for channel in channels], seed)
    slots = link.schedule(order, broken.duplicated, way.send_ns, profile)
    light_ns = light_time_ns(way.send_ns)
    received = []
    for k in range(n_stations):
        seen = stations.lose(broken, slots, n_relay, scenario, (k, n_stations))
        reception = link.transmit(frames, slots, seen, profile, scenario.faults, seed + k, light_ns)
        received.append(Sent(stream, own, frames, seen, slots, reception, profile, light_ns, way, whole, part[0]))
    return received


def _own(
    orbiter_measurements: Sequence[Measurement], seed: int, profile: Profile, counters: Counters
) -> PacketStream:
    return fill(
        queue(records_of(orbiter_measurements), seed, counters.sequence), profile.zone_bytes, counters.sequence
    )


def write(
    out: Path, scenario: Scenario, stay: Stay, orbiter_measurements: Sequence[Measurement], sent: Sent
) -> None:
    """All files of a pass, or none."""
    times, arrays, books, _ = files_of(out)
    measured = [*stay.measurements, *orbiter_measurements]
    write_together(
        {
            times: link.receive_times(sent.reception).tobytes(),
            arrays: npz(truth.arrays(stay.measurements, orbiter_measurements, stay.rover, stay.timeline, sent)),
            books: truth.text(truth.books(scenario, stay.timeline, measured, sent)),
            out: sent.reception.octets.data,
        }
    )


def files_of(out: Path) -> tuple[Path, Path, Path, Path]:
    """What is written beside a pass, and the pass."""
    times, arrays, books = (beside(out, ending) for ending in (".times", ".truth.npz", ".truth.json"))
    return times, arrays, books, out


def records_of(measurements: Sequence[Measurement]) -> list[Record]:
    """All records, in the order of the measurements."""
    return [record for measurement in measurements for record in measurement.records]


def summary(files: tuple[Path, ...], sol: int, sent: Sent) -> Summary:
    """What was made."""
    received_ns = sent.reception.received_ns
    return Summary(
        files=files,
        sol=sol,
        n_bytes=len(sent.reception.octets),
        n_cadus=len(received_ns),
        pass_duration_s=(int(received_ns[-1] - received_ns[0]) + sent.profile.slot_ns) / 1e9,
        packets=sent.packets_by_apid(),
        frames=truth.frames_by_channel(sent.frames),
    )


def beside(out: Path, ending: str) -> Path:
    """The file beside a pass whose name is longer by `ending`."""
    return out.with_name(out.name + ending)


def _timeline(scenario: Scenario, radar: list[Measurement]) -> Timeline:
    """The sol that was asked for, or the one in which the genuine radar records were taken."""
    if not radar:
        timeline = (night if scenario.night else stay)(scenario.sol, scenario.duration_s)
        idle = silence(timeline.start_ns) is not None
        return replace(timeline, quiet=True) if idle else timeline
    times = np.concatenate([measurement.truth["time_utc_ns"] for measurement in radar]).astype(np.int64)
    timeline = stay_around(int(times.min()), int(times.max()), scenario.duration_s)
    if timeline.duration_s > LONGEST_S:
        raise ConfigError(
            f"radar_files: the records span {timeline.duration_s} s, more than one stay of {LONGEST_S:g} s",
        )
    return timeline


def _measure(
    scenario: Scenario,
    timeline: Timeline,
    rover: Traverse,
    radar: list[Measurement],
    tell: Callable[[float], None],
) -> list[Measurement]:
    """Every instrument in turn; of a quiet stay those that never sleep."""
    seed, drift_ppm = scenario.seed, scenario.faults.clock_drift_ppm
    measurements = [
        navigate(timeline, rover, drift_ppm),
        keep_house(timeline, seed, drift_ppm),
        tell_time(timeline, seed, drift_ppm),
        observe_weather(timeline, rover, seed, drift_ppm),
        measure_field(timeline, rover, seed, drift_ppm),
    ]
    tell(0.2)
    if timeline.quiet:
        return measurements
    measurements += [
        tell_events(timeline, rover, drift_ppm),
        listen(timeline, seed, drift_ppm),
        look(timeline, seed, drift_ppm),
    ]
    measurements.append(shoot(timeline, seed, drift_ppm))
    tell(0.3)
    measurements += radar or [
        sound_high(timeline, rover, seed, drift_ppm, four=scenario.all_polarizations),
        sound_low(timeline, rover, seed, drift_ppm),
    ]
    tell(0.5)
    shooting = stance(timeline, rover, timeline.start_ns + (timeline.phase("LIBS POINT 1")[0] + 2) * 1_000_000_000)
    scene = lay_out(rover, target(shooting), seed)
    measurements.append(look_in_nine_colours(timeline, rover, scene, seed, drift_ppm))
    measurements.append(look_around(timeline, rover, scene, seed, drift_ppm))
    tell(0.6)
    return measurements


def observe(scenario: Scenario, stop_ns: int, duration_s: int, *, down: bool = True) -> list[Measurement]:
    """What the orbiter reports of itself and measures until `stop_ns`; `down`: and what it saw below it."""
    if not (scenario.orbiter or scenario.faults.other_channel):
        return []
    orbit, seed, start_ns = orbit_of(sol_of(stop_ns)), scenario.seed, stop_ns - duration_s * 1_000_000_000
    periapsis_ns = orbit.last_periapsis_ns(stop_ns)
    close = min(stop_ns - start_ns, _CLOSE_NS)
    near = (periapsis_ns - close // 2, periapsis_ns + close // 2)
    around = [
        report_state(start_ns, stop_ns, orbit, seed),
        measure_wind(start_ns, stop_ns, seed),
        sort_ions(start_ns, stop_ns, seed),
        count_particles(start_ns, stop_ns, seed),
    ]
    if not down:
        return around
    return [
        *around,
        scan_surface(*near, seed),
        sound_ground(*near, orbit, seed),
        take_strip(MORIC, periapsis_ns, (start_ns, stop_ns), seed),
        take_strip(HIRIC, periapsis_ns, (start_ns, stop_ns), seed),
    ]
