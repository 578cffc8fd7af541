"""A field that stands still, seen by sensors that turn: expected numbers are those that the rows were made of."""

import copy

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.magnetometer.site_fit import Rotations, mast_matrices

OFFSET = {
    "A": np.array([15240, -8825, 31075]),
    "B": np.array([-42010, 9555, 6130]),
}  # counts, docs/zhurong-packets.md
MATRIX = {
    "A": np.array([[1.0012, 0, 0], [0.0031, 0.9991, 0], [-0.0022, 0.0047, 1.0007]]),
    "B": np.array([[0.9987, 0, 0], [-0.0040, 1.0015, 0], [0.0018, -0.0029, 0.9996]]),
}
MOUNT = {"A": np.ones(3), "B": np.array([1, -1, -1])}


def yaw_only(yaw_deg):
    c, s = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return np.stack(
        [np.stack([c, -s, 0 * c], -1), np.stack([s, c, 0 * c], -1), np.stack([0 * c, 0 * c, 0 * c + 1], -1)], -2
    )


def test_yaw_turns_the_head_right_handed():
    np.testing.assert_allclose(mast_matrices(np.array([30.0]), np.zeros(1)), yaw_only(np.array([30.0])), atol=1e-12)


def test_the_circle_has_the_field_as_radius_and_the_offset_as_centre():
    turn = yaw_only(np.linspace(-90, 90, 50))
    seen = np.einsum("nji,j->ni", turn, [12.0, -5.0, 30.0]) + np.array([3.0, 4.0, 7.0])
    fit = Rotations(turn, 1, tilts=False).fit(seen)
    assert fit.field_nt[:2] == pytest.approx([12.0, -5.0])
    assert fit.offset_nt[:2] == pytest.approx([3.0, 4.0])
    assert np.isnan(fit.field_nt[2])


def test_with_pitch_the_vertical_is_found_as_well():
    turn = mast_matrices(np.linspace(-90, 90, 50), np.linspace(-20, 20, 50))
    seen = np.einsum("nji,j->ni", turn, [12.0, -5.0, 30.0]) + np.array([3.0, 4.0, 7.0])
    fit = Rotations(turn, 1, tilts=True).fit(seen)
    assert fit.field_nt == pytest.approx([12.0, -5.0, 30.0])
    assert fit.offset_nt == pytest.approx([3.0, 4.0, 7.0])


def test_the_covariance_is_the_scatter_of_many_fits():
    rng = np.random.default_rng(6)
    turn = yaw_only(np.linspace(-80, 80, 160))
    still = np.einsum("nji,j->ni", turn, [12.0, -5.0, 30.0])
    fits = [Rotations(turn, 4, tilts=False).fit(still + rng.normal(0, 0.5, still.shape)) for _ in range(300)]
    scatter = np.cov(np.array([fit.field_nt[:2] for fit in fits]).T)
    told = np.mean([fit.covariance_nt2[:2, :2] for fit in fits], axis=0)
    np.testing.assert_allclose(np.diagonal(told), np.diagonal(scatter), rtol=0.3)


def wandering(n, rng):
    """Changes of the field along each axis, four samples a second: 0.3 nT in a minute, smooth below 3 s."""
    steps = rng.normal(0, 0.02, (n + 12, 3))
    return np.cumsum(np.stack([steps[k : k + n] for k in range(12)]).mean(axis=0), axis=0)


def test_the_random_sigma_is_how_far_the_field_is_from_the_truth_while_it_wanders():
    """A swing of 100 deg with a nod of 30 deg in the middle minute of two and a half; 50 fields, noise of 0.04 nT."""
    rng = np.random.default_rng(12)
    time_s = np.arange(0, 150, 0.25)
    yaw = np.interp(time_s, [45, 60, 90, 105], [0, 50, -50, 0])
    pitch = np.interp(time_s, [45, 60, 75, 95, 105], [0, 0, -20, 10, 0])
    turn, off = mast_matrices(yaw, pitch), []
    for _ in range(50):
        field = np.array([12.0, -5.0, 30.0]) + wandering(len(time_s), rng)
        seen = np.einsum("nji,nj->ni", turn, field) + np.array([3.0, 4.0, 7.0]) + rng.normal(0, 0.04, field.shape)
        fit = Rotations(turn, 8, tilts=True, time_s=time_s).fit(seen)
        off.append((fit.field_nt - field.mean(axis=0)) / np.sqrt(np.diag(fit.covariance_nt2)))
    chi = np.sqrt(np.mean(np.square(off), axis=0))
    assert np.all((chi > 0.8) & (chi < 1.25)), chi


@pytest.mark.parametrize("n", [2, 3, 5, 8, 16])
def test_a_few_samples_give_a_fit_or_none(n):
    """Two turns cannot tell the vertical's offset from the vertical; nothing is raised."""
    turn = mast_matrices(np.linspace(-50, 50, n), np.linspace(-20, 10, n))
    seen = np.einsum("nji,j->ni", turn, [12.0, -5.0, 30.0]) + np.array([3.0, 4.0, 7.0])
    fit = Rotations(turn, 8, tilts=True).fit(seen)
    assert fit is None or fit.field_nt == pytest.approx([12.0, -5.0, 30.0], abs=0.01)


def test_turns_that_tell_nothing_give_no_fit():
    assert Rotations(yaw_only(np.zeros(10)), 1, tilts=False).fit(np.zeros((10, 3))) is None


