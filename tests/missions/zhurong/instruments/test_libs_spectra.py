"""What is made of a LIBS mean: expected values by hand, from published lines, and by pybaselines."""

from pathlib import Path

import numpy as np
import pybaselines
import pytest
from downlink_pipeline.missions.zhurong.libs.continuum import arpls, continuum, denoise
from downlink_pipeline.missions.zhurong.libs.libs_calibration import LibsCalibration
from downlink_pipeline.missions.zhurong.libs.libs_lines import find_lines
from downlink_pipeline.missions.zhurong.libs.libs_products import norm_sigma
from downlink_pipeline.missions.zhurong.libs.libs_wavelength import wavelengths_nm
from downlink_pipeline.missions.zhurong.libs.peaks import fit_peaks
from downlink_pipeline.model.batches import Quality

CHANNEL = np.arange(1800.0)


def gauss(x, centre, height, fwhm):
    return height * np.exp(-4 * np.log(2) * ((x - centre) / fwhm) ** 2)


@pytest.fixture(scope="module")
def calibration(calibrations):
    return LibsCalibration.model_validate(calibrations["libs"])


# air nm as three public lists have them (fact sheet 6)
AIR = {
    247.931: 247.856, 279.635: 279.553, 280.353: 280.270, 285.297: 285.213, 288.243: 288.158, 308.305: 308.215,
    335.037: 334.941, 393.477: 393.366, 394.513: 394.401, 396.264: 396.152, 396.959: 396.847, 403.190: 403.076,
    404.695: 404.581, 407.886: 407.771, 422.792: 422.673, 438.477: 438.354, 589.158: 588.995, 589.755: 589.592,
    656.460: 656.279, 670.976: 670.791, 766.701: 766.490, 770.108: 769.896,
}  # fmt: skip


@pytest.mark.parametrize("vacuum", AIR)
def test_listed_lines_stand_at_their_wavelength_in_vacuum(calibration, vacuum):
    """Morton 1991: n - 1 = 6.4328e-5 + 2.94981e-2 / (146 - s2) + 2.5540e-4 / (41 - s2), s in 1/um of the vacuum."""
    s2 = (1000 / vacuum) ** 2
    n = 1 + 6.4328e-5 + 2.94981e-2 / (146 - s2) + 2.5540e-4 / (41 - s2)
    assert vacuum in [line.nm for line in calibration.lines.line]
    assert vacuum / n == pytest.approx(AIR[vacuum], abs=0.0012)


@pytest.fixture(scope="module")
def published():
    """Lines of Ti I (Lawler et al. 2013, ApJS 205, 11) and Ti II (Wood et al. 2013, ApJS 208, 27) from 252 to 860 nm.

    The 643 that matter here, as the line lists of linemake have them (Placco et al. 2021, RNAAS 5, 92): air wavelength,
    energy of the lower level, log gf.
    """
    return np.genfromtxt(
        Path(__file__).parent / "data/titanium_lines.csv", delimiter=",", names=True, dtype=None, encoding="ascii"
    )


def vacuum_nm(air_nm):
    """Peck and Reeder 1972, by which NIST converts: another formula than that of the calibration."""
    vacuum = air_nm
    for _ in range(4):
        s2 = (1000 / vacuum) ** 2
        vacuum = air_nm * (1 + 8060.51e-8 + 2480990e-8 / (132.274 - s2) + 17455.7e-8 / (39.32957 - s2))
    return vacuum


def test_lines_of_titanium_are_published_ones_in_vacuum(calibration, published):
    listed = np.array(calibration.titanium.lines_nm)
    off = np.abs(listed[:, None] - vacuum_nm(published["air_nm"])).min(axis=1)
    assert len(set(listed.tolist())) == 156
    assert off.max() < 1.5e-4


def test_carbon_stands_where_marscode_papers_have_it(calibration):
    assert [line.nm for line in calibration.lines.line if line.species == "C I"] == [
        pytest.approx(247.9310, abs=5e-4)
    ]


TRUE = 400 + 500 * np.exp(-(((CHANNEL - 900) / 700) ** 2))

NOISE = np.full(1800, 8.0)


def noisy(spectrum, seed=1, sigma=8.0):
    return spectrum + np.random.default_rng(seed).normal(0, sigma, len(spectrum))


