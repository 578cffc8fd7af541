"""Pairs of count and UTC give back the clock that made them, whatever a few of them say."""

import numpy as np
import pytest
from downlink_pipeline.clock.correlation import FitSettings, Pairs, correlate
from downlink_pipeline.clock.robust import fit_bent_line

S = 1_000_000_000
START_S = 170_338_800  # sol 11 of Zhurong, by its count
EPOCH_NS = 1_451_577_600 * S
SOL_S = 88_775.244


def made(time_s, *, drift_ppm=0.0, noise_s=0.0, seed=1, resets=None):
    """Pairs of a clock that counts whole milliseconds, (UTC - epoch) (1 + drift); and the truth, UTC of each count."""
    draw = np.random.default_rng(seed)
    elapsed_ns = START_S * S + np.rint(np.asarray(time_s) * S).astype(np.int64)
    count_ns = elapsed_ns + np.rint(elapsed_ns * drift_ppm * 1e-6).astype(np.int64)
    count_ns = (count_ns + 500_000) // 1_000_000 * 1_000_000
    utc_ns = EPOCH_NS + elapsed_ns + np.rint(draw.normal(0, noise_s, len(elapsed_ns)) * S).astype(np.int64)
    resets = np.zeros(len(elapsed_ns), np.int64) if resets is None else resets
    return Pairs(count_ns, utc_ns, resets)


def contacts(n_sols, seconds=600.0, each_s=10.0):
    return np.concatenate([k * SOL_S + np.arange(0.0, seconds, each_s) for k in range(n_sols)])


def true_utc_ns(count_ns, drift_ppm):
    return EPOCH_NS + np.rint(count_ns / (1 + drift_ppm * 1e-6)).astype(np.int64)


def worst_s(correlation, count_ns, drift_ppm):
    return np.abs(correlation.clock(EPOCH_NS).utc_ns(count_ns) - true_utc_ns(count_ns, drift_ppm)).max() / S


def test_a_drifting_clock_is_found_within_a_tenth_of_a_millisecond_over_five_sols():
    pairs = made(contacts(5), drift_ppm=3.0, noise_s=0.15e-3)
    found = correlate(pairs, FitSettings())
    between = np.linspace(pairs.onboard_ns[0], pairs.onboard_ns[-1], 1001).astype(np.int64)
    assert worst_s(found, between, 3.0) < 0.2e-3
    assert [len(one.segments) for one in found.partitions] == [4]
    np.testing.assert_allclose([one.rate for one in found.segments], 1 / (1 + 3e-6), atol=5e-9)


def test_one_sigma_is_that_of_whole_milliseconds_and_noise():
    pairs = made(contacts(5, each_s=2.0), drift_ppm=3.0, noise_s=0.15e-3)
    [sigma_ns] = {one.sigma_ns for one in correlate(pairs, FitSettings()).segments}
    assert abs(sigma_ns / np.hypot(1e6 / np.sqrt(12), 0.15e6) - 1) < 0.25


