"""Where a line through samples is interrupted."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import NO_TIME
from downlink_pipeline.model.gaps import gap_spans, gap_starts, interrupted

S = 1_000_000_000


def at(*seconds):
    return np.round(np.array(seconds, float) * S).astype(np.int64)


def test_a_hole_of_three_minutes_is_a_gap_and_its_neighbours_are_not():
    times = at(*range(30), *range(210, 240))
    assert gap_starts(times).tolist() == [30]
    assert gap_spans(times).tolist() == [[29 * S, 210 * S]]


def test_one_lost_sample_is_no_gap_and_four_are():
    assert gap_starts(at(0, 1, 2, 4, 5, 6)).tolist() == []
    assert gap_starts(at(0, 1, 2, 7, 8, 9)).tolist() == [3]


@pytest.mark.parametrize("hole", [1, 5, 39])
def test_a_gap_is_seen_wherever_it_is(hole):
    times = at(*range(40))
    times[hole:] += 180 * S
    assert gap_starts(times).tolist() == [hole]


def test_a_single_sample_between_two_gaps_is_joined_to_neither():
    assert gap_starts(at(0, 1, 2, 3, 200, 400, 401, 402, 403)).tolist() == [4, 5]


def test_a_change_of_rate_is_no_gap():
    fast = np.arange(64) / 32
    slow = 2 + np.arange(20)
    times = at(*fast, *slow, *(22 + np.arange(64) / 32))
    assert gap_starts(times).tolist() == []
    times[80:] += 180 * S
    assert gap_starts(times).tolist() == [80]


def test_rows_of_one_packet_that_share_a_time_are_one_instant():
    assert gap_starts(at(0, 0, 0, 1, 1, 1, 2, 2, 2, 30, 30)).tolist() == [9]


def test_samples_without_a_time_are_passed_over():
    times = at(*range(10))
    times[4] = NO_TIME
    assert gap_starts(times).tolist() == []
    times[5:] += 100 * S
    assert gap_starts(times).tolist() == [5]
    assert gap_spans(times).tolist() == [[3 * S, 105 * S]]


def test_a_line_does_not_go_back_in_time():
    assert gap_starts(at(5, 6, 7, 1, 2, 3)).tolist() == [3]


@pytest.mark.parametrize("seconds", [(), (1,), (1, 2), (1, 500)])
def test_so_few_samples_have_no_usual_step(seconds):
    assert gap_starts(at(*seconds)).tolist() == []
    assert gap_spans(at(*seconds)).shape == (0, 2)


def test_a_line_is_interrupted_by_a_row_that_has_no_value():
    np.testing.assert_array_equal(interrupted(np.array([1, 2, 3]), np.array([2])), [1, 2, np.nan, 3])
    assert np.isnat(interrupted(np.array([1, 2], "datetime64[ns]"), np.array([1]))[1])
    assert interrupted(np.ones((3, 2)), np.array([1])).shape == (4, 2)
