"""Echoes made here sample by sample: ranges from delays by hand, resolution as published."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

LIGHT = 299_792_458.0
BANDS = {  # bandwidth Hz, pulse s, sampling Hz, published resolution m
    "BAND_10_15": (5e6, 100e-6, 6.25e6, 30.0),
    "BAND_15_20": (5e6, 100e-6, 6.25e6, 30.0),
    "BAND_30_50": (20e6, 20e-6, 25e6, 7.5),
}


def echo(band, *targets):
    """I and Q of targets (range from the window's beginning in m, amplitude)."""
    bandwidth, pulse_s, sampling, _ = BANDS[band]
    total = np.zeros(1024, complex)
    for range_m, amplitude in targets:
        since = np.arange(1024) / sampling - 2 * range_m / LIGHT
        inside = (since >= 0) & (since < pulse_s)
        total += inside * amplitude * np.exp(1j * np.pi * bandwidth / pulse_s * (since - pulse_s / 2) ** 2)
    return np.rint(np.stack([total.real, total.imag], axis=1))


@pytest.fixture
def trace(rows, products):
    def make(band, *targets, gain=0, delay_ns=2_000_000, **columns):
        columns = {"BAND": band, "GAIN": gain, "WINDOW_DELAY": delay_ns, "ECHO": echo(band, *targets), **columns}
        name = band.lower().removeprefix("band")
        return products(rows("MOSIR", [100.0], columns=columns), names=("mosir",))[f"mosir/echo{name}"]

    return make


def one(product, name):
    return product.arrays[name].values[0]


@pytest.mark.parametrize("band", BANDS)
def test_the_resolution_is_the_published_one(trace, band):
    """An unweighted chirp falls to 2/pi (-3.92 dB) at half its resolution c/2B to either side."""
    product = trace(band, (1500.0, 20_000.0))
    range_m, amplitude = product.arrays["range_m"].values, one(product, "amplitude")
    fine = np.linspace(range_m[0], range_m[-1], 200_000)
    shape = np.interp(fine, range_m, amplitude / amplitude.max())
    wide = np.ptp(fine[shape >= 2 / np.pi])
    assert wide == pytest.approx(BANDS[band][3], rel=0.08)
    assert product.lineage["range_resolution_m"] == pytest.approx(BANDS[band][3], rel=0.001)


@pytest.mark.parametrize("band", BANDS)
def test_the_range_is_half_the_delay_at_the_speed_of_light(trace, band):
    """The window opens after 2 ms: 299,792.458 m."""
    got = one(trace(band, (1234.5, 20_000.0)), "echo_range_m")
    assert got == pytest.approx(299_792.458 + 1234.5, abs=BANDS[band][3] / 8)


def test_the_matched_filter_keeps_the_amplitude(trace):
    assert one(trace("BAND_30_50", (600.0, 10_000.0)), "amplitude").max() == pytest.approx(10_000, rel=0.02)


def test_the_gain_is_taken_off(trace):
    plain, loud = (one(trace("BAND_30_50", (600.0, 8000.0), gain=g), "echo_power_db") for g in (0, 20))
    assert plain - loud == pytest.approx(20.0)


def test_a_weak_layer_shows_at_low_side_lobes(trace):
    """30 dB below and 90 m behind the surface, where the plain filter's lobes are as strong."""
    product = trace("BAND_30_50", (600.0, 20_000.0), (690.0, 20_000.0 * 10 ** (-30 / 20)))
    range_m, smooth = product.arrays["range_m"].values, one(product, "amplitude_hann")
    behind = (range_m > 650) & (range_m < 1500)
    assert range_m[behind][smooth[behind].argmax()] == pytest.approx(690, abs=3)


def test_an_echo_of_nothing_and_a_full_converter_are_flagged(trace):
    assert trace("BAND_30_50").quality[0] & Quality.OUT_OF_RANGE
    assert trace("BAND_30_50", ECHO=32767).quality[0] & Quality.SATURATED


def test_a_band_that_is_not_known_is_kept_as_it_was_sampled(rows, products):
    columns = {"BAND": "7", "ECHO": 3}
    found = products(rows("MOSIR", [100.0], columns=columns), names=("mosir",))["mosir/echo_unknown"]
    assert found.quality[0] & Quality.UNKNOWN_VALUE
    assert found.arrays["amplitude"].values[0] == pytest.approx(np.full(1024, 3 * np.sqrt(2)))
