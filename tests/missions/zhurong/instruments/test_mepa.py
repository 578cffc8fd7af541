"""Worked by hand: eight channels of equal width in the logarithm."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality


@pytest.fixture
def flux(rows, products):
    def make(**columns):
        columns = {"ACCUMULATION": 400, **columns}
        return products(rows("MEPA", [100.0], columns=columns), names=("mepa",))["mepa/flux"]

    return make


@pytest.mark.parametrize(
    ("kind", "low_mev", "high_mev"), [("electron", 0.1, 12.0), ("proton", 2.0, 100.0), ("ion", 25.0, 300.0)]
)
def test_channels_run_over_the_energies_of_the_telescope(flux, kind, low_mev, high_mev):
    low, high = (flux().arrays[f"{kind}_energy_{end}_mev"].values for end in ("low", "high"))
    assert (low[0], high[-1]) == pytest.approx((low_mev, high_mev))
    assert high[:-1] == pytest.approx(low[1:])


def test_flux_is_rate_by_geometry_efficiency_and_width(flux):
    """4000 protons in 4 s are 1000/s, 1002.004/s without dead time; the first channel is 2 (50^(1/8) - 1) MeV wide."""
    product = flux(PROTON=4000)
    wide = 2 * (50 ** (1 / 8) - 1)
    assert product.arrays["proton_rate_per_s"].values[0, 0] == pytest.approx(1000 / (1 - 0.002))
    assert product.arrays["proton_flux"].values[0, 0] == pytest.approx(1002.004 / (1.5 * 0.95 * wide), rel=1e-6)


def test_the_sigma_is_that_of_counting(flux):
    product = flux(PROTON=100)
    ratio = product.arrays["proton_flux_sigma"].values / product.arrays["proton_flux"].values
    assert ratio == pytest.approx(np.full((1, 8), 0.1))


def test_a_channel_that_counted_nothing_is_zero_within_one_count(flux):
    product = flux()
    one = 1 / (4 * 1.5 * 0.95 * 2 * (50 ** (1 / 8) - 1))
    assert product.arrays["proton_flux"].values[0, 0] == 0
    assert product.arrays["proton_flux_sigma"].values[0, 0] == pytest.approx(one)


def test_a_counter_that_is_blind_is_saturated(flux):
    """Half a million a second, of 2 us each."""
    product = flux(ELECTRON=np.array([2_000_000, 0, 0, 0, 0, 0, 0, 0]))
    assert product.quality[0] & Quality.SATURATED
    assert np.isnan(product.arrays["electron_flux"].values[0, 0])


def test_an_accumulation_of_no_time_is_out_of_range(flux):
    assert flux(ACCUMULATION=0).quality[0] & Quality.OUT_OF_RANGE
