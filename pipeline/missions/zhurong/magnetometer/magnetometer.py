"""RoMAG, the rover magnetometer: 24-bit counts of two fluxgate sensors become field in three frames.

In: MAGNETOMETER, 32 samples a packet, the attitude of rover and mast, and the solar wings' currents. Out:
`magnetometer/field`, one row a sample, of sensors A (top of the mast) and B (bottom):

    E = k n;  O = O0 + o1 (T - T0);  M = M0 (I + m1 (T - T0));  B_sensor = M (E - O)
    B_rover = Rz(yaw) Ry(pitch) R_mount B_sensor - B_int;  B_ned = q B_rover q*;  B_enu = (B_ned.y, B_ned.x, -B_ned.z)
    B_int = B_0 + a I + D while the drive motors run, I the current of all solar wings
    gradient = (B_rover + B_int of A - the same of B) / distance: the rover's own field falls along the mast

The linear form is that of Olsen et al. 2003 and Merayo et al. 2000 (Meas. Sci. Technol. 11, 120); range, resolution
and noise: Du et al. 2020 (Space Sci. Rev. 216, 135); that the field follows the current of the solar array: Luo et
al. 2024 (Sci. China Earth Sci. 67, 552). Every other number is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quantity
from ....products.draft import Draft
from ....products.rotations import Floats, MastTurn, rotate_to_enu
from ..shared.attitude import Attitude, Navigation, attitude_of
from ..shared.on_rover import OnRover
from .kinds import FIELD
from .magnetic_field import (
    current_a,
    in_sensor_nt,
    interference_nt,
    packet_quality,
    sample_ns,
    sigma_nt,
    to_rover_nt,
    with_surroundings,
)
from .magnetometer_calibration import MagnetometerCalibration

FRAMES = {"sensor": "sensor axes", "rover": "X forward, Y right, Z down", "enu": "local east, north, up"}
_VECTOR = ("row", "axis")
CONTAINERS = {"MAGNETOMETER": frozenset({"SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B", "FIELD_A", "FIELD_B"})}


class Magnetometer(OnRover):
    """Both sensors, sample by sample."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MAGNETOMETER": frozenset({"SAMPLE_RATE", "TEMPERATURE_A", "TEMPERATURE_B", "FIELD_A", "FIELD_B"})
    }
    row_by_row = frozenset({"MAGNETOMETER"})
    model = MagnetometerCalibration
    max_rows = 128
    wait_rows = 16  # seconds: navigation at rest and engineering come each 10 s
    waits_for = ("NAVIGATION", "ENGINEERING")
    calibration: MagnetometerCalibration

    def attach(self, rows: ColumnBatch, navigation: Navigation, until: NDArray[np.int64]) -> ColumnBatch:
        return with_surroundings(rows, self.calibration, navigation, until)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        attitude = attitude_of(rows)
        arrays: dict[str, Quantity] = {}
        quality = packet_quality(rows, self.calibration)
        mast = MastTurn.of(attitude.mast_yaw_deg, attitude.mast_pitch_deg)
        for name in ("a", "b"):
            fields, bits = self._sensor(rows, name, attitude, mast)
            arrays |= fields
            quality |= bits
        arrays |= self._gradient(arrays)
        arrays["wing_current_a"] = Quantity(current_a(rows).ravel(), "A", "of all solar wings")
        arrays["mast_yaw_deg"] = Quantity(attitude.mast_yaw_deg.ravel(), "degree", "positive from X to Y")
        arrays["mast_pitch_deg"] = Quantity(attitude.mast_pitch_deg.ravel(), "degree", "positive nose up")
        time_ns = sample_ns(rows, self.calibration).ravel()
        yield Draft(FIELD, rows, time_ns, arrays, quality.ravel(), {"frames": FRAMES})

    def _sensor(
        self, rows: ColumnBatch, name: str, attitude: Attitude, mast: MastTurn
    ) -> tuple[dict[str, Quantity], NDArray[np.uint32]]:
        calibration, which = self.calibration, f"sensor {name.upper()}"
        seen, bits = in_sensor_nt(rows, name, calibration)
        added = interference_nt(rows, name, calibration)
        in_rover = to_rover_nt(seen, name, calibration, mast)
        in_rover -= added
        in_enu = rotate_to_enu(attitude.quaternion, in_rover)
        x, y, z = (in_rover[..., i] for i in range(3))
        magnitude = np.sqrt(x * x + y * y + z * z)
        noise, random, systematic = sigma_nt(name, calibration)
        temperature = np.asarray(rows.columns[f"TEMPERATURE_{name.upper()}"], np.float64)
        quantities = {
            "sensor_nt": Quantity(seen.reshape(-1, 3), "nT", f"{which}, in its own axes, as measured", _VECTOR),
            "sensor_nt_sigma": Quantity(noise, "nT", "one sigma along each axis, noise", ("axis",)),
            "rover_nt": Quantity(in_rover.reshape(-1, 3), "nT", f"{which}, X forward, Y right, Z down", _VECTOR),
            **_sigmas("rover_nt_sigma", random, systematic, "along each axis"),
            "enu_nt": Quantity(in_enu.reshape(-1, 3), "nT", f"{which}, local east, north, up", _VECTOR),
            **_sigmas("enu_nt_sigma", np.full(3, random.max()), np.full(3, systematic.max()), "at most"),
            "magnitude_nt": Quantity(magnitude.ravel(), "nT", f"{which}, magnitude without interference"),
        }
        arrays = {f"field_{name}_{key}": quantity for key, quantity in quantities.items()}
        removed = f"{which}: what the rover adds, X forward, Y right, Z down; is not in the rover and local frames"
        arrays[f"interference_{name}_rover_nt"] = Quantity(added.reshape(-1, 3), "nT", removed, _VECTOR)
        repeated = np.repeat(temperature, seen.shape[1])
        arrays[f"temperature_{name}_degc"] = Quantity(repeated, "degC", f"of {which}")
        return arrays, bits

    def _gradient(self, arrays: Mapping[str, Quantity]) -> dict[str, Quantity]:
        """Of what the sensors measured: with the interference in it, of which it is made."""
        measured_a, measured_b = (
            arrays[f"field_{name}_rover_nt"].values + arrays[f"interference_{name}_rover_nt"].values
            for name in "ab"
        )
        gradient = (measured_a - measured_b) / self.calibration.mast.sensor_distance_m
        words = (
            "A less B as measured, over their distance, X forward, Y right, Z down: mostly the rover's own field"
        )
        return {"gradient_rover_nt_m": Quantity(gradient, "nT m-1", words, _VECTOR)}


def _sigmas(name: str, random: Floats, systematic: Floats, along: str) -> dict[str, Quantity]:
    """Both parts together, and each."""
    parts = {
        "": (np.hypot(random, systematic), "both parts"),
        "_random": (random, "noise and current, from sample to sample"),
        "_systematic": (systematic, "what is not known of the rover's own field, the same in all samples"),
    }
    return {
        f"{name}{part}": Quantity(sigma, "nT", f"one sigma {along}: {words}", ("axis",))
        for part, (sigma, words) in parts.items()
    }
