"""The page's memory: what messages leave in it, and that it stays bounded."""

import asyncio
import json
import sys
from pathlib import Path

import msgpack
import numpy as np
import pytest
from downlink_pipeline.dashboard.album import MAX_BYTES, read_picture
from downlink_pipeline.dashboard.ring import Ring
from downlink_pipeline.dashboard.rows import product_rows
from downlink_pipeline.dashboard.state import MAX_STREAMS, State
from downlink_pipeline.dashboard.stream import MAX_EVENTS
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions.zhurong.gpr.drawn_radargram import radargram
from downlink_pipeline.replay.player import Player
from downlink_pipeline.replay.session import Replay

sys.path.insert(0, str(Path(__file__).parent))
import synthetic

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard.pass_look import PassLook
from downlink_pipeline.missions.zhurong.looks.spectra_look import spans
from downlink_pipeline.missions.zhurong.looks.wind_rose import shares
from zhurong import SHOWN


@pytest.fixture
def state():
    return State(unpack_product, SHOWN)


@pytest.fixture
def filled(state, messages):
    for message in messages:
        state.receive(message.topic, message.payload, 1.0)
    return state.streams["zhurong/clean"]


def rows(first, n):
    return {"time_ns": np.arange(first, first + n), "value": np.arange(first, first + n) * 2.0}


def test_a_ring_keeps_the_last_rows():
    ring = Ring(10)
    for first in range(0, 100, 7):
        ring.append(rows(first, 7), 0.0)
    assert ring.rows()["value"].tolist() == [2.0 * n for n in range(95, 105)]


def test_what_a_ring_handed_out_never_changes():
    ring = Ring(10)
    ring.append(rows(0, 8), 0.0)
    held = ring.rows()["value"]
    for first in range(8, 80, 8):
        ring.append(rows(first, 8), 0.0)
    ring.append(rows(0, 3), 0.0)
    assert held.tolist() == [2.0 * n for n in range(8)]


def test_late_rows_are_put_in_order_and_a_reader_reads_anew():
    ring = Ring(10)
    ring.append(rows(5, 3), 0.0)
    mark = ring.mark
    ring.append(rows(8, 1), 0.0)
    assert ring.n_since(mark) == 1
    ring.append(rows(2, 3), 0.0)
    assert ring.n_since(mark) is None
    assert ring.rows()["time_ns"].tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_a_reader_that_fell_behind_reads_anew():
    ring = Ring(10)
    ring.append(rows(0, 1), 0.0)
    mark = ring.mark
    ring.append(rows(1, 30), 0.0)
    assert ring.n_since(mark) is None


def test_field_rows_are_those_of_the_products(filled, products):
    sent = [
        p.arrays["field_a_enu_nt"].values
        for p in products
        if (p.instrument, p.product) == ("magnetometer", "field")
    ]
    np.testing.assert_array_equal(
        filled.products["magnetometer/field"].rows()["field_a_enu_nt"], np.concatenate(sent)
    )


def test_radar_traces_are_amplitudes_in_db(filled, products):
    first = next(p for p in products if p.product == "high_frequency")
    expected = 20 * np.log10(np.hypot(first.arrays["real"].values[0], first.arrays["imaginary"].values[0]))
    held = filled.products["gpr/high_frequency"].rows()["amplitude_db"][0]
    np.testing.assert_allclose(held, expected, atol=1e-3)


def test_distance_along_the_traces_grows_by_the_trigger_interval(filled):
    held = filled.products["gpr/high_frequency"].rows()["distance_m"]
    assert held[-1] / (len(held) - 1) == pytest.approx(0.054, rel=0.05)


def test_a_product_that_comes_twice_is_taken_once(state, messages):
    for _ in range(2):
        for message in messages[:40]:
            state.receive(message.topic, message.payload, 1.0)
    once = State(unpack_product, SHOWN)
    for message in messages[:40]:
        once.receive(message.topic, message.payload, 1.0)
    lengths = [{k: len(r) for k, r in s.streams["zhurong/clean"].products.items()} for s in (state, once)]
    assert lengths[0] == lengths[1]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("m/s/product/magnetometer/field", b"\x00"),
        ("m/s/product/magnetometer/field", b"\xff" * 100),
        ("m/s/link/a", b"[1]"),
        ("m/s/report", b"{"),
        ("m/s/event/info", b"null"),
        ("m/s", b""),
        ("m", b""),
        ("m/s/other/x", b"{}"),
    ],
)
def test_what_is_not_understood_is_counted(state, topic, payload):
    state.receive(topic, payload, 1.0)
    assert (state.n_unread, state.streams) == (1, {})


