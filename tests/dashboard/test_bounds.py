"""What the live page holds, computed in bytes, under messages as large and as many as a broker lets through."""

import json

import numpy as np
import pytest
from downlink_pipeline.dashboard.album import MAX_BYTES
from downlink_pipeline.dashboard.ring import MAX_RING_BYTES, Ring
from downlink_pipeline.dashboard.state import MAX_KEPT_BYTES, MAX_STREAMS, State
from downlink_pipeline.dashboard.stream import MAX_EVENTS
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.model.batches import Product, Quantity, TimeRange

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from downlink_pipeline.dashboard.admission import (
    AHEAD_S,
    BURST,
    MAX_HIDDEN_LOOKS,
    PAGES_PER_S,
    Admission,
    HiddenLooks,
)
from downlink_pipeline.dashboard.page import Page
from zhurong import LOOKS, SHOWN

KIND = "libs/shot"
N_CHANNELS = 16_384
"""The widest rows that a look knows."""


def shots(stream, number, n_rows):
    """Spectra of 16,384 channels: 5 MB with 20 of them."""
    time_ns = np.arange(number * 1000, number * 1000 + n_rows, dtype=np.int64) * 10**9
    span = TimeRange((int(time_ns[0]), int(time_ns[-1])), (int(time_ns[0]), int(time_ns[-1])))
    rows = np.full((n_rows, N_CHANNELS), float(number))
    arrays = {
        "time_utc_ns": Quantity(time_ns, "ns"),
        "net_counts": Quantity(rows, "1", "", ("row", "channel")),
        "wavelength_nm": Quantity(rows, "nm", "", ("row", "channel")),
        "point_id": Quantity(np.zeros(n_rows), ""),
        "shot": Quantity(np.zeros(n_rows), ""),
    }
    product = Product(
        f"{stream}-{number}", "m", stream, "libs", "shot", "2C", span, arrays, np.zeros(n_rows, np.uint32), {}
    )
    return topics.product_message(product)


def base_of(array):
    while array.base is not None:
        array = array.base
    return array


def test_250_large_messages_are_held_in_the_bytes_of_a_ring():
    state = State(unpack_product, SHOWN)
    for number in range(250):
        message = shots("live", number, 20)
        state.receive(message.topic, message.payload, float(number))
    assert state.n_unread == 0
    ring = state.streams["m/live"].products[KIND]
    assert 0 < ring.n_bytes <= MAX_RING_BYTES
    assert state.n_bytes <= MAX_KEPT_BYTES
    assert len(ring) == ring.capacity == MAX_RING_BYTES * 4 // 5 // (2 * N_CHANNELS * 8 + 5 * 8)
    assert ring.rows()["net_counts"][-1, 0] == 249.0


def test_of_many_large_streams_those_that_fit_are_held():
    state = State(unpack_product, SHOWN)
    for number in range(3):
        for stream in range(MAX_STREAMS + 5):
            message = shots(f"s{stream}", number, 40)
            state.receive(message.topic, message.payload, float(stream))
            assert state.n_bytes <= MAX_KEPT_BYTES
    assert f"m/s{MAX_STREAMS + 4}" in state.streams


def test_an_image_does_not_keep_its_message():
    picture = np.zeros((1, 600, 600, 3), np.uint8)
    time = np.zeros(1, np.int64)
    arrays = {
        "image": Quantity(picture, "", "", ("row", "line", "sample", "band")),
        "time_utc_ns": Quantity(time, "ns"),
    }
    span = TimeRange((0, 0), (0, 0))
    state = State(unpack_product, SHOWN)
    for number in range(40):
        product = Product(
            f"p{number}", "m", "live", "natecam", "image", "2C", span, arrays, np.zeros(1, np.uint32), {}
        )
        message = topics.product_message(product)
        state.receive(message.topic, message.payload, 1.0)
    album = state.streams["m/live"].images
    held = {id(base_of(one.pixels)): base_of(one.pixels).nbytes for one in album.pictures}
    assert state.n_unread == 0
    assert sum(held.values()) <= album.n_bytes <= MAX_BYTES


