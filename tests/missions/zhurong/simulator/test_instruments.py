"""Each instrument's counts, turned back by the equations of the packets' page, against the truth."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import chance
from downlink_pipeline.missions.zhurong.simulator.air import air_at, season_pa
from downlink_pipeline.missions.zhurong.simulator.libs import wavelengths
from downlink_pipeline.missions.zhurong.simulator.timeline import Timeline, stay

WITHIN = 5.0  # sigma; of some 10^5 values none should be further


def onboard_agrees(clean, ground, apid, truth):
    return np.array_equal(ground["clock_ns"](clean.fields(apid)), clean.truth[truth])


@pytest.mark.parametrize(
    ("apid", "n_bytes"),
    [
        (257, 51),
        (258, 71),
        (261, 30),
        (273, 16420),
        (274, 12036),
        (289, 587),
        (305, 128),
        (306, 32016),
        (321, 10823),
        (337, 664),
    ],
)
def test_a_record_has_the_length_of_the_page(clean, apid, n_bytes):
    assert clean.fields(apid).shape[1] == n_bytes


@pytest.mark.parametrize(
    ("apid", "truth"),
    [
        (257, "navigation_time_utc_ns"),
        (258, "engineering_time_utc_ns"),
        (289, "magnetometer_packet_time_utc_ns"),
        (305, "weather_packet_time_utc_ns"),
        (306, "sound_time_utc_ns"),
        (321, "libs_time_utc_ns"),
        (337, "swir_time_utc_ns"),
    ],
)
def test_the_onboard_clock_counts_seconds_and_milliseconds_from_its_epoch(clean, ground, apid, truth):
    assert onboard_agrees(clean, ground, apid, truth)


def test_positions_are_within_half_a_millimetre(clean, ground):
    position = ground["big_endian"](clean.fields(257)[:, 8:20], "i4") * 0.001
    assert np.abs(position - clean.truth["navigation_position_ned_m"]).max() <= 0.0005001


def test_the_quaternion_turns_forward_to_the_heading(clean, ground):
    q = ground["big_endian"](clean.fields(257)[:, 20:28], "i2") / 16384.0
    forward_north = 1 - 2 * (q[:, 2] ** 2 + q[:, 3] ** 2)
    forward_east = 2 * (q[:, 1] * q[:, 2] + q[:, 0] * q[:, 3])
    yaw = np.degrees(np.arctan2(forward_east, forward_north))
    assert np.abs(yaw - clean.truth["navigation_attitude_deg"][:, 0]).max() < 0.01


def test_the_nose_is_up_where_the_pitch_is_positive(clean, ground):
    q = ground["big_endian"](clean.fields(257)[:, 20:28], "i2") / 16384.0
    pitch = np.degrees(np.arcsin(2 * (q[:, 0] * q[:, 2] - q[:, 1] * q[:, 3])))
    assert np.abs(pitch - clean.truth["navigation_attitude_deg"][:, 1]).max() < 0.01


def test_navigation_comes_each_second_while_the_rover_drives(clean):
    driving = clean.truth["navigation_drive_mode"] == 1
    assert set(np.diff(clean.truth["navigation_time_utc_ns"][driving])) == {1_000_000_000}


def test_attitude_and_mast_do_not_change_where_navigation_is_rare(clean):
    truth = clean.truth
    rare = np.flatnonzero(np.diff(truth["navigation_time_utc_ns"]) > 1_000_000_000)
    for name in ("attitude_deg", "mast_yaw_deg", "mast_pitch_deg"):
        values = truth[f"navigation_{name}"]
        assert np.array_equal(values[rare], values[rare + 1])


def test_the_engineering_packet_gives_its_truth_within_half_a_step(clean, ground):
    fields, truth = clean.fields(258), clean.truth
    triples = fields[:, 7:16].astype(int).reshape(len(fields), 3, 3)
    first, second = triples[..., 0] << 4 | triples[..., 1] >> 4, (triples[..., 1] & 15) << 8 | triples[..., 2]
    pairs = np.stack([first, second], axis=2).reshape(len(fields), 6)
    temperature = -150 + 0.005 * ground["big_endian"](fields[:, 20:52], "u2")
    assert np.abs(pairs[:, :4] * 0.005 - truth["engineering_wing_current_a"]).max() <= 0.002501
    assert np.abs(pairs[:, 4] * 0.01 - truth["engineering_bus_voltage_v"]).max() <= 0.005001
    assert np.abs(pairs[:, 5] * 0.01 - truth["engineering_battery_voltage_v"]).max() <= 0.005001
    assert np.abs(temperature - truth["engineering_temperature_degc"]).max() <= 0.002501


def test_the_engineering_packet_names_what_the_rover_is_doing(clean):
    told = [record[55:].rstrip(b"\0").decode() for record in clean.records(258)]
    assert told == clean.truth["engineering_activity"].tolist()
    assert {"MAST SCAN", "LIBS POINT 1", "SWIR", "DRIVING", "LIBS POINT 2"} <= set(told)


def test_an_event_tells_how_long_its_text_is(clean):
    texts = [record[10:].decode() for record in clean.records(259)]
    assert [record[9] for record in clean.records(259)] == [len(text.encode()) for text in texts]
    assert texts == clean.truth["event_text"].tolist()


SENSORS = {
    "a": (11, 7, (152.40, -88.25, 310.75), (0.0080, -0.0055, 0.0031), 2.1e-5, (1, 1, 1)),
    "b": (299, 9, (-420.10, 95.55, 61.30), (-0.0064, 0.0072, 0.0090), 1.8e-5, (1, -1, -1)),
}
MATRICES = {
    "a": ((1.0012, 0, 0), (0.0031, 0.9991, 0), (-0.0022, 0.0047, 1.0007)),
    "b": ((0.9987, 0, 0), (-0.0040, 1.0015, 0), (0.0018, -0.0029, 0.9996)),
}


def sensor_field(clean, ground, name):
    at, temperature_at, offset, drift, gain, _ = SENSORS[name]
    fields = clean.fields(289)
    warmer = -150 + 0.005 * ground["big_endian"](fields[:, temperature_at : temperature_at + 2], "u2") - 20
    electric = 0.01 * ground["int24"](fields[:, at : at + 288]).reshape(-1, 32, 3)
    free = electric - (np.array(offset) + np.array(drift) * warmer)[:, None, :]
    return ((1 + gain * warmer)[:, None] * (free @ np.array(MATRICES[name]).T)).reshape(-1, 3)


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_sensors_field_meets_the_truth_within_its_noise(clean, ground, name):
    error = sensor_field(clean, ground, name) - clean.truth[f"magnetometer_field_{name}_sensor_nt"]
    assert np.abs(error).max() < WITHIN * 0.04 + 0.01
    assert error.std() == pytest.approx(0.04, rel=0.03)


# always, for each ampere of the wings together, while it drives: docs/zhurong-packets.md
ROVER_FIELD = {
    "a": ((38.0, -21.0, 64.0), (0.22, -0.10, 0.31), (1.8, -0.9, 2.4)),
    "b": ((312.0, -154.0, 420.0), (0.85, -0.40, 1.10), (6.5, -3.1, 8.2)),
}


def rover_field(clean, name, seconds):
    truth = clean.truth
    start = truth["rover_time_utc_ns"][0]
    engineering_s, navigation_s = ((truth[f"{c}_time_utc_ns"] - start) / 1e9 for c in ("engineering", "navigation"))
    current = np.interp(seconds, engineering_s, truth["engineering_wing_current_a"].sum(axis=1))
    last = np.searchsorted(navigation_s, seconds, "right") - 1
    driving = truth["navigation_drive_mode"][last] == 1
    always, per_ampere, motors = (np.array(part)[:, None] for part in ROVER_FIELD[name])
    return always + per_ampere * current + motors * driving


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_ambient_field_comes_back_through_mast_and_attitude(clean, ground, name):
    truth = clean.truth
    seconds = (truth["magnetometer_time_utc_ns"] - truth["rover_time_utc_ns"][0]) / 1e9
    knots = (truth["rover_time_utc_ns"] - truth["rover_time_utc_ns"][0]) / 1e9
    yaw, pitch, roll = (np.radians(np.interp(seconds, knots, angle)) for angle in truth["rover_attitude_deg"].T)
    mast_yaw, mast_pitch = (np.radians(np.interp(seconds, knots, angle)) for angle in truth["rover_mast_deg"].T)
    x, y, z = (sensor_field(clean, ground, name) * SENSORS[name][5]).T
    for axis, angle in (("y", mast_pitch), ("z", mast_yaw), ("", None), ("x", roll), ("y", pitch), ("z", yaw)):
        if angle is None:
            x, y, z = np.stack([x, y, z]) - rover_field(clean, name, seconds)
            continue
        c, s = np.cos(angle), np.sin(angle)
        if axis == "x":
            y, z = c * y - s * z, s * y + c * z
        elif axis == "y":
            z, x = c * z - s * x, s * z + c * x
        else:
            x, y = c * x - s * y, s * x + c * y
    error = np.stack([y, x, -z], axis=1) - truth["magnetometer_field_enu_nt"]
    assert np.abs(error).max() < WITHIN * 0.04 + 0.02


def test_the_crustal_field_is_between_10_and_30_nt(clean):
    strength = np.linalg.norm(clean.truth["magnetometer_field_enu_nt"].mean(axis=0))
    assert 9.0 < strength < 31.0


def weather(clean, ground):
    """Air temperature, pressure and film powers by the page's equations; float64[n, ...], one row a second."""
    fields = clean.fields(305)
    ohm = (500 + 0.0125 * ground["big_endian"](fields[:, 8:28], "u2")).ravel()
    grid = np.linspace(-60, 10, 700_001)
    low = np.minimum(grid, 0)
    curve = 1000 * (1 + 3.9083e-3 * grid - 5.775e-7 * grid**2 - 4.183e-12 * (grid - 100) * low**3)
    air = np.interp(ohm, curve, grid)
    logarithm = np.log(10.0 * ground["big_endian"](fields[:, 6:8], "u2"))
    sensor = 1 / (1.129148e-3 + 2.34125e-4 * logarithm + 8.76741e-8 * logarithm**3) - 273.15
    volt = 5 / 65535 * ground["big_endian"](fields[:, 28:48], "u2")
    pressure = -12 + 240 * volt + 1.5 * volt**2 + 0.08 * sensor - 0.05 * volt * sensor
    power = 0.005 * ground["big_endian"](fields[:, 48:], "u2").reshape(-1, 4)
    return air, pressure.ravel(), power, sensor.ravel()


