"""What the page says of its data: how old they are, what is doubtful, where they are interrupted, what was found."""

import json
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.model.batches import DOUBTFUL, INFORMATION, Event, Quality

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from downlink_pipeline.dashboard.page import Page
from downlink_pipeline.dashboard.page_header import LATEST
from downlink_pipeline.dashboard.panels import corrected, flagged
from downlink_pipeline.dashboard.pass_look import PassLook
from downlink_pipeline.dashboard.selection import Asked
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.missions.zhurong.looks.field_look import FieldLook
from downlink_pipeline.missions.zhurong.looks.spectra_look import SpectraLook
from downlink_pipeline.missions.zhurong.rover.traverse_look import TraverseLook
from zhurong import LOOKS, SHOWN


@pytest.fixture
def state():
    return State(unpack_product, SHOWN)


def told(document, name):
    return document.get_model_by_name(name).tags[0]


async def say(*_):
    """Nobody listens."""


def opened(state, **asked):
    document = Document()
    return document, Page(document, state, say, Asked(**asked), looks=LOOKS)


def link(state, stream, frames, now_s, **how):
    payload = json.dumps({"scid": 1, "vcid": 2, "frames": frames, "last_received_ns": frames * 10**9}).encode()
    state.receive(f"m/{stream}/link/a", payload, now_s, **how)


def feed(state, products, now_s=1.0):
    for product in products:
        message = topics.product_message(product)
        state.receive(message.topic, message.payload, now_s)
    return state.streams[f"{products[0].mission}/{products[0].stream}"]


def kind(products, instrument, name):
    return [p for p in products if (p.instrument, p.product) == (instrument, name)]


def later(product, seconds):
    """The same rows, so many seconds later, under another id."""
    arrays = dict(product.arrays)
    for name in ("time_utc_ns", "time_onboard_ns"):
        arrays[name] = replace(arrays[name], values=arrays[name].values + int(seconds * 1e9))
    return replace(product, id=f"{product.id}-{seconds}", arrays=arrays)


def test_what_the_broker_retained_was_not_heard_now(state):
    link(state, "a", 5, 100.0, retained=True)
    assert state.streams["m/a"].arrived_s == 0.0
    document, page = opened(state)
    assert "retained by the broker" in told(document, "header")
    assert "last heard" not in told(document, "header")
    look = PassLook()
    look.refresh(state.streams["m/a"], 101.0)
    caption = look._link.panel._caption.root.tags[0]
    assert "retained by the broker" in caption
    assert "came" not in caption
    link(state, "a", 6, time.monotonic())
    page.tick()
    assert "last heard" in told(document, "header")


