"""ENGINEERING, EVENT and TIME_CORRELATION: the state of the rover, what it reports, and its clock [assumed].

TIME_CORRELATION is the clock at frame lock, and when the orbiter received that frame.
"""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Flags, Octets, Reals
from .octets import EPOCH_UTC_NS, constant, counts, onboard_time, rows, signed, temperature, twelve_bits, unsigned
from .packets import Measurement, Record, records_at
from .timeline import Timeline, local_hour
from .traverse import Traverse

ENGINEERING_APID = 258
EVENT_APID = 259
CORRELATION_APID = 261
_PERIOD_S = 10
_INFO, _WARNING = 0, 1
_BOOT_COUNT = 3
_FREE_RUNNING, _SYNCHRONISED = 0, 1
_JITTER_S = 0.15e-3
_DELAY_NS = 61_035
_METRES_PER_NS = 0.299792458
_LATE_EACH, _OVER_EACH = 20, 30
_OVER_NS = 65_536_000_000


def report_engineering(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
    """An engineering packet each 10 s."""
    draw = chance.stream(seed, "engineering")
    seconds = np.arange(0, timeline.duration_s, _PERIOD_S)
    time_s = seconds.astype(np.float64)
    activities = [timeline.activity(int(second)) for second in seconds]
    driving = np.array([activity == "DRIVING" for activity in activities])
    values: dict[str, Reals] = {
        "wing_current_a": wing_currents_a(timeline, time_s, seed),
        "bus_voltage_v": 29.2 + chance.random_course(draw, time_s, 0.08, 20.0, 600.0),
        **_battery(timeline, time_s, driving, draw),
        "temperature_degc": _temperatures(timeline, time_s, draw),
    }
    time_ns = timeline.start_ns + seconds.astype(np.int64) * 1_000_000_000
    n = len(seconds)
    octets = rows(
        onboard_time(time_ns, drift_ppm),
        _switches(activities),
        twelve_bits(counts(values["wing_current_a"], 0.005)),
        twelve_bits(counts(np.stack([values["bus_voltage_v"], values["battery_voltage_v"]], axis=1), 0.01)),
        signed(counts(values["battery_current_a"], 0.005), 2),
        unsigned(counts(values["battery_charge_percent"], 0.5), 1),
        signed(counts(values["battery_temperature_degc"], 1.0), 1),
        temperature(values["temperature_degc"]),
        constant(_BOOT_COUNT.to_bytes(2, "big"), n),
        constant(bytes([_SYNCHRONISED if drift_ppm == 0.0 else _FREE_RUNNING]), n),
        np.stack([np.frombuffer(activity.encode().ljust(16, b"\0"), np.uint8) for activity in activities]),
    )
    truth = {"time_utc_ns": time_ns, **values, "activity": np.array(activities)}
    return Measurement("engineering", records_at(ENGINEERING_APID, time_ns, octets), truth, {})


def wing_currents_a(timeline: Timeline, time_s: Reals, seed: int) -> Reals:
    """Currents of the four solar wings at any second of the stay, float64[n, 4]: by the Sun's height, less the dust.

    0.2 % a sol settle (fact sheet 10), so much that the wings have half their first current after a year.
    """
    draw = chance.stream(seed, "solar wings")
    mean = np.array([1.62, 1.58, 1.31, 1.35])
    lit = sunlight(timeline, time_s) * 0.998 ** (timeline.sol - 11)
    flicker = np.stack([chance.random_course(draw, time_s, 0.03, 20.0, 900.0) for _ in mean], axis=1)
    return np.clip(lit[:, None] * (mean + flicker), 0.0, None)


def sunlight(timeline: Timeline, time_s: Reals) -> Reals:
    """On level ground, 1 at 12:27 local mean solar time of a sol in spring, 0 at night: float64[n]."""
    hour = local_hour(timeline.start_ns) + time_s / 3698.968
    height = 0.15 + 0.85 * np.cos(2.0 * np.pi * (hour - 12.1) / 24.0)
    return np.clip(height / 0.9964, 0.0, None)


def _battery(timeline: Timeline, time_s: Reals, driving: Flags, draw: np.random.Generator) -> dict[str, Reals]:
    """Charged by day except while the rover drives; discharged at night by the heaters, on a third of the time."""
    ripple = chance.random_course(draw, time_s, 0.05, 20.0, 300.0)
    if timeline.quiet and not sunlight(timeline, time_s).any():
        heating = time_s % 900.0 < 300.0
        current = np.where(heating, -2.1, -0.7) + ripple
        warm = -8.0 + np.where(heating, time_s % 900.0, 450.0 - time_s % 900.0 / 2.0) / 150.0
        start, start_v = 58.0, 26.1
    else:
        current = np.where(driving, -1.35, 0.85) + ripple
        warm, start, start_v = np.full(time_s.shape, 11.0), 76.0, 27.8
    spent_percent = np.cumsum(np.append(0.0, current[:-1] * np.diff(time_s))) / 3600.0 / 30.0 * 100.0
    return {
        "battery_voltage_v": start_v + 0.03 * spent_percent,
        "battery_current_a": current,
        "battery_charge_percent": start + spent_percent,
        "battery_temperature_degc": warm + chance.random_course(draw, time_s, 0.8, 300.0, 3000.0),
    }


def _temperatures(timeline: Timeline, time_s: Reals, draw: np.random.Generator) -> Reals:
    """Sixteen points from the cabin to the wheels, float64[n, 16]; the further out, the colder at night."""
    turn = 2.0 * np.pi * (local_hour(timeline.start_ns) - 12.45) / 24.0  # from about the warmest hour
    mean = np.linspace(14.0, -31.0, 16) - np.linspace(4.0, 46.0, 16) * (1.0 - np.cos(turn)) / 2.0
    found: Reals = mean + np.stack([chance.random_course(draw, time_s, 0.4, 60.0, 2000.0) for _ in mean], axis=1)
    return found


def _switches(activities: list[str]) -> Octets:
    """GPR, magnetometer, weather, LIBS, SWIR: one bit each, then three spare."""
    on: Flags = np.array(
        [
            [a in ("DRIVING", "STANDING"), True, True, a.startswith("LIBS"), a == "SWIR", False, False, False]
            for a in activities
        ]
    )
    return np.packbits(on, axis=1)


def report_events(timeline: Timeline, rover: Traverse, drift_ppm: float) -> Measurement:
    """A few events, in the order of time."""
    begin, end = timeline.phase("DRIVING")
    metres = rover.distance_m[-1]
    events = (
        (1.2, _INFO, 0x0101, "Radar self-test passed"),
        (timeline.phase("MAST SCAN")[0] + 0.1, _INFO, 0x0201, "Mast scan begins"),
        (timeline.phase("LIBS POINT 1")[1] - 0.2, _INFO, 0x0301, "LIBS point 1101 done"),
        (begin + 0.05, _INFO, 0x0401, "Drive begins"),
        ((begin + end) / 2, _WARNING, 0x0402, "Wheel slip above 4 %"),
        (end + 0.05, _INFO, 0x0403, f"Drive ends after {metres:.1f} m"),
        (timeline.phase("LIBS POINT 2")[1] - 0.2, _INFO, 0x0301, "LIBS point 1102 done"),
        (
            timeline.duration_s - 1.0,
            _INFO,
            0x0501,
            "Day\u2019s work done (\u4eca\u5929\u7684\u5de5\u4f5c\u5b8c\u6210)",
        ),
    )
    time_ns = np.array([timeline.start_ns + round(at * 1000) * 1_000_000 for at, *_ in events], np.int64)
    clock = onboard_time(time_ns, drift_ppm)
    records = []
    for stamp, at, (_, severity, event_id, text) in zip(clock, time_ns, events, strict=True):
        head = bytes([severity]) + event_id.to_bytes(2, "big") + bytes([len(text.encode())])
        records.append(Record(EVENT_APID, int(at), stamp.tobytes() + head + text.encode()))
    truth = {
        "time_utc_ns": time_ns,
        "severity": np.array([severity for _, severity, _, _ in events]),
        "id": np.array([event_id for _, _, event_id, _ in events]),
        "text": np.array([text for *_, text in events]),
    }
    return Measurement("event", records, truth, {})


def correlate_clock(timeline: Timeline, seed: int, drift_ppm: float) -> Measurement:
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
    records = records_at(CORRELATION_APID, made_ns, octets)
    truth = {
        "time_utc_ns": made_ns,
        "lock_utc_ns": lock_ns,
        "late": np.isin(np.arange(n), late),
        "run_over": np.isin(np.arange(n), over),
    }
    return Measurement("time_correlation", records, truth, {"received_s": _JITTER_S})