@pytest.fixture
def scan(rows, level):
    """Twenty seconds at (12, -5, 30) nT along the rover's axes and what the rover adds; the mast turns by `degrees`."""

    def make(degrees, offset_nt=0.0, start_s=100, mode="STOPPED", first=0):
        n = 20
        yaw = np.linspace(-degrees / 2, degrees / 2, n + 1)
        navigation = level(start_s, n=n + 1, order=first, MAST_YAW=yaw, DRIVE_MODE=mode)
        power = rows(
            "ENGINEERING",
            start_s + np.array([0.0, 10, 20]),
            columns={"WING_CURRENT": 1.5},
            order=first + np.arange(3),
        )
        samples = np.interp(np.arange(n * 32) / 32, np.arange(n + 1), yaw)
        turn = yaw_only(samples)
        added = {"A": [39.32, -21.6, 65.86], "B": [317.1, -156.4, 426.6]}  # at 6 A
        columns = {"SAMPLE_RATE": 32, "TEMPERATURE_A": 20.0, "TEMPERATURE_B": 20.0}
        for name in "AB":
            head = np.einsum("nji,j->ni", turn, np.array([12.0, -5.0, 30.0]) + added[name]) + offset_nt
            counts = np.linalg.solve(MATRIX[name], (head * MOUNT[name]).T).T * 100 + OFFSET[name]
            columns[f"FIELD_{name}"] = np.rint(counts).astype(int).reshape(n, 32, 3)
        packets = rows("MAGNETOMETER", start_s + np.arange(n), columns=columns, order=first + 50 + np.arange(n))
        return navigation, power, packets

    return make


@pytest.fixture
def site_vectors(suite):
    def make(*batches):
        one = suite("site_field")
        made = [*one.make_products(batches), *one.flush()]
        return [p for p in made if p.product == "site_vector"]

    return make


def values(product, name):
    return product.arrays[name].values


@pytest.mark.parametrize("sensor", ["a", "b"])
def test_a_turn_of_the_mast_gives_the_horizontal_field_of_the_site(scan, site_vectors, sensor):
    """Rover level and facing north: x is north, y is east."""
    (site,) = site_vectors(*scan(120.0, offset_nt=2.5))
    assert (site.instrument, site.level) == ("magnetometer", "2C")
    assert values(site, f"field_{sensor}_enu_nt")[0, :2] == pytest.approx([-5.0, 12.0], abs=0.02)
    assert values(site, f"horizontal_{sensor}_nt")[0] == pytest.approx(13.0, abs=0.02)
    assert values(site, f"declination_{sensor}_deg")[0] == pytest.approx(np.rad2deg(np.arctan2(-5, 12)), abs=0.1)
    assert values(site, f"offset_{sensor}_mast_nt")[0, :2] == pytest.approx([2.5, 2.5], abs=0.02)


def test_a_turn_that_is_too_short_gives_nothing(scan, site_vectors):
    assert site_vectors(*scan(80.0)) == []


def test_what_was_measured_while_it_drives_is_left_out(scan, site_vectors):
    assert site_vectors(*scan(120.0, mode="DRIVING")) == []


def test_the_uncertainty_holds_what_is_not_known_of_the_rovers_field(scan, site_vectors, calibrations):
    (site,) = site_vectors(*scan(120.0))
    for sensor in "ab":
        sigma = calibrations["magnetometer"][f"interference_{sensor}"]["rover_nt_sigma"][0]
        assert values(site, f"horizontal_{sensor}_nt_sigma")[0] == pytest.approx(sigma, rel=0.02)
        assert values(site, f"horizontal_{sensor}_nt_sigma_systematic")[0] == pytest.approx(sigma)
        assert values(site, f"horizontal_{sensor}_nt_sigma_random")[0] < 0.05  # a field that stands still


def test_without_pitch_nothing_is_known_of_the_vertical(scan, site_vectors):
    (site,) = site_vectors(*scan(120.0))
    for part in ("", "_random", "_systematic"):
        sigma = values(site, f"field_a_enu_nt_sigma{part}")[0]
        assert np.isfinite(sigma).tolist() == [True, True, False]
    for part in ("", "_random"):
        covariance = values(site, f"covariance_a_nt2{part}")[0]
        assert np.isfinite(covariance).tolist() == [[True, True, False]] * 2 + [[False] * 3]


def test_both_parts_add_up_in_squares(scan, site_vectors):
    (site,) = site_vectors(*scan(120.0))
    for name in ("field_b_enu_nt", "horizontal_b_nt", "declination_b_deg"):
        whole, random, systematic = (values(site, f"{name}_sigma{part}") for part in ("", "_random", "_systematic"))
        np.testing.assert_allclose(whole, np.hypot(random, systematic))


def test_each_place_has_a_vector_of_its_own(scan, site_vectors, level):
    first, second = scan(120.0), scan(120.0, start_s=200, first=200)
    between = level(150, n=2, order=150, DRIVE_MODE="DRIVING", MAST_YAW=60.0)
    packet = copy.deepcopy(first[2])
    moving = type(packet)(**{name: getattr(packet, name) for name in packet.__slots__})
    moving.time_ns[:] = np.arange(20) * 0 + 150_500_000_000
    moving.order[:] = 152
    assert len(site_vectors(*first, between, moving, *second)) == 2


def test_sensors_that_turned_alike_are_fitted_as_each_by_itself():
    turn = mast_matrices(np.linspace(-90, 90, 50), np.linspace(-20, 20, 50))
    rotations = Rotations(turn, 1, tilts=True)
    for field, offset in (([12.0, -5.0, 30.0], [3.0, 4.0, 7.0]), ([-8.0, 2.0, 11.0], [50.0, 0.0, -6.0])):
        fit = rotations.fit(np.einsum("nji,j->ni", turn, field) + np.array(offset))
        assert fit.field_nt == pytest.approx(field)
        assert fit.offset_nt == pytest.approx(offset)
