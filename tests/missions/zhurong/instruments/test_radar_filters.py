"""Filters against formulas written apart, from their definition, a sample at a time."""

import math

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr import radar_filters as filters


@pytest.fixture
def traces():
    return np.random.default_rng(3).normal(5, 2, (7, 41))


def window(i, n, w):
    """GPRPy's: half = ceil(w / 2) each side; the first samples share one window, and the last."""
    half = math.ceil(w / 2)
    if w >= n:
        return range(n)
    if i >= n - half:
        return range(n - half, n)
    return range(half + 1) if i < half else range(i - half, i + half + 1)


@pytest.mark.parametrize("w", [1, 2, 5, 8, 20, 38, 40, 41, 100])
def test_dewow_subtracts_the_mean_of_half_a_window_each_side(traces, w):
    expected = [[x - np.mean([t[k] for k in window(i, 41, w)]) for i, x in enumerate(t)] for t in traces]
    np.testing.assert_allclose(filters.dewow(traces, w), expected, atol=1e-12)


@pytest.mark.parametrize("w", [1, 3, 4, 6, 7, 30])
def test_background_is_the_mean_trace_of_half_a_window_each_side(traces, w):
    expected = [t - np.mean([traces[k] for k in window(i, 7, w)], axis=0) for i, t in enumerate(traces)]
    np.testing.assert_allclose(filters.remove_background(traces, w), expected, atol=1e-12)


@pytest.mark.parametrize("w", [1, 4, 9])
def test_the_same_windows_are_of_complex_traces(traces, w):
    both = traces + 1j * np.flip(traces, axis=1)
    for clean in (filters.dewow, filters.remove_background):
        parts = clean(traces, w) + 1j * clean(np.flip(traces, axis=1), w)
        np.testing.assert_allclose(clean(both, w), parts, atol=1e-12)


def test_zeros_behind_the_given_samples_are_part_of_a_trace_that_is_moved():
    """A wave of a band-limited pulse at 20, two samples earlier, is the pulse at 18."""
    at = np.arange(200.0)
    pulse = np.exp(-0.5 * ((at - 20) / 3) ** 2) * np.exp(0.9j * at)
    moved = filters.moved(pulse[None, :60], 1.0, np.array([2.0]), 200, n_kept=50)
    expected = np.exp(-0.5 * ((at - 18) / 3) ** 2) * np.exp(0.9j * (at + 2))
    assert moved.shape == (1, 50)
    np.testing.assert_allclose(moved[0], expected[:50], atol=1e-6)


@pytest.mark.parametrize("w", [1, 4, 9, 41])
def test_agc_divides_by_the_l2_norm_of_the_window(traces, w):
    expected = [[x / math.sqrt(sum(t[k] ** 2 for k in window(i, 41, w))) for i, x in enumerate(t)] for t in traces]
    np.testing.assert_allclose(filters.agc(traces, w), expected, rtol=1e-12)


def test_agc_of_silence_is_silence():
    assert not filters.agc(np.zeros((2, 50)), 9).any()


def test_a_trace_less_its_mean_has_none(traces):
    np.testing.assert_allclose(filters.remove_dc(traces).sum(axis=1), 0, atol=1e-10)


def test_what_lies_flat_for_longer_than_the_window_goes_and_a_point_stays():
    image = np.zeros((60, 8))
    image[:, 3] = 5.0
    image[30, 5] = 5.0
    left = filters.remove_background(image, 20)
    assert abs(left[:, 3]).max() < 1e-12
    assert left[30, 5] == pytest.approx(5.0 * 20 / 21)


def test_sec_gain_is_spreading_times_exponential_up_to_its_cap():
    """v = 0.15 m/ns, p = 1, 0.5 dB/ns: at 40 ns 3 m times 20 dB, from 60 ns on 4.5 m times 30 dB."""
    gain = filters.sec_gain(np.array([-5.0, 40.0, 60.0, 80.0]), 0.15, 1.0, 0.5, 60.0)
    assert gain == pytest.approx([1.0, 3.0 * 10, 4.5 * 10**1.5, 4.5 * 10**1.5])


def tone(frequency_mhz, n=1000, interval_ns=0.1):
    return np.exp(2e-3j * np.pi * frequency_mhz * np.arange(n) * interval_ns)[None]


