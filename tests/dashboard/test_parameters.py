"""A mission that the page knows only by what comes: its parameters, packets and events, in bounded memory."""

import json

import numpy as np
import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.model.batches import NO_TIME, Event, Product, Quality, Quantity, TimeRange

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from downlink_pipeline.dashboard import parameters
from downlink_pipeline.dashboard.events_look import EventsLook
from downlink_pipeline.dashboard.packets_look import PacketsLook
from downlink_pipeline.dashboard.page import Page
from downlink_pipeline.dashboard.parameter_plot import runs
from downlink_pipeline.dashboard.parameters_look import ParametersLook, trend
from downlink_pipeline.dashboard.pass_look import PassLook
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.tabs import MadeTab
from downlink_pipeline.model.looks import Kept, Look

SECOND_NS = 1_000_000_000
START_NS = int(np.datetime64("2024-05-01T12:00:00", "ns").astype(np.int64))
UNITS = {"TEMP": "degC", "BUS": "V"}


def product(first, columns, kind="telemetry/HK", apid=10, quality=0, timed=True, container="/SAT/HK"):
    """Rows one second apart, the first `first` seconds after noon, received a minute later."""
    instrument, name = kind.split("/")
    n = len(next(iter(columns.values())))
    utc_ns = START_NS + (first + np.arange(n)) * SECOND_NS if timed else np.full(n, NO_TIME)
    quantities = {
        key: Quantity(values, UNITS.get(key, ""), f"about {key}", ("row", *map(str, range(1, values.ndim))))
        for key, values in {"time_utc_ns": utc_ns.astype(np.int64), **columns}.items()
    }
    lineage = {
        "apid": [apid], "container": container, "n_packets": n,
        "received_ns": [START_NS + (first + 60) * SECOND_NS] * 2,
    }  # fmt: skip
    span = TimeRange((0, 0), (int(utc_ns[0]), int(utc_ns[-1])))
    bits = np.full(n, quality, np.uint32)
    return Product(f"{kind}-{first}-{apid}", "sat", "live", instrument, name, "01", span, quantities, bits, lineage)


@pytest.fixture
def state():
    return State(unpack_product)


def feed(state, *products, now_s=100.0):
    for one in products:
        message = topics.product_message(one)
        state.receive(message.topic, message.payload, now_s)
    assert state.n_unread == 0
    return state.streams["sat/live"]


def columns(n=10, start=0):
    ramp = np.arange(start, start + n)
    return {"TEMP": ramp / 2, "COUNT": ramp.astype(np.uint16), "MODE": np.where(ramp < 6, "SAFE", "NOMINAL")}


def test_every_parameter_has_its_newest_value_unit_quality_and_times(state):
    stream = feed(state, product(0, columns(), quality=Quality.OUT_OF_RANGE))
    temp = stream.parameters.known["HK/TEMP"]
    assert (temp.value, temp.unit, temp.about, temp.arrival.quality) == ("4.5", "degC", "about TEMP", 16)
    assert (temp.arrival.onboard, temp.arrival.received) == ("2024-05-01 12:00:09.000", "2024-05-01 12:01:00.000")
    assert stream.parameters.known["HK/MODE"].value == "NOMINAL"