def test_the_rows_of_a_ring_never_take_more_than_its_bytes():
    ring = Ring(20_000)
    for first in range(0, 3000, 7):
        ring.append({"time_ns": np.arange(first, first + 7), "wide": np.zeros((7, 4096))}, 0.0)
        assert ring.n_bytes <= MAX_RING_BYTES
    assert ring.rows()["time_ns"][-1] == 3002


def test_a_few_wide_rows_take_little_more_than_their_bytes():
    ring = Ring(60)
    ring.append({"time_ns": np.arange(3), "wide": np.zeros((3, 5400))}, 0.0)
    assert ring.n_bytes <= 1.5 * 3 * (5400 + 1) * 8


def test_json_that_is_large_or_deep_leaves_bounded_objects():
    state = State(unpack_product, SHOWN)
    wide = {f"key {i}": "x" * 1000 for i in range(100)}
    for number in range(3 * MAX_EVENTS):
        event = {
            "time": None,
            "severity": "info",
            "kind": "k",
            "text": "y" * 50_000,
            "details": wide | {"n": number},
        }
        state.receive("m/live/event/info", json.dumps(event).encode(), 1.0)
    state.receive("m/live/report", json.dumps({"frames": {"read": 1, "nested": [[[0] * 1000]]}}).encode(), 1.0)
    state.receive("m/live/link/x", b'{"a": "' + b"x" * (1 << 20) + b'"}', 1.0)
    state.receive("m/" + "s" * 60_000 + "/link/x", b'{"frames": 1}', 1.0)
    stream = state.streams["m/live"]
    assert len(stream.events) == MAX_EVENTS
    assert max(len(str(event)) for event in stream.events) < 13_000
    assert stream.report["frames"] == {"read": 1}
    assert state.n_unread == 2
    assert list(state.streams) == ["m/live"]


def test_texts_from_messages_carry_no_control_characters_onto_the_page():
    state = State(unpack_product, SHOWN)
    event = {
        "time": None,
        "severity": "info",
        "kind": "k",
        "text": "a\x1b[2J\u202e\ud800",
        "details": {"b\x00": "\x07"},
    }
    state.receive("m/li\x1bve/event/info", json.dumps(event).encode(), 1.0)
    ((name, stream),) = state.streams.items()
    assert name == r"m/li\x1bve"
    assert stream.events[0]["text"] == r"a\x1b[2J\u202e\ud800"
    assert stream.events[0][r"b\x00"] == r"\x07"


def n_opened(admission, n_asked=100):
    """How many of pages that are asked for at once are opened."""
    refusals = [admission.refusal(1000) or admission.opened() for _ in range(n_asked)]
    return refusals.count(None)


def test_pages_are_opened_at_a_bounded_rate():
    now = [0.0]
    admission = Admission(lambda: now[0])
    assert n_opened(admission) == BURST
    now[0] += 10
    assert n_opened(admission) == min(10 * PAGES_PER_S, BURST)
    assert admission.refusal(admission.n_pages).endswith("pages are open: close one")


async def say(*_):
    pass


def test_a_page_makes_a_look_when_it_is_first_seen():
    document = Document()
    page = Page(document, State(unpack_product, SHOWN), say, looks=LOOKS)
    assert list(page.looks.made) == [0]
    n_models = len(list(document.models))
    page.looks.root.active = 2
    page.tick()
    assert sorted(page.looks.made) == [0, 2]
    assert len(list(document.models)) > 2 * n_models


async def test_of_50_viewers_who_saw_every_look_a_bounded_number_of_looks_is_kept():
    now = [0.0]
    hidden = HiddenLooks(lambda: now[0])
    state = State(unpack_product, SHOWN)
    pages = [Page(Document(), state, say, hidden=hidden, looks=LOOKS) for _ in range(6)]
    for page in pages:
        for number in range(len(LOOKS) + 1):
            page.looks.root.active = number
            page.tick()
    for _ in range(3):
        now[0] += AHEAD_S
        for page in pages:
            await page._update()
    n_looks = sum(len(page.looks.made) for page in pages)
    assert n_looks <= len(pages) + MAX_HIDDEN_LOOKS
    assert len(hidden) <= MAX_HIDDEN_LOOKS
    pages[0].looks.root.active = 2  # one that was let go is there again
    pages[0].tick()
    assert pages[0].looks.places[2].children
    for page in pages:
        page.close()
    assert len(hidden) == 0