def test_the_continuum_is_found_below_crowded_lines():
    lines = sum(gauss(CHANNEL, centre, 3000, 4) for centre in range(50, 1750, 40))
    assert np.abs(continuum(noisy(TRUE + lines), NOISE, 1e6).counts / TRUE - 1)[60:-60].max() < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_off_the_lines_the_mean_of_the_signal_is_nothing_within_its_error(seed):
    """8 counts of noise; SNIP, a lower envelope, left some 20 counts everywhere. The error is that of the smoother."""
    lines = sum(gauss(CHANNEL, centre, 3000, 4) for centre in range(50, 1750, 200))
    spectrum = noisy(TRUE + lines, seed)
    found = continuum(spectrum, NOISE, 1e6)
    off = (lines < 1.0) & (CHANNEL > 15) & (CHANNEL < 1785)
    weights = off / off.sum()
    error = 8.0 * np.linalg.norm(weights - found.shares(off) / off.sum())
    assert abs(weights @ (spectrum - found.counts)) < max(4 * error, 0.3)


def test_the_sigma_of_the_continuum_is_its_scatter_over_many_noises():
    """64 spectra that differ in their noise alone: 2000 channels times 64 tell a spread to a few per cent."""
    found = [continuum(noisy(TRUE, seed), NOISE, 1e6) for seed in range(64)]
    scatter = np.std([one.counts for one in found], axis=0, ddof=1)
    sigma = np.sqrt(found[0].noise(NOISE**2)[1])
    inner = np.s_[100:-100]
    assert np.sqrt(np.mean(scatter[inner] ** 2)) == pytest.approx(np.sqrt(np.mean(sigma[inner] ** 2)), rel=0.12)


def test_arpls_is_that_of_pybaselines():
    spectrum = noisy(TRUE + sum(gauss(CHANNEL, centre, 3000, 4) for centre in range(50, 1750, 40)))
    baseline, found = pybaselines.Baseline().arpls(spectrum, lam=1e6)
    counts, weight = arpls(spectrum, 1e6)
    np.testing.assert_allclose(counts, baseline, rtol=1e-12)
    np.testing.assert_allclose(weight, found["weights"], atol=1e-12)


@pytest.mark.parametrize("spectrum", [np.zeros(1800), np.full(1800, 65_535.0), np.ones(5), np.full(1800, np.nan),
                                      np.random.default_rng(1).normal(-5, 3, 500), gauss(CHANNEL, 900, 3000, 4)],
                         ids=["dark", "full", "few", "no numbers", "negative", "without noise"])  # fmt: skip
def test_any_spectrum_has_a_continuum(spectrum):
    found = continuum(spectrum, np.full(len(spectrum), 8.0), 1e6)
    assert found.counts.shape == found.weight.shape == spectrum.shape
    assert np.isfinite(found.counts).all() == np.isfinite(spectrum).all()


def test_denoising_takes_noise_and_leaves_lines():
    noise = np.random.default_rng(2).normal(0, 10, (1, 1800))
    line = gauss(CHANNEL, 900, 2000, 6)[None]
    quiet = denoise(line + noise, 3, 3.0)
    away = np.abs(CHANNEL - 900) > 30
    assert np.std(quiet[0, away]) < 0.5 * np.std(noise[0, away])
    assert quiet.max() == pytest.approx(2000, rel=0.03)


def test_the_wavelet_scales_share_noise_as_the_b3_spline_does():
    """Noise of sigma 1: the norm of each scale's kernel, the spline's powers with holes convolved by hand."""
    noise = np.random.default_rng(6).normal(0, 1, (40, 4096))
    kernel = np.zeros(257)
    kernel[128] = 1.0
    for scale in range(4):
        holes = np.zeros(4 * 2**scale + 1)
        holes[:: 2**scale] = np.array([1, 4, 6, 4, 1]) / 16
        wider = np.convolve(kernel, holes, "same")
        coefficients = denoise(noise, scale, 1e9) - denoise(noise, scale + 1, 1e9)
        assert np.std(coefficients) == pytest.approx(np.linalg.norm(kernel - wider), rel=0.03)
        kernel = wider


def test_no_scales_denoise_nothing():
    spectrum = np.random.default_rng(2).normal(0, 10, (1, 100))
    assert np.array_equal(denoise(spectrum, 0, 3.0), spectrum)


@pytest.mark.parametrize("fwhm", [2.7, 3.6, 9.0])
def test_a_peak_is_fitted_to_a_hundredth_of_a_channel(fwhm):
    peaks = fit_peaks(gauss(CHANNEL, 700.37, 5000, fwhm), np.array([702.0]), 4.0, fwhm)
    assert peaks.place[0] == pytest.approx(700.37, abs=0.01)
    assert (peaks.height[0], peaks.fwhm[0]) == (pytest.approx(5000, rel=0.01), pytest.approx(fwhm, rel=0.01))


