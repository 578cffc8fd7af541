"""Each product meets the simulator's truth within quantisation plus the stated noise, on both bundled passes.

Five sigma bound a single value among thousands; the spread of all residuals must also be the stated noise, so a
product that is too good is found as well as one that is too bad.
"""

import zlib
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

Decoded = Any


def within(found: np.ndarray, true: np.ndarray, bound: np.ndarray | float) -> None:
    excess = np.abs(found - true) - bound
    assert found.shape == true.shape
    assert np.all(excess <= 0), f"{np.count_nonzero(excess > 0)} beyond, worst by {excess.max()}"


def same_angle(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The found angle, on the turn that is nearest to the true one."""
    return true + (found - true + 180) % 360 - 180


def test_navigation_is_the_truth_within_its_quantisation(decoded: Decoded) -> None:
    truth, here = decoded.truth, decoded.arrived("navigation")
    north, east, down = truth["navigation_position_ned_m"][here].T
    within(decoded.rows("rover", "navigation", "position_enu_m"), np.stack([east, north, -down], 1), 0.0005 + 1e-9)
    within(
        decoded.rows("rover", "navigation", "mast_yaw_deg"), truth["navigation_mast_yaw_deg"][here], 0.005 + 1e-9
    )
    yaw = truth["navigation_attitude_deg"][here][:, 0]
    heading = decoded.rows("rover", "navigation", "heading_deg")
    within(same_angle(heading, yaw), yaw, 0.015)  # four components of 2^-14 each


def test_engineering_is_the_truth_within_its_quantisation(decoded: Decoded) -> None:
    truth, here = decoded.truth, decoded.arrived("engineering")
    for name, step in (("bus_voltage_v", 0.01), ("wing_current_a", 0.005), ("temperature_degc", 0.005)):
        within(decoded.rows("rover", "engineering", name), truth[f"engineering_{name}"][here], step / 2 + 1e-9)
    assert decoded.rows("rover", "engineering", "activity").tolist() == truth["engineering_activity"][here].tolist()


def test_events_are_the_words_that_were_sent(decoded: Decoded) -> None:
    here = decoded.arrived("event")
    assert decoded.rows("rover", "event", "text").tolist() == decoded.truth["event_text"][here].tolist()


@pytest.mark.parametrize("sensor", ["a", "b"])
def test_the_field_of_each_sensor_is_the_truth_within_noise(decoded: Decoded, sensor: str) -> None:
    here = np.repeat(decoded.arrived("magnetometer"), 32)
    true = decoded.truth[f"magnetometer_field_{sensor}_sensor_nt"][here]
    found = decoded.rows("magnetometer", "field", f"field_{sensor}_sensor_nt")
    sigma = decoded.told["noise"]["magnetometer"]["field_nt"]
    # 0.01 nT counts, and the sensor's temperature in steps of 0.005 degC
    within(found, true, 0.005 + 5 * sigma + 0.001)
    assert np.std(found - true) == pytest.approx(np.hypot(sigma, 0.01 / np.sqrt(12)), rel=0.05)
    assert abs(np.mean(found - true)) < 0.002


def test_the_field_in_local_axes_is_the_ambient_field_while_attitude_is_known(decoded: Decoded) -> None:
    here = np.repeat(decoded.arrived("magnetometer"), 32)
    true = decoded.truth["magnetometer_field_enu_nt"][here]
    known = (decoded.quality("magnetometer", "field") & (Quality.NO_ATTITUDE | Quality.NO_REFERENCE)) == 0
    if decoded.report["frames"]["uncorrectable"] == 0:
        assert known.all()
    moving = _attitude_moves(decoded)[here]
    sigma = decoded.told["noise"]["magnetometer"]["field_nt"]
    for sensor in "ab":
        found = decoded.rows("magnetometer", "field", f"field_{sensor}_enu_nt")
        within(found[known & ~moving], true[known & ~moving], 0.005 + 5 * sigma + 0.02)


def _attitude_moves(decoded: Decoded) -> np.ndarray:
    """Samples between two navigation packets that differ and are not one second apart: no line leads there."""
    truth = decoded.truth
    times = truth["navigation_time_utc_ns"][decoded.arrived("navigation")]
    pointing = np.concatenate([truth["navigation_quaternion"], truth["navigation_mast_yaw_deg"][:, None]], axis=1)
    pointing = pointing[decoded.arrived("navigation")]
    rover = np.concatenate([truth["rover_attitude_deg"], truth["rover_mast_deg"]], axis=1)
    samples = truth["magnetometer_time_utc_ns"]
    after = np.clip(np.searchsorted(times, samples, "right"), 1, len(times) - 1)
    wide = times[after] - times[after - 1] > 1_100_000_000
    second = np.clip(np.searchsorted(truth["rover_time_utc_ns"], samples, "right"), 1, len(rover) - 1)
    turning = np.zeros(len(rover), bool)
    turning[1:] = np.abs(np.diff(rover, axis=0)).max(axis=1) > 1e-3
    near = np.convolve(turning, np.ones(25), "same") > 0  # within the 10 s between two packets at rest
    return wide & near[second]


def test_pressure_and_temperature_are_the_truth_within_noise(decoded: Decoded) -> None:
    here = np.repeat(decoded.arrived("weather"), 10)
    noise = decoded.told["noise"]["weather"]
    pressure = decoded.rows("weather", "meteorology", "pressure_pa")
    true = decoded.truth["weather_pressure_pa"][here]
    within(pressure, true, 5 * noise["pressure_pa"] + 0.02)
    assert np.std(pressure - true) == pytest.approx(noise["pressure_pa"], rel=0.15)
    temperature = decoded.rows("weather", "meteorology", "air_temperature_k") - 273.15
    true = decoded.truth["weather_air_temperature_degc"][here]
    within(temperature, true, 5 * noise["air_temperature_degc"] + 0.01)
    assert np.std(temperature - true) == pytest.approx(noise["air_temperature_degc"], rel=0.15)


def test_wind_is_the_truth_within_what_the_films_noise_leaves(decoded: Decoded) -> None:
    here = np.repeat(decoded.arrived("weather"), 10)
    truth = decoded.truth
    speed = decoded.rows("weather", "meteorology", "wind_speed_m_s")
    sigma = truth["weather_wind_speed_sigma_m_s"][here]
    within(speed, truth["weather_wind_speed_m_s"][here], 5 * sigma + 0.01)
    known = (decoded.quality("weather", "meteorology") & Quality.NO_ATTITUDE) == 0
    true = truth["weather_wind_from_direction_deg"][here]
    direction = same_angle(decoded.rows("weather", "meteorology", "wind_from_direction_deg"), true)
    sigma = truth["weather_wind_from_direction_sigma_deg"][here]
    rest = known & ~_heading_moves(decoded)[here]
    within(direction[rest], true[rest], (5 * sigma + 0.1)[rest])


def test_the_sigma_of_the_wind_is_how_far_it_is_from_the_truth(decoded: Decoded) -> None:
    here = np.repeat(decoded.arrived("weather"), 10)
    rest = ~_heading_moves(decoded)[here] & ((decoded.quality("weather", "meteorology") & Quality.NO_ATTITUDE) == 0)
    # the heading comes in steps that leave 0.02 deg
    for name, of_heading in (("wind_speed_m_s", 0.0), ("wind_from_direction_deg", 0.02)):
        found, sigma = (decoded.rows("weather", "meteorology", f"{name}{end}")[rest] for end in ("", "_sigma"))
        true = decoded.truth[f"weather_{name}"][here][rest]
        scale = (same_angle(found, true) - true) / np.hypot(sigma, of_heading)
        assert np.std(scale) == pytest.approx(1, abs=0.12)


def test_the_sigma_of_a_libs_wavelength_bounds_how_far_it_is_from_the_truth(decoded: Decoded) -> None:
    for found, true in zip(decoded.of("libs", "spectrum"), decoded.truth["libs_wavelength_nm"], strict=True):
        sigma = found.arrays["wavelength_nm_sigma"].values
        within(found.arrays["wavelength_nm"].values[0], true, 3 * sigma)


def test_the_dust_devils_are_found_where_the_pressure_dips_and_nowhere_else(decoded: Decoded) -> None:
    found = decoded.rows("weather", "dust_devil", "time_utc_ns") / 1e9
    true = decoded.truth["weather_dip_time_utc_ns"] / 1e9
    assert len(found) == len(true)
    within(found, true, 2.0)


def test_a_dust_devil_is_as_deep_and_wide_as_its_dip(decoded: Decoded) -> None:
    for name, bound in (("depth_pa", 0.15), ("width_s", 0.45)):
        true = decoded.truth[f"weather_dip_{name}"]
        within(decoded.rows("weather", "dust_devil", name), true, bound * true)  # turbulence is in the dip as well


def test_each_dust_devil_is_an_event(decoded: Decoded) -> None:
    reported = [event.details["depth_pa"] for event in decoded.events if event.kind == "dust_devil"]
    assert reported == pytest.approx(decoded.rows("weather", "dust_devil", "depth_pa").tolist(), abs=0.001)


def test_sound_is_the_truth_within_noise(decoded: Decoded) -> None:
    true = decoded.truth["sound_pressure_pa"][decoded.arrived("sound")]
    found = decoded.rows("weather", "sound", "sound_pressure_pa")
    sigma, count = decoded.told["noise"]["sound"]["pressure_pa"], 2.5 / 32768 / (0.0224 * 10**1.5)
    within(found, true, 5 * sigma + count)
    assert np.std(found - true) == pytest.approx(np.hypot(sigma, count / np.sqrt(12)), rel=0.02)


def test_the_gears_are_heard_in_their_third_octaves_while_the_rover_drives(clean: Decoded) -> None:
    """Tones of 0.030, 0.012 and 0.006 Pa crest: mean squares of half the squares, to (20 uPa)^2."""
    driving = clean.of("weather", "sound")[1].arrays
    centre, level = driving["band_centre_hz"].values, driving["band_level_db"].values[0]
    for hertz, crest in ((250, 0.030), (500, 0.012), (1000, 0.006)):
        band = np.argmin(np.abs(centre - hertz))
        assert level[band] == pytest.approx(10 * np.log10(crest**2 / 2 / 4e-10), abs=0.5)


def _heading_moves(decoded: Decoded) -> np.ndarray:
    truth = decoded.truth
    second = np.searchsorted(truth["rover_time_utc_ns"], truth["weather_time_utc_ns"])
    yaw = truth["rover_attitude_deg"][:, 0]
    turning = np.convolve(np.abs(np.diff(yaw, prepend=yaw[0])) > 1e-3, np.ones(25), "same") > 0
    return turning[np.minimum(second, len(yaw) - 1)]


def test_libs_shots_are_the_truth_within_noise(decoded: Decoded) -> None:
    laser = decoded.truth["libs_kind"] == 1
    true = decoded.truth["libs_net_spectrum_dn"][decoded.arrived("libs")[laser]]
    noise = decoded.told["noise"]["libs"]["spectrum_dn"]
    found = decoded.rows("libs", "shot", "net_counts")
    n_darks = np.concatenate(
        [np.full(len(one.quality), one.lineage["n_darks"]) for one in decoded.of("libs", "shot")]
    )
    variance = noise["read"] ** 2 * (1 + 1 / n_darks[:, None]) + noise["photon"] * np.clip(true, 0, None) + 1 / 6
    scale = (found - true) / np.sqrt(variance)
    assert np.abs(scale).max() < 6
    assert np.std(scale) == pytest.approx(1, abs=0.02)


# a twentieth of a pixel of the three spectrometers, nm
PX_20 = np.repeat([0.0028, 0.0056, 0.0088], 1800)


@pytest.mark.parametrize("product", ["mean", "spectrum"])
def test_libs_wavelengths_are_the_truth_within_a_twentieth_of_a_pixel(decoded: Decoded, product: str) -> None:
    """After the fit to the titanium target; the calibration on the ground is off by up to two pixels."""
    for found, true in zip(decoded.of("libs", product), decoded.truth["libs_wavelength_nm"], strict=True):
        within(found.arrays["wavelength_nm"].values[0], true, PX_20)


def test_what_drifted_is_found_on_titanium(decoded: Decoded) -> None:
    (drift,) = decoded.of("libs", "drift")
    for name, column in (("shift_px", 0), ("stretch_px", 1)):
        within(drift.arrays[name].values, decoded.truth["libs_drift_px"][:, column], 0.02)
    assert (drift.arrays["rms_px"].values < 0.05).all()
    assert (drift.arrays["n_lines"].values >= 9).all()  # 35 of the listed lines are in the simulated spectrum
    assert not (drift.quality & Quality.NO_REFERENCE).any()


def test_lines_of_titanium_that_are_not_there_take_no_part_in_the_fit(decoded: Decoded) -> None:
    """The simulated spectrum has a quarter of the listed lines; a fifth of a pixel from 500.8606 nm it has another."""
    arrays = decoded.of("libs", "drift")[0].arrays
    used = arrays["line_used"].values
    assert np.abs(arrays["line_residual_px"].values[used]).max() < 0.05
    assert 500.8606 in arrays["line_wavelength_nm"].values[~used]


# vacuum nm of fact sheet 6; what the simulator puts into rock and soil
IN_ROCK_AND_SOIL = {
    "C I": [247.931], "Si I": [251.687, 288.243], "Mg II": [279.635, 280.353], "Mg I": [285.297], "Al I": [308.305,
    394.513, 396.264], "Ti II": [335.037], "Ca II": [393.477, 396.959], "Mn I": [403.190], "Fe I": [404.695, 438.477],
    "Sr II": [407.886], "Ca I": [422.792], "Na I": [589.158, 589.755], "H I": [656.460], "Li I": [670.976],
    "K I": [766.701, 770.108], "O I": [777.551],
}  # fmt: skip


def test_the_lines_that_are_there_are_named_and_no_others(decoded: Decoded) -> None:
    expected = sorted((nm, species) for species, lines in IN_ROCK_AND_SOIL.items() for nm in lines)
    rock, soil = (one.arrays for one in decoded.of("libs", "lines")[1:])
    for found in (rock, soil):
        named = zip(found["listed_wavelength_nm"].values.tolist(), found["species"].values.tolist(), strict=True)
        assert list(named) == expected
        assert (found["confidence"].values > 0.7).all()  # sodium's two lines overlap


def test_barium_is_named_nowhere_and_titanium_in_titanium(decoded: Decoded) -> None:
    target = decoded.of("libs", "lines")[0].arrays["species"].values.tolist()
    assert "Ba II" not in decoded.rows("libs", "lines", "species").tolist()
    assert "Ti II" in target
    assert {"Ca II", "Mg II", "Na I"}.isdisjoint(target)


def test_the_continuum_is_the_plasmas_within_a_few_percent(clean: Decoded) -> None:
    """350 + 900 exp(-((nm - 430) / 170)^2) counts, times the brightness of the shots (about 6 %)."""
    for product in clean.of("libs", "spectrum")[1:]:
        nm = product.arrays["wavelength_nm"].values[0]
        true = 350 + 900 * np.exp(-(((nm - 430) / 170) ** 2))
        ratio = product.arrays["continuum_counts"].values[0] / true
        kept = product.arrays["channel_usable"].values
        assert np.std(ratio[kept] / np.median(ratio[kept])) < 0.03


def without_lines(nm: np.ndarray) -> np.ndarray:
    """Channels far from every line of rock and soil: 4 widths, and 8 nm about the broad line of hydrogen."""
    lines = [(one, 8.0 if species == "H I" else 1.0) for species, all_ in IN_ROCK_AND_SOIL.items() for one in all_]
    lines += [(nm_, 1.0) for nm_ in (777.408, 777.631, 777.753)]
    return np.all([np.abs(nm - one) > away for one, away in lines], axis=0)


def test_off_the_lines_the_signal_is_nothing_and_its_sum_is_that_of_the_lines(decoded: Decoded) -> None:
    """The sum of what the simulator's lines add, in each spectrometer; SNIP gave 10 to 15 % more."""
    truth = decoded.truth
    for product, point, row in zip(decoded.of("libs", "spectrum")[1:], (1101, 1102), (1, 2), strict=True):
        signal, sigma, kept = (
            product.arrays[name].values.reshape(3, 1800)
            for name in ("signal_counts", "signal_counts_sigma", "channel_usable")
        )
        nm = truth["libs_wavelength_nm"][row]
        net = truth["libs_net_spectrum_dn"][truth["libs_shot_point_id"] == point][3:].mean(axis=0)
        plasma = 350 + 900 * np.exp(-(((nm - 430) / 170) ** 2))
        off = without_lines(nm)
        lines = (net - plasma * np.median((net / plasma)[off])).reshape(3, 1800)
        off = off.reshape(3, 1800)
        for k in range(3):
            far = off[k] & kept[k]
            assert abs(signal[k][far].mean()) < 0.1 * sigma[k][far].mean()
            assert np.std(signal[k][far] / sigma[k][far]) == pytest.approx(1, abs=0.12)
            assert signal[k][kept[k]].sum() == pytest.approx(lines[k][kept[k]].sum(), rel=0.01)


def test_the_light_of_the_plasma_is_its_counts_through_the_telescope(clean: Decoded) -> None:
    """Point 1101 at 2460 mm; 900, 650 and 480 photons a count in 100 mm, 0.5 mrad."""
    product = clean.of("libs", "spectrum")[1]
    true = clean.truth["libs_net_spectrum_dn"][clean.truth["libs_shot_point_id"] == 1101][3:].mean(axis=0)
    nm = clean.truth["libs_wavelength_nm"][1]
    true = true - product.arrays["continuum_counts"].values[0]
    etendue = np.pi * (50 / 2460) ** 2 * np.pi / 4 * (0.5e-3 * 2460) ** 2
    for peak in (288.243, 393.477, 766.701):
        channel = np.argmin(np.abs(nm - peak))
        step = (nm[channel + 1] - nm[channel - 1]) / 2
        photons = true[channel] * {0: 900, 1: 650, 2: 480}[channel // 1800] / (etendue * step)
        assert product.arrays["radiance"].values[0, channel] == pytest.approx(photons, rel=0.02)


def test_the_libs_mean_leaves_out_the_first_three_shots(clean: Decoded) -> None:
    for product, point in zip(clean.of("libs", "mean"), np.unique(clean.truth["libs_point_id"]), strict=True):
        true = clean.truth["libs_net_spectrum_dn"][clean.truth["libs_shot_point_id"] == point][3:]
        n, n_darks = (5, 3) if point == 1100 else (12, 5)
        noise = clean.told["noise"]["libs"]["spectrum_dn"]
        variance = (
            noise["read"] ** 2 * (1 / n + 1 / n_darks) + noise["photon"] * true.mean(axis=0).clip(0) / n + 0.1
        )
        scale = (product.arrays["net_counts"].values[0] - true.mean(axis=0)) / np.sqrt(variance)
        assert np.abs(scale).max() < 6


def test_the_sigma_of_the_libs_mean_is_how_far_it_is_from_the_truth(clean: Decoded) -> None:
    for product, point in zip(clean.of("libs", "mean"), np.unique(clean.truth["libs_point_id"]), strict=True):
        true = clean.truth["libs_net_spectrum_dn"][clean.truth["libs_shot_point_id"] == point][3:].mean(axis=0)
        arrays = product.arrays
        scale = (arrays["net_counts"].values[0] - true) / arrays["net_counts_sigma"].values[0]
        assert np.std(scale) == pytest.approx(1, abs=0.03)


def test_swir_radiance_and_reflectance_are_the_truth_within_noise(clean: Decoded) -> None:
    kind = clean.truth["swir_kind"]
    for product, name, rows in (
        ("radiance", "radiance_w_m2_sr_um", kind > 0),
        ("reflectance", "reflectance", kind == 2),
    ):
        true, sigma = (
            clean.truth[f"swir_{name}"][rows],
            clean.truth[f"swir_{name.replace('_w_', '_sigma_w_')}"][rows],
        )
        if product == "reflectance":
            sigma = clean.truth["swir_reflectance_sigma"][rows]
        found = clean.rows("swir", product, product)
        scale = (found - true) / sigma
        assert np.abs(scale).max() < 6
        assert np.std(scale) == pytest.approx(1, abs=0.15)
    within(clean.rows("swir", "radiance", "wavelength_nm")[0], clean.truth["swir_wavelength_nm"], 0.001)


def test_the_sigma_of_swir_is_the_truths_sigma(clean: Decoded) -> None:
    """Which the simulator knows from the light, the decoder from noisy counts."""
    kind, truth = clean.truth["swir_kind"], clean.truth
    for product, true in (
        ("radiance", truth["swir_radiance_sigma_w_m2_sr_um"][kind > 0]),
        ("reflectance", truth["swir_reflectance_sigma"][kind == 2]),
    ):
        within(clean.rows("swir", product, f"{product}_sigma"), true, 0.12 * true)


def test_the_depth_of_each_band_is_that_of_the_minerals(decoded: Decoded) -> None:
    """Basalt, soil and a duricrust with water and hydroxyl: 1 - R_b / C of the truth, in windows of 24 nm."""
    nm, reflectance = decoded.truth["swir_wavelength_nm"], decoded.truth["swir_reflectance"][2:]
    shoulders = [(1330, 1395, 1467), (1850, 1930, 2067), (1960, 2010, 2070), (2165, 2210, 2250), (2250, 2290, 2350)]
    found, sigma = (decoded.rows("swir", "bands", name) for name in ("band_depth", "band_depth_sigma"))
    for band, places in enumerate(shoulders):
        windows = [np.abs(nm - place) <= 12 for place in places]
        short, centre, long = (reflectance[:, window].mean(axis=1) for window in windows)
        l_s, l_b, l_l = (nm[window].mean() for window in windows)
        continuum = short + (long - short) * (l_b - l_s) / (l_l - l_s)
        within(found[:, band], 1 - centre / continuum, 5 * sigma[:, band])
    assert decoded.rows("swir", "bands", "band_present").tolist() == [
        [False, False, False, False, False],
        [False, True, False, False, False],
        [True, True, False, True, False],
    ]


@pytest.mark.parametrize(("channel", "name"), [("gpr_hf", "high_frequency"), ("gpr_lf", "low_frequency")])
def test_radar_samples_are_bit_for_bit_what_was_sent(decoded: Decoded, channel: str, name: str) -> None:
    truth, here = decoded.truth, decoded.arrived(channel)
    science = here & ~truth[f"{channel}_self_test"]
    real, imaginary = (decoded.rows("gpr", name, part).astype("<f4") for part in ("real", "imaginary"))
    if channel == "gpr_hf":
        sent = [np.stack(pair, 1).tobytes() for pair in zip(real, imaginary, strict=True)]
    else:
        sent = [np.concatenate(pair).tobytes() for pair in zip(real, imaginary, strict=True)]
    assert [zlib.crc32(samples) for samples in sent] == truth[f"{channel}_samples_crc32"][science].tolist()


@pytest.mark.parametrize(("channel", "name"), [("gpr_hf", "high_frequency"), ("gpr_lf", "low_frequency")])
def test_self_test_traces_are_flagged_and_apart(decoded: Decoded, channel: str, name: str) -> None:
    truth, here = decoded.truth, decoded.arrived(channel)
    for product, wanted in ((name, False), (f"{name}_self_test", True)):
        rows = here & (truth[f"{channel}_self_test"] == wanted)
        if rows.any():
            flagged = (decoded.quality("gpr", product) & Quality.SELF_TEST) != 0
            assert flagged.tolist() == [wanted] * int(rows.sum())
