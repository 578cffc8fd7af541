"""Dust devils: dips of known time, depth and width in a calm or turbulent pressure."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import chance
from downlink_pipeline.missions.zhurong.simulator.air import air_at
from downlink_pipeline.missions.zhurong.simulator.timeline import stay
from downlink_pipeline.missions.zhurong.weather.dips import fit_dip, lowest_samples
from downlink_pipeline.products.rows import join, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def lorentzian(time_s, at, depth, width):
    return -depth / (1 + ((time_s - at) / (width / 2)) ** 2)


@pytest.fixture
def packets(rows):
    """WEATHER of `n_s` seconds: 931 Pa, noise of 0.05 Pa and the dips (s, Pa, s)."""

    def make(n_s=400, dips=(), noise=0.05):
        time_s = np.arange(n_s, dtype=float)
        pressure = 931 + noise * np.random.default_rng(4).normal(size=n_s)
        pressure += sum(lorentzian(time_s, *dip) for dip in dips)
        # 25 degC is 1000 counts of the thermistor: p = -10 + 238.75 V + 1.5 V^2
        volt = (-238.75 + np.sqrt(238.75**2 + 6 * (10 + pressure))) / 3
        voltage = np.rint(volt * 65535 / 5).reshape(-1, 10)
        columns = {"PRESSURE_SENSOR_THERMISTOR": 1000, "AIR_PRT": 40000, "PRESSURE_VOLTAGE": voltage}
        return rows("WEATHER", time_s[::10], columns=columns)

    return make


@pytest.fixture
def devils(suite):
    """What is found in batches of packets: products and events."""

    def run(*batches):
        one = suite("dust_devils", window_s=10.0)
        made = [product for batch in batches for product in one.make_products([batch])] + one.flush()
        return made, one.drain_events()

    return run


def test_a_dip_is_found_at_its_time_with_its_depth_and_width(devils, packets):
    (devil,), _ = devils(packets(dips=[(203.4, 2.0, 10.0)]))
    assert devil.time.onboard_ns[0] / 1e9 == pytest.approx(203.4, abs=0.3)
    assert devil.arrays["depth_pa"].values[0] == pytest.approx(2.0, rel=0.05)
    assert devil.arrays["width_s"].values[0] == pytest.approx(10.0, rel=0.1)
    assert devil.arrays["background_pressure_pa"].values[0] == pytest.approx(931, abs=0.1)


@pytest.mark.parametrize("at", range(170, 260, 9))
def test_a_dip_is_the_same_wherever_the_samples_were_cut_for_judging(devils, packets, at):
    (devil,), _ = devils(packets(dips=[(at + 0.4, 2.0, 10.0)], noise=0.01))
    assert devil.time.onboard_ns[0] / 1e9 == pytest.approx(at + 0.4, abs=0.1)
    assert devil.arrays["depth_pa"].values[0] == pytest.approx(2.0, rel=0.02)


def test_its_packets_are_those_around_the_dip(devils, packets):
    (devil,), _ = devils(packets(dips=[(203.4, 2.0, 10.0)]))
    assert devil.lineage["seq_count"] == [19, 21]


def test_a_recording_that_is_repeated_gives_the_same_products_in_one_batch_and_in_many(devils, packets):
    once = packets(dips=[(203.4, 2.0, 10.0)])
    n = len(once)
    again = replace(once, order=once.order + n, received_ns=once.received_ns + n)
    together, _ = devils(join([once, again]))
    apart, _ = devils(*(take(rows, slice(i, i + 1)) for rows in (once, again) for i in range(n)))
    assert [devil.id for devil in together] == [devil.id for devil in apart]
    assert [devil.lineage["n_packets"] for devil in together] == [3, 3]


def test_an_operator_hears_of_it(devils, packets):
    _, (event,) = devils(packets(dips=[(203.4, 2.0, 10.0)]))
    assert (event.severity, event.kind, event.details["instrument"]) == ("info", "dust_devil", "weather")
    assert event.details["onboard_ns"] / 1e9 == pytest.approx(203.4, abs=0.3)


def test_two_dips_half_a_minute_apart_are_two(devils, packets):
    made, _ = devils(packets(dips=[(180.0, 2.5, 6.0), (210.0, 2.0, 6.0)]))
    assert [round(one.time.onboard_ns[0] / 1e9) for one in made] == [180, 210]


@pytest.mark.parametrize(
    "dip", [(200.0, 0.3, 10.0), (200.0, 3.0, 300.0), (200.0, -3.0, 10.0)], ids=["shallow", "slow", "a rise"]
)
def test_what_is_too_shallow_too_slow_or_a_rise_is_no_dust_devil(devils, packets, dip):
    assert devils(packets(dips=[dip])) == ([], ())


def test_a_dip_is_found_beside_a_lost_packet(devils, packets):
    whole = packets(dips=[(203.4, 2.0, 10.0)])
    made, _ = devils(take(whole, np.arange(40) != 18))
    assert len(made) == 1


def test_a_jump_of_pressure_over_a_long_gap_is_no_dip(devils, packets):
    whole = packets()
    whole.columns["PRESSURE_VOLTAGE"][20:] -= 200
    whole.time_ns[20:] += 60_000_000_000
    assert devils(whole) == ([], ())


def test_a_clock_that_goes_back_begins_a_new_series(devils, packets):
    """The dip is in the second series, from its own time."""
    again = packets(dips=[(203.4, 2.0, 10.0)])
    again.order[:] += 40
    made, _ = devils(packets(), again)
    assert [one.time.onboard_ns[0] / 1e9 for one in made] == pytest.approx([203.4], abs=0.3)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 40), max_size=6))
def test_any_split_into_batches_finds_the_same(devils, packets, cuts):
    whole = packets(dips=[(95.0, 2.0, 10.0), (203.4, 2.0, 10.0), (391.0, 3.0, 8.0)])
    edges = sorted({0, *cuts, 40})
    made, events = devils(*(take(whole, slice(*edge)) for edge in pairwise(edges)))
    expected, told = devils(whole)
    assert len(expected) == 3
    assert [one.id for one in made] == [one.id for one in expected]
    assert [one.arrays["depth_pa"].values for one in made] == [one.arrays["depth_pa"].values for one in expected]
    assert events == told


@pytest.mark.parametrize("edges", [(0, 400), (0, 75, 76, 210, 400), (0, 94, 95, 96, 390, 400)])
def test_samples_can_be_judged_part_by_part(edges):
    """Dips of 5 Pa at 95, 210 and 390, in a noise of 0.02 Pa."""
    at = np.arange(400.0)
    pressure = 800 + 0.02 * np.random.default_rng(1).standard_normal(400)
    for place in (95, 210, 390):
        pressure -= 5 / (1 + ((at - place) / 4) ** 2)
    pressure[150:155] = np.nan
    parts = [lowest_samples(pressure, 60, 15, 0.5, 4.0, slice(*part)) for part in pairwise(edges)]
    assert sum(parts, []) == [95, 210, 390]


def test_in_the_turbulent_air_of_twenty_hours_nearly_all_are_found_and_nearly_nothing_else():
    """Five stays of four hours with 18 devils each, told by the simulator; sensor noise 0.1 Pa."""
    n_found = n_false = 0
    for seed in range(5):
        time_s, draw = np.arange(14_400.0), chance.stream(seed, "weather")
        air = air_at(stay(11, 14_400), time_s, draw)
        pressure = air.pressure_pa + 0.1 * draw.standard_normal(len(time_s))
        dips = [fit_dip(pressure, low, 60, 2.0, 60.0) for low in lowest_samples(pressure, 60, 15, 0.5, 4.0)]
        away = np.abs(np.array([dip.lowest + dip.beside for dip in dips])[:, None] - air.devils.time_s)
        n_found += np.count_nonzero((away < 10).any(axis=0))
        n_false += np.count_nonzero((away > 60).all(axis=1))
    assert n_found >= 0.85 * 5 * 18
    assert n_false <= 1
