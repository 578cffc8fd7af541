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


SECONDS = np.timedelta64(1, "s") // np.timedelta64(1, "ns")
OF_LEAP_SECONDS = [
    # GPS week 2200 began at 2022-03-06T00:00:00 GPS, which is 18 s ahead of UTC (IS-GPS-200, Bulletin C 52)
    ("1980-01-06", 2200 * 604_800, "2022-03-05T23:59:42"),
    # CCSDS 301.0-B 3.2.2: the agency-defined epoch that is recommended is 1958-01-01 TAI; TAI - UTC is 37 s since 2017
    ("1958-01-01", 22_000 * 86_400, "2018-03-26T23:59:23"),
    # NAIF, imap_sclk_0000.tsc: count 0 is TDT 2010-01-01T00:01:06.184, 66.184 s ahead of UTC; three leap seconds since
    ("2010-01-01", 488_980_800, "2025-06-30T11:59:57"),
    ("2010-01-01", 0, "2010-01-01T00:00:00"),
    ("2010-01-01", -31_536_002, "2008-12-31T23:59:59"),  # behind 2008-12-31T23:59:60 (Bulletin C 36)
]


@pytest.mark.parametrize(("epoch", "seconds", "utc"), OF_LEAP_SECONDS)
def test_a_clock_that_counts_leap_seconds_is_ahead_of_utc_by_those_since_its_epoch(epoch, seconds, utc):
    clock = OnboardClock(int(np.datetime64(epoch, "ns").astype(np.int64)), counts_leap_seconds=True)
    assert iso(clock.utc_ns(np.array([seconds * SECONDS]))[0]) == f"{utc}.000000000"


def test_the_leap_second_of_2016_is_a_second_that_unix_time_has_twice():
    clock = OnboardClock(int(np.datetime64("2016-12-31T23:59:58", "ns").astype(np.int64)), counts_leap_seconds=True)
    found = clock.utc_ns(np.arange(5) * SECONDS)
    assert [iso(one)[11:19] for one in found] == ["23:59:58", "23:59:59", "00:00:00", "00:00:00", "00:00:01"]


def test_where_leap_seconds_are_counted_no_time_stays_no_time_and_the_ends_of_int64_hold():
    clock = OnboardClock(0, counts_leap_seconds=True)
    end = np.iinfo(np.int64).max
    assert clock.utc_ns(np.array([NO_TIME]))[0] == NO_TIME
    assert clock.utc_ns(np.array([end]))[0] == end - 37 * SECONDS  # before 1972 there was none
