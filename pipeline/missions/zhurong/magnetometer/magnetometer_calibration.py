"""`calibration/magnetometer.toml`: scales, two sensors, what the rover adds to them, and when a site has a vector."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ....products.calibration import Calibration, Finite, Matrix, Positive, Source, Table, Vector
from ..shared.attitude import AttitudeLimit


class Scale(Table):
    """Counts to nanotesla, and what the converter can tell."""

    source: Source
    nt_per_count: Positive
    range_nt: Positive
    count_bits: Annotated[int, Field(ge=8, le=32)]
    sample_rate_hz: Annotated[int, Field(ge=1, le=255)]
    noise_nt_per_root_hz: Positive
    reference_temperature_degc: Finite


class Sensor(Table):
    """One sensor: offset and matrix with their temperature terms, and how it is mounted on the mast."""

    source: Source
    offset_nt: Vector
    offset_nt_per_degc: Vector
    matrix: Matrix
    matrix_per_degc: Finite
    mount: Matrix


class Interference(Table):
    """What the rover adds to one sensor, along its own axes: always, for each ampere of its wings, while it drives."""

    source: Source
    rover_nt: Vector
    array_nt_per_a: Vector
    motors_nt: Vector
    rover_nt_sigma: Vector


class Mast(Table):
    """How far the sensors are apart; how old a current may be, and what is taken where none is known.

    One sigma of the current of all wings, and of the angles of the mast.
    """

    source: Source
    sensor_distance_m: Positive
    current_hold_limit_s: Positive
    nominal_current_a: Finite
    current_a_sigma: Positive
    angle_deg_sigma: Positive


class SiteVector(Table):
    """When the mast has turned enough for a vector of the site."""

    source: Source
    least_yaw_deg: Annotated[float, Field(gt=0, le=360)]
    least_pitch_deg: Annotated[float, Field(gt=0, le=90)]
    block_s: Positive


class MagnetometerCalibration(Calibration):
    """`calibration/magnetometer.toml`."""

    scale: Scale
    attitude: AttitudeLimit
    mast: Mast
    sensor_a: Sensor
    sensor_b: Sensor
    interference_a: Interference
    interference_b: Interference
    site_vector: SiteVector
