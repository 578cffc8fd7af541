"""Onboard counts are assigned to partitions, and different correlations have different ids."""

import numpy as np
from downlink_pipeline.clock.onboard import NO_CORRELATION, ClockSegment, OnboardClock
from downlink_pipeline.model.batches import NO_TIME

BEFORE = ClockSegment(1000, 51_000, 1.0, 1, 2000, 3)
AFTER = ClockSegment(10, 60_010, 1.0, 2, 500, 4, 1e-3)


def test_a_count_belongs_to_the_partition_whose_counts_are_nearest():
    clock = OnboardClock(0, (BEFORE, AFTER))
    assert clock.utc_ns(np.array([1500, 100, 900, 600])).tolist() == [51_500, 60_100, 50_900, 60_600]


def test_a_count_that_two_partitions_share_is_the_laters():
    clock = OnboardClock(0, (BEFORE, ClockSegment(1500, 90_000, 1.0, 2, 3000)))
    assert clock.utc_ns(np.array([1400, 1600])).tolist() == [51_400, 90_100]


def test_sigma_grows_with_the_rates_own_beyond_the_counts_that_were_fitted():
    clock = OnboardClock(0, (BEFORE, AFTER))
    sigma = clock.sigma_ns(np.array([1500, 100, NO_TIME]))
    assert sigma[:2].tolist() == [3, 4]
    assert np.isnan(sigma[2])
    assert OnboardClock(0, (AFTER,)).sigma_ns(np.array([3500]))[0] == 5.0  # 4 and 3000 * 1e-3, squared and added


def test_the_id_is_of_the_segments_and_the_epoch():
    ids = [OnboardClock(0, (BEFORE,)), OnboardClock(1, (BEFORE,)), OnboardClock(0, (BEFORE, AFTER))]
    assert len({clock.correlation_id for clock in ids}) == 3
    assert OnboardClock(0, (BEFORE,)).correlation_id == ids[0].correlation_id
    assert OnboardClock(0).correlation_id == NO_CORRELATION
