"""Expected values worked by hand from docs/zhurong-packets.md; wavelengths as published."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.products.rows import take


@pytest.fixture
def spectra(rows):
    """A dark of 1000 DN, then a scene of 5000 DN in 10 ms and 20 ms."""

    def make(kinds=("DARK", "SCENE"), dn=(1000, 5000), temperature=-60.0, **columns):
        level = np.array(dn)[:, None]
        return rows(
            "MMS",
            100.0 + np.arange(len(kinds)),
            columns={
                "KIND": np.array(kinds),
                "EXPOSURE_VISIBLE": 10_000,
                "EXPOSURE_INFRARED": 20_000,
                "DETECTOR_TEMPERATURE": temperature,
                "SPECTRUM_VISIBLE": level,
                "SPECTRUM_INFRARED": level,
                **columns,
            },
        )

    return make


@pytest.fixture
def radiance(spectra, products):
    def make(*args, **more):
        return products(spectra(*args, **more), names=("mms",))["mms/radiance"]

    return make


def test_the_wavelengths_are_the_published_ranges(radiance):
    visible, infrared = (radiance().arrays[f"{name}_wavelength_nm"].values for name in ("visible", "infrared"))
    assert (visible[0], visible[1] - visible[0]) == pytest.approx((379.0, 2.73))
    assert visible[-1] == pytest.approx(1076, abs=2.73)
    assert (infrared[0], infrared[1] - infrared[0]) == pytest.approx((1033.0, 7.5))
    assert infrared[-1] == pytest.approx(3425, abs=7.5)


def test_radiance_is_counts_above_the_dark_by_response_and_time(radiance):
    """At 2.198 um (channel 155.33): 4000 / (30000 x 0.02) = 6.667; at 0.7006 um: 4000 / (40000 x 0.01) = 10."""
    product = radiance()
    near = int(np.argmin(np.abs(product.arrays["infrared_wavelength_nm"].values - 2200)))
    assert product.arrays["infrared_radiance"].values[0, near] == pytest.approx(6.667, abs=0.001)
    near = int(np.argmin(np.abs(product.arrays["visible_wavelength_nm"].values - 700)))
    assert product.arrays["visible_radiance"].values[0, near] == pytest.approx(10.0, abs=0.001)


def test_ten_degrees_warmer_the_infrared_counts_two_percent_more(radiance):
    warm, cold = (radiance(temperature=t).arrays["infrared_radiance"].values for t in (-50.0, -60.0))
    assert cold / warm == pytest.approx(np.full_like(cold, 1.02))


def test_the_last_dark_before_a_scene_is_taken_off(radiance):
    product = radiance(("DARK", "SCENE", "DARK", "SCENE"), (1000, 5000, 2000, 5000))
    first, second = product.arrays["visible_radiance"].values
    assert second / first == pytest.approx(np.full(256, 0.75))


def test_a_scene_before_any_dark_is_flagged(radiance):
    product = radiance(("SCENE", "DARK", "SCENE"), (5000, 1000, 5000))
    assert (product.quality & Quality.NO_REFERENCE != 0).tolist() == [True, False]
    assert np.isnan(product.arrays["visible_radiance"].values[0]).all()


def test_a_full_detector_and_an_exposure_of_zero_are_flagged(radiance):
    assert radiance(dn=(1000, 65535)).quality[0] & Quality.SATURATED
    assert radiance(EXPOSURE_VISIBLE=0).quality[0] & Quality.OUT_OF_RANGE


def test_a_dark_holds_from_batch_to_batch(spectra, suite):
    whole, one = spectra(), suite("mms")
    found = [
        *one.make_products([take(whole, slice(1))]),
        *one.make_products([take(whole, slice(1, None))]),
        *one.flush(),
    ]
    assert [int(p.quality[0]) for p in found] == [0]