@pytest.mark.parametrize("fwhm", [2.7, 3.6, 9.0])
def test_the_spread_of_a_peak_is_the_scatter_of_many_noises(fwhm):
    """400 peaks of 3,000 counts in noise of 30: root mean square of (found - true) / sigma."""
    rng = np.random.default_rng(9)
    true = np.arange(40, 16_040, 40) + rng.uniform(-0.5, 0.5, 400)
    channel = np.arange(16_080.0)
    signal = sum(gauss(channel, place, 3000, fwhm) for place in true) + rng.normal(0, 30, len(channel))
    peaks = fit_peaks(signal, true, 2.0, fwhm)
    area = peaks.height * peaks.fwhm / (3000 * fwhm)
    for off, spread in (
        (peaks.place - true, peaks.place_spread),
        (peaks.height / 3000 - 1, peaks.height_spread),
        (peaks.fwhm / fwhm - 1, peaks.fwhm_spread),
        (area - 1, peaks.area_spread),
    ):
        assert np.sqrt(np.mean((off / (30 * spread)) ** 2)) == pytest.approx(1, abs=0.2)


def test_the_sigma_of_a_share_is_the_scatter_of_many_noises():
    """60 channels, one of which holds a third of the sum, in 4,000 noises."""
    rng = np.random.default_rng(10)
    true = np.full(60, 200.0)
    true[7] = 6000.0
    drawn = true + rng.normal(0, 30, (4000, 60))
    told = norm_sigma(true, np.full(60, 30.0), true.sum(), 30 * np.sqrt(60))[0]
    assert np.std(drawn / drawn.sum(axis=1, keepdims=True), axis=0) == pytest.approx(told, rel=0.06)


def test_the_flank_of_a_stronger_line_is_not_taken_for_a_peak():
    pair = gauss(CHANNEL, 700, 9000, 3) + gauss(CHANNEL, 704, 5000, 3)
    peaks = fit_peaks(pair, np.array([704.0, 720.0]), 2.4, 3.0)
    assert peaks.place[0] == pytest.approx(704, abs=0.2)
    assert np.isnan(peaks.place[1])


@pytest.fixture
def named(calibration):
    """Lines found in a spectrum of Gaussians (nm, counts) of the width of their spectrometer, sigma 10 counts."""
    nm = wavelengths_nm(calibration.wavelength, np.array([-10.0]), 5400, None)[0]
    fwhm = np.repeat([0.2, 0.3, 0.5], 1800)

    def find(*peaks):
        signal = sum(gauss(nm, *peak, fwhm) for peak in peaks)
        found = find_lines(calibration.lines, calibration.wavelength, nm, signal, np.full(5400, 10.0))
        return dict(zip(found.species.tolist(), found.confidence.tolist(), strict=True))

    return find


def test_a_strong_line_in_its_place_is_sure(named):
    assert named((422.792, 2000)) == {"Ca I": pytest.approx(1.0, abs=0.01)}


def test_a_weak_line_is_half_as_sure(named):
    """snr 8 of half_snr 8."""
    assert named((422.792, 80)) == {"Ca I": pytest.approx(0.5, abs=0.03)}


def test_a_line_a_fifth_of_its_width_away_is_sixty_percent_sure(named):
    """position_sigma_fwhm 0.2: exp(-1/2)."""
    assert named((422.792 + 0.06, 4000)) == {"Ca I": pytest.approx(0.607, abs=0.02)}


def test_a_line_half_its_width_away_is_another(named):
    assert named((422.792 + 0.15, 4000)) == {}


def test_lines_have_the_sigma_of_their_channels(calibration):
    """20 counts of noise in place of 10: twice the sigma of wavelength, height, area and width."""
    nm = wavelengths_nm(calibration.wavelength, np.array([-10.0]), 5400, None)[0]
    signal = gauss(nm, 422.792, 2000, 0.3)
    once, twice = (
        find_lines(calibration.lines, calibration.wavelength, nm, signal, np.full(5400, noise))
        for noise in (10.0, 20.0)
    )
    for name in ("found_nm_sigma", "height_sigma", "area_sigma", "fwhm_nm_sigma"):
        assert getattr(twice, name) == pytest.approx(2 * getattr(once, name))
    assert once.height_sigma[0] == pytest.approx(10, rel=0.15)  # three channels, three numbers


