import numpy as np
import pytest
from downlink_pipeline.clock.onboard import ClockSegment, OnboardClock
from downlink_pipeline.model.batches import NO_TIME

ZHURONG_EPOCH_NS = int(np.datetime64("2015-12-31T16:00:00", "ns").astype(np.int64))


def iso(ns):
    return str(np.datetime64(int(ns), "ns"))


# Time fields of the first and last record of the two archived radar products, and the UTC of their labels
REAL_STAMPS = [
    ((0x0A2729F0, 0x0259), "2021-05-25T04:20:00.601000000"),
    ((170338801, 81), "2021-05-25T04:20:01.081000000"),
]


@pytest.mark.parametrize(("count", "utc"), REAL_STAMPS)
def test_zhurongs_count_is_the_utc_of_the_label_to_the_millisecond(count, utc):
    seconds, milliseconds = count
    onboard = np.array([seconds * 1_000_000_000 + milliseconds * 1_000_000])
    assert iso(OnboardClock(ZHURONG_EPOCH_NS).utc_ns(onboard)[0]) == utc


def test_without_correlation_epoch_plus_count_is_utc():
    assert OnboardClock(1000).utc_ns(np.array([0, 5, -7])).tolist() == [1000, 1005, 993]


def test_a_segment_starts_where_it_says_and_runs_at_its_rate():
    clock = OnboardClock(0, (ClockSegment(100, 5000, 2.0),))
    assert clock.utc_ns(np.array([100, 101, 150])).tolist() == [5000, 5002, 5100]


def test_each_count_follows_the_last_segment_that_has_begun():
    clock = OnboardClock(0, (ClockSegment(0, 0, 1.0), ClockSegment(1000, 3000, 1.0)))
    assert clock.utc_ns(np.array([999, 1000, 1001])).tolist() == [999, 3000, 3001]


def test_counts_before_the_first_segment_follow_the_first():
    assert OnboardClock(0, (ClockSegment(100, 500),)).utc_ns(np.array([90])).tolist() == [490]


def test_a_slow_drift_over_a_year_keeps_its_nanoseconds():
    """3 ppm over 31,557,600 s are 94.6728 s; the product in float64 alone would lose tens of nanoseconds."""
    year_ns = 31_557_600 * 1_000_000_000
    clock = OnboardClock(0, (ClockSegment(0, 0, 1 + 3e-6),))
    assert abs(int(clock.utc_ns(np.array([year_ns]))[0]) - (year_ns + 94_672_800_000)) < 20


def test_no_time_stays_no_time():
    clocks = [OnboardClock(ZHURONG_EPOCH_NS), OnboardClock(0, (ClockSegment(5, 9, 1.1),))]
    assert all(clock.utc_ns(np.array([NO_TIME]))[0] == NO_TIME for clock in clocks)


def test_a_count_too_large_for_int64_stops_at_its_end():
    assert OnboardClock(1000).utc_ns(np.array([np.iinfo(np.int64).max]))[0] == np.iinfo(np.int64).max
