"""Correlation packets become pairs as they come and a correlation at the end; what is odd is flagged and told."""

import numpy as np
import pytest
from downlink_pipeline.clock.onboard import NO_CORRELATION, ClockSegment, OnboardClock
from downlink_pipeline.missions.zhurong.clock.clock import Clock
from downlink_pipeline.missions.zhurong.weather.weather import Weather
from downlink_pipeline.model.batches import Quality
from downlink_pipeline.products.context import Context
from downlink_pipeline.products.suite import Suite

EPOCH_NS = 1_451_577_600_000_000_000
START_S = 170_338_800
N = 40


def packets(rows, *, ahead_ms=0, late=(), light_s=0.004, partition=1, start_s=START_S):
    """A packet each 10 s of a clock that is `ahead_ms` of UTC; those in `late` are received 0.2 s late."""
    lock_ms = (start_s + 10 * np.arange(N)) * 1000 + 137 * np.arange(N) % 1000
    received_us = (lock_ms - ahead_ms) * 1000 + 4061 + np.isin(np.arange(N), late) * 200_000
    return rows(
        "TIME_CORRELATION",
        start_s + 10.0 * np.arange(N),
        columns={
            "LOCK_SECONDS": lock_ms // 1000,
            "LOCK_MILLISECONDS": lock_ms % 1000,
            "RECEIVED_SECONDS": received_us // 1_000_000,
            "RECEIVED_MICROSECONDS": received_us % 1_000_000,
            "LIGHT_TIME": light_s,
            "ELECTRONICS_DELAY": 61e-6,
            "CLOCK_PARTITION": partition,
            "CORRELATION_METHOD": "RELAY",
        },
    )


def correlated(ahead_ms):
    start_ns = START_S * 10**9
    start_utc_ns = EPOCH_NS + start_ns - ahead_ms * 10**6
    return OnboardClock(EPOCH_NS, (ClockSegment(start_ns, start_utc_ns, 1.0, 1, start_ns + 400 * 10**9, 300_000),))


@pytest.fixture
def run(suite):
    def feed(*batches):
        one = suite("clock")
        products = [*one.make_products(batches), *one.flush()]
        return products, one.drain_events()

    return feed


def test_a_clock_that_is_ahead_is_found_to_be_so(run, rows):
    products, _ = run(packets(rows, ahead_ms=425))
    [made] = [one for one in products if one.product == "correlation"]
    utc_ns = made.arrays["segment_utc_ns"].values - made.arrays["time_onboard_ns"].values - EPOCH_NS
    assert np.abs(utc_ns + 425_000_000).max() < 10_000
    assert made.arrays["n_pairs"].values.tolist() == [N]


def test_each_pair_says_how_far_it_is_from_the_correlation_in_use(products, rows):
    offset_s = products(packets(rows, ahead_ms=425), names=("clock",))["clock/pairs"].arrays["offset_s"].values
    np.testing.assert_allclose(offset_s, -0.425, atol=1e-5)


@pytest.mark.parametrize(("late", "severity"), [((3, 17), "info"), (tuple(range(3, N - 3, 5)), "warning")])
def test_late_pairs_are_outliers_and_many_of_them_a_warning(run, rows, late, severity):
    products, events = run(packets(rows, late=late))
    [made] = [one for one in products if one.product == "correlation"]
    assert made.arrays["n_outliers"].values.tolist() == [len(late)]
    assert [(one.severity, one.details["outliers"]) for one in events if one.kind == "clock"] == [
        (severity, len(late))
    ]


def test_a_light_time_that_cannot_be_is_flagged_and_not_used(run, rows):
    batch = packets(rows)
    batch.columns["LIGHT_TIME"][5] = 4000.0
    products, _ = run(batch)
    flagged = np.concatenate([one.quality for one in products if one.product == "pairs"])
    assert np.flatnonzero(flagged & Quality.OUT_OF_RANGE).tolist() == [5]
    [made] = [one for one in products if one.product == "correlation"]
    assert made.arrays["n_pairs"].values.tolist() == [N - 1]


def test_a_reset_of_the_clock_is_told(run, rows):
    second = packets(rows, ahead_ms=-START_S * 1000 - 500_000, partition=2, start_s=100)
    products, events = run(packets(rows), second)
    [made] = [one for one in products if one.product == "correlation"]
    assert made.arrays["partition"].values.tolist() == [1, 2]
    assert [one.kind for one in events].count("clock-reset") == 1


def test_pairs_that_all_contradict_each_other_are_counted_and_never_raise(run, rows):
    batch = packets(rows)
    batch.columns["RECEIVED_SECONDS"][:] = np.random.default_rng(1).integers(0, 2**32, N)
    products, events = run(batch)
    assert {one.product for one in products} <= {"pairs", "correlation"}
    assert [one.severity for one in events if one.kind == "clock"] == ["warning"]


def test_products_have_the_correlation_of_the_mission_and_no_other(suite, rows):
    """Though a new one is made of the same stream: what came before must not matter."""
    one = suite("clock", "weather")
    weather = rows("WEATHER", [START_S + 5.0, START_S + 395.0])
    made = [*one.make_products([packets(rows, ahead_ms=425), weather]), *one.flush()]
    [product, *_] = [one for one in made if one.instrument == "weather"]
    assert product.lineage["clock_correlation"] == NO_CORRELATION
    assert product.time.utc_ns[0] == EPOCH_NS + product.time.onboard_ns[0]


@pytest.fixture
def weather(rows, calibrations):
    def make(clock):
        one = Suite({"weather": Weather}, calibrations, Context("zhurong", "test", clock))
        return [*one.make_products([rows("WEATHER", [START_S + 5.0])]), *one.flush()][0]

    return make


def test_a_new_correlation_changes_times_and_lineage_but_not_the_id_of_a_product(weather):
    old, new = weather(OnboardClock(EPOCH_NS)), weather(correlated(425))
    assert old.id == new.id
    assert old.time.utc_ns[0] - new.time.utc_ns[0] == 425_000_000
    assert new.lineage["clock_correlation"] == correlated(425).correlation_id
    assert new.lineage["clock_sigma_s"] == pytest.approx(0.0003)


@pytest.mark.parametrize(("ahead_ms", "n"), [(425, 0), (430, 1)])
def test_a_correlation_in_use_that_no_longer_holds_is_told(ahead_ms, n, rows, calibrations):
    one = Suite({"clock": Clock}, calibrations, Context("zhurong", "test", correlated(425)))
    one.make_products([packets(rows, ahead_ms=ahead_ms)])
    one.flush()
    assert [event.kind for event in one.drain_events()].count("clock-correlation") == n