def test_rows_are_kept_in_order_of_onboard_time(state):
    stream = feed(state, product(10, columns(10, 10)), product(0, columns()))
    times, values, _, axis = stream.parameters.rows_of(stream.parameters.known["HK/TEMP"])
    assert axis == "onboard"
    assert ((times - START_NS) // SECOND_NS).tolist() == list(range(20))
    assert values.tolist() == (np.arange(20) / 2).tolist()


@pytest.mark.parametrize(("received", "axis"), [(True, "received"), (False, "number")])
def test_without_a_clock_rows_are_placed_by_reception_or_number_and_never_in_1970(state, received, axis):
    made = [product(first, columns(5, first), timed=False) for first in (0, 5)]
    if not received:
        for one in made:
            del one.lineage["received_ns"]
    stream = feed(state, *made)
    times, values, _, found = stream.parameters.rows_of(stream.parameters.known["HK/COUNT"])
    assert found == axis
    assert values.tolist() == list(range(10))
    expected = [START_NS + (60 + first) * SECOND_NS for first in [0] * 5 + [5] * 5] if received else list(range(10))
    assert times.tolist() == expected


def test_an_enumeration_is_runs_of_its_labels(state):
    stream = feed(state, product(0, columns()))
    mode = stream.parameters.known["HK/MODE"]
    _, codes, *_ = stream.parameters.rows_of(mode)
    first, last = runs(codes, np.empty(0, np.int64))
    assert [(mode.labels[int(codes[i])], i, j) for i, j in zip(first, last, strict=True)] == [
        ("SAFE", 0, 5), ("NOMINAL", 6, 9),
    ]  # fmt: skip
    split, _ = runs(codes, np.array([3]))
    assert split.tolist() == [0, 3, 6]


def test_arrays_keep_their_newest_row(state):
    spectra = np.arange(12.0).reshape(3, 4)
    stream = feed(state, product(0, {"S": spectra}, kind="any/spectrum"))
    one = stream.parameters.known["any/spectrum/S"]
    assert one.value == "array of 4"
    assert one.array.tolist() == [8, 9, 10, 11]


def retained(state, name="TEMP", value=3.0):
    payload = {"time": "2024-05-01T11:00:00.000Z", "value": value, "unit": "degC", "quality": 0, "usable": True}
    state.receive(f"sat/live/latest/telemetry/HK/{name}", json.dumps(payload).encode(), 5.0, retained=True)
    return state.streams["sat/live"]


def test_a_retained_value_stands_until_a_product_comes_and_is_not_heard_now(state):
    stream = retained(state)
    look = ParametersLook()
    look.refresh(stream, 6.0)
    assert stream.arrived_s == 0.0
    temp = stream.parameters.known["HK/TEMP"]
    assert (temp.value, temp.arrival.arrived_s, temp.arrival.onboard) == (
        "3.0" if temp.value == "3.0" else "3",
        0.0,
        "2024-05-01 11:00:00.000",
    )
    assert "retained</td>" in look._table.root.tags[0]
    feed(state, product(0, columns()))
    retained(state, value=1.0)
    assert temp.value == "4.5"


def test_10_000_parameters_fit_and_what_goes_beyond_is_counted(state, monkeypatch):
    assert parameters.MAX_PARAMETERS == 10_000
    monkeypatch.setattr(parameters, "MAX_PARAMETERS", 500)
    monkeypatch.setattr(parameters, "MAX_BYTES", 1 << 20)
    wide = {f"P{i:03}": np.arange(200.0) for i in range(503)}
    for first in range(0, 2000, 200):
        feed(state, product(first, wide))
    held = state.streams["sat/live"].parameters
    assert len(held.known) == 500
    assert held.n_left_out == 3
    assert held.n_bytes <= 1 << 20
    times, values, *_ = held.rows_of(held.known["HK/P000"])
    assert len(times) >= 32
    assert values[-1] == 199.0
    look = ParametersLook()
    look.refresh(state.streams["sat/live"], 101.0)
    assert look._table.root.tags[0].count("data-pick") == 100
    assert "3 more have no room" in look._panel._caption.root.tags[0]


def keys(look):
    return [part.split("'")[0] for part in look._table.root.tags[0].split("data-pick='")[1:]]


def test_a_search_is_by_name_container_and_unit(state):
    stream = feed(state, product(0, columns()), product(0, {"BUS": np.ones(3)}, kind="telemetry/POWER", apid=11))
    look = ParametersLook()
    look.refresh(stream, 101.0)
    for words, found in (("degc", ["HK/TEMP"]), ("power", ["POWER/BUS"]), ("hk co", ["HK/COUNT"]), ("none", [])):
        look.search.value_input = words
        assert keys(look) == found
    look.search.value_input = ""
    assert keys(look) == ["HK/TEMP", "HK/COUNT", "HK/MODE", "POWER/BUS"]


def test_what_comes_from_outside_is_no_html(state):
    stream = feed(state, product(0, {"<b>'x": np.array(["<img src=x>", "<i>"])}))
    look = ParametersLook()
    look.refresh(stream, 101.0)
    text = look._table.root.tags[0]
    assert not {"<b>'x", "<img", "<i>"} & {text[i : i + 5] for i in range(len(text))}
    assert "&lt;i&gt;" in text


def limit(level, severity):
    details = {"parameter": "TEMP", "container": "/HK", "level": level, "onboard_ns": 5, "received_ns": START_NS}
    return topics.event_message(
        "sat", "live", Event(severity, "limit", f"TEMP at {level}", START_NS - 5 * SECOND_NS, details)
    )


def test_an_alarm_stands_until_the_parameter_is_back(state):
    stream = feed(state, product(0, columns()))
    look = ParametersLook()
    for level, severity, shown in (("critical", "error", True), ("normal", "info", False)):
        message = limit(level, severity)
        state.receive(message.topic, message.payload, 101.0)
        look.refresh(stream, 102.0)
        assert ("▲ critical" in look._table.root.tags[0]) is shown


def test_a_trend_is_interrupted_where_a_value_is_not_finite():
    assert trend(np.array([1.0, 2.0, np.nan, 1.0, 2.0])).count("<polyline") == 2
    assert trend(np.array([1.0, np.nan])) == ""


def test_packets_are_counted_once_however_many_products_are_made_of_them(state):
    made = [product(first, columns(5, first)) for first in (0, 5)]
    made += [product(first, columns(5), kind="cam/raw", apid=20) for first in (0, 5)]
    made += [product(first, columns(5), kind="cam/image", apid=20) for first in (0, 5)]
    stream = feed(state, *made, made[0])
    look = PacketsLook()
    look.refresh(stream, 101.0)
    assert look.packets.data["apid"] == ["10", "20"]
    assert look.packets.data["name"] == ["/SAT/HK", "/SAT/HK"]
    assert look.packets.data["packets"] == [10, 10]
    assert look.packets.data["sequence_gaps"] == ["", ""]  # nobody has told
    counts = {"read": 20, "by_apid": {"10": 10, "20": 10}, "sequence_gaps": 7, "gaps_by_apid": {"20": 7}}
    state.receive("sat/live/packets", json.dumps(counts).encode(), 101.0)
    look.refresh(stream, 102.0)
    assert look.packets.data["sequence_gaps"] == [0, 7]  # also of packets that no product was made of
    assert look.packets.data["per_second"] == ["1.0", "1.0"]
    assert look.packets.data["last"] == ["2024-05-01 12:01:05"] * 2


REPORT = {
    "bytes": {"read": 1000, "skipped": 12},
    "frames": {"read": 9, "clean": 5, "corrected": 1, "uncorrectable": 1, "failed_check": 0, "other_channel": 2},
    "packets": {"read": 30, "by_apid": {"10": 25, "99": 5}, "sequence_gaps": 2, "truncated_packets": 3},
    "other_channels": [{"scid": 1, "vcid": 7, "frames": 2}],
    "channels": [],
}


def test_what_was_set_aside_has_its_count_and_reason(state):
    feed(state, product(0, columns()))
    state.receive("sat/live/report", json.dumps(REPORT).encode(), 101.0)
    look = PacketsLook()
    look.refresh(state.streams["sat/live"], 102.0)
    assert look.packets.data["packets"] == [25, 5]
    assert look.packets.data["name"] == ["/SAT/HK", "not decoded"]
    rows = list(zip(look.aside.data["what"], look.aside.data["count"], look.aside.data["why"], strict=True))
    assert [row[:2] for row in rows] == [
        ("bytes", 12),
        ("frames", 1),
        ("frames", 2),
        ("packets", 3),
        ("packets", 5),
    ]
    assert "channel that the mission file does not name" in rows[2][2]
    assert "APID 99" in rows[4][2]


def test_the_pass_has_the_whole_books_of_its_report(state):
    state.receive("sat/live/report", json.dumps(REPORT).encode(), 101.0)
    look = PassLook()
    look.refresh(state.streams["sat/live"], 102.0)
    found = dict(zip(look.books.data["what"], look.books.data["count"], strict=True))
    assert found["bytes: skipped"] == 12
    assert found["packets: sequence gaps"] == 2
    assert found["other channel 1/7: frames"] == 2
    assert "frames: failed check" not in found


def onboard(first, severity, text):
    rows = {"severity": np.array([severity]), "text": np.array([text])}
    return product(first, rows, kind="bus/event", apid=30)


def test_one_list_has_the_events_of_link_limits_instruments_and_spacecraft(state):
    stream = feed(state, onboard(0, "WARNING", "Wheel slip"), onboard(30, "INFO", "Drive ends"))
    for event in (
        Event("warning", "gap", "4 frames lost", START_NS + 10 * SECOND_NS, {"vcid": 1, "channel": "relay"}),
        Event("error", "storm", "a storm", START_NS + 20 * SECOND_NS),
    ):
        message = topics.event_message("sat", "live", event)
        state.receive(message.topic, message.payload, 101.0)
    message = limit("watch", "warning")
    state.receive(message.topic, message.payload, 101.0)
    look = EventsLook()
    look.refresh(stream, 102.0)
    assert look.events.data["source"] == ["/HK", "storm", "relay", "bus/event", "bus/event"]
    assert look.events.data["clock"] == ["onboard", "received", "received", "onboard", "onboard"]
    caption = look._table.panel._caption.root.tags[0]
    assert "1 error · 3 warning · 1 info · since <span class='date'>2024-05-01 </span>11:59:55" in caption
    for widget, value, texts in (
        (look.severity, "errors", ["a storm"]),
        (look.severity, "warnings and errors", ["TEMP at watch", "a storm", "4 frames lost", "Wheel slip"]),
        (look.source, "spacecraft", ["Wheel slip"]),
        (look.severity, "all severities", ["Drive ends", "Wheel slip"]),
        (look.source, "limits", ["TEMP at watch"]),
        (look.source, "link", ["4 frames lost"]),
        (look.source, "instruments", ["a storm"]),
    ):
        widget.value = value
        assert look.events.data["text"] == texts
    look.source.value, look.search.value_input = "all sources", "frames RELAY"
    assert look.events.data["text"] == ["4 frames lost"]
    look.search.value_input, look.order.value = "", "by onboard time"
    assert look.events.data["text"][:3] == ["Drive ends", "Wheel slip", "TEMP at watch"]


async def say(*_):
    """Nobody listens."""


def test_looks_whose_products_never_came_are_not_shown(state):
    stream = feed(state, product(0, columns()))
    document = Document()
    looks = [
        MadeTab(Look(title, rows={kind: Kept(10, ("x",))}), PassLook, "sat")
        for title, kind in (("Weather", "weather/sound"), ("Spectra", "libs/mean"))
    ]
    page = Page(document, state, say, looks=looks)
    tabs = document.get_model_by_name("looks")

    def shown():
        page.tick()
        return [tab.title for i, tab in enumerate(tabs.tabs) if i not in tabs.tags[0]]

    always = ["Parameters", "Packets", "Events"]
    assert shown() == ["Pass", *always]
    stream.n_products["weather/sound"] = 1
    assert shown() == ["Pass", "Weather", *always]
    tabs.active = 2  # a link leads there
    assert shown() == ["Pass", "Weather", "Spectra", *always]


def test_raw_counts_stand_in_the_row_of_their_parameter(state):
    raw = {"TEMP": np.array([20.0, 50.0]), "TEMP.raw": np.array([140, 200], np.uint16), "BUS": np.ones(2)}
    stream = feed(state, product(0, raw))
    look = ParametersLook()
    look.refresh(stream, 101.0)
    assert keys(look) == ["HK/TEMP", "HK/BUS"]
    assert "<td class=value>50</td><td class=value>200</td>" in look._table.root.tags[0]
    look.search.value_input = ".raw"
    assert keys(look) == ["HK/TEMP.raw"]


def test_without_a_clock_the_table_says_which_keys_to_write(state):
    stream = feed(state, product(0, columns(), timed=False))
    look = ParametersLook()
    look.refresh(stream, 101.0)
    assert "write [clock] epoch" in look._panel._caption.root.tags[0]
    feed(state, product(10, columns(10, 10)))
    look.refresh(stream, 102.0)
    assert "[clock]" not in look._panel._caption.root.tags[0]


def test_an_address_with_too_many_fields_changes_nothing(state):
    feed(state, product(0, columns()))
    document = Document()
    Page(document, state, say)
    goes_to, address = (document.get_model_by_name(name) for name in ("goes_to", "address"))
    before = address.value
    goes_to.value = "?" + "&".join("p=HK/TEMP" for _ in range(1000))
    assert (address.value, goes_to.value) == (before, "")
    goes_to.value = "?look=Parameters&p=HK/TEMP"
    assert address.value == "look=Parameters&p=HK%2FTEMP"