def test_a_tenth_of_late_pairs_changes_next_to_nothing_and_is_flagged():
    pairs = made(contacts(3), drift_ppm=-2.0, noise_s=0.15e-3)
    late = np.arange(len(pairs)) % 10 == 4
    utc_ns = pairs.utc_ns + np.where(late, np.random.default_rng(2).integers(20_000_000, S // 2, len(pairs)), 0)
    found = correlate(Pairs(pairs.onboard_ns, utc_ns, pairs.resets), FitSettings())
    assert np.array_equal(found.outlier, late)
    assert worst_s(found, pairs.onboard_ns, -2.0) < 0.3e-3


def test_a_clock_whose_drift_changes_from_sol_to_sol_is_followed():
    sols = np.arange(6)
    offset_s = np.cumsum([0.0, 0.1, 0.3, 0.2, 0.4, 0.1])
    time_s = contacts(6)
    pairs = made(time_s, noise_s=0.1e-3)
    slow_ns = np.rint(np.interp(time_s, sols * SOL_S + 300.0, offset_s) * S).astype(np.int64)
    found = correlate(Pairs(pairs.onboard_ns, pairs.utc_ns + slow_ns, pairs.resets), FitSettings())
    middle = pairs.onboard_ns.reshape(6, -1)[:, 30]
    apart = found.clock(EPOCH_NS).utc_ns(middle) - (EPOCH_NS + middle) - np.rint(offset_s * S)
    assert np.abs(apart).max() < 1e6


def test_a_reset_that_the_rover_counts_begins_a_partition():
    pairs = made(contacts(2), resets=np.repeat([3, 4], 60))
    onboard_ns = np.where(pairs.resets == 4, pairs.onboard_ns - (START_S + 88_000) * S, pairs.onboard_ns)
    found = correlate(Pairs(onboard_ns, pairs.utc_ns, pairs.resets), FitSettings())
    assert [one.number for one in found.partitions] == [1, 2]
    clock = found.clock(EPOCH_NS)
    assert np.abs(clock.utc_ns(onboard_ns) - pairs.utc_ns).max() < 2e6


def test_a_clock_that_jumps_back_and_stays_begins_a_partition_by_itself():
    pairs = made(contacts(1))
    onboard_ns = pairs.onboard_ns - np.where(np.arange(60) >= 25, 7 * S, 0)
    found = correlate(Pairs(onboard_ns, pairs.utc_ns, pairs.resets), FitSettings())
    assert [(one.n_pairs, one.n_outliers) for one in found.partitions] == [(25, 0), (35, 0)]


def test_two_neighbours_that_are_wrong_alike_are_no_reset():
    pairs = made(contacts(1))
    onboard_ns = pairs.onboard_ns - np.where(np.isin(np.arange(60), [25, 26]), 7 * S, 0)
    found = correlate(Pairs(onboard_ns, pairs.utc_ns, pairs.resets), FitSettings())
    assert [(one.n_pairs, one.n_outliers) for one in found.partitions] == [(58, 2)]


def test_a_millisecond_counter_of_16_bits_that_ran_over_is_mended():
    pairs = made(contacts(1), drift_ppm=1.0)
    over = np.isin(np.arange(60), [10, 30, 31])
    onboard_ns = pairs.onboard_ns - np.where(over, 65_536 * 1_000_000, 0)
    found = correlate(Pairs(onboard_ns, pairs.utc_ns, pairs.resets), FitSettings())
    assert np.array_equal(found.mended, over)
    assert not found.outlier.any()
    assert worst_s(found, pairs.onboard_ns, 1.0) < 1e-3


def test_the_order_of_the_pairs_does_not_matter():
    pairs = made(contacts(3), drift_ppm=2.0, noise_s=0.2e-3)
    order = np.random.default_rng(4).permutation(len(pairs))
    mixed = Pairs(pairs.onboard_ns[order], pairs.utc_ns[order], pairs.resets[order])
    assert correlate(mixed, FitSettings()).segments == correlate(pairs, FitSettings()).segments


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_pairs_give_no_correlation(n):
    found = correlate(made(np.arange(float(n))), FitSettings())
    assert (found.segments, found.outlier.tolist()) == ((), [True] * n)


def test_a_contact_of_seconds_gives_an_offset_and_an_honest_sigma_of_its_rate():
    found = correlate(made(np.arange(10.0), drift_ppm=0.0), FitSettings(max_drift=1e-4))
    [segment] = found.segments
    assert (segment.rate, segment.rate_sigma) == (1.0, pytest.approx(1e-4))
    tomorrow = np.array([segment.stop_ns + 86_400 * S])
    assert found.clock(EPOCH_NS).sigma_ns(tomorrow)[0] / S == pytest.approx(8.64, rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_pairs_of_only_noise_never_raise(seed):
    draw = np.random.default_rng(seed)
    n = int(draw.integers(1, 200))
    ends = np.iinfo(np.int64)
    numbers = draw.integers(ends.min, ends.max, (2, n), endpoint=True) >> draw.integers(0, 40, (2, n))
    found = correlate(Pairs(numbers[0], numbers[1], draw.integers(0, 4, n)), FitSettings())
    clock = found.clock(EPOCH_NS)
    assert clock.utc_ns(numbers[0]).shape == (n,)


def test_the_fit_is_that_of_scipys_huber_loss():
    least_squares = pytest.importorskip("scipy.optimize").least_squares
    draw = np.random.default_rng(7)
    x = np.sort(draw.uniform(0.0, 100.0, 300))
    y = np.interp(x, [0, 50, 100], [0.0, 2.0, 1.0]) + draw.normal(0, 0.01, 300)
    y[::15] += draw.uniform(0.1, 5.0, 20)
    knots = np.array([0.0, 50.0, 100.0])
    ours = fit_bent_line(x, y, knots)
    theirs = least_squares(
        lambda values: np.interp(x, knots, values) - y, np.zeros(3), loss="huber", f_scale=1.345 * ours.scale
    )
    np.testing.assert_allclose(ours.values, theirs.x, atol=5e-5)
