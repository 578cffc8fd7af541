"""`calibration/rover.toml`: what the rover can do, how far its dead reckoning errs, how its power is added up."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ....products.calibration import Calibration, Positive, Source, Table

_Share = Annotated[float, Field(ge=0, le=1)]


class Driving(Table):
    """What a rover can do."""

    source: Source
    max_speed_m_s: Positive


class DeadReckoning(Table):
    """One sigma of each error of a position that is added up from wheels and gyroscopes.

    `start_m`: of the first position; `scale`: of all distances alike; `heading_deg`: of all headings alike, and of the
    tilt; `wander_m_per_root_m`: of each metre by itself.
    """

    source: Source
    start_m: Positive
    scale: _Share
    heading_deg: Positive
    wander_m_per_root_m: Positive
    least_step_m: Positive


class Power(Table):
    """Readings further apart than `longest_gap_s` are not added up."""

    source: Source
    longest_gap_s: Positive


class RoverCalibration(Calibration):
    """`calibration/rover.toml`."""

    driving: Driving
    dead_reckoning: DeadReckoning
    power: Power
