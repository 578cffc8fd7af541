"""A pass from beginning to end: the rover measures, hands over packets; the orbiter stores, frames, codes, sends.

In goes a scenario, out come the pass, its receive times and its truth. Nothing here knows the decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ConfigError
from pipeline.simulate import faults, link, traffic, truth
from pipeline.simulate.aim import stance, target
from pipeline.simulate.clock import tell_time
from pipeline.simulate.files import check_writable, npz, write_together
from pipeline.simulate.frames import PROFILES, RELAY, packet_frames
from pipeline.simulate.housekeeping import keep_house, tell_events
from pipeline.simulate.libs import shoot
from pipeline.simulate.magnetometer import measure_field
from pipeline.simulate.mms import scan_surface
from pipeline.simulate.momag import measure_wind
from pipeline.simulate.mosir import sound_ground
from pipeline.simulate.mscam import look_in_nine_colours
from pipeline.simulate.natecam import look_around
from pipeline.simulate.navigation import navigate
from pipeline.simulate.orbit import Orbit
from pipeline.simulate.orbiter import report_state
from pipeline.simulate.packets import Measurement, Record, packetize
from pipeline.simulate.particles import count_particles, sort_ions
from pipeline.simulate.radar import sound_high, sound_low
from pipeline.simulate.radar_records import read_products
from pipeline.simulate.scenario import LONGEST_S, Scenario, Summary
from pipeline.simulate.scene import lay_out
from pipeline.simulate.sound import listen
from pipeline.simulate.strips import HIRIC, MORIC, take_strip
from pipeline.simulate.swir import look
from pipeline.simulate.timeline import Timeline, stay, stay_around
from pipeline.simulate.traverse import Traverse, travel
from pipeline.simulate.truth import Sent
from pipeline.simulate.weather import observe_weather

STORED_NS = 12_600_000_000_000
"""The orbiter keeps the rover's packets for 3.5 h before it sends them [assumed]."""
_CLOSE_NS = 300_000_000_000
"""How long the orbiter looks down around periapsis, at most; it sends that when it can [assumed]."""
_FIRST_COUNT = 2**24 - 600
"""The relay channel's counter wraps inside most passes."""


def simulate(out: Path, scenario: Scenario, progress: Callable[[float], None] | None = None) -> Summary:
    """Write `out` (CADUs), and beside it its `.times`, `.truth.npz` and `.truth.json`.

    `progress` is told the share that is done. The same scenario gives the same bytes. Raises ConfigError for a
    scenario that makes no sense or a radar file that is none, RunError where the files cannot be written.
    """
    tell = progress or (lambda _: None)
    scenario.check()
    times, arrays, books = (beside(out, ending) for ending in (".times", ".truth.npz", ".truth.json"))
    check_writable((out, times, arrays, books))
    radar = read_products(scenario.radar_files)
    timeline = _timeline(scenario, radar)
    rover = travel(timeline, scenario.seed)
    measurements = _measure(scenario, timeline, rover, radar, tell)
    start_ns = timeline.stop_ns + STORED_NS
    aloft = _orbit(scenario, start_ns - timeline.duration_s * 1_000_000_000, start_ns)
    sent = _send(measurements, aloft, scenario, start_ns)
    tell(0.8)
    contents: dict[Path, bytes | memoryview] = {
        times: link.receive_times(sent.reception).tobytes(),
        arrays: npz(truth.arrays(measurements, aloft, rover, timeline, sent)),
        books: truth.text(truth.books(scenario, timeline, [*measurements, *aloft], sent)),
        out: sent.reception.octets.data,
    }
    tell(0.95)
    write_together(contents)
    tell(1.0)
    return _summary((out, times, arrays, books), timeline.sol, sent)


def _send(
    measurements: Sequence[Measurement], aloft: Sequence[Measurement], scenario: Scenario, start_ns: int
) -> Sent:
    """The rover hands over; the orbiter frames and sends, its own packets in between; the ground receives."""
    seed, profile = scenario.seed, PROFILES[scenario.profile]
    stream = packetize(_records(measurements), seed, profile.zone_bytes)
    own = packetize(_records(aloft), seed, profile.zone_bytes) if aloft else None
    relay = packet_frames(stream, profile, RELAY, _FIRST_COUNT)
    n_idle = traffic.how_many_idle(len(relay)) if scenario.faults.other_channel else 0
    channels = (relay, *traffic.other_frames(own, n_idle, profile, seed))
    frames = np.vstack(channels)
    broken = faults.choose(len(relay), scenario.faults, seed)
    order = link.sending_order([len(channel) for channel in channels], seed)
    slots = link.schedule(order, broken.duplicated, start_ns, profile)
    reception = link.transmit(frames, slots, broken, profile, scenario.faults, seed)
    return Sent(stream, own, frames, broken, slots, reception, profile)


def _records(measurements: Sequence[Measurement]) -> list[Record]:
    return [record for measurement in measurements for record in measurement.records]


def _summary(files: tuple[Path, ...], sol: int, sent: Sent) -> Summary:
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
        return stay(scenario.sol, scenario.duration_s)
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
    """Every instrument in turn."""
    seed, drift_ppm = scenario.seed, scenario.faults.clock_drift_ppm
    measurements = [
        navigate(timeline, rover, drift_ppm),
        keep_house(timeline, seed, drift_ppm),
        tell_events(timeline, rover, drift_ppm),
        tell_time(timeline, seed, drift_ppm),
        observe_weather(timeline, rover, seed, drift_ppm),
        listen(timeline, seed, drift_ppm),
        look(timeline, seed, drift_ppm),
    ]
    tell(0.1)
    measurements.append(measure_field(timeline, rover, seed, drift_ppm))
    tell(0.2)
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


def _orbit(scenario: Scenario, start_ns: int, stop_ns: int) -> list[Measurement]:
    """What the orbiter reports of itself and measures, each instrument in turn."""
    if not (scenario.orbiter or scenario.faults.other_channel):
        return []
    orbit, seed = Orbit(), scenario.seed
    periapsis_ns = orbit.last_periapsis_ns(stop_ns)
    close = min(stop_ns - start_ns, _CLOSE_NS)
    near = (periapsis_ns - close // 2, periapsis_ns + close // 2)
    return [
        report_state(start_ns, stop_ns, orbit, seed),
        measure_wind(start_ns, stop_ns, seed),
        scan_surface(*near, seed),
        sort_ions(start_ns, stop_ns, seed),
        count_particles(start_ns, stop_ns, seed),
        sound_ground(*near, orbit, seed),
        take_strip(MORIC, periapsis_ns, (start_ns, stop_ns), seed),
        take_strip(HIRIC, periapsis_ns, (start_ns, stop_ns), seed),
    ]
