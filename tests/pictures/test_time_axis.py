"""The time axis of panels, over any length of a pass."""

import numpy as np
import pytest
from downlink_pipeline.pictures.style import time_axis

figure = pytest.importorskip("matplotlib.figure")


@pytest.mark.parametrize("seconds", [1, 50, 150, 175, 255, 600, 9_000, 10_700, 40_000, 216_000, 250_000, 3_000_000])
def test_there_are_two_to_four_times_below_a_panel_and_no_warning(seconds):
    drawn = figure.Figure()
    axes = drawn.add_subplot()
    begin = np.datetime64("2024-09-24T13:21:32")
    axes.plot(begin + np.array([0, seconds * 1000], "timedelta64[ms]"), [0, 1])
    time_axis(axes)
    low, high = axes.get_xlim()
    seen = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert 2 <= len(seen) <= 4
