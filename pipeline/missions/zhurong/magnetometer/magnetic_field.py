"""From counts of a fluxgate sensor to the field in its own and in the rover's axes, and what the rover adds to it.

In: rows of MAGNETOMETER, with attitude and wing current at each sample. Out: arrays [n packets, k samples, ...].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quality
from ....products.draft import flag
from ....products.rotations import Floats, MastTurn
from ....products.rows import sample_times, with_columns
from ..shared.attitude import Navigation, attitude_of, with_attitude
from .magnetometer_calibration import MagnetometerCalibration, Scale, Sensor


def with_surroundings(
    rows: ColumnBatch,
    calibration: MagnetometerCalibration,
    navigation: Navigation,
    until: NDArray[np.int64],
    every: int = 1,
) -> ColumnBatch:
    """The rows with attitude and wing current at each of their samples, or at `every` so many; the others go."""
    if every > 1:
        rows = with_columns(rows, {name: _triples(rows, name)[:, ::every] for name in ("FIELD_A", "FIELD_B")})
    time_ns = sample_ns(rows, calibration, every)
    amperes, age_ns = navigation.wing_current_a(rows.order, until, time_ns)
    old = age_ns > calibration.mast.current_hold_limit_s * 1e9
    rows = with_attitude(rows, time_ns, navigation, until)
    return with_columns(rows, {"wing_current_a": np.where(old, np.nan, amperes)})


def sample_ns(rows: ColumnBatch, calibration: MagnetometerCalibration, every: int = 1) -> NDArray[np.int64]:
    """Onboard time of each sample [n, k]: sample i is i / rate after the packet's time; of `every` so many."""
    rate = np.asarray(rows.columns["SAMPLE_RATE"]).astype(np.int64)
    rate = np.where(rate > 0, rate, calibration.scale.sample_rate_hz)
    return sample_times(rows, np.arange(_n_samples(rows)) * every * 1_000_000_000 // rate[:, None])


def packet_quality(rows: ColumnBatch, calibration: MagnetometerCalibration) -> NDArray[np.uint32]:
    """Bits of each sample [n, k] that do not depend on the sensor."""
    quality = np.repeat(rows.quality[:, None], _n_samples(rows), axis=1)
    rate = np.asarray(rows.columns["SAMPLE_RATE"])
    quality |= flag(np.asarray(rate != calibration.scale.sample_rate_hz), Quality.OUT_OF_RANGE)[:, None]
    quality |= flag(attitude_of(rows).doubtful(calibration.attitude), Quality.NO_ATTITUDE)
    return quality | flag(np.isnan(current_a(rows)), Quality.NO_REFERENCE)


def in_sensor_nt(
    rows: ColumnBatch, name: str, calibration: MagnetometerCalibration
) -> tuple[Floats, NDArray[np.uint32]]:
    """Field of a sensor in its own axes, nT [n, k, 3], and what is known against it [n, k]."""
    scale = calibration.scale
    counts = _triples(rows, f"FIELD_{name.upper()}").astype(np.float64)
    temperature = np.asarray(rows.columns[f"TEMPERATURE_{name.upper()}"], np.float64)
    seen = sensor_field_nt(counts, temperature, _part(calibration, "sensor", name), scale)
    end = 1 << (scale.count_bits - 1)
    saturated = _in_any_axis((counts <= -end) | (counts >= end - 1))
    bad = _in_any_axis(~(np.abs(seen) <= scale.range_nt))
    return seen, flag(saturated, Quality.SATURATED) | flag(bad, Quality.OUT_OF_RANGE)


def to_rover_nt(seen: Floats, name: str, calibration: MagnetometerCalibration, mast: MastTurn) -> Floats:
    """From the axes of a sensor to those of the rover, nT [n, k, 3]."""
    mount = np.array(_part(calibration, "sensor", name).mount)
    return mast.rotate(seen @ mount.T)


def interference_nt(rows: ColumnBatch, name: str, calibration: MagnetometerCalibration) -> Floats:
    """What the rover adds to a sensor along its own axes, nT [n, k, 3]."""
    model = _part(calibration, "interference", name)
    current = current_a(rows)
    current = np.where(np.isnan(current), calibration.mast.nominal_current_a, current)
    driving = np.nan_to_num(attitude_of(rows).driving)
    added = np.empty((*current.shape, 3))
    axes = zip(model.rover_nt, model.array_nt_per_a, model.motors_nt, strict=True)
    for i, (always, per_ampere, motors) in enumerate(axes):
        added[..., i] = always + current * per_ampere + driving * motors
    return added


def _in_any_axis(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether it holds along one of three axes: bool[..., 3] to bool[...]."""
    return np.asarray(where[..., 0] | where[..., 1] | where[..., 2])


def sigma_nt(name: str, calibration: MagnetometerCalibration) -> tuple[Floats, Floats, Floats]:
    """One sigma along each axis, nT [3].

    Of a sample's noise; of noise and current, which differ from sample to sample; of the rover's own field, which is
    the same in all.
    """
    scale, model = calibration.scale, _part(calibration, "interference", name)
    noise = scale.noise_nt_per_root_hz * np.sqrt(scale.sample_rate_hz / 2)
    noise = np.full(3, np.hypot(noise, scale.nt_per_count / np.sqrt(12)))
    current_nt = np.array(model.array_nt_per_a) * calibration.mast.current_a_sigma
    return noise, np.hypot(noise, current_nt), np.array(model.rover_nt_sigma)


def sensor_field_nt(counts: Floats, temperature_degc: Floats, sensor: Sensor, scale: Scale) -> Floats:
    """Field in sensor axes: `counts [n, k, 3]`, `temperature_degc [n]` to nT [n, k, 3]."""
    warmer = (temperature_degc - scale.reference_temperature_degc)[:, None, None]
    offset = np.array(sensor.offset_nt) + np.array(sensor.offset_nt_per_degc) * warmer
    measured = counts * scale.nt_per_count
    for i in range(3):  # along whole packets: three numbers at a time are slow
        measured[..., i] -= offset[..., i]
    straight = (measured @ np.array(sensor.matrix).T).reshape(len(counts), -1)
    straight *= 1 + sensor.matrix_per_degc * warmer[..., 0]
    return np.asarray(straight.reshape(counts.shape))


def _part(calibration: MagnetometerCalibration, table: str, name: str) -> Any:
    return getattr(calibration, f"{table}_{name}")


def current_a(rows: ColumnBatch) -> Floats:
    """Of all solar wings, as `with_surroundings` put it there; NaN where none is known."""
    return np.asarray(rows.columns["wing_current_a"])


def _triples(rows: ColumnBatch, name: str) -> NDArray[Any]:
    """Counts x, y, z of each sample: [n, k, 3]."""
    return np.asarray(rows.columns[name]).reshape(len(rows), -1, 3)


def _n_samples(rows: ColumnBatch) -> int:
    return np.asarray(rows.columns["FIELD_A"]).reshape(len(rows), -1).shape[1] // 3
