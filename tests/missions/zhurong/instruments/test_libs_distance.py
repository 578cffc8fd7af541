"""Distance correction of LIBS: power laws made here are found again and taken off."""

import copy

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.libs.libs import Libs
from downlink_pipeline.missions.zhurong.libs.libs_calibration import LibsCalibration
from downlink_pipeline.missions.zhurong.libs.libs_distance import fit_exponents

DISTANCE_MM = np.array([1600.0, 2100.0, 2460.0, 3175.0, 4400.0, 5200.0])


@pytest.fixture
def table(calibrations):
    law = {"source": "assumed: a test", "reference_mm": 3000.0, "exponent": [2.0, 1.0, 0.0]}
    return {**copy.deepcopy(calibrations["libs"]), "distance": law}


@pytest.fixture
def spectrum(suite, rows):
    """`libs/spectrum` of a point: darks of 100, shots of 600 and a line of 3,000 counts in each spectrometer."""

    def make(calibration, distance_mm):
        channel = np.arange(5400)
        lines = sum(3000 * np.exp(-0.5 * ((channel - at) / 1.2) ** 2) for at in (900, 2700, 4500))
        columns = {
            "POINT_ID": 7, "KIND": ["DARK"] * 2 + ["LASER"] * 5, "SHOT": [1, 2, 1, 2, 3, 4, 5], "CHANNEL_COUNT": 5400,
            "DETECTOR_TEMPERATURE": -10.0, "DISTANCE": distance_mm,
            "SPECTRUM": np.concatenate([np.full((2, 5400), 100.0), np.rint(np.tile(600 + lines, (5, 1)))]),
        }  # fmt: skip
        order = 100 + np.arange(7)
        one = suite("libs")
        one._instruments["libs"] = Libs(calibration, one._context)
        batch = rows("LIBS", order, order=order, seq_count=order, columns=columns)
        (found,) = [p for p in [*one.make_products([batch]), *one.flush()] if p.product == "spectrum"]
        return found

    return make


def test_signals_are_what_they_would_be_at_the_reference(spectrum, table):
    """1500 of 3000 mm: a quarter of it by the square, half by the first power, all by none."""
    arrays = spectrum(table, 1500).arrays
    ratio = arrays["signal_at_reference_counts"].values[0] / arrays["signal_counts"].values[0]
    assert ratio[[900, 2700, 4500]] == pytest.approx([0.25, 0.5, 1.0], rel=1e-5)
    sigmas = arrays["signal_at_reference_counts_sigma"].values[0] / arrays["signal_counts_sigma"].values[0]
    assert sigmas[[900, 2700, 4500]] == pytest.approx([0.25, 0.5, 1.0], rel=1e-5)


def test_without_a_distance_nothing_is_corrected(spectrum, table):
    assert np.isnan(spectrum(table, 0).arrays["signal_at_reference_counts"].values).all()


def test_no_correction_is_made_unless_it_is_configured(spectrum, calibrations, table):
    plain, corrected = spectrum(calibrations["libs"], 2000), spectrum(table, 2000)
    assert set(corrected.arrays) - set(plain.arrays) == {
        "signal_at_reference_counts", "signal_at_reference_counts_sigma",
    }  # fmt: skip
    for name, one in plain.arrays.items():
        np.testing.assert_array_equal(one.values, corrected.arrays[name].values)


def test_every_spectrometer_needs_an_exponent(table, calibration_problems):
    table["distance"]["exponent"] = [2.0]
    assert calibration_problems(LibsCalibration, table) == ["distance: every spectrometer has an exponent"]


def test_exponents_are_found_in_the_proxy_with_their_error():
    """Powers of -2.4, -1.9 and -1.6 with 5 % of scatter; chi squared of the errors over 300 draws is 1 a number."""
    true = np.array([2.4, 1.9, 1.6])
    rng = np.random.default_rng(1)
    clean = 1e4 * (DISTANCE_MM[:, None] / 1000) ** -true
    found = [fit_exponents(DISTANCE_MM, clean * np.exp(rng.normal(0, 0.05, clean.shape))) for _ in range(300)]
    p, sigma = (np.array(part) for part in zip(*found, strict=True))
    assert p.mean(axis=0) == pytest.approx(true, abs=0.02)
    assert np.sqrt((sigma**2).mean(axis=0)) == pytest.approx(p.std(axis=0), rel=0.15)


@pytest.mark.parametrize("distance_mm", [[1000.0, 2000.0], [1000.0] * 3, [0.0, 1000.0, 2000.0]], ids=str)
def test_too_little_for_an_exponent_is_told(distance_mm):
    with pytest.raises(ValueError, match="three distances"):
        fit_exponents(np.array(distance_mm), np.ones((len(distance_mm), 3)))
