"""A pass from beginning to end: the rover measures and sends packets; the orbiter stores, frames, codes, sends them.

In: a scenario. Out: the pass, its receive times and its truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ....model.errors import ConfigError
from . import faults, link, truth
from .aim import stance, target
from .files import check_writable, npz, write_together
from .frames import PROFILES, Profile, all_frames, first_counts, how_many_idle
from .heavens import conjunction, light_time_ns
from .housekeeping import correlate_clock, report_engineering, report_events
from .libs import shoot_targets
from .magnetometer import measure_field
from .mms import scan_surface
from .momag import measure_wind
from .mosir import sound_ground
from .mscam import take_filter_images
from .natecam import take_images
from .navigation import navigate
from .orbit import orbit_of, report_state
from .packets import Measurement, PacketStream, Record, fill, queue
from .particles import count_particles, scan_ions
from .radar import sound_high, sound_low
from .radar_records import read_products
from .relay import Relay, relay
from .scenario import LONGEST_S, Scenario, Summary
from .scene import make_scene
from .sound import record_sound
from .strips import HIRIC, MORIC, take_strip
from .swir import take_spectra
from .timeline import Timeline, night, sol_of, stay, stay_around
from .traverse import Traverse, travel
from .truth import Sent
from .weather import observe_weather

_CLOSE_NS = 300_000_000_000
"""Longest observation around periapsis; its data are sent in the next pass to Earth [assumed]."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Timeline, motion and measurements of the rover."""

    timeline: Timeline
    rover: Traverse
    measurements: list[Measurement]


@dataclass(slots=True)
class Counters:
    """Counters that continue from pass to pass: next sequence count of each APID, next frame count of each channel."""

    sequence: dict[int, int]
    frames: dict[int, int]


def simulate(out: Path, scenario: Scenario, progress: Callable[[float], None] | None = None) -> Summary:
    """Write `out` (CADUs), and beside it its `.times`, `.truth.npz` and `.truth.json`.

    `progress` is called with the share that is done. The same scenario gives the same bytes. Raises ConfigError for a
    scenario that makes no sense or a radar file that is none, RunError where the files cannot be written.
    """
    progress = progress or (lambda _: None)
    scenario.check()
    check_writable(files_of(out))
    stay = simulate_stay(scenario, progress)
    counters = Counters({}, first_counts(scenario.seed))
    whole = queue(records_of(stay.measurements), scenario.seed, counters.sequence)
    way = relay(stay.timeline.stop_ns, len(whole.octets))
    orbiter_measurements = observe(scenario, way.send_ns, stay.timeline.duration_s)
    (sent,) = send(whole, (0, len(whole)), orbiter_measurements, scenario, way, counters)
    progress(0.8)
    write(out, scenario, stay, orbiter_measurements, sent)
    progress(1.0)
    return summary(files_of(out), stay.timeline.sol, sent)


def simulate_stay(scenario: Scenario, progress: Callable[[float], None], since: Traverse | None = None) -> Stay:
    """A stay of the rover, which starts where the one before ended."""
    radar = read_products(scenario.radar_files)
    timeline = _timeline(scenario, radar)
    rover = travel(timeline, scenario.seed, since)
    return Stay(timeline, rover, _measure(scenario, timeline, rover, radar, progress))


def send(
    whole: PacketStream,
    part: tuple[int, int],
    orbiter_measurements: Sequence[Measurement],
    scenario: Scenario,
    way: Relay,
    counters: Counters,
    n_stations: int = 1,
) -> list[Sent]:
    """The orbiter frames and sends a part of the rover's packets, with its own in between; one `Sent` per station."""
    seed, profile = scenario.seed, PROFILES[scenario.profile]
    stream = fill(whole.cut(*part), profile.zone_bytes, counters.sequence)
    own = _own(orbiter_measurements, seed, profile, counters) if orbiter_measurements else None
    n_relay = len(stream.octets) // profile.zone_bytes
    n_idle = how_many_idle(n_relay) if scenario.faults.other_channel else 0
    channels = all_frames(stream, own, n_idle, profile, counters.frames)
    frames = np.vstack(channels)
    broken = faults.choose(n_relay, scenario.faults, seed)
    order = link.sending_order([len(channel) for channel in channels], seed)
    slots = link.schedule(order, broken.duplicated, way.send_ns, profile)
    light_ns = light_time_ns(way.send_ns)
    received = []
    for k in range(n_stations):
        seen = link.faults_of_station(broken, slots, n_relay, scenario, (k, n_stations))
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
    """Write all files of a pass, or none."""
    times, arrays, accounts, _ = files_of(out)
    measured = [*stay.measurements, *orbiter_measurements]
    write_together(
        {
            times: link.receive_times(sent.reception).tobytes(),
            arrays: npz(truth.arrays(stay.measurements, orbiter_measurements, stay.rover, stay.timeline, sent)),
            accounts: truth.text(truth.accounts(scenario, stay.timeline, measured, sent)),
            out: sent.reception.octets.data,
        }
    )