def test_noise_has_no_name(calibration):
    nm = wavelengths_nm(calibration.wavelength, np.array([-10.0]), 5400, None)[0]
    noise = np.abs(np.random.default_rng(5).normal(0, 10, 5400))
    assert not len(find_lines(calibration.lines, calibration.wavelength, nm, noise, np.full(5400, 10.0)).species)


# two lines of the list within half a pixel of one peak share it
def test_two_names_for_one_peak_share_its_confidence(calibration):
    twice = calibration.lines.model_copy(update={"line": [*calibration.lines.line, calibration.lines.line[15]]})
    nm = wavelengths_nm(calibration.wavelength, np.array([-10.0]), 5400, None)[0]
    signal = gauss(nm, calibration.lines.line[15].nm, 5000, 0.3)
    found = find_lines(twice, calibration.wavelength, nm, signal, np.full(5400, 10.0))
    assert found.confidence.tolist() == pytest.approx([0.5, 0.5], abs=0.01)


@pytest.fixture
def point(rows, calibration):
    """LIBS packets of a point: two darks of 100 counts, five shots with lines (nm, counts) on 500 counts."""

    def make(lines, start_s=100, shift_px=0.0, **columns):
        nm = wavelengths_nm(calibration.wavelength, np.array([-10.0]), 5400, None)[0]
        fwhm = np.repeat([0.2, 0.3, 0.5], 1800)
        shifted = np.concatenate([np.interp(CHANNEL - shift_px, CHANNEL, part) for part in nm.reshape(3, 1800)])
        shot = 600 + sum((gauss(shifted, *line, fwhm) for line in lines), np.zeros(5400))
        spectrum = np.concatenate([np.full((2, 5400), 100.0), np.tile(shot, (5, 1))])
        known = {"POINT_ID": start_s, "KIND": ["DARK"] * 2 + ["LASER"] * 5, "SHOT": [1, 2, 1, 2, 3, 4, 5]}
        known |= {
            "CHANNEL_COUNT": 5400,
            "DETECTOR_TEMPERATURE": -10.0,
            "DISTANCE": 2000,
            "SPECTRUM": np.rint(spectrum),
        }
        order = start_s + np.arange(7)
        return rows("LIBS", order, order=order, seq_count=order, columns={**known, **columns})

    return make


@pytest.fixture
def made(suite):
    """Products of some points in turn by name, and the events."""

    def run(*points):
        one = suite("libs")
        products = [product for point in points for product in one.make_products([point])] + one.flush()
        return {(p.product, p.lineage["point_id"]): p for p in products}, one.drain_events()

    return run


@pytest.fixture
def titanium(calibration):
    return [(nm, 4000.0) for nm in calibration.titanium.lines_nm]


def test_points_after_the_titanium_target_have_its_drift(made, point, titanium):
    products, events = made(point(titanium, TARGET="TITANIUM", shift_px=1.2), point([], start_s=200))
    drift = products["drift", 100].arrays
    assert drift["shift_px"].values == pytest.approx([1.2] * 3, abs=0.02)
    before, after = products["mean", 100].lineage["titanium"], products["mean", 200].lineage["titanium"]
    assert before["point_id"] == after["point_id"] == 100
    # 1.2 px of 102/1800 nm at the beginning of the ultraviolet
    assert products["mean", 200].arrays["wavelength_nm"].values[0, 0] == pytest.approx(
        240 - 1.2 * 102 / 1800, abs=2e-3
    )
    assert events == ()


def test_without_titanium_the_calibration_on_the_ground_is_used_and_said(made, point):
    products, _ = made(point([]))
    assert products["mean", 100].lineage["titanium"] is None
    assert (products["spectrum", 100].quality & Quality.NO_REFERENCE).all()
    assert not products["mean", 100].quality.any()


def test_a_titanium_target_without_enough_lines_is_not_believed_and_told(made, point, titanium):
    good = point(titanium, TARGET="TITANIUM", shift_px=1.2)
    products, (event,) = made(good, point(titanium[:20], start_s=200, TARGET="TITANIUM", shift_px=-2.0))
    assert (products["drift", 200].quality & Quality.NO_REFERENCE).all()
    assert products["mean", 200].lineage["titanium"]["point_id"] == 100
    assert (event.severity, event.kind) == ("warning", "wavelength")


