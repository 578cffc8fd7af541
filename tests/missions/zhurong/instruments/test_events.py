"""What instruments tell an operator: an instrument made here hears of every VALUE that is above 5."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from downlink_pipeline.model.batches import Event
from downlink_pipeline.products.calibration import Calibration
from downlink_pipeline.products.draft import Draft
from downlink_pipeline.products.instrument import Instrument
from downlink_pipeline.products.kinds import ProductKind
from downlink_pipeline.products.rows import take
from downlink_pipeline.products.suite import Suite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

VALUE = ProductKind("alarming", "value", "01", {})


class Alarming(Instrument):
    containers: ClassVar = {"MYSTERY": frozenset({"VALUE"})}
    model = Calibration

    def drafts(self, rows):
        values = rows.columns["VALUE"]
        yield Draft(VALUE, rows, rows.time_ns, {}, rows.quality)
        for row in np.flatnonzero(values > 5):
            details = {"onboard_ns": int(rows.time_ns[row])}
            yield Event("warning", "above five", f"it is {values[row]:g}", int(rows.received_ns[row]), details)

    def end(self):
        yield Event("info", "over", "nothing more comes")


@pytest.fixture
def alarming(suite):
    context = suite("rover")._context
    return lambda: Suite({"alarming": Alarming}, {"alarming": {"version": "1"}}, context)


@pytest.fixture
def mystery(rows):
    return lambda values: rows("MYSTERY", np.arange(float(len(values))), columns={"VALUE": np.array(values)})


def test_an_event_names_its_instrument_and_comes_with_the_product_of_its_group(alarming, mystery):
    one = alarming()
    products = [*one.make_products([mystery([1, 9, *[1] * 9])])]
    (event,) = one.drain_events()
    assert [product.product for product in products] == ["value"]
    assert (event.severity, event.kind, event.text) == ("warning", "above five", "it is 9")
    assert event.details == {"instrument": "alarming", "onboard_ns": 1_000_000_000}


def test_an_event_is_told_once(alarming, mystery):
    one = alarming()
    one.make_products([mystery([9] * 11)])
    one.drain_events()
    assert one.drain_events() == ()


def test_at_the_end_an_instrument_tells_what_it_held(alarming):
    one = alarming()
    one.flush()
    assert [event.kind for event in one.drain_events()] == ["over"]


def test_a_group_of_noise_tells_sixteen_events(alarming, rows):
    one = alarming()
    one.make_products([rows("MYSTERY", np.linspace(0, 9, 400), columns={"VALUE": np.full(400, 9)})])
    one.make_products([rows("MYSTERY", [11.0], columns={"VALUE": np.array([0])})])
    assert len(one.drain_events()) == 16


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 60), max_size=8))
def test_any_split_into_batches_tells_the_same_events(alarming, mystery, cuts):
    whole = mystery(np.arange(60) * 7 % 11)
    expected = alarming()
    expected.make_products([whole])
    expected.flush()
    one, found = alarming(), []
    for start, stop in pairwise(sorted({0, *cuts, 60})):
        one.make_products([take(whole, slice(start, stop))])
        found += one.drain_events()
    one.flush()
    assert [*found, *one.drain_events()] == list(expected.drain_events())
