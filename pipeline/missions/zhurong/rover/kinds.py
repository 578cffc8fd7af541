"""The rover itself: products, and the instruments that make them."""

from __future__ import annotations

from ....products.kinds import ProductKind, View
from ....products.package import InstrumentFolder
from ..shared.declared import MARS_PLACE

NAVIGATION = ProductKind(
    "rover",
    "navigation",
    "2B",
    {
        "position_enu_m": (
            "f8",
            "row east_north_up=3",
            "m",
            "east, north, up from where the frame was last re-zeroed",
        ),
        "velocity_enu_m_s": ("f8", "row east_north_up=3", "m s-1", "east, north, up"),
        "attitude_deg": ("f8", "row roll_pitch_yaw", "degree", "roll, pitch, yaw to north-east-down"),
        "quaternion": ("f8", "row quaternion", "1", "scalar first, body to north-east-down, as sent"),
        "heading_deg": ("f8", "row", "degree", "clockwise from north"),
        "speed_m_s": ("f8", "row", "m s-1", "platform_speed_wrt_ground"),
        "distance_m": ("f8", "row", "m", "driven since the stream began"),
        "frame_id": ("u1", "row", "", "counts re-zeroings of the position"),
        "drive_mode": ("U", "row", "", ""),
        "wheel_rate_deg_s": ("f8", "row wheel_rate_1", "degree s-1", "of the six wheels"),
        "mast_yaw_deg": ("f8", "row", "degree", "positive from X to Y"),
        "mast_pitch_deg": ("f8", "row", "degree", "positive nose up"),
        "obstacle": ("?", "row", "", "an obstacle is seen"),
        "slip": ("f8", "row", "1", "fraction"),
    },
    latest=("position_enu_m", "heading_deg", "speed_m_s", "distance_m", "drive_mode"),
    view=(View("Traverse", "path", {"array": "position_enu_m"}),),
    file_word="Rover-NAV",
)
ENGINEERING = ProductKind(
    "rover",
    "engineering",
    "01",
    {
        "gpr_on": ("?", "row", "", ""),
        "magnetometer_on": ("?", "row", "", ""),
        "weather_on": ("?", "row", "", ""),
        "libs_on": ("?", "row", "", ""),
        "swir_on": ("?", "row", "", ""),
        "wing_current_a": ("f8", "row wing_current_1", "A", "of the four solar wings"),
        "bus_voltage_v": ("f8", "row", "V", ""),
        "battery_voltage_v": ("f8", "row", "V", ""),
        "battery_current_a": ("f8", "row", "A", "positive when charging"),
        "battery_charge_percent": ("f8", "row", "percent", ""),
        "battery_temperature_degc": ("i1", "row", "degC", ""),
        "temperature_degc": ("f8", "row temperature_1", "degC", "of 16 points"),
        "boot_count": ("u2", "row", "", ""),
        "clock_state": ("U", "row", "", ""),
        "activity": ("U", "row", "", "what the rover is doing"),
    },
    latest=("bus_voltage_v", "battery_charge_percent", "battery_temperature_degc", "activity"),
    view=(
        View(
            "Power",
            "lines",
            {"label": "voltage", "arrays": {"bus_voltage_v": "bus", "battery_voltage_v": "battery"}},
        ),
    ),
    file_word="Rover-ENG",
)
EVENT = ProductKind(
    "rover",
    "event",
    "01",
    {
        "severity": ("U", "row", "", ""),
        "event_id": ("u2", "row", "", ""),
        "text": ("U", "row", "", "what happened, in words"),
    },
    latest=("severity", "event_id", "text"),
    view=(),
    file_word="Rover-EVT",
)
TRAVERSE = ProductKind(
    "rover",
    "traverse",
    "2C",
    {
        "position_enu_m": ("f8", "row east_north_up=3", "m", "east, north, up of where the first frame began"),
        "position_enu_m_sigma": ("f8", "row east_north_up=3", "m", "one sigma of dead reckoning"),
        "position_covariance_m2": ("f8", "row east_north_up=3 east_north_up_2=3", "m2", "of east, north, up"),
        **MARS_PLACE,
        "distance_m": ("f8", "row", "m", "driven since the stream began: the odometer"),
        "attitude_deg": ("f8", "row roll_pitch_yaw", "degree", "roll, pitch, yaw to north-east-down"),
        "heading_deg": ("f8", "row", "degree", "clockwise from north"),
        "stop": ("i4", "row", "1", "number of the stop; -1: drives"),
        "frame_id": ("u1", "row", "1", "of the frame it was sent in"),
    },
    latest=("distance_m",),
    view=(),
    file_word="Rover-TRV",
    optional=frozenset(["longitude_deg", "latitude_deg", "altitude_m"]),
)
SOL_DRIVE = ProductKind(
    "rover",
    "sol_drive",
    "2C",
    {
        "distance_m": ("f8", "row", "m", "driven in this sol"),
        "odometer_m": ("f8", "row", "m", "driven since the stream began"),
        "displacement_m": ("f8", "row", "m", "from where the sol began, straight"),
        "away_m": ("f8", "row", "m", "from where the stream began, straight"),
        "driving_s": ("f8", "row", "s", "on the move"),
        "n_stops": ("f8", "row", "1", "places where it stood"),
        "largest_tilt_deg": ("f8", "row", "degree", "of the rover's deck from level"),
        "largest_slip": ("f8", "row", "1", "fraction"),
    },
    latest=("distance_m", "odometer_m"),
    view=(),
    file_word="Rover-TRV-SOL",
)
POWER = ProductKind(
    "rover",
    "power",
    "2C",
    {
        "generated_w": ("f8", "row", "W", "from the solar wings"),
        "stored_w": ("f8", "row", "W", "into the battery, negative when it comes out of it"),
        "used_w": ("f8", "row", "W", "by the rover"),
        "generated_wh": ("f8", "row", "W h", "from the solar wings, since the sol began"),
        "stored_wh": (
            "f8",
            "row",
            "W h",
            "into the battery, negative when it comes out of it, since the sol began",
        ),
        "used_wh": ("f8", "row", "W h", "by the rover, since the sol began"),
        "battery_charge_percent": ("f8", "row", "percent", "of the battery"),
        "payload_on": ("?", "row payload", "", "GPR_ON, MAGNETOMETER_ON, WEATHER_ON, LIBS_ON, SWIR_ON"),
    },
    latest=("generated_w", "used_w", "battery_charge_percent"),
    view=(),
    file_word="Rover-PWR",
)
SOL_ENERGY = ProductKind(
    "rover",
    "sol_energy",
    "2C",
    {
        "generated_wh": ("f8", "row", "W h", "from the solar wings, in the sol"),
        "stored_wh": ("f8", "row", "W h", "into the battery, negative when it comes out of it, in the sol"),
        "used_wh": ("f8", "row", "W h", "by the rover, in the sol"),
        "covered_s": ("f8", "row", "s", "of the sol that is added up"),
        "payload_on_s": ("f8", "row payload", "s", "GPR_ON, MAGNETOMETER_ON, WEATHER_ON, LIBS_ON, SWIR_ON"),
        "lowest_battery_charge_percent": ("f8", "row", "percent", "lowest of the sol"),
        "highest_battery_charge_percent": ("f8", "row", "percent", "highest of the sol"),
        "lowest_battery_temperature_degc": ("f8", "row", "degC", "lowest of the sol"),
        "highest_battery_temperature_degc": ("f8", "row", "degC", "highest of the sol"),
        "lowest_temperature_degc": ("f8", "row point", "degC", "lowest of the sol"),
        "highest_temperature_degc": ("f8", "row point", "degC", "highest of the sol"),
    },
    latest=("generated_wh", "used_wh"),
    view=(),
    file_word="Rover-PWR-SOL",
)

INSTRUMENT = InstrumentFolder(
    instruments={"rover": "rover:Rover", "traverse": "traverse:Traverse", "energy": "energy:Energy"},
    kinds=(NAVIGATION, ENGINEERING, EVENT, TRAVERSE, SOL_DRIVE, POWER, SOL_ENERGY),
)
