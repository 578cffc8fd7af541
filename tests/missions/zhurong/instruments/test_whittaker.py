"""The smoother and its noise against dense matrices of NumPy and against pybaselines."""

import numpy as np
import pybaselines.utils
import pytest
from downlink_pipeline.missions.zhurong.libs.whittaker import noise_through, smooth, transposed

N, SMOOTHNESS = 200, 1e4
CHANCE = np.random.default_rng(3)
VARIANCE = CHANCE.uniform(1, 100, N)
WEIGHTS = {
    "everywhere": np.ones(N),
    "some": CHANCE.integers(0, 2, N).astype(float),
    "a gap": np.where((np.arange(N) > 60) & (np.arange(N) < 120), 0.0, 1.0),
    "none at the ends": np.where((np.arange(N) < 30) | (np.arange(N) > 170), 0.0, 1.0),
    "shares": CHANCE.uniform(0, 1, N),
}


def dense(weight):
    """H = (W + l D'D)^-1 W as a matrix."""
    second_difference = np.diff(np.eye(N), 2, axis=0)
    return np.linalg.solve(np.diag(weight) + SMOOTHNESS * second_difference.T @ second_difference, np.diag(weight))


@pytest.fixture(params=WEIGHTS)
def weight(request):
    return WEIGHTS[request.param]


def test_the_smoother_is_that_of_pybaselines(weight):
    spectrum = CHANCE.normal(100, 5, N)
    other = pybaselines.utils.whittaker_smooth(spectrum, lam=SMOOTHNESS, weights=weight)
    np.testing.assert_allclose(smooth(spectrum, weight, SMOOTHNESS), other, rtol=1e-12)


def test_noise_through_the_smoother_is_that_of_its_matrix(weight):
    h = dense(weight)
    leverage, variance = noise_through(weight, SMOOTHNESS, VARIANCE)
    np.testing.assert_allclose(leverage, np.diag(h), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(variance, (h * h) @ VARIANCE, rtol=1e-8)


def test_the_transposed_smoother_is_that_of_its_matrix(weight):
    chosen = CHANCE.uniform(0, 1, N)
    np.testing.assert_allclose(transposed(chosen, weight, SMOOTHNESS), chosen @ dense(weight), rtol=1e-8, atol=1e-9)


def test_without_weight_nothing_is_known():
    assert np.isnan(smooth(np.ones(N), np.zeros(N), SMOOTHNESS)).all()
    assert np.isnan(noise_through(np.zeros(N), SMOOTHNESS, VARIANCE)).all()
