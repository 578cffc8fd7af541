"""Band depths by hand."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.swir.bands import Band, Bands, band_depths

NM = np.arange(1300.0, 1500.0)[None]
BANDS = Bands(
    source="assumed",
    window_nm=10.0,
    n_sigma=3.0,
    min_depth=0.01,
    band=[Band(name="B", marks="x", short_nm=1330, centre_nm=1395, long_nm=1467)],
)


def test_half_the_continuum_is_a_depth_of_one_half():
    """A sloping continuum of 0.2 + (nm - 1330) / 1000 that is halved around 1395 nm."""
    reflectance = (0.2 + (NM - 1330) / 1000) * np.where(np.abs(NM - 1395) < 20, 0.5, 1.0)
    depth, _ = band_depths(BANDS, NM, reflectance, np.zeros_like(NM))
    assert depth[0, 0] == pytest.approx(0.5, abs=1e-12)


def test_a_straight_spectrum_has_no_band():
    depth, _ = band_depths(BANDS, NM, 0.3 - NM / 10_000, np.zeros_like(NM))
    assert depth[0, 0] == pytest.approx(0, abs=1e-12)


def test_its_sigma_is_the_scatter_of_noisy_depths():
    """Flat 0.3 with 0.01 a channel, windows of 11: by 4000 draws."""
    noise = np.random.default_rng(7).normal(0, 0.01, (4000, NM.shape[1]))
    sigma = np.full_like(noise, 0.01)
    depth, expected = band_depths(BANDS, np.broadcast_to(NM, noise.shape), 0.3 + noise, sigma)
    assert depth.std() == pytest.approx(expected.mean(), rel=0.04)


def test_a_band_that_is_not_covered_has_no_depth():
    far = NM + 1000
    depth, sigma = band_depths(BANDS, far, np.full_like(far, 0.3), np.zeros_like(far))
    assert np.isnan(depth).all()
    assert np.isnan(sigma).all()