def files_of(out: Path) -> tuple[Path, Path, Path, Path]:
    """What is written beside a pass, and the pass."""
    times, arrays, accounts = (beside(out, ending) for ending in (".times", ".truth.npz", ".truth.json"))
    return times, arrays, accounts, out


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
    """The sol of the scenario, or the one in which the genuine radar records were taken."""
    if not radar:
        timeline = (night if scenario.night else stay)(scenario.sol, scenario.duration_s)
        idle = conjunction(timeline.start_ns) is not None
        return replace(timeline, quiet=True) if idle else timeline
    times = np.concatenate([measurement.truth["time_utc_ns"] for measurement in radar]).astype(np.int64)
    timeline = stay_around(int(times.min()), int(times.max()), scenario.duration_s)
    if timeline.duration_s > LONGEST_S:
        raise ConfigError(
            f"radar_files: the records span {timeline.duration_s} s, more than one stay of {LONGEST_S:g} s"
        )
    return timeline


def _measure(
    scenario: Scenario,
    timeline: Timeline,
    rover: Traverse,
    radar: list[Measurement],
    progress: Callable[[float], None],
) -> list[Measurement]:
    """Every instrument in turn; of a quiet stay only those that measure at night."""
    seed, drift_ppm = scenario.seed, scenario.faults.clock_drift_ppm
    measurements = [
        navigate(timeline, rover, drift_ppm),
        report_engineering(timeline, seed, drift_ppm),
        correlate_clock(timeline, seed, drift_ppm),
        observe_weather(timeline, rover, seed, drift_ppm),
        measure_field(timeline, rover, seed, drift_ppm),
    ]
    progress(0.2)
    if timeline.quiet:
        return measurements
    measurements += [
        report_events(timeline, rover, drift_ppm),
        record_sound(timeline, seed, drift_ppm),
        take_spectra(timeline, seed, drift_ppm),
    ]
    measurements.append(shoot_targets(timeline, seed, drift_ppm))
    progress(0.3)
    measurements += radar or [
        sound_high(timeline, rover, seed, drift_ppm, four=scenario.all_polarizations),
        sound_low(timeline, rover, seed, drift_ppm),
    ]
    progress(0.5)
    shooting = stance(timeline, rover, timeline.start_ns + (timeline.phase("LIBS POINT 1")[0] + 2) * 1_000_000_000)
    scene = make_scene(rover, target(shooting), seed)
    measurements.append(take_filter_images(timeline, rover, scene, seed, drift_ppm))
    measurements.append(take_images(timeline, rover, scene, seed, drift_ppm))
    progress(0.6)
    return measurements


def observe(scenario: Scenario, stop_ns: int, duration_s: int, *, down: bool = True) -> list[Measurement]:
    """Housekeeping and measurements of the orbiter until `stop_ns`; `down`: with observations of the ground."""
    if not (scenario.orbiter or scenario.faults.other_channel):
        return []
    orbit, seed, start_ns = orbit_of(sol_of(stop_ns)), scenario.seed, stop_ns - duration_s * 1_000_000_000
    periapsis_ns = orbit.last_periapsis_ns(stop_ns)
    close = min(stop_ns - start_ns, _CLOSE_NS)
    near = (periapsis_ns - close // 2, periapsis_ns + close // 2)
    around = [
        report_state(start_ns, stop_ns, orbit, seed),
        measure_wind(start_ns, stop_ns, seed),
        scan_ions(start_ns, stop_ns, seed),
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
