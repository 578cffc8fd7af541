"""The rover itself: where it is and how it stands, its power and temperatures, and what it says happened.

In: NAVIGATION, ENGINEERING, EVENT, with the dictionary's linear calibration. Out: `rover/navigation` (position
east, north, up from the last re-zeroing; roll, pitch, yaw; distance driven since the stream began),
`rover/engineering`, `rover/event` (each event at once).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quality, Quantity, Ragged
from ....products.context import Context
from ....products.draft import Draft, column_quantity, flag
from ....products.rotations import Floats, east_north_up, normalized, roll_pitch_yaw_deg
from ....products.rows import compact, with_columns
from ..shared.attitude import Navigation, is_attitude, quaternions
from ..shared.on_rover import OnRover
from .kinds import ENGINEERING, EVENT, NAVIGATION
from .rover_calibration import RoverCalibration

_POSITION = ("POSITION_NORTH", "POSITION_EAST", "POSITION_DOWN")
_VELOCITY = ("VELOCITY_NORTH", "VELOCITY_EAST", "VELOCITY_DOWN")
_NAVIGATION = {
    "FRAME_ID": ("frame_id", "", "counts re-zeroings of the position"),
    "DRIVE_MODE": ("drive_mode", "", ""),
    "WHEEL_RATE": ("wheel_rate_deg_s", "degree s-1", "of the six wheels"),
    "MAST_YAW": ("mast_yaw_deg", "degree", "positive from X to Y"),
    "MAST_PITCH": ("mast_pitch_deg", "degree", "positive nose up"),
    "OBSTACLE": ("obstacle", "", "an obstacle is seen"),
    "SLIP": ("slip", "1", "fraction"),
}
_ENGINEERING = {
    "GPR_ON": ("gpr_on", "", ""),
    "MAGNETOMETER_ON": ("magnetometer_on", "", ""),
    "WEATHER_ON": ("weather_on", "", ""),
    "LIBS_ON": ("libs_on", "", ""),
    "SWIR_ON": ("swir_on", "", ""),
    "WING_CURRENT": ("wing_current_a", "A", "of the four solar wings"),
    "BUS_VOLTAGE": ("bus_voltage_v", "V", ""),
    "BATTERY_VOLTAGE": ("battery_voltage_v", "V", ""),
    "BATTERY_CURRENT": ("battery_current_a", "A", "positive when charging"),
    "BATTERY_CHARGE": ("battery_charge_percent", "percent", ""),
    "BATTERY_TEMPERATURE": ("battery_temperature_degc", "degC", ""),
    "TEMPERATURE": ("temperature_degc", "degC", "of 16 points"),
    "BOOT_COUNT": ("boot_count", "", ""),
    "CLOCK_STATE": ("clock_state", "", ""),
    "ACTIVITY": ("activity", "", "what the rover is doing"),
}
_EVENT = {"SEVERITY": ("severity", "", ""), "EVENT_ID": ("event_id", "", "")}


class Rover(OnRover):
    """Navigation, engineering and events. State: the last position and the distance driven."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "NAVIGATION": frozenset({*_POSITION, *_VELOCITY, *_NAVIGATION, "Q_SCALAR", "Q_X", "Q_Y", "Q_Z"}),
        "ENGINEERING": frozenset(_ENGINEERING),
        "EVENT": frozenset({*_EVENT, "TEXT"}),
    }
    row_by_row = frozenset({"NAVIGATION", "ENGINEERING"})
    model = RoverCalibration
    no_uncertainty = (
        "no accuracy of these sensors has been published; the steps of their counts are in the dictionary"
    )
    singles = frozenset({"EVENT"})
    calibration: RoverCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._frame_id = -1
        self._position_m: Floats = np.full(3, np.nan)
        self._distance_m = 0.0

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - it is the source
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        return with_columns(rows, {"distance_m": self._drive(rows)}) if rows.container == "NAVIGATION" else rows

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        if rows.container == "NAVIGATION":
            yield self._navigation(rows)
        elif rows.container == "ENGINEERING":
            arrays = _renamed(rows, _ENGINEERING)
            yield Draft(ENGINEERING, rows, rows.time_ns, arrays, rows.quality.copy())
        else:
            arrays = {**_renamed(rows, _EVENT), "text": Quantity(_texts(rows), "", "what happened, in words")}
            yield Draft(EVENT, rows, rows.time_ns, arrays, rows.quality.copy())

    def _drive(self, rows: ColumnBatch) -> Floats:
        """Distance along the track at each row: straight from row to row, from the new zero after a re-zeroing."""
        position = _together(rows, _POSITION)
        frame_id = np.asarray(rows.columns["FRAME_ID"]).astype(np.int64)
        before = np.concatenate([self._position_m[None], position[:-1]])
        same = frame_id == np.concatenate([[self._frame_id], frame_id[:-1]])
        first = np.isnan(before).any(axis=1)
        step = position - np.where(same[:, None], before, 0.0)
        length = np.sqrt((step * step).sum(axis=1))
        length = np.where(np.isfinite(length) & ~first, length, 0.0)
        total = np.cumsum(np.concatenate([[self._distance_m], length]))[1:]  # adds in order: no matter the batches
        self._frame_id, self._position_m, self._distance_m = int(frame_id[-1]), position[-1], float(total[-1])
        return np.asarray(total)

    def _navigation(self, rows: ColumnBatch) -> Draft:
        velocity = _together(rows, _VELOCITY)
        speed = np.sqrt((velocity * velocity).sum(axis=1))
        sent = quaternions(rows)
        good = is_attitude(sent)
        angles = roll_pitch_yaw_deg(np.where(good[:, None], normalized(sent), np.nan))
        arrays = {
            "position_enu_m": Quantity(
                east_north_up(_together(rows, _POSITION)),
                "m",
                "east, north, up from where the frame was last re-zeroed",
                ("row", "east_north_up"),
            ),
            "velocity_enu_m_s": Quantity(
                east_north_up(velocity), "m s-1", "east, north, up", ("row", "east_north_up")
            ),
            "attitude_deg": Quantity(
                angles, "degree", "roll, pitch, yaw to north-east-down", ("row", "roll_pitch_yaw")
            ),
            "quaternion": Quantity(
                sent, "1", "scalar first, body to north-east-down, as sent", ("row", "quaternion")
            ),
            "heading_deg": Quantity(angles[:, 2] % 360, "degree", "clockwise from north"),
            "speed_m_s": Quantity(speed, "m s-1", "platform_speed_wrt_ground"),
            "distance_m": Quantity(np.asarray(rows.columns["distance_m"]), "m", "driven since the stream began"),
            **_renamed(rows, _NAVIGATION),
        }
        too_fast = ~(speed <= self.calibration.driving.max_speed_m_s)
        quality = rows.quality | flag(~good, Quality.NO_ATTITUDE) | flag(~good | too_fast, Quality.OUT_OF_RANGE)
        frames = {"position": "local east, north, up", "body": "X forward, Y right, Z down"}
        return Draft(NAVIGATION, rows, rows.time_ns, arrays, quality, {"frames": frames})


def _renamed(rows: ColumnBatch, names: Mapping[str, tuple[str, str, str]]) -> dict[str, Quantity]:
    return {
        name: column_quantity(rows, column, unit, description)
        for column, (name, unit, description) in names.items()
    }


def _together(rows: ColumnBatch, names: tuple[str, ...]) -> Floats:
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in names], axis=1)


def _texts(rows: ColumnBatch) -> NDArray[np.str_]:
    """UTF-8 as text; bytes that are none become the replacement character."""
    column = rows.columns["TEXT"]
    if not isinstance(column, Ragged):
        return np.asarray(column).astype(np.str_)
    flat = compact(column)
    edges = zip(flat.start.tolist(), (flat.start + flat.length).tolist(), strict=True)
    octets = flat.values.astype(np.uint8).tobytes()
    return np.array([octets[start:stop].decode("utf-8", "replace").rstrip("\0") for start, stop in edges], np.str_)
