"""Rows of a track around other rows, when the clock went back more often than is remembered."""

import numpy as np
from downlink_pipeline.products.track import HISTORY, Jumps, Track


def test_a_row_before_all_jumps_that_are_remembered_sees_no_row_of_the_track():
    jumps, track = Jumps(), Track(1)
    jumps.append(np.arange(100, 100 + 2 * HISTORY))
    jumps.forget(100 + 2 * HISTORY)
    jumps.append(np.arange(100 + 2 * HISTORY, 100 + 4 * HISTORY))
    jumps.forget(100 + 3 * HISTORY)
    track.order, track.time_ns = np.arange(3), np.arange(3) * 10
    track.values, track.seq_count = np.zeros((3, 1)), np.zeros(3, np.int64)
    between = track.between(jumps, np.array([50]), np.array([60]), np.array([[15]]))
    assert between.none.tolist() == [[True]]
