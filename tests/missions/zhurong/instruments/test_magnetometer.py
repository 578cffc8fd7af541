"""Expected values worked by hand from the tables of docs/zhurong-packets.md, for a rover that adds no field."""

import copy

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

# Counts of the offsets of sensor A and B at 20 degC: 0.01 nT each
OFFSET_A = np.array([15240, -8825, 31075])
OFFSET_B = np.array([-42010, 9555, 6130])


@pytest.fixture
def calibrations(calibrations):
    quiet = copy.deepcopy(calibrations)
    for name in ("interference_a", "interference_b"):
        for key in ("rover_nt", "array_nt_per_a", "motors_nt"):
            quiet["magnetometer"][name][key] = [0.0, 0.0, 0.0]
    return quiet


@pytest.fixture
def field(rows, products, level):
    def make(a=(0, 0, 0), b=(0, 0, 0), temperature=20.0, start_s=100, navigation=None, **columns):
        packet = rows(
            "MAGNETOMETER",
            [start_s],
            order=[10],
            columns={
                "SAMPLE_RATE": 32,
                "TEMPERATURE_A": temperature,
                "TEMPERATURE_B": temperature,
                "FIELD_A": OFFSET_A + a,
                "FIELD_B": OFFSET_B + b,
                **columns,
            },
        )
        before = level(start_s) if navigation is None else navigation
        power = rows("ENGINEERING", [start_s], order=[9], columns={"WING_CURRENT": 1.5})
        batches = [packet] if navigation is False else [before, power, packet]
        return products(*batches)["magnetometer/field"]

    return make


def values(product, name):
    return product.arrays[name].values


def test_counts_at_the_offset_are_no_field(field):
    assert np.abs(values(field(), "field_a_sensor_nt")).max() < 1e-9


def test_a_field_along_x_goes_through_the_first_column_of_the_matrix(field):
    """100 nT beyond the offset: (1.0012, 0.0031, -0.0022) times 100 nT."""
    got = values(field(a=(10000, 0, 0)), "field_a_sensor_nt")[0]
    assert got == pytest.approx([100.12, 0.31, -0.22], abs=1e-9)


def test_sensor_b_has_a_matrix_of_its_own(field):
    got = values(field(b=(0, 10000, 0)), "field_b_sensor_nt")[0]
    assert got == pytest.approx([0.0, 100.15, -0.29], abs=1e-9)


def test_ten_degrees_warmer_moves_the_offset_and_the_scale(field):
    """The offset grows by (0.080, -0.055, 0.031) nT, the matrix by 2.1e-4."""
    got = values(field(temperature=30.0), "field_a_sensor_nt")[0]
    scale = 1 + 2.1e-4
    expected = (
        -1.0012 * 0.080 * scale,
        (-0.0031 * 0.080 + 0.9991 * 0.055) * scale,
        (0.0022 * 0.080 + 0.0047 * 0.055 - 1.0007 * 0.031) * scale,
    )
    assert got == pytest.approx(expected, abs=1e-9)


def test_sensor_b_is_mounted_upside_down(field):
    got = values(field(b=(0, 0, 10000)), "field_b_rover_nt")[0]
    assert got == pytest.approx([0.0, 0.0, -99.96], abs=1e-9)


def test_a_level_rover_facing_north_has_x_north_y_east_z_down(field):
    got = values(field(a=(0, 0, 10000)), "field_a_enu_nt")[0]
    assert got == pytest.approx([0.0, 0.0, -100.07], abs=1e-9)


def test_mast_yaw_turns_x_to_y(field, level):
    """Yaw 90: mast x is rover y, mast y is rover -x."""
    got = values(field(a=(10000, 0, 0), navigation=level(100, MAST_YAW=90.0)), "field_a_rover_nt")[0]
    assert got == pytest.approx([-0.31, 100.12, -0.22], abs=1e-9)


def test_mast_pitch_lifts_the_nose(field, level):
    """Pitch 90: mast x points up, which is rover -z; mast z is rover x."""
    got = values(field(a=(10000, 0, 0), navigation=level(100, MAST_PITCH=90.0)), "field_a_rover_nt")[0]
    assert got == pytest.approx([-0.22, 0.31, -100.12], abs=1e-9)


def test_a_rover_facing_east_turns_its_x_to_east(field, level):
    """Quaternion of 90 deg about down: cos 45 deg, sin 45 deg. Rover x is east, rover y is south."""
    half = np.sqrt(0.5)
    got = values(field(a=(10000, 0, 0), navigation=level(100, Q_SCALAR=half, Q_Z=half)), "field_a_enu_nt")[0]
    assert got == pytest.approx([100.12, -0.31, 0.22], abs=1e-9)


def test_rotation_keeps_the_magnitude(field, level):
    product = field(a=(3000, -4000, 12000), navigation=level(100, Q_SCALAR=0.5, Q_X=0.5, Q_Y=0.5, Q_Z=0.5))
    length = np.linalg.norm(values(product, "field_a_enu_nt"), axis=1)
    assert length == pytest.approx(values(product, "field_a_magnitude_nt"), abs=1e-9)


def test_samples_are_a_thirty_second_of_a_second_apart(field):
    time_ns = values(field(), "time_onboard_ns")
    assert time_ns[0] == 100_000_000_000
    assert (np.diff(time_ns) == 31_250_000).all()


def test_mast_angles_are_interpolated_between_navigation_rows(field, level):
    """From 0 at 100 s to 32 deg at 101 s: a degree a sample."""
    got = values(field(navigation=level(100, MAST_YAW=[0.0, 32.0])), "mast_yaw_deg")
    assert got == pytest.approx(np.arange(32), abs=1e-9)


def test_without_navigation_the_sensor_frame_is_still_there(field):
    assert np.isfinite(values(field(navigation=False), "field_a_sensor_nt")).all()


def test_without_navigation_rotated_frames_are_nan_and_flagged(field):
    product = field(navigation=False)
    assert np.isnan(values(product, "field_a_enu_nt")).all()
    assert (product.quality & Quality.NO_ATTITUDE).all()


def test_an_attitude_held_longer_than_the_limit_is_flagged(field, level):
    """The last navigation row is of 81 s; the limit is 15 s."""
    assert (field(navigation=level(80)).quality & Quality.NO_ATTITUDE).all()


def test_an_attitude_held_for_less_than_the_limit_is_good(field, level):
    assert not (field(navigation=level(90)).quality & Quality.NO_ATTITUDE).any()


def test_a_count_at_the_end_of_24_bits_is_saturated(field):
    product = field(FIELD_A=np.where(np.arange(32)[:, None] == 5, 8388607, OFFSET_A))
    assert np.flatnonzero(product.quality & Quality.SATURATED).tolist() == [5]


def test_a_field_beyond_65000_nt_is_out_of_range(field):
    product = field(a=np.where(np.arange(32)[:, None] == 7, 6_600_000, 0))
    assert np.flatnonzero(product.quality & Quality.OUT_OF_RANGE).tolist() == [7]


def test_a_sample_rate_of_zero_is_flagged_and_samples_keep_the_nominal_spacing(field):
    product = field(SAMPLE_RATE=0)
    assert (product.quality & Quality.OUT_OF_RANGE).all()
    assert values(product, "time_onboard_ns")[1] == 100_031_250_000


def test_a_temperature_that_is_no_number_gives_nan_and_a_flag(field):
    product = field(temperature=np.nan)
    assert np.isnan(values(product, "field_a_sensor_nt")).all()
    assert (product.quality & Quality.OUT_OF_RANGE).all()
