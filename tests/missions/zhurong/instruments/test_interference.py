"""What the rover adds, with the numbers of docs/zhurong-packets.md."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

OFFSET_A = np.array([15240, -8825, 31075])
OFFSET_B = np.array([-42010, 9555, 6130])


@pytest.fixture
def field(rows, products, level):
    """No field in the sensors; 6 A of current unless told."""

    def make(current_a=1.5, power_s=100, order=5, **navigation):
        packet = rows(
            "MAGNETOMETER",
            [100],
            order=[10],
            columns={
                "SAMPLE_RATE": 32,
                "TEMPERATURE_A": 20.0,
                "TEMPERATURE_B": 20.0,
                "FIELD_A": OFFSET_A,
                "FIELD_B": OFFSET_B,
            },
        )
        power = rows("ENGINEERING", [power_s], order=[order], columns={"WING_CURRENT": current_a})
        return products(level(100, **navigation), power, packet)["magnetometer/field"]

    return make


def values(product, name):
    return product.arrays[name].values


def test_at_rest_it_is_the_rovers_own_field_and_that_of_its_wings(field):
    """38 + 6 x 0.22, -21 - 6 x 0.10, 64 + 6 x 0.31."""
    product = field()
    assert values(product, "interference_a_rover_nt")[0] == pytest.approx([39.32, -21.6, 65.86])
    assert values(product, "interference_b_rover_nt")[0] == pytest.approx([317.1, -156.4, 426.6])


def test_while_it_drives_the_motors_add_theirs(field):
    rest, drive = field(), field(DRIVE_MODE="DRIVING")
    added = values(drive, "interference_b_rover_nt")[0] - values(rest, "interference_b_rover_nt")[0]
    assert added == pytest.approx([6.5, -3.1, 8.2])


def test_it_is_taken_off_in_the_rovers_axes_and_not_in_the_sensors(field):
    product = field()
    assert np.abs(values(product, "field_a_sensor_nt")).max() < 1e-9
    assert values(product, "field_a_rover_nt")[0] == pytest.approx([-39.32, 21.6, -65.86])
    assert values(product, "field_a_enu_nt")[0] == pytest.approx([21.6, -39.32, 65.86])


def test_the_gradient_is_that_of_what_was_measured(field):
    """Both sensors measure nothing: no gradient, whatever the model takes off."""
    assert np.abs(values(field(), "gradient_rover_nt_m")).max() < 1e-9


def test_without_a_current_the_nominal_one_is_taken_and_flagged(field):
    """The only reading is 60 s old: 5.9 A are assumed."""
    product = field(power_s=40)
    assert (product.quality & Quality.NO_REFERENCE).all()
    assert np.isnan(values(product, "wing_current_a")).all()
    assert values(product, "interference_a_rover_nt")[0, 0] == pytest.approx(38 + 5.9 * 0.22)


def test_a_current_that_is_known_is_no_flag(field):
    assert not field().quality.any()


def test_the_current_is_on_the_line_between_two_readings(rows, suite, level):
    power = rows(
        "ENGINEERING",
        [100, 110],
        order=[5, 90],
        columns={"WING_CURRENT": np.array([1.0, 2.0])[:, None] * [1, 1, 1, 1]},
    )
    packets = rows("MAGNETOMETER", [105], order=[40], columns={"SAMPLE_RATE": 32})
    one = suite("magnetometer", window_s=1000)
    made = [*one.make_products([level(100, n=20), power, packets]), *one.flush()]
    (product,) = [p for p in made if p.product == "field"]
    assert values(product, "wing_current_a")[0] == pytest.approx(6.0)


def test_one_sigma_holds_noise_current_and_what_is_not_known_of_the_rover(field):
    """0.01 nT/rtHz over 16 Hz and counts of 0.01 nT; 0.01 A; the 2 nT of Luo et al. 2024."""
    product = field()
    noise = np.hypot(0.04, 0.01 / np.sqrt(12))
    assert values(product, "field_a_sensor_nt_sigma") == pytest.approx([noise] * 3)
    expected = [np.sqrt(noise**2 + (0.01 * slope) ** 2 + 2.0**2) for slope in (0.22, 0.10, 0.31)]
    assert values(product, "field_a_rover_nt_sigma") == pytest.approx(expected)
