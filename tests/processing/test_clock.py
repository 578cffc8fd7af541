"""The clock correlation of the bundled passes against the simulator's truth: what was late, what ran over, no drift."""

import numpy as np
import pytest

EPOCH_NS = 1_451_577_600 * 10**9


@pytest.fixture
def correlation(decoded):
    [made] = decoded.of("clock", "correlation")
    return made


def arrived(decoded, name):
    return decoded.truth[f"time_correlation_{name}"][decoded.arrived("time_correlation")]


def test_every_pair_that_arrived_is_there(decoded):
    times = decoded.rows("clock", "pairs", "time_utc_ns")
    assert np.array_equal(times, arrived(decoded, "time_utc_ns"))


def test_late_pairs_are_outliers_and_those_that_ran_over_are_mended(decoded, correlation):
    found = [int(correlation.arrays[name].values.sum()) for name in ("n_outliers", "n_mended")]
    assert found == [int(arrived(decoded, name).sum()) for name in ("late", "run_over")]


def test_utc_at_frame_lock_is_the_true_one_within_the_jitter(decoded):
    good = ~arrived(decoded, "late")
    apart = decoded.rows("clock", "pairs", "lock_utc_ns") - arrived(decoded, "lock_utc_ns")
    assert np.abs(apart[good]).max() < 5 * 0.15e6


def test_a_clock_without_drift_is_found_to_have_none_within_three_sigma(correlation):
    """Seconds of UTC per second of the clock: 1; at the start of the segment, epoch + count."""
    arrays = {name: quantity.values for name, quantity in correlation.arrays.items()}
    assert (np.abs(arrays["rate"] - 1) < 3 * arrays["rate_sigma"]).all()
    apart = arrays["segment_utc_ns"] - arrays["time_onboard_ns"] - EPOCH_NS
    assert (np.abs(apart) < 3 * arrays["segment_utc_ns_sigma"]).all()


def test_the_fit_is_reported_with_its_figures(decoded):
    [event] = [event for event in decoded.events if event.kind == "clock"]
    assert event.details["outliers"] == int(arrived(decoded, "late").sum())
    assert event.details["partitions"] == 1