@pytest.mark.parametrize(("frequency_mhz", "left"), [(50, 0.0), (500, 1.0), (1500, 1.0), (3000, 0.0), (-1000, 0.0)])
def test_the_band_keeps_what_is_in_it_and_nothing_else(frequency_mhz, left):
    passed = filters.band_pass(tone(frequency_mhz), 0.1, (450, 2150), 100)
    assert np.abs(passed[0, 300:700]).mean() == pytest.approx(left, abs=0.02)


def pulse(at_ns, carrier_mhz=1300.0, n=1000, interval_ns=0.1):
    time_ns = np.arange(n) * interval_ns - np.asarray(at_ns)[:, None]
    return np.exp(-0.5 * (time_ns / 0.4) ** 2) * np.exp(2e-3j * np.pi * carrier_mhz * time_ns)


def test_the_band_pass_moves_nothing():
    """Without phase: the correlation with what went in peaks at no shift, and is real."""
    before = pulse([40.0])
    after = filters.band_pass(before, 0.1, (450, 2150), 100)
    correlation = np.correlate(after[0], before[0], "full")
    assert np.abs(correlation).argmax() == len(before[0]) - 1
    assert abs(np.angle(correlation[len(before[0]) - 1])) < 1e-3


def test_a_trace_is_moved_by_a_part_of_a_sample():
    moved = filters.moved(pulse([40.037]), 0.1, np.array([0.037]))
    np.testing.assert_allclose(moved, pulse([40.0]), atol=2e-3)


@pytest.mark.parametrize("n", [999, 1000, 1007])
def test_each_trace_is_moved_by_its_own_shift_whatever_the_length(n):
    late_ns = np.linspace(-0.9, 0.9, 70)
    np.testing.assert_allclose(
        filters.moved(pulse(40.0 + late_ns, n=n), 0.1, late_ns), pulse(np.full(70, 40.0), n=n), atol=1e-6
    )


def direct_wave_shift_ns(traces, longest_ns):
    """Of samples 0.1 ns apart, in a window of 4 ns about 40 ns."""
    within = filters.direct_wave_window(traces.shape[1], 0.1, 40.0, 4.0)
    return filters.direct_wave_shift_ns(traces[:, within], within.start, 0.1, 40.0, 4.0, longest_ns)


def test_direct_waves_that_come_late_are_told_to_a_hundredth_of_a_sample():
    late_ns = np.array([0.0, 0.031, -0.052, 0.104, -0.083])
    found = direct_wave_shift_ns(pulse(40.0 + late_ns), 0.3)
    assert found - found.mean() == pytest.approx(late_ns - late_ns.mean(), abs=1e-3)


def test_no_trace_is_moved_further_than_allowed():
    found = direct_wave_shift_ns(pulse([40.0, 40.0, 40.0, 42.0]), 0.2)
    assert np.abs(found).max() <= 0.2 + 0.1 / 8


def test_a_signal_mixed_down_is_mixed_up_again_on_a_finer_grid():
    """55 MHz mixed away, 10 ns samples: on a grid of 2.5 ns a tone of 80 MHz is there again."""
    time_ns = np.arange(1000) * 10.0
    mixed = np.exp(2e-3j * np.pi * 25.0 * time_ns)[None]
    analytic, interval_ns = filters.to_analytic(mixed, 10.0, 55.0, conjugate=False, upsampling=4)
    assert interval_ns == 2.5
    expected = np.exp(2e-3j * np.pi * 80.0 * np.arange(4000) * 2.5)
    np.testing.assert_allclose(analytic[0], expected, atol=2e-3)


def test_a_signal_that_turns_the_other_way_is_turned_round():
    analytic, _ = filters.to_analytic(tone(-1300), 0.1, 0.0, conjugate=True, upsampling=1)
    np.testing.assert_allclose(analytic, tone(1300), atol=1e-6)


@pytest.mark.parametrize(("least", "length"), [(1, 1), (7, 8), (11, 12), (1398, 1440), (2048, 2048), (1025, 1080)])
def test_a_fast_length_has_no_prime_factor_above_five(least, length):
    assert filters.fast_length(least) == length
