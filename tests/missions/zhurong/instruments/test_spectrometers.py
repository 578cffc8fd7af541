"""LIBS and SWIR: expected values worked by hand from the tables of docs/zhurong-packets.md."""

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality


def values(product, name):
    return product.arrays[name].values


@pytest.fixture
def libs(rows, products):
    """A point: darks of 100 counts, then shots of the counts given; T = -10 degC, where there is no drift."""

    def make(shots=(150,) * 5, n_darks=2, **columns):
        n = n_darks + len(shots)
        packets = rows(
            "LIBS",
            100 + np.arange(n),
            columns={
                "POINT_ID": 7,
                "KIND": ["DARK"] * n_darks + ["LASER"] * len(shots),
                "SHOT": [*range(1, n_darks + 1), *range(1, len(shots) + 1)],
                "CHANNEL_COUNT": 5400,
                "DETECTOR_TEMPERATURE": -10.0,
                "SPECTRUM": np.array([100] * n_darks + list(shots))[:, None],
                **columns,
            },
        )
        return products(packets)

    return make


def test_net_counts_are_counts_without_the_mean_dark(libs):
    spectrum = np.array([98, 103, 150, 151, 152, 153, 154])[:, None]
    net = values(libs(SPECTRUM=spectrum)["libs/shot"], "net_counts")
    assert net[:, 0].tolist() == [49.5, 50.5, 51.5, 52.5, 53.5]


def test_the_mean_leaves_out_the_first_three_shots(libs):
    """Shots 4 and 5 are 60 and 80 above the dark."""
    mean = libs(shots=(900, 900, 900, 160, 180))["libs/mean"]
    assert values(mean, "net_counts")[0, 0] == 70.0
    assert values(mean, "n_shots").tolist() == [2]


def test_the_mean_carries_the_standard_deviation_of_its_shots(libs):
    """60 and 80: sqrt(200)."""
    mean = libs(shots=(900, 900, 900, 160, 180))["libs/mean"]
    assert values(mean, "net_counts_std")[0, 0] == pytest.approx(200**0.5)


def test_a_lost_first_shot_does_not_make_a_later_one_dust(libs):
    shots = libs(shots=(150, 150, 160), SHOT=[1, 2, 2, 3, 4])
    assert values(shots["libs/mean"], "n_shots").tolist() == [1]


# First and last pixel of each spectrometer at -10 degC; u of the last is 1799/1800
@pytest.mark.parametrize(
    ("channel", "nm"),
    [
        (0, 240.0),
        (1799, 240.0 + 102.0 * 1799 / 1800 - 2.0 * (1799 / 1800) ** 2),
        (1800, 340.0),
        (3600, 540.0),
        (4500, 540.0 + 318.0 / 2 - 8.0 / 4),
    ],
)
def test_wavelength_of_a_channel_at_the_reference_temperature(libs, channel, nm):
    assert values(libs()["libs/shot"], "wavelength_nm")[0, channel] == pytest.approx(nm, abs=1e-9)


def test_ten_degrees_warmer_shifts_the_ultraviolet_by_three_tenths_of_a_pixel(libs):
    u = -0.3 / 1800
    got = values(libs(DETECTOR_TEMPERATURE=0.0)["libs/shot"], "wavelength_nm")[0, 0]
    assert got == pytest.approx(240.0 + 102.0 * u - 2.0 * u * u, abs=1e-9)


def test_wavelengths_are_said_to_be_in_vacuum(libs):
    assert libs()["libs/shot"].lineage["wavelength_medium"] == "vacuum"


def test_without_darks_net_counts_are_nan_and_flagged(libs):
    shot = libs(n_darks=0)["libs/shot"]
    assert np.isnan(values(shot, "net_counts")).all()
    assert (shot.quality & Quality.NO_REFERENCE).all()


def test_darks_alone_make_no_product(libs):
    assert libs(shots=()) == {}


def test_only_the_saturated_shot_is_flagged(libs):
    shot = libs(shots=(150, 65535, 150))["libs/shot"]
    assert np.flatnonzero(shot.quality & Quality.SATURATED).tolist() == [1]


def test_a_channel_count_that_is_not_the_spectrums_is_out_of_range(libs):
    assert (libs(CHANNEL_COUNT=1800)["libs/shot"].quality & Quality.OUT_OF_RANGE).all()


def test_each_point_is_a_product_of_its_own(rows, suite):
    packets = rows(
        "LIBS", [1, 2, 3, 4], columns={"POINT_ID": [1, 1, 2, 2], "KIND": ["DARK", "LASER"] * 2, "SHOT": 1}
    )
    one = suite("libs")
    shots = [p for p in [*one.make_products([packets]), *one.flush()] if p.product == "shot"]
    assert [p.lineage["point_id"] for p in shots] == [1, 2]


def test_a_point_longer_than_a_product_keeps_its_dark(rows, suite):
    """300 packets of one point are cut at 256 rows; the dark came first."""
    kind = np.where(np.arange(300) == 0, "DARK", "LASER")
    packets = rows("LIBS", np.arange(300), columns={"POINT_ID": 1, "KIND": kind, "SHOT": 9, "CHANNEL_COUNT": 5400})
    one = suite("libs")
    shots = [p for p in [*one.make_products([packets]), *one.flush()] if p.product == "shot"]
    assert [len(p.quality) for p in shots] == [255, 44]
    assert not any(p.quality.any() for p in shots)


def test_a_shot_of_unknown_kind_is_published_and_not_in_the_mean(libs):
    made = libs(shots=(150,) * 5, KIND=["DARK", "DARK", "LASER", "LASER", "LASER", "UNKNOWN", "LASER"])
    assert values(made["libs/shot"], "kind").tolist() == ["LASER"] * 3 + ["UNKNOWN", "LASER"]
    assert values(made["libs/mean"], "n_shots").tolist() == [1]