def test_events_and_streams_are_bounded(state):
    event = json.dumps({"time": None, "severity": "info", "kind": "gap", "text": "x", "details": {}}).encode()
    for n in range(MAX_STREAMS + 5):
        state.receive(f"m/s{n}/event/info", event, float(n))
    assert len(state.streams) == MAX_STREAMS
    assert "m/s0" not in state.streams
    for _ in range(MAX_EVENTS + 5):
        state.receive("m/s9/event/info", event, 100.0)
    assert len(state.streams["m/s9"].events) == MAX_EVENTS


PROGRESS = {"state": "playing", "bytes": 5, "total": 10, "time": "2021-05-25T08:14:00.123Z", "speed": 2.0,
            "behind_s": 0.5, "began": "a", "refused": "", "frames": {"read": 1}}  # fmt: skip


def tell_progress(memory, now_s, *, retained=False, **other):
    memory.receive("m/s/progress", json.dumps(PROGRESS | other).encode(), now_s, retained=retained)


def test_a_replay_is_there_while_it_says_so(state):
    tell_progress(state, 1.0, retained=True)
    assert state.streams["m/s"].replaying(1.0) is None
    tell_progress(state, 2.0)
    progress = state.streams["m/s"].replaying(3.0)
    assert (progress.share, progress.time, progress.speed) == (0.5, "2021-05-25 08:14:00", 2.0)
    assert state.streams["m/s"].replaying(10.0) is None


def test_what_is_held_of_a_replay_is_dropped_when_it_begins_anew(state, messages):
    for message in messages[:120]:
        state.receive(message.topic.replace("zhurong/clean", "m/s"), message.payload, 1.0)
    tell_progress(state, 2.0)
    n_held = len(state.streams["m/s"].products["rover/navigation"])
    tell_progress(state, 3.0, state="paused")
    assert len(state.streams["m/s"].products["rover/navigation"]) == n_held > 0
    tell_progress(state, 4.0, began="b")
    assert state.streams["m/s"].products == {}
    for message in messages[:120]:
        state.receive(message.topic.replace("zhurong/clean", "m/s"), message.payload, 5.0)
    assert len(state.streams["m/s"].products["rover/navigation"]) == n_held


@pytest.mark.parametrize(
    "wrong", [{"state": "gone"}, {"bytes": None}, {"speed": "fast"}, {"began": None, "total": "x"}]
)
def test_a_progress_that_makes_no_sense_is_counted(state, wrong):
    tell_progress(state, 1.0, **wrong)
    assert (state.n_unread, state.streams) == (1, {})


def test_the_lag_behind_the_link_is_from_reception_to_arrival(state):
    def link(frames, received_ns, utc_ns, **how):
        payload = json.dumps({"frames": frames, "last_received_ns": received_ns}).encode()
        state.receive("m/s/link/a", payload, 1.0, utc_ns=utc_ns, **how)

    link(5, 1_000_000_000, 9_000_000_000, retained=True)
    assert (state.streams["m/s"].lag_s, state.streams["m/s"].frames_arrived_s) == (None, 0.0)
    link(6, 10_000_000_000, 10_250_000_000)
    assert state.streams["m/s"].lag_s == 0.25
    link(6, 10_000_000_000, 20_000_000_000)
    assert state.streams["m/s"].lag_s == 0.25


def test_solar_time_goes_on_through_its_midnight(products):
    product = next(p for p in products if p.product == "meteorology")
    message = unpack_product(topics.product_message(product).payload)
    time = {"sol": [11, 12], "lmst": ["23:59:50.000", "00:00:10.000"], "ltst": ["23:55:00.000", "23:55:20.000"]}
    message["time"] |= time
    rows, _ = product_rows(message, SHOWN.rows["weather/meteorology"], {})
    assert rows["solar_ms"][[0, -1]].tolist() == [
        pytest.approx(11 * 86_400_000 + 86_100_000), pytest.approx(11 * 86_400_000 + 86_120_000)
    ]  # fmt: skip


def test_an_album_keeps_the_latest_of_each_and_as_many_others_as_it_has_room_for(state):
    n_large = MAX_BYTES // (640 * 480 * 4) + 10
    for i in range(n_large):
        message = topics.product_message(synthetic.mscam(480, i, lines=480, samples=640))
        state.receive(message.topic, message.payload, 1.0)
    small = topics.product_message(synthetic.mscam(525, 0.5))
    state.receive(small.topic, small.payload, 1.0)
    album = state.streams["zhurong/synthetic"].images
    assert set(album.latest) == {"MSCam 480 nm", "MSCam 525 nm"}
    assert sum(one.pixels.nbytes for one in album.pictures) <= MAX_BYTES
    assert state.n_unread == 0