def test_a_page_that_follows_stays_with_a_stream_while_it_is_heard(state, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("downlink_pipeline.dashboard.page.time.monotonic", lambda: now[0])
    link(state, "a", 1, now[0])
    document, page = opened(state)
    seen = []
    for second in range(14):
        now[0] += 1.0
        link(state, "ab"[second % 2], second, now[0])
        page.tick()
        seen.append("<span>m/a</span>" in told(document, "header"))
    assert all(seen)
    for second in range(12):
        now[0] += 1.0
        link(state, "b", 100 + second, now[0])
        page.tick()
    assert "<span>m/b</span>" in told(document, "header")


def test_a_stream_from_which_more_is_expected_is_stale_after_ten_seconds_and_an_ended_one_never(state):
    link(state, "a", 1, time.monotonic())
    document, page = opened(state)
    assert "data-stale='10'" in told(document, "header")
    state.receive("m/a/report", json.dumps({"frames": {}, "channels": []}).encode(), time.monotonic())
    page.tick()
    assert "data-stale" not in told(document, "header")


def test_the_broker_is_lost_only_where_it_was_there(state):
    state.set_connection("waiting for mqtt://h: refused")
    document, page = opened(state)
    assert "no broker yet: waiting for mqtt://h: refused" in told(document, "header")
    for text, shown in (("connected to mqtt://h", "broker connected"), ("lost the connection", "broker lost")):
        state.set_connection(text)
        page.tick()
        assert shown in told(document, "header")


def test_the_header_has_a_clock_and_the_latest_onboard_time_with_its_sol(state, products):
    (last,) = feed_latest(state, kind(products, "weather", "meteorology")[:3])
    document, _ = opened(state)
    header = told(document, "header")
    assert abs(float(header.split("data-utc='")[1].split("'")[0]) - time.time()) < 60
    utc = str(np.datetime64(last.time.utc_ns[1], "ns").astype("M8[s]")).replace("T", " ")
    words = re.sub("<[^>]*>", "", header)
    assert f"onboard {utc} UTC · sol {last.time.sol[1]} · LTST " in words


def feed_latest(state, products):
    feed(state, products)
    return products[-1:]


def test_the_address_chooses_look_and_stream_and_a_stream_that_is_not_there_is_not_replaced(state):
    link(state, "a", 1, time.monotonic())
    document, _ = opened(state, look="Spectra", stream="m/other")
    assert document.get_model_by_name("looks").active == 3
    assert document.get_model_by_name("stream").value == "m/other"
    assert "<span>m/other</span> <span class='muted'>nothing heard" in told(document, "header")
    document, _ = opened(state, look="<b>", stream="")
    assert (document.get_model_by_name("looks").active, document.get_model_by_name("stream").value) == (0, LATEST)


def test_every_bit_of_quality_is_information_or_doubt():
    assert int(DOUBTFUL | INFORMATION) == sum(Quality)
    assert INFORMATION == Quality.CORRECTED | Quality.AFTER_GAP
    assert not DOUBTFUL & INFORMATION


def test_corrected_rows_are_counted_and_only_doubtful_ones_are_flagged():
    quality = np.array([0, 1, 1, 3, Quality.SATURATED | 1], np.int64)
    assert corrected(quality) == "4 of 5 corrected"
    assert flagged(quality) == "1 of 5 doubtful: saturated"
    assert flagged(quality[:4]) == ""


def test_only_doubtful_rows_are_marked_and_at_the_foot(state, products):
    [first, *_] = kind(products, "magnetometer", "field")
    quality = np.full_like(first.quality, Quality.CORRECTED)
    quality[3] = Quality.SATURATED
    stream = feed(state, [replace(first, quality=quality)])
    look = FieldLook()
    look.refresh(stream, 2.0)
    mark = np.asarray(look._fields["a"][1].source.data["mark"])
    assert np.flatnonzero(np.isfinite(mark)).tolist() == [3]
    assert 0 < mark[3] < 0.1
    caption = look._fields["a"][0]._caption.root.tags[0]
    assert f"1 of {len(quality)} doubtful: saturated" in caption
    assert f"{len(quality) - 1:,} of {len(quality)} corrected" in caption


def test_a_hole_of_three_minutes_interrupts_field_weather_and_path_and_is_a_band(state, products):
    parts = [kind(products, *name)[0] for name in (("magnetometer", "field"), ("weather", "meteorology"))]
    [path] = [p for p in kind(products, "rover", "navigation") if len(p.quality) > 4][:1]
    stream = feed(state, [*parts, path])
    look, traverse = FieldLook(), TraverseLook()
    for one in (look, traverse):
        one.refresh(stream, 2.0)  # the second half is streamed to it
    feed(state, [later(part, 180.0) for part in (*parts, path)])
    for one in (look, traverse):
        one.refresh(stream, 3.0)
    drawn = [(look._fields["a"][1], "z"), (look._weather_tail, "pressure_pa"), (traverse._tail, "up")]
    for (tail, column), part in zip(drawn, (*parts, path), strict=True):
        n_rows, data = len(part.quality), tail.source.data
        assert len(data["time"]) == 2 * n_rows + 1
        assert np.flatnonzero(data["gap"]).tolist() == [n_rows]
        assert np.isnan(data[column][n_rows])
        times = part.arrays["time_utc_ns"].values / 1e6
        for bands in tail.gaps:
            assert bands.data["left"].tolist() == [times[-1]]
            assert bands.data["right"].tolist() == [times[0] + 180_000]
        again = type(tail)(tail.source, tail._shown)  # a page that opens now
        again.follow(stream.products[f"{part.instrument}/{part.product}"])
        assert np.flatnonzero(tail.source.data["gap"]).tolist() == [n_rows]


def test_the_lines_marked_are_those_that_were_found_with_their_confidence(state, products):
    mean, lines = kind(products, "libs", "mean")[-1], kind(products, "libs", "lines")[-1]
    few = {
        name: replace(one, values=one.values[:6]) if one.dims[:1] == ("row",) else one
        for name, one in lines.arrays.items()
    }
    six = replace(lines, arrays=few, quality=lines.quality[:6])
    stream = feed(state, [mean, six])
    look = SpectraLook()
    look.refresh(stream, 2.0)
    drawn = look._libs.lines.data
    assert list(drawn["name"]) == six.arrays["species"].values.tolist()
    np.testing.assert_allclose(drawn["wavelength"], six.arrays["found_wavelength_nm"].values)
    np.testing.assert_allclose(drawn["confidence"], six.arrays["confidence"].values)
    assert "6 lines found" in look._libs.panel._caption.root.tags[0]


def test_a_spectrum_without_lines_has_no_marks(state, products):
    stream = feed(state, kind(products, "libs", "mean")[-1:])
    look = SpectraLook()
    look.refresh(stream, 2.0)
    assert list(look._libs.lines.data["name"]) == []
    assert "no line found" in look._libs.panel._caption.root.tags[0]


def test_names_in_brackets_and_angles_are_shown_as_they_are(state):
    state.receive(
        "m/a/link/x", json.dumps({"scid": 1, "vcid": 2, "name": "relay [x] <b>", "frames": 1}).encode(), 1.0
    )
    event = topics.event_message("m", "a", Event("warning", "gap", "relay [x] <b>: 1 lost"))
    state.receive(event.topic, event.payload, 1.0)
    look = PassLook()
    look.refresh(state.streams["m/a"], 2.0)
    assert "relay [x] &lt;b&gt;" in look._link._body.root.tags[0]
    rows = look._events._body.root.tags[0]
    assert "relay [x] &lt;b&gt;: 1 lost" in rows
    assert "<td class=when>unknown</td>" in rows


def test_events_say_of_which_clock_their_time_is(state):
    ns = 1_622_000_000_000_000_000
    limit = Event("warning", "limit", "hot", ns, {"onboard_ns": 5, "received_ns": ns + 60 * 10**9})
    dip = Event("info", "dust_devil", "dip", ns, {"onboard_ns": 5})
    for event in (Event("warning", "gap", "lost", ns), dip, limit):
        message = topics.event_message("m", "a", event)
        state.receive(message.topic, message.payload, 1.0)
    look = PassLook()
    look.refresh(state.streams["m/a"], 2.0)
    assert look.events.data["clock"] == ["onboard", "received", "received"]
    assert [at.endswith(" onboard") for at in look.events.data["at"]] == [True, False, False]
    assert look.events.data["time"] == [(ns + 60 * 10**9) / 1e6, ns / 1e6, ns / 1e6]
