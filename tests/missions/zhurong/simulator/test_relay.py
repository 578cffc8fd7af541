"""The way of the rover's bytes to Earth against what was published of it."""

from datetime import UTC, datetime

import erfa
import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator.heavens import conjunction, elongation_deg, light_time_ns
from downlink_pipeline.missions.zhurong.simulator.orbit import orbit_of
from downlink_pipeline.missions.zhurong.simulator.relay import STORED_NS, passes, rates, relay
from downlink_pipeline.missions.zhurong.simulator.timeline import SOL_NS, local_hour, midnight_ns, stay


def ns(*date):
    return round(datetime(*date, tzinfo=UTC).timestamp()) * 10**9


def of_sol(sol):
    return passes(orbit_of(sol), midnight_ns(sol), midnight_ns(sol) + SOL_NS)


@pytest.mark.parametrize(
    ("date", "seconds", "within"),
    [((2021, 8, 6, 4), 21 * 60 + 23, 3), ((2021, 11, 8, 4), 21 * 60 + 20, 3), ((2022, 1, 1), 19.5 * 60, 15)],
)
def test_the_light_time_is_the_published_one(date, seconds, within):
    assert light_time_ns(ns(*date)) / 1e9 == pytest.approx(seconds, abs=within)


def test_the_light_time_is_that_of_sofas_ephemeris():
    for days in range(0, 600, 50):
        utc_ns = ns(2021, 5, 15) + days * 86_400 * 10**9
        date = utc_ns / 86_400e9 + 69.184 / 86_400
        apart = erfa.plan94(2_440_587.5, date, 4)["p"] - erfa.plan94(2_440_587.5, date, 3)["p"]
        assert light_time_ns(utc_ns) / 1e9 == pytest.approx(np.linalg.norm(apart) * 499.005, abs=0.3)


def test_the_sun_stands_between_for_45_days_around_the_8th_of_october_2021():
    begin, end = conjunction(ns(2021, 10, 8))
    assert (end - begin) / 86_400e9 == pytest.approx(45, abs=3)
    assert begin < ns(2021, 9, 22) < ns(2021, 10, 28) < end
    days = ns(2021, 8, 1) + np.arange(130) * 86_400 * 10**9
    assert abs(days[elongation_deg(days).argmin()] - ns(2021, 10, 8)) <= 86_400 * 10**9


@pytest.mark.parametrize("date", [(2021, 5, 25), (2021, 8, 30), (2021, 12, 1), (2022, 12, 8)])
def test_there_is_a_link_else_and_at_opposition(date):
    assert conjunction(ns(*date)) is None


@pytest.mark.parametrize("sol", [1, 11, 12, 100, 325])
def test_one_main_pass_a_sol_takes_8_to_12_minutes_in_the_early_afternoon(sol):
    """Published: one main UHF pass a sol, of 8 to 10 minutes."""
    (one,) = of_sol(sol)
    assert 8 <= (one.set_ns - one.rise_ns) / 6e10 <= 12
    assert 13 < local_hour(one.rise_ns) < 14
    assert one.elevation_deg.min() >= 10


def test_a_pass_carries_the_51_megabytes_of_a_published_sol():
    assert of_sol(11)[0].capacity_bytes > 51e6


def test_rates_step_by_four_and_are_held_a_tenth_longer_than_taken_up():
    there = np.array([9000.0, 8001.0, 7999.0, 4000.0, 2001.0, 1999.0, 1000.0, 413.0])
    assert rates(there).tolist() == [8, 8, 32, 128, 128, 512, 2048, 2048]
    back = np.array([413.0, 1001.0, 1099.0, 1101.0, 2199.0, 2201.0, 4399.0, 4401.0, 8799.0, 8801.0])
    assert rates(back).tolist() == [2048, 2048, 2048, 512, 512, 128, 128, 32, 32, 8]


def test_bytes_that_do_not_fit_a_pass_wait_for_the_next_sols():
    stop_ns = stay(11, 600.0).stop_ns
    one, two = (relay(stop_ns, n) for n in (10**6, 200 * 10**6))
    assert (len(one.passes), len(two.passes)) == (1, 2)
    assert two.send_ns - one.send_ns == pytest.approx(SOL_NS, rel=0.01)
    assert one.send_ns == one.passes[-1].set_ns + STORED_NS


def test_what_comes_up_during_a_conjunction_goes_down_after_it():
    way = relay(stay(145, 600.0).stop_ns, 10**6)
    assert way.silence is not None
    assert way.send_ns == way.silence[1]
