import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality, Ragged


def values(product, name):
    return product.arrays[name].values


@pytest.fixture
def navigation(level, products):
    def make(*batches, start_s=0, n=2, **columns):
        return products(*(batches or [level(start_s, n=n, **columns)]), names=("rover",))["rover/navigation"]

    return make


def test_position_is_east_north_up(navigation):
    product = navigation(POSITION_NORTH=1.0, POSITION_EAST=2.0, POSITION_DOWN=3.0)
    assert values(product, "position_enu_m")[0].tolist() == [2.0, 1.0, -3.0]


# Quaternions of 30 degrees about one axis: cos 15, sin 15
C, S = np.cos(np.pi / 12), np.sin(np.pi / 12)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [("Q_X", [30, 0, 0]), ("Q_Y", [0, 30, 0]), ("Q_Z", [0, 0, 30])],
    ids=["roll", "pitch", "yaw"],
)
def test_a_turn_about_one_axis_is_that_angle_alone(navigation, axis, expected):
    product = navigation(Q_SCALAR=C, **{axis: S})
    assert values(product, "attitude_deg")[0] == pytest.approx(expected, abs=1e-9)


def test_heading_is_clockwise_from_north_and_never_negative(navigation):
    assert values(navigation(Q_SCALAR=C, Q_Z=-S), "heading_deg")[0] == pytest.approx(330.0)


def test_a_quaternion_that_is_none_has_no_attitude(navigation):
    product = navigation(Q_SCALAR=[1.0, 0.0])
    assert np.isnan(values(product, "attitude_deg")[1]).all()
    assert (product.quality & Quality.NO_ATTITUDE).tolist() == [0, Quality.NO_ATTITUDE]


def test_speed_is_the_length_of_the_velocity(navigation):
    assert values(navigation(VELOCITY_NORTH=0.03, VELOCITY_EAST=0.04), "speed_m_s")[0] == pytest.approx(0.05)


def test_a_speed_that_no_rover_has_is_out_of_range(navigation):
    assert (navigation(VELOCITY_NORTH=5.0).quality & Quality.OUT_OF_RANGE).all()


def test_distance_adds_up_the_steps(navigation):
    product = navigation(n=3, POSITION_NORTH=[0.0, 3.0, 3.0], POSITION_EAST=[0.0, 4.0, 5.0])
    assert values(product, "distance_m").tolist() == [0.0, 5.0, 6.0]


def test_rezeroing_the_position_is_no_step_back(navigation):
    """Frame 1 begins where frame 0 ended: 2 m in frame 0, then 0.5 m in frame 1."""
    product = navigation(n=3, FRAME_ID=[0, 0, 1], POSITION_NORTH=[300.0, 302.0, 0.5])
    assert values(product, "distance_m").tolist() == [0.0, 2.0, 2.5]


def test_engineering_values_come_out_with_their_units(rows, products):
    packet = rows("ENGINEERING", [5], columns={"BUS_VOLTAGE": 28.5, "ACTIVITY": "DRIVE", "GPR_ON": True})
    product = products(packet)["rover/engineering"]
    assert (values(product, "bus_voltage_v")[0], product.arrays["bus_voltage_v"].unit) == (28.5, "V")
    assert values(product, "activity").tolist() == ["DRIVE"]
    assert values(product, "gpr_on").tolist() == [True]


@pytest.fixture
def event(rows, products):
    def make(text):
        octets = np.frombuffer(text, np.uint8)
        column = Ragged(octets, np.zeros(1, np.int64), np.array([len(octets)]))
        return products(rows("EVENT", [5], columns={"TEXT": column, "SEVERITY": "WARNING"}))["rover/event"]

    return make


def test_event_text_is_utf_8(event):
    assert values(event("slope 15°".encode()), "text").tolist() == ["slope 15°"]


def test_event_text_that_is_no_utf_8_still_comes_through(event):
    assert values(event(b"abc\xff"), "text").tolist() == ["abc\ufffd"]


def test_an_empty_event_text_is_empty(event):
    assert values(event(b""), "text").tolist() == [""]


def test_an_event_is_told_at_once(rows, suite):
    assert [p.product for p in suite().make_products([rows("EVENT", [5])])] == ["event"]