def test_a_large_picture_is_shown_by_the_means_of_squares():
    message = unpack_product(topics.product_message(synthetic.mscam(480, 0, lines=1024, samples=1280)).payload)
    picture = read_picture("mscam/image", "MSCam", message)
    image = message["arrays"]["image"]["values"][0]
    assert (picture.factor, picture.pixels.shape, picture.shape) == (2, (512, 640), (1024, 1280))
    assert picture.pixels[10, 20] == pytest.approx(image[20:22, 40:42].mean(), rel=1e-6)


def test_spectrometers_are_told_apart_by_their_steps_gaps_and_overlaps():
    bent = np.concatenate([240 + 0.05 * np.arange(100), 245 + 0.1 * np.arange(100)])
    assert spans(bent) == ((240.0, pytest.approx(244.95)), (245.0, pytest.approx(254.9)))
    overlapping = np.concatenate([240 + 0.1 * np.arange(100), 249 + 0.1 * np.arange(100)])
    assert [first for first, _ in spans(overlapping)] == [240.0, 249.0]


def test_shares_of_the_wind_are_of_the_direction_it_comes_from():
    share, calm = shares(np.array([0.1, 3.0, 3.0, 9.0]), np.array([0.0, 359.0, 11.0, 90.0]))
    assert calm == 25.0
    assert (share[0].tolist(), share[4].tolist()) == ([0, 50, 0, 0, 0], [0, 0, 0, 25, 0])


def test_a_lost_broker_is_told_until_it_is_back(state):
    state.set_connection("connected to mqtt://h again")
    state.set_connection("lost the connection to mqtt://h: closed")
    assert not state.connected
    state.set_connection("connected to mqtt://h again")
    assert state.connected


def test_a_radargram_shows_a_gap_as_a_gap():
    traces = {"amplitude_db": np.arange(6, dtype=np.float32)[:, None] * np.ones((6, 4), np.float32)}
    x = np.array([0.0, 1.0, 2.0, 6.0, 7.0, 8.0])
    drawn = radargram(traces, np.arange(4.0), x, gain_db=0.0, level_traces=False)
    np.testing.assert_array_equal(drawn.image, np.tile([0, 1, 2, 2, np.nan, 3, 3, 4, 5], (4, 1)))
    assert (drawn.x_first, drawn.x_width) == (-0.5, 9.0)


def test_gain_is_added_from_the_first_bin_to_the_last():
    traces = {"amplitude_db": np.zeros((2, 5), np.float32)}
    drawn = radargram(traces, np.arange(5.0), np.array([0.0, 1.0]), gain_db=20.0, level_traces=False)
    assert drawn.image[:, 0].tolist() == [0, 5, 10, 15, 20]


@pytest.mark.parametrize("lost", ["", "/link/"])
def test_the_look_ends_with_the_counters_of_the_report(state, tmp_path, bundled, lost):
    """A broker with a full queue drops what it cannot hold for a page: the last counters of the channels too."""
    (tmp_path / "cut.cadu").write_bytes((bundled / "clean.cadu").read_bytes()[:2_000_000])
    sent = []

    async def publish(messages):
        sent.extend(messages)

    mission = load_mission("zhurong")
    replay = Replay(Player(mission, [tmp_path / "cut.cadu"], None), mission, "cut", publish)
    asyncio.run(replay.run(asyncio.Event(), lambda *_: None))
    first = [one for one in sent if "/link/" in one.topic][:2]
    for message in [*first, *(one for one in sent if not lost or lost not in one.topic)]:
        state.receive(message.topic, message.payload, 1.0)
    look = PassLook()
    look.refresh(state.streams["zhurong/cut"], 1.0)
    assert look.channels.data["truncated_packets"] == [1, 1]
    assert look.channels.data["frames"] == [one["frames"] for one in replay.report()["channels"]]


def test_the_descriptions_of_a_dictionary_stand_beside_its_products(state):
    quality = {"dtype": "<u2", "shape": [1], "data": b"\0\0"}
    array = {"dtype": "<f4", "shape": [1], "data": bytes(4), "unit": "degC", "dims": ["row"]}
    arrays = {"TEMP": array | {"description": "Battery <b>core</b>"}, "MODE": array}
    product = {"id": "1", "quality": quality, "arrays": arrays, "time": {}}
    state.receive("m/s/product/telemetry/EPS", msgpack.packb(product), 1.0)
    look = PassLook()
    look.refresh(state.streams["m/s"], 1.0)
    assert look.products.data["text"] == ["TEMP: Battery <b>core</b>"]
    shown = look._products._body.root.tags[0]
    assert "described in the dictionary" in shown
    assert "TEMP: Battery &lt;b&gt;core&lt;/b&gt;" in shown
