"""The orbit of fact sheet 8.1, and the point below against the Sun's place by Mars24 and by SOFA's ephemeris."""

import erfa
import numpy as np
import pytest
from downlink_pipeline.clock.mars import mars_time
from downlink_pipeline.model.batches import Quality

GM = 42828.37
EPOCH_NS = 1_451_577_600_000_000_000


@pytest.fixture
def state(rows, products):
    def make(position, velocity=(0.0, 3.0, 1.0), time_s=(170_351_400.0,), **more):
        columns = {f"POSITION_{axis}": value for axis, value in zip("XYZ", position, strict=True)}
        columns |= {f"VELOCITY_{axis}": value for axis, value in zip("XYZ", velocity, strict=True)}
        return products(rows("ORBITER_STATE", time_s, columns=columns), names=("orbiter",), **more)["orbiter/state"]

    return make


def one(product, name):
    return product.arrays[name].values[0]


def pole(utc_jd):
    """Of Archinal et al. 2011, as a unit vector of ICRF."""
    centuries = (utc_jd - 2_451_545.0) / 36_525
    ascension, declination = np.radians([317.68143 - 0.1061 * centuries, 52.88650 - 0.0609 * centuries])
    return np.array(
        [np.cos(declination) * np.cos(ascension), np.cos(declination) * np.sin(ascension), np.sin(declination)]
    )


@pytest.fixture
def relay_orbit():
    """At periapsis 407 km above Mars, the speed of an ellipse to 15,895 km, 86.3 deg from the equator."""
    north = pole(2_459_360.5)
    out = np.cross(north, [0.0, 0.0, 1.0])
    out /= np.linalg.norm(out)
    east, tilt = np.cross(north, out), np.radians(86.3)
    radius = 3396.19 + 407.0
    speed = np.sqrt(2 * GM * (1 / radius - 1 / (radius + 15895.0)))
    return out * radius, speed * (np.cos(tilt) * east + np.sin(tilt) * north)


def test_the_relay_orbit_has_the_published_period_and_inclination(state, relay_orbit):
    product = state(*relay_orbit)
    assert one(product, "period_s") / 3600 == pytest.approx(8.243, abs=0.001)
    assert one(product, "inclination_deg") == pytest.approx(86.3, abs=1e-4)
    assert one(product, "periapsis_altitude_km") == pytest.approx(407.0, abs=1e-6)
    assert one(product, "altitude_km") == pytest.approx(407.0, abs=1e-6)


def test_the_relay_orbit_is_a_third_of_a_turn_of_mars_and_114_seconds(state, relay_orbit):
    """The period is published as 1/3 sidereal day (88,642.663 s) + 114 s; its elements give 14 s more."""
    assert one(state(*relay_orbit), "period_s") == pytest.approx(88_642.663 / 3 + 114, abs=20)


def test_semi_major_axis_and_eccentricity_are_those_of_the_apsides(state, relay_orbit):
    product = state(*relay_orbit)
    assert one(product, "semi_major_axis_km") == pytest.approx((3803.19 + 15895) / 2, abs=1e-6)
    assert one(product, "eccentricity") == pytest.approx((15895 - 3803.19) / (15895 + 3803.19), abs=1e-9)


def test_an_open_orbit_has_no_period(state):
    product = state((4000.0, 0.0, 0.0), (0.0, 9.0, 0.0))
    assert np.isnan(one(product, "period_s"))
    assert one(product, "semi_major_axis_km") < 0


@pytest.mark.parametrize("day", [0, 100, 250])
def test_who_stands_towards_the_sun_is_above_the_subsolar_point(state, day):
    """Its longitude by Mars24, the Sun's direction by the ephemeris of SOFA (`plan94`: some arc seconds)."""
    time_s = 170_000_000 + day * 86_400.0
    utc_ns = EPOCH_NS + round(time_s * 1e9)
    mars = erfa.plan94(2_440_587.5, utc_ns / 86_400e9 + 69.184 / 86_400, 4)["p"]
    light_days = np.linalg.norm(mars) * 499.005 / 86_400
    product = state(-mars / np.linalg.norm(mars) * 5000.0, time_s=(time_s,))
    sun = mars_time(np.array([utc_ns]), 0.0, 0)
    ltst_h = sun.mtc_h[0] + sun.eot_deg[0] / 15
    subsolar = (12 - ltst_h) * 15
    assert (one(product, "longitude_deg") - subsolar + 180) % 360 - 180 == pytest.approx(0, abs=0.15), light_days
    declination = np.degrees(np.arcsin(0.42565 * np.sin(np.radians(sun.ls_deg[0]))))
    assert one(product, "latitude_deg") == pytest.approx(declination, abs=0.1)


def test_a_product_of_the_orbiter_belongs_to_no_site(state, relay_orbit):
    product = state(*relay_orbit)
    assert (product.time.sol, product.time.lmst_h, product.time.ltst_h) == (None, None, None)
    assert "site" not in product.lineage
    assert "ICRF" in product.lineage["frames"]["state"]


def test_a_vector_inside_mars_or_without_numbers_is_out_of_range(state):
    assert state((1000.0, 0.0, 0.0)).quality[0] & Quality.OUT_OF_RANGE
    assert state((np.nan, 0.0, 0.0)).quality[0] & Quality.OUT_OF_RANGE
    assert state((4000.0, 0.0, 0.0), (np.inf, 0.0, 0.0)).quality[0] & Quality.OUT_OF_RANGE
    assert state((4000.0, 0.0, 0.0)).quality[0] == 0