def test_air_temperature_meets_the_truth(clean, ground):
    error = weather(clean, ground)[0] - clean.truth["weather_air_temperature_degc"]
    assert np.abs(error).max() < WITHIN * 0.05 + 0.002


def test_pressure_meets_the_truth(clean, ground):
    error = weather(clean, ground)[1] - clean.truth["weather_pressure_pa"]
    assert np.abs(error).max() < WITHIN * 0.1 + 0.02


def test_the_pressure_sensors_temperature_meets_the_truth(clean, ground):
    assert np.abs(weather(clean, ground)[3] - clean.truth["weather_sensor_temperature_degc"]).max() < 0.003


def test_wind_meets_the_truth_within_its_stated_sigma(clean, ground):
    air, pressure, power, _ = weather(clean, ground)
    truth = clean.truth
    density = pressure / (191.37 * (air + 273.15))
    felt = ((power / (60 - air)[:, None] - 0.55) / (0.42 * np.sqrt(density / 0.0155))[:, None]) ** 2
    angle = np.radians([0, 90, 180, 270])
    speed, b, c = felt.mean(axis=1), felt @ np.cos(angle) / 2, felt @ np.sin(angle) / 2
    seconds = (truth["weather_time_utc_ns"] - truth["rover_time_utc_ns"][0]) // 1_000_000_000
    direction = np.degrees(np.arctan2(c, b)) + truth["rover_attitude_deg"][seconds, 0]
    turned = (direction - truth["weather_wind_from_direction_deg"] + 180) % 360 - 180
    assert np.all(np.abs(speed - truth["weather_wind_speed_m_s"]) < WITHIN * truth["weather_wind_speed_sigma_m_s"])
    assert np.all(np.abs(turned) < WITHIN * truth["weather_wind_from_direction_sigma_deg"] + 0.01)


