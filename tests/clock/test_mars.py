"""Published values: the worked examples of the Mars24 algorithm page, real Zhurong labels and product names."""

import erfa
import numpy as np
import pytest
from downlink_pipeline.clock.mars import MarsTime, mars_time, solar_position, sun_distance_au
from downlink_pipeline.model.batches import true_sol

ZHURONG_LONGITUDE_DEG = 109.908440
ZHURONG_LATITUDE_DEG = 25.083319
SOL_OFFSET = 52386


def utc_ns(text):
    return np.array([text], "M8[ns]").astype(np.int64)


def at(text, longitude_deg=0.0) -> MarsTime:
    return mars_time(utc_ns(text), longitude_deg, SOL_OFFSET)


def agree(ours, published, digits):
    """Within one unit of the last digit: the page rounds some of its values and cuts others (Ls, EOT)."""
    return abs(float(ours[0]) - published) < 10.0**-digits


def hours(text):
    h, m, s = text.split(":")
    return int(h) + int(m) / 60 + float(s) / 3600


# Worked example 1: 2000-01-06T00:00:00Z at longitude 0. (attribute, published value, digits published)
EXAMPLE_1 = [
    ("d_tt", 4.500743, 6),
    ("mean_anomaly_deg", 21.74558, 5),
    ("fictitious_mean_sun_deg", 272.74566, 5),
    ("perturbations_deg", 0.001418, 6),
    ("equation_of_center_deg", 4.44193, 5),
    ("ls_deg", 277.18758, 5),
    ("eot_deg", -5.18774, 5),
    ("msd", 44795.99976, 5),
    ("mtc_h", 23.99425, 5),
]
# Worked example 2: 2004-01-03T13:46:31Z (Spirit's landing) at 184.702 W
EXAMPLE_2 = [
    ("d_tt", 1463.074713, 6),
    ("mean_anomaly_deg", 66.06858, 5),
    ("fictitious_mean_sun_deg", 317.09457, 5),
    ("perturbations_deg", 0.01614, 5),
    ("equation_of_center_deg", 10.22959, 5),
    ("ls_deg", 327.32416, 5),
    ("eot_deg", -12.77553, 5),
    ("msd", 46215.54856, 5),
    ("mtc_h", 13.16537, 5),
]


@pytest.mark.parametrize(("name", "published", "digits"), EXAMPLE_1, ids=str)
def test_the_first_worked_example_comes_out_to_the_digits_published(name, published, digits):
    assert agree(getattr(at("2000-01-06T00:00:00"), name), published, digits)


@pytest.mark.parametrize(("name", "published", "digits"), EXAMPLE_2, ids=str)
def test_the_second_worked_example_comes_out_to_the_digits_published(name, published, digits):
    assert agree(getattr(at("2004-01-03T13:46:31", -184.702), name), published, digits)


def test_the_declination_is_the_published_one_without_its_planetographic_term():
    """-25.228 deg is planetographic: the page adds 0.25 deg sin(Ls), Ls 277.18758 deg."""
    planetocentric = -25.228 - 0.25 * np.sin(np.radians(277.18758))
    assert float(at("2000-01-06T00:00:00").declination_deg[0]) == pytest.approx(planetocentric, abs=1e-3)


def test_julian_date_of_the_first_worked_example_is_the_one_published():
    assert round(float(at("2000-01-06T00:00:00").d_tt[0]) + 2451545.0, 5) == 2451549.50074


def test_coordinated_mars_time_of_the_first_worked_example_is_23_59_39():
    assert int(at("2000-01-06T00:00:00").mtc_h[0] * 3600) == 23 * 3600 + 59 * 60 + 39


def test_true_solar_time_of_the_first_worked_example_is_23_38_54():
    assert round(float(at("2000-01-06T00:00:00").ltst_h[0]) * 3600) == 23 * 3600 + 38 * 60 + 54


