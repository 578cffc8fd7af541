"""The rover's way and power of the bundled passes against the simulator's truth."""

from typing import Any

import numpy as np
import pytest

Decoded = Any


def test_the_odometer_is_the_distance_that_was_driven(decoded: Decoded) -> None:
    place = decoded.truth["rover_position_ned_m"]
    driven = np.linalg.norm(np.diff(place, axis=0), axis=1).sum()
    assert decoded.rows("rover", "sol_drive", "odometer_m")[-1] == pytest.approx(driven, rel=0.002)


def test_waypoints_lie_where_the_rover_was(clean: Decoded) -> None:
    found = clean.rows("rover", "traverse", "position_enu_m")
    time_ns = clean.rows("rover", "traverse", "time_utc_ns")
    second = np.searchsorted(clean.truth["rover_time_utc_ns"], time_ns)
    north, east, down = clean.truth["rover_position_ned_m"][second].T
    assert np.abs(found - np.stack([east, north, -down], axis=1)).max() <= 0.0005 + 1e-6


def test_uncertainty_never_shrinks_on_a_way_that_does_not_turn_back(clean: Decoded) -> None:
    sigma = clean.rows("rover", "traverse", "position_enu_m_sigma")
    assert (np.diff(np.linalg.norm(sigma, axis=1)) >= -1e-9).all()
    assert sigma[0] == pytest.approx([0.1] * 3)


def test_energies_are_those_of_the_true_currents_and_voltages(clean: Decoded) -> None:
    truth = clean.truth
    watts = truth["engineering_wing_current_a"].sum(axis=1) * truth["engineering_bus_voltage_v"]
    seconds = (truth["engineering_time_utc_ns"] - truth["engineering_time_utc_ns"][0]) / 1e9
    found = clean.rows("rover", "sol_energy", "generated_wh")
    assert found[0] == pytest.approx(np.trapezoid(watts, seconds) / 3600, rel=1e-3)
    battery = truth["engineering_battery_current_a"] * truth["engineering_battery_voltage_v"]
    used = np.trapezoid(watts - battery, seconds) / 3600
    assert clean.rows("rover", "sol_energy", "used_wh")[0] == pytest.approx(used, rel=1e-3)