def test_a_dust_devil_lowers_the_pressure_by_some_pascals(clean):
    pressure = clean.truth["weather_pressure_pa"]
    assert 2.0 < np.median(pressure) - pressure.min() < 5.0


def libs_net(clean, ground):
    fields = clean.fields(321)
    point, kind = ground["big_endian"](fields[:, 6:8], "u2")[:, 0], fields[:, 8]
    spectrum = ground["big_endian"](fields[:, 23:], "u2").astype(float)
    return np.vstack(
        [
            spectrum[(point == number) & (kind == 1)] - spectrum[(point == number) & (kind == 0)].mean(axis=0)
            for number in (1100, 1101, 1102)
        ],
    )


def test_libs_shots_meet_the_truth_within_read_and_photon_noise(clean, ground):
    truth = clean.truth["libs_net_spectrum_dn"]
    sigma = np.sqrt(64 + 0.2 * truth + 64 / 5 + 1 / 12)
    sigma[:8] = np.sqrt(sigma[:8] ** 2 + 64 / 3 - 64 / 5)  # three darks of the titanium
    assert np.abs((libs_net(clean, ground) - truth) / sigma).max() < WITHIN + 0.5


def test_five_darks_and_fifteen_shots_are_taken_at_each_of_two_points(clean):
    point, kind = clean.truth["libs_point_id"], clean.truth["libs_kind"]
    assert [int(np.sum((point == p) & (kind == k))) for p in (1101, 1102) for k in (0, 1)] == [5, 15, 5, 15]