def test_true_solar_time_of_the_second_worked_example_is_midnight_within_a_second():
    ltst_s = float(at("2004-01-03T13:46:31", -184.702).ltst_h[0]) * 3600
    assert min(ltst_s, 86400 - ltst_s) < 1


# Names of archived products: start time and sequence_id, which is the sol
PRODUCT_NAMES = [
    ("2021-05-25T04:20:01", 11),
    ("2021-06-25T03:05:42", 41),
    ("2021-06-30T00:51:45", 46),
    ("2021-07-02T03:17:29", 48),
    ("2021-10-29T06:23:25", 164),
    ("2022-01-31T18:52:35", 256),
    ("2022-04-12T17:18:30", 325),
]


@pytest.mark.parametrize(("start", "sol"), PRODUCT_NAMES)
def test_sol_is_the_sequence_id_of_the_archived_product_name(start, sol):
    assert at(start, ZHURONG_LONGITUDE_DEG).sol[0] == sol


def test_zhurong_landed_on_sol_1():
    assert at("2021-05-14T23:18:00", ZHURONG_LONGITUDE_DEG).sol[0] == 1


def test_the_landing_sol_began_at_local_midnight():
    before, after = (
        at("2021-05-14T08:56:30", ZHURONG_LONGITUDE_DEG),
        at("2021-05-14T08:56:31.9", ZHURONG_LONGITUDE_DEG),
    )
    assert (before.sol[0], after.sol[0]) == (0, 1)


# Labels of the two archived radar products: UTC, local mean and local true solar time
LABELS = [
    ("2021-05-25T04:20:01.081", "12:27:02.532", "12:21:43"),
    ("2021-05-25T04:32:43.619", "12:39:24.667", "12:34:05"),
    ("2021-05-25T04:20:00.601", "12:27:02.064", "12:21:42"),
    ("2021-05-25T04:29:51.871", "12:36:37.515", "12:31:18"),
]


@pytest.mark.parametrize(("utc", "lmst"), [label[:2] for label in LABELS])
def test_local_mean_solar_time_agrees_with_the_radar_labels_within_3_s(utc, lmst):
    assert abs(at(utc, ZHURONG_LONGITUDE_DEG).lmst_h[0] - hours(lmst)) * 3600 < 3


@pytest.mark.parametrize(("utc", "ltst"), [label[::2] for label in LABELS])
def test_local_true_solar_time_agrees_with_the_radar_labels_within_4_s(utc, ltst):
    """The label is cut to whole seconds, so one second more than the mean time's."""
    assert abs(at(utc, ZHURONG_LONGITUDE_DEG).ltst_h[0] - hours(ltst)) * 3600 < 4


@pytest.fixture(scope="module")
def residuals_deg(real_data):
    """Incidence and azimuth less those that GRAS put into the 136 records of the genuine high frequency, [136, 2]."""
    [path] = (real_data / "zhurong-roper").glob("*RoPeR-HF-HH*.2B")
    octets = np.fromfile(path, np.uint8).reshape(-1, 16_453)
    seconds = octets[:, 4:8].copy().view(">u4")[:, 0].astype(np.int64)
    milliseconds = octets[:, 8:10].copy().view(">u2")[:, 0].astype(np.int64)
    genuine = octets[:, 16_444:16_452].copy().view("<f4").astype(np.float64)
    utc = 1_451_577_600 * 10**9 + seconds * 10**9 + milliseconds * 10**6  # since 2015-12-31T16:00:00Z
    sun = solar_position(mars_time(utc, ZHURONG_LONGITUDE_DEG, SOL_OFFSET), ZHURONG_LATITUDE_DEG)
    return np.stack([sun.incidence_deg, sun.azimuth_deg], axis=1) - genuine


def test_solar_incidence_is_that_of_the_genuine_records(residuals_deg):
    incidence = residuals_deg[:, 0]
    assert (len(incidence), round(incidence.mean(), 3)) == (136, -0.015)
    assert np.abs(incidence - incidence.mean()).max() < 0.001


