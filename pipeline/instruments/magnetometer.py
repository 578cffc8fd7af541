"""RoMAG, the rover magnetometer: 24-bit counts of two fluxgate sensors become field in three frames.

In: MAGNETOMETER, 32 samples a packet, and the attitude of rover and mast. Out: `magnetometer/field`, one row a
sample, of sensors A (top of the mast) and B (bottom):

    E = k n;  O = O0 + o1 (T - T0);  M = M0 (I + m1 (T - T0));  B_sensor = M (E - O)
    B_rover = Rz(yaw) Ry(pitch) R_mount B_sensor;  B_ned = q B_rover q*;  B_enu = (B_ned.y, B_ned.x, -B_ned.z)

The linear form is that of Olsen et al. 2003 and Merayo et al. 2000 (Meas. Sci. Technol. 11, 120); range and
resolution: Du et al. 2020 (Space Sci. Rev. 216, 135). Every other number is assumed. No interference is removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.batches import ColumnBatch, Quality, Quantity
from pipeline.instruments.attitude import Attitude, AttitudeLimit, Navigation, attitude_of, with_attitude
from pipeline.instruments.calibration import Calibration, Finite, Matrix, Positive, Source, Table, Vector
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.products import Draft, flag
from pipeline.instruments.rotations import Floats, east_north_up, rotate, rotate_by_mast
from pipeline.instruments.rows import sample_times

_VECTOR = ("row", "axis")


class Scale(Table):
    """Counts to nanotesla, and what the converter can tell."""

    source: Source
    nt_per_count: Positive
    range_nt: Positive
    count_bits: Annotated[int, Field(ge=8, le=32)]
    sample_rate_hz: Annotated[int, Field(ge=1, le=255)]
    reference_temperature_degc: Finite


class Sensor(Table):
    """One sensor: offset and matrix with their temperature terms, and how it is mounted on the mast."""

    source: Source
    offset_nt: Vector
    offset_nt_per_degc: Vector
    matrix: Matrix
    matrix_per_degc: Finite
    mount: Matrix


class MagnetometerCalibration(Calibration):
    """`calibration/magnetometer.toml`."""

    scale: Scale
    attitude: AttitudeLimit
    sensor_a: Sensor
    sensor_b: Sensor


class Magnetometer(Instrument):
    """Both sensors, sample by sample."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MAGNETOMETER": frozenset({"SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B", "FIELD_A", "FIELD_B"})
    }
    model = MagnetometerCalibration
    max_rows = 128
    wait_rows = 16  # seconds: navigation comes each 10 s at rest
    calibration: MagnetometerCalibration

    def attach(self, rows: ColumnBatch, navigation: Navigation, until: NDArray[np.int64]) -> ColumnBatch:
        return with_attitude(rows, self._sample_ns(rows), navigation, until)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        attitude = attitude_of(rows)
        arrays: dict[str, Quantity] = {}
        quality = np.repeat(rows.quality[:, None], _n_samples(rows), axis=1)
        rate = np.asarray(rows.columns["SAMPLE_RATE"])
        quality |= flag(np.asarray(rate != self.calibration.scale.sample_rate_hz), Quality.OUT_OF_RANGE)[:, None]
        quality |= flag(attitude.doubtful(self.calibration.attitude), Quality.NO_ATTITUDE)
        for name, sensor in (("a", self.calibration.sensor_a), ("b", self.calibration.sensor_b)):
            fields, bits = self._sensor(rows, name, sensor, attitude)
            arrays |= fields
            quality |= bits
        arrays["mast_yaw_deg"] = Quantity(attitude.mast_yaw_deg.ravel(), "degree", "positive from X to Y")
        arrays["mast_pitch_deg"] = Quantity(attitude.mast_pitch_deg.ravel(), "degree", "positive nose up")
        latest = ("field_a_magnitude_nt", "field_b_magnitude_nt", "field_a_enu_nt", "temperature_a_degc")
        time_ns = self._sample_ns(rows).ravel()
        frames = {"sensor": "sensor axes", "rover": "X forward, Y right, Z down", "enu": "local east, north, up"}
        yield Draft("field", "2B", rows, time_ns, arrays, quality.ravel(), latest, {"frames": frames})

    def _sample_ns(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """Onboard time of each sample: sample i is i / rate after the packet's time."""
        rate = np.asarray(rows.columns["SAMPLE_RATE"]).astype(np.int64)
        rate = np.where(rate > 0, rate, self.calibration.scale.sample_rate_hz)
        return sample_times(rows, np.arange(_n_samples(rows)) * 1_000_000_000 // rate[:, None])

    def _sensor(
        self, rows: ColumnBatch, name: str, sensor: Sensor, attitude: Attitude
    ) -> tuple[dict[str, Quantity], NDArray[np.uint32]]:
        scale = self.calibration.scale
        counts = np.asarray(rows.columns[f"FIELD_{name.upper()}"], np.float64).reshape(len(rows), -1, 3)
        temperature = np.asarray(rows.columns[f"TEMPERATURE_{name.upper()}"], np.float64)
        in_sensor = sensor_field_nt(counts, temperature, sensor, scale)
        in_rover = rotate_by_mast(
            in_sensor @ np.array(sensor.mount).T, attitude.mast_yaw_deg, attitude.mast_pitch_deg
        )
        in_enu = east_north_up(rotate(attitude.quaternion, in_rover))
        magnitude = np.sqrt((in_sensor * in_sensor).sum(axis=-1))
        end = 1 << (scale.count_bits - 1)
        saturated = np.asarray(((counts <= -end) | (counts >= end - 1)).any(axis=-1))
        bad = np.asarray(~(np.abs(in_sensor) <= scale.range_nt).all(axis=-1))
        which = f"sensor {name.upper()}"
        quantities = {
            "sensor_nt": Quantity(in_sensor.reshape(-1, 3), "nT", f"{which}, in its own axes", _VECTOR),
            "rover_nt": Quantity(in_rover.reshape(-1, 3), "nT", f"{which}, X forward, Y right, Z down", _VECTOR),
            "enu_nt": Quantity(in_enu.reshape(-1, 3), "nT", f"{which}, local east, north, up", _VECTOR),
            "magnitude_nt": Quantity(magnitude.ravel(), "nT", f"{which}, magnitude"),
        }
        arrays = {f"field_{name}_{key}": quantity for key, quantity in quantities.items()}
        repeated = np.repeat(temperature, counts.shape[1])
        arrays[f"temperature_{name}_degc"] = Quantity(repeated, "degC", f"of {which}")
        return arrays, flag(saturated, Quality.SATURATED) | flag(bad, Quality.OUT_OF_RANGE)


def sensor_field_nt(counts: Floats, temperature_degc: Floats, sensor: Sensor, scale: Scale) -> Floats:
    """Field in sensor axes: `counts [n, k, 3]`, `temperature_degc [n]` to nT [n, k, 3]."""
    warmer = (temperature_degc - scale.reference_temperature_degc)[:, None, None]
    offset = np.array(sensor.offset_nt) + np.array(sensor.offset_nt_per_degc) * warmer
    measured = counts * scale.nt_per_count
    straight = (measured - offset) @ np.array(sensor.matrix).T
    return np.asarray(straight * (1 + sensor.matrix_per_degc * warmer))


def _n_samples(rows: ColumnBatch) -> int:
    return np.asarray(rows.columns["FIELD_A"]).reshape(len(rows), -1).shape[1] // 3