@pytest.mark.parametrize("line_nm", [247.931, 288.243, 393.477, 396.959, 422.792, 589.158, 766.701])
def test_an_emission_line_stands_at_its_vacuum_wavelength(clean, line_nm):
    wavelength = clean.truth["libs_wavelength_nm"][1]
    spectrum = clean.truth["libs_net_spectrum_dn"][8 + 10]
    near = np.abs(wavelength - line_nm) < 0.3
    assert wavelength[near][np.argmax(spectrum[near])] == pytest.approx(line_nm, abs=0.1)


@pytest.mark.parametrize(
    ("pixel", "wavelength_nm"),
    [(0, 240.0), (1799, 339.94556), (1800, 340.0), (3600, 540.0), (5399, 849.832)],
)
def test_pixels_have_the_wavelengths_of_the_page_at_minus_10_degc(pixel, wavelength_nm):
    assert wavelengths(-10.0)[pixel] == pytest.approx(wavelength_nm, abs=0.001)


def test_swir_channels_run_from_852_to_2400_nm(clean):
    wavelength = clean.truth["swir_wavelength_nm"]
    assert wavelength[[0, -1]] == pytest.approx((851.7, 2400.4), abs=0.3)


def swir_radiance(clean, ground):
    fields = clean.fields(337)
    warmer = -150 + 0.005 * ground["big_endian"](fields[:, 10:12], "u2") - 20
    x = clean.truth["swir_wavelength_nm"] / 1000 - 1.6
    response = (60000 + 20000 * x - 30000 * x**2) * (1 + 0.0015 * warmer)
    spectrum = ground["big_endian"](fields[:, 22:], "u2")
    return (spectrum - spectrum[0]) / (response * 0.01)


def test_swir_radiance_meets_the_truth_within_its_stated_sigma(clean, ground):
    error = swir_radiance(clean, ground)[1:] - clean.truth["swir_radiance_w_m2_sr_um"][1:]
    assert np.all(np.abs(error) < WITHIN * clean.truth["swir_radiance_sigma_w_m2_sr_um"][1:])


def test_swir_reflectance_meets_the_truth_against_the_panel(clean, ground):
    radiance, truth = swir_radiance(clean, ground), clean.truth
    panel = 0.93 - 0.02 * (truth["swir_wavelength_nm"] / 1000 - 1.6)
    error = radiance[2:] / radiance[1] * panel - truth["swir_reflectance"][2:]
    assert np.all(np.abs(error) < WITHIN * truth["swir_reflectance_sigma"][2:])


# fact sheet 5: season by Withers 2012 at -4.92 km; solar longitude by the sol counts of fact sheet 1.1
@pytest.mark.parametrize(("sol", "pascal"), [(1, 931), (100, 880), (325, 884)])
def test_the_season_has_the_pressures_of_the_fact_sheet(sol, pascal):
    assert season_pa(stay(sol, 60).start_ns) == pytest.approx(pascal, abs=4)


def test_a_day_has_a_tide_of_pressure_of_two_percent():
    """Every four hours of a sol, without turbulence on average."""
    start = stay(11, 14_400).start_ns
    stays = [Timeline(start + hour * 3_698_968_506_000, 14_400) for hour in range(0, 24, 4)]
    airs = [air_at(one, np.arange(14_400.0), chance.stream(1, "x")) for one in stays]
    means = np.array([air.pressure_pa.mean() for air in airs])
    assert 0.02 < (means.max() - means.min()) / means.mean() < 0.07


def sound_pascal(clean, ground):
    fields = clean.fields(306)
    assert ground["big_endian"](fields[:, 8:10], "u2")[:, 0].tolist() == [8000] * 3
    assert (fields[:, 10] == 30).all()
    samples = ground["big_endian"](fields[:, 16:], "i2")
    assert ground["big_endian"](fields[:, 12:16], "u4")[:, 0].tolist() == [samples.shape[1]] * 3
    return samples * 2.5 / 32768 / (0.0224 * 10**1.5)


def test_the_sound_meets_the_truth_within_its_noise(clean, ground):
    error = sound_pascal(clean, ground) - clean.truth["sound_pressure_pa"]
    assert np.abs(error).max() < WITHIN * 0.0005 + 0.0001
    assert error.std() == pytest.approx(0.0005, rel=0.03)


def test_a_burst_of_sound_takes_eight_segments(clean):
    assert clean.truth["sound_packets"].tolist() == [8, 8, 8]


def test_every_flag_of_arrival_is_set_on_a_clean_pass(clean):
    assert all(values.all() for name, values in clean.truth.items() if name.endswith("_arrived"))


def test_the_rover_drives_at_200_metres_an_hour(clean):
    position = clean.truth["rover_position_ned_m"]
    speed = np.linalg.norm(np.diff(position, axis=0), axis=1)
    assert np.median(speed[speed > 0.03]) == pytest.approx(200 / 3600, rel=0.03)
