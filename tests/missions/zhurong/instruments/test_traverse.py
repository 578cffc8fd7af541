from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.rover.rover_calibration import DeadReckoning
from downlink_pipeline.missions.zhurong.rover.traverse import covariance_m2
from downlink_pipeline.products.rows import take

SOL_11_S = 170_338_800  # 12:27 LMST of sol 11
SOL_S = 88_775.244


def values(product, name):
    return product.arrays[name].values


@pytest.fixture
def drive(level):
    """10 s at rest, 20 m north at 1 m/s, 10 s at rest."""

    def make(start_s=SOL_11_S, **columns):
        driving = (np.arange(40) > 10) & (np.arange(40) <= 30)
        north = np.clip(np.arange(40.0) - 10, 0, 20)
        filled = {"DRIVE_MODE": np.where(driving, "DRIVING", "STOPPED"), "POSITION_NORTH": north, **columns}
        return level(start_s, n=40, **filled)

    return make


@pytest.fixture
def traverse(suite):
    def make(*batches, **context):
        one = suite("traverse", **context)
        return [p for p in [*one.make_products(batches), *one.flush()] if p.instrument == "rover"]

    return make


def test_waypoints_are_each_second_of_driving_and_the_ends_of_each_stop(drive, traverse):
    way, _ = traverse(drive())
    assert (way.product, way.level) == ("traverse", "2C")
    assert values(way, "stop").tolist() == [0, 0, *[-1] * 20, 1, 1]


def test_the_odometer_is_the_way_driven(drive, traverse):
    way, sums = traverse(drive())
    assert values(way, "distance_m")[[0, -1]].tolist() == [0.0, 20.0]
    assert (values(sums, "distance_m")[0], values(sums, "driving_s")[0]) == (20.0, 20.0)


def test_a_position_that_trembles_at_rest_is_no_way(drive, traverse):
    trembling = np.where(np.arange(40) % 2, 0.005, 0.0)
    way, _ = traverse(drive(DRIVE_MODE="STOPPED", POSITION_NORTH=trembling))
    assert values(way, "distance_m")[-1] == 0.0


def test_the_last_centimetre_counts_though_it_has_stopped(drive, traverse):
    north = np.clip(np.arange(40.0) - 10, 0, 20) + np.where(np.arange(40) > 30, 0.01, 0.0)
    way, _ = traverse(drive(POSITION_NORTH=north))
    assert values(way, "distance_m")[-1] == pytest.approx(20.01)


def test_a_way_whose_packets_are_missing_still_counts(drive, traverse):
    batch = take(drive(), np.r_[0:11, 31:40])
    way, _ = traverse(batch)
    assert values(way, "distance_m")[-1] == 20.0


def test_frames_that_were_zeroed_again_are_joined(drive, traverse):
    """From 12 m on in a new frame, of which the zero is there."""
    north = np.clip(np.arange(40.0) - 10, 0, 20)
    frame = (np.arange(40) > 22).astype(int)
    sent = np.where(frame == 1, north - 12, north)
    way, sums = traverse(drive(FRAME_ID=frame, POSITION_NORTH=sent))
    assert values(way, "position_enu_m")[-1].tolist() == [0.0, 20.0, 0.0]
    assert values(sums, "distance_m")[0] == 20.0


def test_longitude_and_latitude_are_those_of_the_site_and_the_way(drive, traverse):
    """20 m north on 3,396,190 - 4,918.556 m: 0.00033790 degrees."""
    way, _ = traverse(drive())
    assert values(way, "latitude_deg")[-1] == pytest.approx(25.083319 + 0.00033790, abs=1e-8)
    assert values(way, "longitude_deg")[-1] == pytest.approx(109.908440, abs=1e-9)
    assert way.lineage["frames"]["site"] == "MARS_COORDINATE_SYSTEM"


def test_without_a_site_there_are_no_coordinates(drive, traverse):
    way, _ = traverse(drive(), site=None)
    assert "latitude_deg" not in way.arrays


def test_each_sol_has_its_own_sums_and_the_odometer_goes_on(drive, traverse):
    first = drive()
    second = drive(SOL_11_S + SOL_S, POSITION_NORTH=20 + np.clip(np.arange(40.0) - 10, 0, 20))
    second.order[:] += 40
    sums = [p for p in traverse(first, second) if p.product == "sol_drive"]
    assert [p.time.sol for p in sums] == [(11, 11), (12, 12)]
    assert [values(p, "distance_m")[0] for p in sums] == [20.0, 20.0]
    assert [values(p, "odometer_m")[0] for p in sums] == [20.0, 40.0]


def test_rows_without_a_position_are_left_out(drive, traverse):
    north = np.clip(np.arange(40.0) - 10, 0, 20)
    north[15] = np.nan
    way, _ = traverse(drive(POSITION_NORTH=north))
    assert np.isfinite(values(way, "position_enu_m")).all()
    assert values(way, "distance_m")[-1] == 20.0


@pytest.mark.parametrize(
    "edges", [(0, 40), (0, 1, 11, 12, 25, 40), tuple(range(41))], ids=["whole", "some", "each"]
)
def test_any_split_gives_the_same_way(drive, suite, edges):
    frame = (np.arange(40) > 22).astype(int)
    batch = drive(FRAME_ID=frame)
    whole, split = suite("traverse"), suite("traverse")
    expected = [*whole.make_products([batch]), *whole.flush()]
    made = [p for start, stop in pairwise(edges) for p in split.make_products([take(batch, slice(start, stop))])]
    made += split.flush()
    assert [p.id for p in made] == [p.id for p in expected]
    for one, other in zip(made, expected, strict=True):
        assert all(values(one, name).tobytes() == values(other, name).tobytes() for name in one.arrays)


ERRORS = DeadReckoning(
    source="assumed", start_m=0.1, scale=0.02, heading_deg=0.5, wander_m_per_root_m=0.02, least_step_m=0.02
)


def test_uncertainty_grows_along_the_way_by_scale_and_across_it_by_heading():
    """100 m north: 2 m along, 0.873 m across, 0.2 m of wandering, 0.1 m of the start."""
    (found,) = covariance_m2(np.array([[0.0, 100.0, 0.0]]), np.array([100.0]), ERRORS)
    along, across = np.hypot(2.0, np.hypot(0.2, 0.1)), np.hypot(0.8727, np.hypot(0.2, 0.1))
    assert np.sqrt(np.diagonal(found)) == pytest.approx([across, along, np.hypot(0.1, 0.8727)], abs=1e-3)


def test_covariance_is_that_of_drawn_errors():
    """A bent way with a scale, a heading and 400 small errors, drawn 20,000 times."""
    rng = np.random.default_rng(5)
    way, distance, n = np.array([30.0, 40.0]), 80.0, 20_000
    scale, turn = rng.normal(0, 0.02, n), rng.normal(0, np.deg2rad(0.5), n)
    drawn = way + scale[:, None] * way + turn[:, None] * [way[1], -way[0]]
    drawn += rng.normal(0, 0.02 * np.sqrt(distance), (n, 2)) + rng.normal(0, 0.1, (n, 2))
    (found,) = covariance_m2(np.array([[*way, 0.0]]), np.array([distance]), ERRORS)
    np.testing.assert_allclose(found[:2, :2], np.cov(drawn.T), atol=0.03)


def test_back_where_it_began_only_what_wanders_is_left():
    (found,) = covariance_m2(np.zeros((1, 3)), np.array([100.0]), ERRORS)
    assert found[0, 0] == pytest.approx(0.1**2 + 0.2**2)
