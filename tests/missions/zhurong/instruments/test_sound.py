"""Sound: expected values from the page of packets, IEC 61260-1's table of edges and SciPy's Welch."""

import numpy as np
import pytest
import scipy.signal
from downlink_pipeline.missions.zhurong.weather.sound import power_density, third_octaves
from downlink_pipeline.model.batches import Quality, Ragged


@pytest.fixture
def sound(rows, products):
    """A burst of 2000 samples at 8 kHz, amplifier 20 dB; columns may say else."""

    def make(counts, **columns):
        samples = Ragged(np.asarray(counts, np.int16), np.array([0]), np.array([len(counts)]))
        burst = {"BURST_ID": 3, "SAMPLE_RATE": 8000, "AMPLIFIER_GAIN": 20, "SAMPLES": samples, **columns}
        return products(rows("SOUND", [100.0], columns=burst))

    return make


def noise(n=4000, seed=3):
    return np.random.default_rng(seed).normal(0, 0.02, n)


def test_counts_become_pascal_by_the_microphone_and_the_amplifier(sound):
    """1000 counts: 1000 2.5 V / 32768 / (22.4 mV/Pa times 10)."""
    pressure = sound(np.full(100, 1000))["weather/sound"].arrays["sound_pressure_pa"]
    assert pressure.values[0, 7] == pytest.approx(0.340597, rel=1e-5)
    assert (pressure.unit, pressure.values.shape) == ("Pa", (1, 100))


# nominal frequency: exact edges of the base-ten third octave, IEC 61260-1:2014 annex E to five digits
@pytest.mark.parametrize(
    ("centre", "low", "high"),
    [
        (1000.0, 891.25, 1122.0),
        (100.0, 89.125, 112.20),
        (19.953, 17.783, 22.387),
        (3162.3, 2818.4, 3548.1),
        (501.19, 446.68, 562.34),
    ],
)
def test_bands_have_the_edges_of_iec_61260(centre, low, high):
    edges, _ = third_octaves(noise(), 8000)
    band = np.argmin(np.abs(np.sqrt(edges[:-1] * edges[1:]) - centre))
    assert (edges[band], edges[band + 1]) == (pytest.approx(low, rel=1e-4), pytest.approx(high, rel=1e-4))


@pytest.mark.parametrize(("rate", "highest"), [(8000, 3548.1), (16000, 7079.5), (11025, 4466.8)])
def test_the_last_band_lies_below_half_the_rate(rate, highest):
    edges, _ = third_octaves(noise(), rate)
    assert edges[-1] == pytest.approx(highest, rel=1e-4)


@pytest.mark.parametrize("hertz", [126.0, 1000.0, 2000.0])
def test_a_tone_has_half_its_crest_squared_in_its_band_alone(hertz):
    tone = 0.05 * np.sin(2 * np.pi * hertz * np.arange(16000) / 8000)
    edges, power = third_octaves(tone, 8000)
    band = np.searchsorted(edges, hertz) - 1
    assert power[band] == pytest.approx(0.05**2 / 2, rel=1e-3)
    assert np.delete(power, band).max() < 1e-3 * power[band]


def test_white_noise_rises_by_a_decibel_a_band():
    """Bands of 10^0.1 times the width of the one before have 1 dB more."""
    _, power = third_octaves(noise(400_000), 8000)
    levels = 10 * np.log10(power[8:])
    assert np.polyfit(np.arange(len(levels)), levels, 1)[0] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("n", [5000, 1024, 700])
def test_the_power_density_is_that_of_scipy(n):
    samples = noise(n)
    frequency, density = power_density(samples, 8000)
    size = min(1024, n)
    expected = scipy.signal.welch(samples, 8000, nperseg=size, noverlap=size - size // 2)
    assert np.allclose(frequency, expected[0])
    assert np.allclose(density, expected[1], rtol=1e-9)


def test_a_clipped_burst_is_saturated(sound):
    counts = np.zeros(100)
    counts[5] = -32768
    assert sound(counts)["weather/sound"].quality.tolist() == [Quality.SATURATED]


def test_a_rate_that_cannot_be_is_flagged_and_has_no_spectrum(sound):
    product = sound(np.arange(100), SAMPLE_RATE=0)["weather/sound"]
    assert product.quality.tolist() == [Quality.OUT_OF_RANGE]
    assert np.isnan(product.arrays["band_level_db"].values).all()


def test_a_burst_without_samples_is_no_product(sound):
    assert sound([]) == {}