def test_lines_that_are_elsewhere_do_not_disturb_the_fit(made, point, titanium):
    """Every fifth is two pixels off."""
    moved = [(nm + (0.15 if k % 5 == 0 else 0.0), height) for k, (nm, height) in enumerate(titanium)]
    products, _ = made(point(moved, TARGET="TITANIUM", shift_px=0.8))
    assert products["drift", 100].arrays["shift_px"].values == pytest.approx([0.8] * 3, abs=0.03)


def plasma(published, kt_ev, ions_to_atoms):
    """(vacuum nm, counts) of all published lines in local equilibrium; each spectrometer's strongest has 20,000."""
    nm = vacuum_nm(published["air_nm"])
    upper_ev = published["lower_ev"] + 1239.84 / nm
    strength = 10 ** published["log_gf"] / nm**3 * np.exp(-upper_ev / kt_ev)
    strength *= np.where(published["species"] == "Ti II", ions_to_atoms, 1.0)
    for low, high in ((0, 340), (340, 540), (540, 900)):
        strength[(nm > low) & (nm < high)] /= strength[(nm > low) & (nm < high)].max()
    return list(zip(nm.tolist(), (20_000 * strength).tolist(), strict=True))


@pytest.mark.parametrize(("kt_ev", "ions_to_atoms"), [(0.7, 2.0), (0.9, 4.0), (1.1, 20.0)], ids=str)
def test_the_drift_is_found_in_a_plasma_of_all_published_lines(made, point, published, kt_ev, ions_to_atoms):
    """8,000 to 13,000 K; neighbours overlap as they do in a real spectrum, and half of the list is needed."""
    products, events = made(point(plasma(published, kt_ev, ions_to_atoms), TARGET="TITANIUM", shift_px=1.2))
    drift = products["drift", 100].arrays
    assert drift["shift_px"].values == pytest.approx([1.2] * 3, abs=0.05)
    assert drift["stretch_px"].values == pytest.approx([0.0] * 3, abs=0.05)
    assert drift["rms_px"].values.max() < 0.1
    assert drift["n_lines"].values.min() >= 15
    assert drift["n_lines"].values.sum() > 156 / 2
    assert events == ()


def test_lines_that_the_target_does_not_show_do_not_disturb_the_fit(made, point, titanium):
    """One of four stands there; the others find what is near, or nothing."""
    products, _ = made(point(titanium[::4], TARGET="TITANIUM", shift_px=-1.7))
    assert products["drift", 100].arrays["shift_px"].values == pytest.approx([-1.7] * 3, abs=0.03)


def test_norms_sum_to_one_over_what_is_not_at_an_edge(made, point):
    arrays = made(point([(288.243, 3000), (393.477, 9000), (589.158, 500)]))[0]["spectrum", 100].arrays
    assert np.nansum(arrays["norm1"].values) == pytest.approx(1, rel=1e-5)
    assert np.nansum(arrays["norm3"].values.reshape(3, 1800), axis=1) == pytest.approx([1, 1, 1], rel=1e-5)
    at_edge = ~arrays["channel_usable"].values.reshape(3, 1800)
    assert np.flatnonzero(at_edge[1]).tolist() == [*range(15), *range(1785, 1800)]
    assert np.isnan(arrays["norm1"].values.reshape(3, 1800)[:, 7]).all()


def test_light_in_photons_by_hand(made, point):
    """1000 counts in the visible: 650 photons each, through pi 25^2... of 100 mm at 2 m, 1 mm patch, 0.112 nm."""
    arrays = made(point([(422.792, 1000.0)]))[0]["spectrum", 100].arrays
    channel = np.argmax(arrays["signal_counts"].values[0])
    u = (channel - 1800) / 1800
    step_nm = (203 - 6 * u) / 1800
    omega, area = np.pi * (50 / 2000) ** 2, np.pi / 4 * 1.0**2
    expected = arrays["signal_counts"].values[0, channel] * 650 / (omega * area * step_nm)
    assert arrays["radiance"].values[0, channel] == pytest.approx(expected, rel=1e-5)
    assert arrays["radiance"].unit == "mm-2 sr-1 nm-1"


def test_without_a_distance_there_is_no_light_and_a_flag(made, point):
    spectrum = made(point([], DISTANCE=0))[0]["spectrum", 100]
    assert np.isnan(spectrum.arrays["radiance"].values).all()
    assert (spectrum.quality & Quality.OUT_OF_RANGE).all()
