import math

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

STILL = 6600  # counts: 33 mW = 0.55 mW/K (60 - 0) K, still air at 0 degC


@pytest.fixture
def weather(rows, products, level):
    """One packet: air at 0 degC, pressure sensor at 25 degC, 3 V, calm; columns may say else."""

    def make(navigation=True, time_s=100, **columns):
        packet = rows(
            "WEATHER",
            [time_s],
            order=[20],
            columns={
                "PRESSURE_SENSOR_THERMISTOR": 1000,
                "AIR_PRT": 40000,
                "PRESSURE_VOLTAGE": 39321,
                "WIND_POWER": STILL,
                **columns,
            },
        )
        if navigation is True:
            navigation = level(time_s, n=11)
        return products(*([navigation] if navigation else []), packet)["weather/meteorology"]

    return make


def values(product, name):
    return product.arrays[name].values


# Pt100 of the table in IEC 60751; the station's sensor has ten times its resistance
@pytest.mark.parametrize(
    ("degc", "pt100_ohm"), [(-120, 52.11), (-100, 60.26), (-50, 80.31), (0, 100.0), (20, 107.79), (50, 119.40)]
)
def test_air_temperature_is_that_of_the_iec_60751_table(weather, degc, pt100_ohm):
    counts = round((10 * pt100_ohm - 500) / 0.0125)
    assert values(weather(AIR_PRT=counts), "air_temperature_k")[0] == pytest.approx(degc + 273.15, abs=0.02)


def test_the_thermistor_has_10_kilohm_at_25_degrees(weather):
    """What these coefficients, known from a common 10 kohm thermistor, are made for."""
    assert values(weather(), "pressure_sensor_temperature_degc")[0] == pytest.approx(25.0, abs=0.01)


def test_pressure_is_the_polynomial_of_voltage_and_sensor_temperature(weather):
    """-12 + 240*3 + 1.5*9 + (0.08 - 0.05*3)*25 = 719.75 Pa at 3 V and 25 degC."""
    assert values(weather(), "pressure_pa")[0] == pytest.approx(719.75, abs=0.01)


AIR = {"CO2": (0.949, 44.0095), "N2": (0.0279, 28.0134), "Ar": (0.0208, 39.948),
       "O2": (0.00174, 31.9988), "CO": (0.000747, 28.0101)}  # fmt: skip
"""Mole fractions of Franz et al. 2017 (Planet. Space Sci. 138, 44), molar masses in g/mol."""
AIR_KG_MOL = sum(part * mass for part, mass in AIR.values()) / sum(part for part, _ in AIR.values()) / 1000


def test_the_density_is_that_of_air_of_the_published_composition(weather):
    """719.75 Pa within 0.01 at 0 degC; pure carbon dioxide would be 1.3 % denser."""
    found = weather()
    wanted = 719.75 * AIR_KG_MOL / (8.314462618 * values(found, "air_temperature_k")[0])
    assert values(found, "air_density_kg_m3")[0] == pytest.approx(wanted, rel=5e-5)


def film_counts(speed_m_s, from_deg, air_degc=0.0, pressure_pa=719.75):
    """King's law forward, as the page has it."""
    density = pressure_pa * AIR_KG_MOL / (8.314462618 * (air_degc + 273.15))
    b = 0.42 * math.sqrt(density / 0.0155)
    felt = [speed_m_s * (1 + 0.6 * math.cos(math.radians(from_deg - film))) for film in (0, 90, 180, 270)]
    return [round((0.55 + b * math.sqrt(u)) * (60 - air_degc) / 0.005) for u in felt]


@pytest.mark.parametrize(("speed", "direction"), [(0.5, 10.0), (5.0, 135.0), (12.0, 250.0), (16.7, 359.0)])
def test_wind_comes_out_as_it_went_into_kings_law(weather, speed, direction):
    product = weather(WIND_POWER=film_counts(speed, direction))
    assert values(product, "wind_speed_m_s")[0] == pytest.approx(speed, abs=0.005)
    assert values(product, "wind_from_direction_deg")[0] == pytest.approx(direction, abs=0.2)


def test_wind_direction_is_turned_by_the_heading(weather, level):
    """Facing east, wind from the right is wind from the south."""
    half = math.sqrt(0.5)
    east = level(100, n=11, Q_SCALAR=half, Q_Z=half)
    product = weather(navigation=east, WIND_POWER=film_counts(5.0, 90.0))
    assert values(product, "wind_from_direction_deg")[0] == pytest.approx(180.0, abs=0.1)


def test_without_heading_wind_has_a_speed_but_no_direction(weather):
    product = weather(navigation=None, WIND_POWER=film_counts(5.0, 90.0))
    assert values(product, "wind_speed_m_s")[0] == pytest.approx(5.0, abs=0.005)
    assert np.isnan(values(product, "wind_from_direction_deg")).all()
    assert (product.quality & Quality.NO_ATTITUDE).all()


def test_still_air_is_calm_and_good(weather):
    product = weather()
    assert values(product, "wind_speed_m_s").tolist() == [0.0] * 10
    assert not product.quality.any()


def test_films_far_below_still_air_are_no_wind(weather):
    product = weather(WIND_POWER=1000)
    assert np.isnan(values(product, "wind_speed_m_s")).all()
    assert (product.quality & Quality.OUT_OF_RANGE).all()


def test_samples_are_a_second_apart(weather):
    assert values(weather(), "time_onboard_ns").tolist() == [(100 + i) * 1_000_000_000 for i in range(10)]


@pytest.mark.parametrize("column", ["PRESSURE_SENSOR_THERMISTOR", "AIR_PRT", "PRESSURE_VOLTAGE", "WIND_POWER"])
def test_a_count_at_the_end_of_scale_is_saturated(weather, column):
    assert (weather(**{column: 65535}).quality & Quality.SATURATED).all()


def test_a_shorted_thermistor_gives_nan_and_a_flag(weather):
    product = weather(PRESSURE_SENSOR_THERMISTOR=0)
    assert np.isnan(values(product, "pressure_pa")).all()
    assert (product.quality & Quality.OUT_OF_RANGE).all()


def test_one_bad_sample_flags_only_itself(weather):
    product = weather(AIR_PRT=np.where(np.arange(10) == 3, 100, 40000))
    assert np.flatnonzero(product.quality & Quality.OUT_OF_RANGE).tolist() == [3]


def test_descriptions_carry_the_cf_names(weather):
    arrays = weather().arrays
    assert arrays["air_temperature_k"].description == "air_temperature"
    assert arrays["pressure_pa"].description == "surface_air_pressure"
