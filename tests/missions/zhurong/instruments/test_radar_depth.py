import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_depth import (
    depth_m,
    depth_sigma_m,
    fit_hyperbola,
    pick_hyperbola,
    range_resolution_m,
)
from downlink_pipeline.missions.zhurong.gpr.radar_migration import migrate
from downlink_pipeline.missions.zhurong.gpr.radar_spacing import along_track_m, at_grid, even


@pytest.mark.parametrize(
    ("bandwidth_mhz", "permittivity", "published_m"),
    [(80, 1.0, 1.87), (1700, 1.0, 0.088), (1700, 3.0, 0.051)],
    ids=["low frequency", "high frequency", "high frequency in regolith"],
)
def test_range_resolutions_are_those_published(bandwidth_mhz, permittivity, published_m):
    assert range_resolution_m(bandwidth_mhz, permittivity) == pytest.approx(published_m, rel=0.01)


def test_a_hundred_nanoseconds_in_free_space_are_15_m():
    assert depth_m(np.array([0.0, 100.0]), [1.0]) == pytest.approx([0.0, 14.9896229])


def test_a_permittivity_of_four_halves_the_depth():
    assert depth_m(np.array([100.0]), [4.0]) == pytest.approx([7.49481145])


def test_antennas_apart_take_pythagoras():
    """3 m down between antennas 8 m apart: 5 m of way each."""
    assert depth_m(np.array([10 / 0.299792458]), [1.0], separation_m=8.0) == pytest.approx([3.0])


def test_layers_add_up():
    """1 m of permittivity 4 takes 4 / c; then 9 / c more lead 1.5 m into permittivity 9."""
    speed = 0.299792458
    times = np.array([2 / speed, 4 / speed, 13 / speed])
    assert depth_m(times, [4.0, 9.0], [1.0]) == pytest.approx([0.5, 1.0, 2.5])


def test_before_time_zero_depth_is_negative():
    assert depth_m(np.array([-2.0]), [1.0])[0] == pytest.approx(-0.299792458)


def test_a_thickness_too_many_is_told():
    with pytest.raises(ValueError, match="every layer but the last"):
        depth_m(np.zeros(1), [1.0], [1.0])


@pytest.fixture
def echo():
    """A point 1.5 m down at 3 m in permittivity 3.2: distances and two-way times from the law of cosines."""
    x = np.arange(1.5, 4.5, 0.054)
    return x, 2 * np.sqrt(1.5**2 + (x - 3.0) ** 2) * np.sqrt(3.2) / 0.299792458


def test_a_hyperbola_gives_back_what_made_it(echo):
    found = fit_hyperbola(*echo)
    assert (found.apex_m, found.depth_m, found.permittivity) == pytest.approx((3.0, 1.5, 3.2))


def test_the_uncertainty_of_the_permittivity_is_that_of_noisy_picks(echo):
    x, t = echo
    rng = np.random.default_rng(4)
    fits = [fit_hyperbola(x, t + rng.normal(0, 0.1, len(t))) for _ in range(200)]
    spread = np.std([fit.permittivity for fit in fits])
    assert np.mean([fit.permittivity_sigma for fit in fits]) == pytest.approx(spread, rel=0.25)


@pytest.mark.parametrize("t", [np.full(9, 20.0), 20 - np.arange(-4.0, 5) ** 2, np.arange(20.0, 29)], ids=str)
def test_what_is_no_hyperbola_is_told(t):
    with pytest.raises(ValueError, match="no hyperbola"):
        fit_hyperbola(np.arange(9.0), t)


def test_three_points_are_too_few():
    with pytest.raises(ValueError, match="four points"):
        fit_hyperbola(np.arange(3.0), np.arange(3.0))


def image_of(delay_ns, twt_ns, carrier_ghz=1.3):
    time = twt_ns - delay_ns[:, None]
    return np.exp(-0.5 * (time / 0.35) ** 2) * np.exp(2j * np.pi * carrier_ghz * time)


