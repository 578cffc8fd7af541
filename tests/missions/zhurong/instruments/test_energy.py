import numpy as np
import pytest

SOL_11_S = 170_338_800
STEADY = {
    "WING_CURRENT": [1.0, 1.5, 0.5, 1.0],
    "BUS_VOLTAGE": 30.0,
    "BATTERY_VOLTAGE": 28.0,
    "BATTERY_CURRENT": -1.5,
    "BATTERY_CHARGE": 70.0,
    "LIBS_ON": True,
}


def values(product, name):
    return product.arrays[name].values


@pytest.fixture
def energy(rows, suite):
    def make(time_s, **columns):
        batch = rows("ENGINEERING", SOL_11_S + np.asarray(time_s), columns={**STEADY, **columns})
        one = suite("energy")
        return [*one.make_products([batch]), *one.flush()]

    return make


def test_wings_give_120_w_the_battery_42_w_and_the_rover_uses_162_w(energy):
    power, _ = energy(np.arange(0, 100, 10))
    assert [values(power, f"{name}_w")[0] for name in ("generated", "stored", "used")] == [120.0, -42.0, 162.0]


def test_energy_is_power_times_time(energy):
    """120 W for an hour."""
    power, sums = energy(np.arange(0, 3601, 10))
    assert values(sums, "generated_wh")[0] == pytest.approx(120.0)
    assert values(power, "generated_wh")[-1] == pytest.approx(120.0)
    assert values(sums, "covered_s")[0] == 3600.0


def test_a_rising_power_is_added_up_by_trapezoids(energy):
    """From 0 to 7,200 W in an hour, each minute: 3,600 W h."""
    time_s = np.arange(0, 3601, 60)
    _, sums = energy(time_s, WING_CURRENT=(time_s / 60.0)[:, None] * [1.0, 1.0, 1.0, 1.0])
    assert values(sums, "generated_wh")[0] == pytest.approx(3600.0)


def test_what_was_not_received_is_not_added_up_and_said(energy):
    _, sums = energy([*range(0, 100, 10), *range(2000, 2100, 10)])
    assert values(sums, "covered_s")[0] == 180.0
    assert values(sums, "generated_wh")[0] == pytest.approx(120 * 180 / 3600)


def test_payloads_are_counted_while_they_are_on(energy):
    _, sums = energy(np.arange(0, 110, 10), SWIR_ON=np.arange(11) >= 8)
    assert values(sums, "payload_on_s")[0].tolist() == [0.0, 0.0, 0.0, 100.0, 30.0]


def test_extremes_of_the_sol_are_told(energy):
    """A night at -40 degC on one of 16 points."""
    temperature = np.zeros((11, 16))
    temperature[5, 3] = -40.0
    _, sums = energy(np.arange(0, 110, 10), TEMPERATURE=temperature, BATTERY_CHARGE=np.arange(60.0, 71))
    assert values(sums, "lowest_temperature_degc")[0, 3] == -40.0
    assert (
        values(sums, "lowest_battery_charge_percent")[0],
        values(sums, "highest_battery_charge_percent")[0],
    ) == (
        60.0,
        70.0,
    )


def test_each_sol_has_its_own_sums(energy):
    made = energy([0, 10, 88_775, 88_785])
    assert [p.time.sol for p in made if p.product == "sol_energy"] == [(11, 11), (12, 12)]
