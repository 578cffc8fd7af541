import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_topography import MOST_LEVELS, at_elevations

DEPTH_M = np.arange(-0.2, 4.0, 0.02)


def test_a_flat_layer_below_a_hill_is_flat():
    """A hill of 1.5 m over 60 traces; the layer lies at -2 m everywhere, so its depth is 2 m and what the hill adds."""
    hill_m = 1.5 * np.exp(-(((np.arange(60) - 30) / 12) ** 2))
    traces = np.exp(-0.5 * ((DEPTH_M - (2.0 + hill_m[:, None])) / 0.06) ** 2).astype(np.float32)
    levels, image = at_elevations(traces, DEPTH_M, hill_m)
    assert levels[np.nanargmax(image, axis=1)] == pytest.approx(np.full(60, -2.0), abs=0.011)
    assert np.nanmax(image, axis=1) == pytest.approx(np.ones(60), abs=0.02)


def test_amplitudes_lie_on_the_line_between_samples():
    traces = np.tile(DEPTH_M.astype(np.float32), (3, 1))  # each sample holds its depth
    elevation_m = np.array([0.0, 0.377, -1.203])
    levels, image = at_elevations(traces, DEPTH_M, elevation_m, 0.05)
    inside = np.isfinite(image)
    np.testing.assert_allclose(image[inside], (elevation_m[:, None] - levels)[inside], atol=1e-5)
    assert np.diff(levels) == pytest.approx(-0.05)


def test_above_and_below_a_trace_is_nothing():
    levels, image = at_elevations(np.ones((2, len(DEPTH_M)), np.float32), DEPTH_M, np.array([0.0, 1.0]))
    assert np.isnan(image[0, levels > 0.21]).all()
    assert np.isnan(image[1, levels < 1.0 - DEPTH_M[-1] - 0.01]).all()
    assert np.isfinite(image[:, (levels < 0.19) & (levels > -2.9)]).all()


def test_on_level_ground_nothing_changes():
    traces = np.random.default_rng(1).normal(size=(4, len(DEPTH_M))).astype(np.float32)
    levels, image = at_elevations(traces, DEPTH_M, np.full(4, -3.7))
    assert levels == pytest.approx(-3.7 - DEPTH_M)
    np.testing.assert_allclose(image, traces, atol=1e-4)


def test_a_mountain_has_no_more_levels_than_can_be_kept():
    levels, image = at_elevations(np.ones((2, len(DEPTH_M)), np.float32), DEPTH_M, np.array([0.0, 5000.0]))
    assert len(levels) <= MOST_LEVELS
    assert image.shape == (2, len(levels))