@pytest.fixture
def swir(rows, products):
    """Dark 200, panel 4200, target 2200 counts; 1 s, gain 1, 20 degC, 100 MHz in each channel."""

    def make(kind=("DARK", "PANEL", "TARGET"), counts=(200, 4200, 2200), **columns):
        packets = rows(
            "SWIR",
            100 + np.arange(len(kind)),
            columns={
                "POINT_ID": 3,
                "KIND": list(kind),
                "GAIN": 1,
                "AOTF_TEMPERATURE": 20.0,
                "EXPOSURE": 1_000_000,
                "RF_START": 100_000,
                "RF_STEP": 0,
                "SPECTRUM": np.array(counts)[:, None],
                **columns,
            },
        )
        return products(packets)

    return make


# 2 + 144500/100 - 500/10000 = 1446.95 nm; x - 1.6 = -0.15305 um
X = 1.44695 - 1.6
RESPONSE = 60000 + 20000 * X - 30000 * X**2


def test_aotf_wavelength_is_the_polynomial_in_one_over_frequency(swir):
    assert values(swir()["swir/radiance"], "wavelength_nm")[0, 0] == pytest.approx(1446.95, abs=1e-9)


def test_aotf_wavelength_moves_two_hundredths_of_a_nanometre_a_degree(swir):
    got = values(swir(AOTF_TEMPERATURE=30.0)["swir/radiance"], "wavelength_nm")[0, 0]
    assert got == pytest.approx(1447.15, abs=1e-9)


def test_channels_cover_852_to_2400_nm_with_the_documented_frequencies(swir):
    got = values(swir(RF_START=170000, RF_STEP=343)["swir/radiance"], "wavelength_nm")[0]
    assert got[0] == pytest.approx(2 + 144500 / 170 - 500 / 170**2, abs=1e-9)
    assert got[320] == pytest.approx(2 + 144500 / 60.24 - 500 / 60.24**2, abs=1e-9)


def test_radiance_is_net_counts_over_response_exposure_and_gain(swir):
    got = values(swir(GAIN=2, EXPOSURE=500_000)["swir/radiance"], "radiance")
    assert got[:, 0] == pytest.approx([4000 / RESPONSE, 2000 / RESPONSE], rel=1e-12)


def test_the_response_grows_with_temperature(swir):
    """At 30 degC by 0.015, and the wavelength is 0.2 nm longer."""
    x = 1.44715 - 1.6
    response = (60000 + 20000 * x - 30000 * x**2) * 1.015
    got = values(swir(AOTF_TEMPERATURE=30.0)["swir/radiance"], "radiance")
    assert got[0, 0] == pytest.approx(4000 / response, rel=1e-12)


def test_reflectance_is_the_ratio_to_the_panel_times_the_panels_own(swir):
    got = values(swir()["swir/reflectance"], "reflectance")
    assert got[0, 0] == pytest.approx(0.5 * (0.93 - 0.02 * X), rel=1e-12)


def test_sigmas_are_read_and_photon_noise_by_hand(swir):
    """Dark 200, panel 4200, target 2200: variances 16 + 0.05 net, and 16 of the one dark."""
    made = swir()
    panel, target = np.sqrt(32 + 0.05 * 4000), np.sqrt(32 + 0.05 * 2000)
    assert values(made["swir/radiance"], "radiance_sigma")[:, 0] == pytest.approx(
        [panel / RESPONSE, target / RESPONSE]
    )
    ratio = values(made["swir/reflectance"], "reflectance")[0, 0]
    expected = ratio * np.hypot(panel / 4000, target / 2000)
    assert values(made["swir/reflectance"], "reflectance_sigma")[0, 0] == pytest.approx(expected)


def test_bands_without_a_panel_are_nan_and_flagged(swir):
    bands = swir(kind=("DARK", "TARGET"), counts=(200, 2200))["swir/bands"]
    assert np.isnan(values(bands, "band_depth")).all()
    assert not values(bands, "band_present").any()
    assert (bands.quality & Quality.NO_REFERENCE).all()


def test_reflectance_is_of_targets_only(swir):
    assert values(swir()["swir/reflectance"], "kind").tolist() == ["TARGET"]


def test_without_panel_reflectance_is_nan_and_flagged_and_radiance_is_good(swir):
    made = swir(kind=("DARK", "TARGET"), counts=(200, 2200))
    assert np.isnan(values(made["swir/reflectance"], "reflectance")).all()
    assert (made["swir/reflectance"].quality & Quality.NO_REFERENCE).all()
    assert not made["swir/radiance"].quality.any()


def test_without_dark_radiance_is_nan_and_flagged(swir):
    radiance = swir(kind=("PANEL", "TARGET"), counts=(4200, 2200))["swir/radiance"]
    assert np.isnan(values(radiance, "radiance")).all()
    assert (radiance.quality & Quality.NO_REFERENCE).all()


@pytest.mark.parametrize("columns", [{"EXPOSURE": 0}, {"GAIN": 0}, {"RF_START": 0}, {"AOTF_TEMPERATURE": np.nan}])
def test_settings_that_cannot_be_give_nan_and_a_flag(swir, columns):
    radiance = swir(**columns)["swir/radiance"]
    assert np.isnan(values(radiance, "radiance")).all()
    assert (radiance.quality & Quality.OUT_OF_RANGE).all()


def test_a_panel_as_dark_as_the_dark_gives_no_reflectance(swir):
    reflectance = swir(counts=(200, 200, 2200))["swir/reflectance"]
    assert np.isnan(values(reflectance, "reflectance")).all()
    assert (reflectance.quality & Quality.OUT_OF_RANGE).all()