def test_solar_azimuth_is_that_of_the_genuine_records(residuals_deg):
    azimuth = residuals_deg[:, 1]
    assert round(azimuth.mean(), 3) == 0.011
    assert np.abs(azimuth).max() < 0.015


def test_ls_at_landing_is_45_degrees():
    assert round(float(at("2021-05-14T23:18:00").ls_deg[0]), 1) == 45.2


def test_the_sun_stands_in_the_east_before_noon_and_in_the_west_after():
    morning, evening = (at(f"2021-05-25T{h}:00:00", ZHURONG_LONGITUDE_DEG) for h in ("00", "08"))
    assert 0 < solar_position(morning, ZHURONG_LATITUDE_DEG).azimuth_deg[0] < 180
    assert 180 < solar_position(evening, ZHURONG_LATITUDE_DEG).azimuth_deg[0] < 360


def test_a_leap_second_shifts_terrestrial_time_and_nothing_else():
    """37 s instead of 36 s from 2017-01-01 on: across that midnight one UTC second is two of TT."""
    times = mars_time(np.array(["2016-12-31T23:59:59", "2017-01-01T00:00:00"], "M8[ns]").astype(np.int64), 0, 0)
    assert abs(np.diff(times.d_tt)[0] * 86400 - 2) < 1e-4


@pytest.mark.parametrize("ns", [np.iinfo(np.int64).min, np.iinfo(np.int64).max, 0])
def test_any_instant_gives_finite_numbers_without_a_warning(ns):
    time = mars_time(np.array([ns], np.int64), 0.0, 0)
    assert np.isfinite(time.ls_deg[0])
    assert 0 <= time.lmst_h[0] <= 24


def test_times_keep_the_shape_of_the_instants():
    assert mars_time(np.zeros((2, 3), np.int64), 10.0, 0).ltst_h.shape == (2, 3)


def test_the_distance_of_the_sun_is_the_worked_examples():
    """1.39351 au with a semi-major axis of 1.5236; the longer one of the paper, 1.52367934, is 5.2e-5 greater."""
    found = float(sun_distance_au(at("2000-01-06T00:00:00"))[0])
    assert round(found * 1.5236 / 1.52367934, 5) == 1.39351


def test_the_distance_of_the_sun_is_that_of_the_planets_theory():
    """Simon et al. 1994 as in SOFA `plan94`, whose error is below 7,700 km or 5.1e-5 au: 16 years from 2015 on."""
    utc = np.datetime64("2015-01-01", "ns").astype(np.int64) + np.arange(0, 16 * 365, 5) * 86_400 * 10**9
    time = mars_time(utc, 0.0, SOL_OFFSET)
    place = erfa.plan94(2451545.0, time.d_tt, 4)["p"]
    residual = sun_distance_au(time) - np.sqrt((place**2).sum(axis=-1))
    assert abs(residual.mean()) < 1.5e-5
    assert np.abs(residual).max() < 3e-4


def test_a_true_solar_time_after_its_midnight_is_of_the_next_sol_though_the_mean_time_is_not():
    """The equation of time is 13.6 min (Ls 57 to 250: true time is ahead) and -51 min at most."""
    found = [true_sol(11, 23.9, 0.1), true_sol(11, 0.1, 23.9), true_sol(11, 12.45, 12.36), true_sol(11, 0.0, 0.0)]
    assert found == [12, 10, 11, 11]


def test_the_sol_of_true_time_changes_at_true_midnight():
    """Each minute of a sol around both midnights of sol 200, when the equation of time is large."""
    utc = utc_ns("2021-12-04T12:00:00") + np.arange(0, 26 * 60) * 60 * 10**9
    time = mars_time(utc, ZHURONG_LONGITUDE_DEG, SOL_OFFSET)
    sols = np.array(
        [true_sol(*row) for row in zip(time.sol.tolist(), time.lmst_h.tolist(), time.ltst_h.tolist(), strict=True)]
    )
    assert np.unique(np.diff(sols + time.ltst_h / 24).round(4)).tolist() == [0.0007]
    assert (sols != time.sol).any()