def test_picks_follow_an_echo_from_a_rough_guess(echo):
    x, t = echo
    twt_ns = np.arange(0, 60, 0.1)
    picked = pick_hyperbola(np.abs(image_of(t, twt_ns)), x, twt_ns, (3.1, 17.6), 3.0, reach_m=1.4, width_ns=1.5)
    assert fit_hyperbola(*picked).permittivity == pytest.approx(3.2, rel=0.02)


def test_migration_gathers_a_hyperbola_at_its_apex():
    x, twt_ns = np.arange(0, 6, 0.054), np.arange(-2, 60, 0.1)
    delay_ns = 2 * np.sqrt(1.5**2 + (x - 3.0) ** 2) * np.sqrt(3.2) / 0.299792458
    sharp = np.abs(migrate(image_of(delay_ns, twt_ns), 0.054, 0.1, 0.299792458 / np.sqrt(3.2), -2.0))
    row, sample = np.unravel_index(sharp.argmax(), sharp.shape)
    assert abs(x[row] - 3.0) <= 0.054
    assert twt_ns[sample] == pytest.approx(2 * 1.5 * np.sqrt(3.2) / 0.299792458, abs=0.3)
    aside = sharp[np.abs(x - 3.0) > 0.5]
    assert aside.max() < 0.2 * sharp.max()


def test_migration_leaves_a_flat_layer_where_it_is():
    x, twt_ns = np.arange(0, 6, 0.054), np.arange(-2, 60, 0.1)
    flat = image_of(np.full(len(x), 30.0), twt_ns)
    moved = migrate(flat, 0.054, 0.1, 0.16, -2.0)
    middle = slice(40, 70)
    assert (np.abs(moved[middle]).argmax(axis=1) == 320).all()
    assert np.abs(moved[middle]).max() == pytest.approx(1.0, rel=0.1)


def test_a_rounded_track_is_not_longer_than_the_way():
    """10.75 m straight at 30 degrees, rounded to a centimetre: step by step it would be longer."""
    way = np.arange(200) * 0.054
    place = np.stack([way * np.cos(np.pi / 6), way * np.sin(np.pi / 6), 0 * way], axis=1).round(2)
    assert np.linalg.norm(np.diff(place, axis=0), axis=1).sum() > 10.78
    assert along_track_m(place, 9)[-1] == pytest.approx(way[-1], abs=0.01)


def test_a_rover_that_stands_gets_no_further():
    assert not along_track_m(np.ones((5, 3)), 3).any()


def test_values_lie_on_the_line_between_two_traces():
    grid = even(np.array([0.0, 1.0, 3.0]), 0.5)
    assert at_grid(np.array([0.0, 10.0, 30.0]), grid) == pytest.approx(np.arange(0, 31, 5.0))
    assert grid.gap_m.tolist() == [1, 1, 2, 2, 2, 2, 2]


def test_places_are_even_from_first_to_last():
    assert even(np.array([2.0, 2.9, 4.1]), 0.5).distance_m == pytest.approx([2.0, 2.5, 3.0, 3.5, 4.0])


def test_traces_of_one_place_make_a_grid_of_one():
    assert even(np.array([1.0, 1.0, 1.0]), 0.5).distance_m.tolist() == [1.0]


def test_the_sigma_of_a_depth_is_half_the_relative_one_of_permittivity_and_the_whole_one_of_time():
    """d = c t / (2 sqrt(eps)): 30 ns in 3.2 is 2.514 m; 0.5 / 3.2 / 2 is 7.8 %, with 1.5 % of time 8.0 %."""
    (sigma,) = depth_sigma_m(np.array([30.0]), [3.2], [0.5], interval_share=0.015)
    assert sigma == pytest.approx(2.514 * np.hypot(0.5 / 3.2 / 2, 0.015), rel=0.02)


def test_a_layer_that_is_not_certain_leaves_what_lies_above_it_certain():
    sigma = depth_sigma_m(np.array([5.0, 60.0]), [3.0, 6.0], [0.0, 1.0], [1.0])
    assert sigma[0] == 0
    assert sigma[1] > 0.1
