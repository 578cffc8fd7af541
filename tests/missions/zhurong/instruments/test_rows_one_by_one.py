"""Rows that come one by one become the same messages as those that come together, octet for octet."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.clock.onboard import OnboardClock
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, ByteBatch, PacketBatch
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.products.context import Context
from downlink_pipeline.products.suite import Suite
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

N_PACKETS = 160


@pytest.fixture(scope="module")
def mission():
    return load_mission("zhurong")


@pytest.fixture(scope="module")
def packets(mission, bundled):
    """The first packets of the bundled pass."""
    octets = np.fromfile(bundled / "clean.cadu", np.uint8, 1 << 20)
    return some(
        ProcessingChain(mission, "x", until="packets").process(ByteBatch.of(octets)).packets, slice(N_PACKETS)
    )


def some(packets, part, **other):
    parts = ("start", "length", "apid", "seq_count", "seq_flags", "scid", "vcid", "received_ns", "quality")
    return PacketBatch(packets.data, **{name: getattr(packets, name)[part] for name in parts} | other)


def told(mission, pieces, *, timed, window_s):
    """All messages of the pieces, without any instrument, so that every container is told as it is."""
    decoder = Decoder(mission.plan, mission.time_terms if timed else ())
    suite = Suite({}, {}, Context("m", "s", OnboardClock(0), None, window_s))
    products = [product for piece in pieces for product in suite.make_products(decoder.decode(piece))]
    messages = [product_message(product) for product in (*products, *suite.flush())]
    return sorted((message.topic, message.payload) for message in messages)


@pytest.mark.parametrize("received_every", [0, 1, 3])
@pytest.mark.parametrize("window_s", [0, 10])
@pytest.mark.parametrize("timed", [True, False])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, N_PACKETS - 1), max_size=8))
def test_any_split_of_packets_gives_the_same_messages(mission, packets, timed, window_s, received_every, cuts):
    """Received at no known time, each at its own, or three together."""
    place = np.arange(N_PACKETS)
    received_ns = 1_000_000 * (1 + place // received_every) if received_every else np.zeros(N_PACKETS, np.int64)
    whole = some(packets, slice(None), received_ns=received_ns)
    expected = told(mission, [whole], timed=timed, window_s=window_s)
    assert len({topic for topic, _ in expected}) >= 5
    for edges in (sorted({0, *cuts, N_PACKETS}), range(N_PACKETS + 1)):
        pieces = [some(whole, slice(start, stop)) for start, stop in pairwise(edges)]
        assert told(mission, pieces, timed=timed, window_s=window_s) == expected


@pytest.mark.parametrize("window_s", [0, 10])
@pytest.mark.parametrize("timed", [True, False])
def test_a_live_row_gives_the_message_that_it_gives_later(mission, packets, timed, window_s):
    whole = some(packets, slice(None), received_ns=1_000_000 * (1 + np.arange(N_PACKETS)))
    decoder = Decoder(mission.plan, mission.time_terms if timed else ())
    suite = Suite({}, {}, Context("m", "s", OnboardClock(0), None, window_s))
    products, n_rows = [], 0
    for i in range(N_PACKETS):
        batches = decoder.decode(some(whole, slice(i, i + 1)))
        products += suite.make_products(batches, complete=True)
        n_rows += sum(map(len, batches))
        assert len(products) == n_rows or (timed and window_s)
    messages = [product_message(product) for product in (*products, *suite.flush())]
    expected = told(mission, [whole], timed=timed, window_s=window_s)
    assert sorted((message.topic, message.payload) for message in messages) == expected


def test_a_live_row_does_not_overtake_an_open_group(suite, rows):
    one = suite(window_s=0)
    names = ("MYSTERY", "OTHER", "MYSTERY", "OTHER")
    first, second, third, fourth = (
        replace(rows(name, [0.0]), time_ns=np.array([NO_TIME]), received_ns=np.array([1 + i]))
        for i, name in enumerate(names)
    )
    assert [len(one.make_products([row], complete=True)) for row in (first, second)] == [1, 1]
    assert one.make_products([third]) == []
    assert len(one.make_products([fourth], complete=True)) == 2


def test_a_row_without_time_closes_the_window_that_is_open(suite, rows):
    one = suite(window_s=10.0)
    timed = replace(rows("MYSTERY", [5.0]), received_ns=np.array([2]))
    first, third = (replace(timed, time_ns=np.array([NO_TIME]), received_ns=np.array([ns])) for ns in (1, 3))
    found = [one.make_products([row], complete=True) for row in (first, timed, third)]
    assert [[product.time.onboard_ns[0] == NO_TIME for product in some] for some in found] == [
        [True],
        [],
        [False, True],
    ]


def test_a_parameter_may_have_the_name_that_the_times_of_rows_have(suite, rows):
    """It stands in their place, as it always has."""
    batch = rows("MYSTERY", [1.0], columns={"time_utc_ns": np.array([2.5]), "VALUE": np.array([7])})
    (product,) = [*suite().make_products([batch]), *(one := suite()).make_products([batch]), *one.flush()]
    assert list(product.arrays) == ["time_onboard_ns", "time_utc_ns", "VALUE"]
    assert product.arrays["time_utc_ns"].values.tolist() == [2.5]
    product_message(product)


def test_what_is_said_of_columns_is_made_once_for_each_of_many_containers(suite, rows):
    """However many there are: 1,500 kinds of packets in turn, each seen twice."""
    one = suite(window_s=0)
    batches = [replace(rows(f"KIND_{i}", [0.0]), time_ns=np.array([NO_TIME])) for i in range(1500)]
    first, second = (
        [
            product
            for i, batch in enumerate(batches)
            for product in one.make_products([replace(batch, received_ns=np.array([at + i]))], complete=True)
        ]
        for at in (1, 2000)
    )
    assert len(first) == len(second) == 1500
    assert all(a.arrays.metadata is b.arrays.metadata for a, b in zip(first, second, strict=True))
