import json
from dataclasses import replace

import msgpack
import numpy as np
import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.model.batches import NO_TIME, Event, Product, Quality, Quantity, TimeRange
from downlink_pipeline.model.errors import ConfigError, RunError

UTC = (1_621_646_400_123_456_789, 1_621_646_402_500_000_000)  # 2021-05-22, the day Zhurong drove off its lander


def product(
    arrays=None,
    latest=(),
    quality=(0, 0),
    *,
    time=None,
    stream="live",
):
    field = Quantity(np.array([[1.5, 2.5, 3.5], [4.5, np.nan, -6.5]], ">f4"), "nT", "field", ("row", "axis"))
    return Product(
        id="live-magnetometer-1",
        mission="zhurong",
        stream=stream,
        instrument="magnetometer",
        product="field_local",
        level="2B",
        time=time or TimeRange((0, 2_000), UTC, (6, 6), (11.5, 23.9999999), (0.25, 12.0), (49.25, 49.5)),
        arrays={"field": field} if arrays is None else arrays,
        quality=np.array(quality, np.uint32),
        lineage={"apid": 17, "sequence": np.int64(4)},
        latest=latest,
    )


def latest(values, dims=("row",), quality=(0, 3)):
    messages = topics.latest_messages(product({"q": Quantity(values, "V", "", dims)}, ("q",), quality))
    return {message.topic.rsplit("/", 1)[1]: json.loads(message.payload) for message in messages}


def test_a_product_goes_to_the_topic_of_its_instrument_as_msgpack_at_qos_1():
    message = topics.product_message(product())
    assert message.topic == "zhurong/live/product/magnetometer/field_local"
    assert (message.qos, message.retain, message.content_type) == (1, False, "application/msgpack")


def test_a_product_payload_explains_itself():
    payload = msgpack.unpackb(topics.product_message(product()).payload)
    assert payload["arrays"]["field"] == {
        "dtype": "<f4",
        "shape": [2, 3],
        "data": np.array([1.5, 2.5, 3.5, 4.5, np.nan, -6.5], "<f4").tobytes(),
        "unit": "nT",
        "description": "field",
        "dims": ["row", "axis"],
    }
    assert payload["quality"] == {"dtype": "<u4", "shape": [2], "data": bytes(8)}
    assert payload["quality_bits"]["1"].startswith("CORRECTED: a frame")
    assert len(payload["quality_bits"]) == len(Quality)
    assert payload["lineage"] == {"apid": 17, "sequence": 4}
    assert payload["level"] == "2B"


def test_times_stand_on_every_clock_of_a_mission_with_a_site():
    time = msgpack.unpackb(topics.product_message(product()).payload)["time"]
    assert time == {
        "onboard_ns": [0, 2000],
        "utc": ["2021-05-22T01:20:00.123456789Z", "2021-05-22T01:20:02.500000000Z"],
        "sol": [6, 6],
        "lmst": ["11:30:00.000", "23:59:59.999"],
        "ltst": ["00:15:00.000", "12:00:00.000"],
        "ltst_sol": [6, 6],
        "ls_deg": [49.25, 49.5],
    }


def test_a_mission_without_a_site_has_no_mars_times():
    time = msgpack.unpackb(topics.product_message(product(time=TimeRange((0, 1), UTC))).payload)["time"]
    assert set(time) == {"onboard_ns", "utc"}


def test_a_time_that_is_not_known_is_null():
    time = TimeRange((0, 1), (NO_TIME, NO_TIME))
    assert msgpack.unpackb(topics.product_message(product(time=time)).payload)["time"]["utc"] == [None, None]


def test_equal_products_have_equal_payloads():
    assert topics.product_message(product()) == topics.product_message(product())


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=">i2").reshape(2, 3)[:, ::-1],
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array([True, False]),
        np.array([1 + 2j], np.complex64),
        np.array(["dark", "light"]),
        np.array([b"ab"]),
        np.array(1.5),
        np.empty((0, 5), np.float32),
        np.array(["2021-05-22"], "M8[ns]"),
    ],
)
def test_an_array_comes_back_as_it_was(values):
    payload = topics.product_message(product({"a": Quantity(values, "1", dims=())})).payload
    back = topics.unpack_product(payload)["arrays"]["a"]
    assert back["values"].tolist() == values.tolist()
    assert back["values"].shape == values.shape
    assert back["unit"] == "1"


def test_unpacking_gives_quality_as_an_array_and_keeps_the_rest():
    back = topics.unpack_product(topics.product_message(product(quality=(0, 9))).payload)
    assert back["quality"].tolist() == [0, 9]
    assert back["id"] == "live-magnetometer-1"
    assert "data" not in back["arrays"]["field"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x93\x01\x02\x03",
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 100_000,
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [3], "data": bytes(8)}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [-2], "data": bytes(8)}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "O", "shape": [1], "data": bytes(8)}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "no", "shape": [1], "data": bytes(8)}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [1] * 60, "data": bytes(4)}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [0, 2**62, 2**62], "data": b""}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [2], "data": "text"}, "arrays": {}}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [0], "data": b""}, "arrays": [1]}),
        msgpack.packb({"quality": {"dtype": "<u4", "shape": [0], "data": b""}, "arrays": {"a": 1}}),
    ],
)
def test_what_is_not_a_product_is_refused_in_one_line(payload):
    with pytest.raises(ValueError, match=r"^not a product message: [^\n]*$"):
        topics.unpack_product(payload)


def test_any_cut_of_a_product_message_is_refused():
    payload = topics.product_message(product()).payload
    for length in range(len(payload)):
        with pytest.raises(ValueError, match="not a product message"):
            topics.unpack_product(payload[:length])


def test_an_array_of_objects_is_refused_with_its_name():
    values = np.array([{}], object)
    with pytest.raises(ValueError, match="'a'"):
        topics.product_message(product({"a": Quantity(values, "")}))


def test_a_product_too_large_for_mqtt_is_refused_with_its_id(monkeypatch):
    monkeypatch.setattr(topics, "MAX_PAYLOAD_BYTES", 100)
    with pytest.raises(RunError, match=r"live-magnetometer-1 is .* bytes"):
        topics.product_message(product())


def test_the_latest_value_is_the_last_row_as_flat_json():
    assert latest(np.array([1.0, 2.25])) == {
        "q": {"time": "2021-05-22T01:20:02.500Z", "value": 2.25, "unit": "V", "quality": 3, "usable": True}
    }


@pytest.mark.parametrize("simulated", [True, False])
def test_a_message_says_whether_a_simulator_made_its_telemetry(simulated):
    one = product({"q": Quantity(np.array([1.0]), "V")}, ("q",))
    one = replace(one, lineage={**one.lineage, "simulated": simulated})
    told = topics.unpack_product(topics.product_message(one).payload)
    (message,) = topics.latest_messages(one)
    assert told["simulated"] is simulated
    assert told["lineage"]["simulated"] is simulated
    assert json.loads(message.payload).get("simulated", False) is simulated


def test_a_product_that_does_not_say_is_not_simulated():
    assert topics.unpack_product(topics.product_message(product()).payload)["simulated"] is False


def test_latest_messages_are_retained_json_on_the_instruments_topic():
    (message,) = topics.latest_messages(product({"Mast Angle": Quantity(np.array([7]), "deg")}, ("Mast Angle",)))
    assert message.topic == "zhurong/live/latest/magnetometer/Mast_Angle"
    assert (message.retain, message.content_type) == (True, "application/json")


def test_a_vector_of_three_has_a_topic_for_each_axis_and_nan_is_null():
    got = latest(np.array([[0, 0, 0], [4.5, np.nan, -6.5]]), ("row", "axis"))
    assert {name: entry["value"] for name, entry in got.items()} == {"q_x": 4.5, "q_y": None, "q_z": -6.5}


def test_another_vector_has_numbered_topics():
    assert {name: entry["value"] for name, entry in latest(np.array([[8, 9]])).items()} == {"q_0": 8, "q_1": 9}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.1], np.float32), 0.1),
        (np.array([np.inf]), None),
        (np.array([True]), True),
        (np.array([2**63], np.uint64), 2**63),
        (np.array(["cruise"]), "cruise"),
        (np.array([b"ok"]), "ok"),
        (np.array(["2021-05-22"], "M8[s]"), "2021-05-22T00:00:00.000000000Z"),
    ],
)
def test_a_latest_value_is_what_a_person_would_write(values, expected):
    assert latest(values)["q"]["value"] == expected


def test_an_array_without_rows_has_no_latest_value():
    assert latest(np.empty(0)) == {}


def test_an_array_that_has_no_row_axis_is_its_own_latest_value():
    assert latest(np.array([1.0, 2.0, 3.0]), ("axis",))["q_z"]["value"] == 3.0


def test_a_spectrum_is_no_latest_value():
    with pytest.raises(ValueError, match="5400 values"):
        latest(np.zeros((2, 5400)), ("row", "wavelength"))


def test_each_channel_of_the_report_has_its_counters_retained():
    report = {"channels": [{"scid": 245, "vcid": 5, "name": "Rover Relay", "frames": np.int64(7)}]}
    (message,) = topics.link_messages("zhurong", "live", report)
    assert message.topic == "zhurong/live/link/rover_relay"
    assert json.loads(message.payload) == {"scid": 245, "vcid": 5, "name": "Rover Relay", "frames": 7}
    assert message.retain


def test_channels_without_a_name_or_of_one_name_have_topics_of_their_own():
    channels = [
        {"scid": 1, "vcid": 2, "name": "a"},
        {"scid": 1, "vcid": 3, "name": "A"},
        {"scid": 1, "vcid": 4, "name": ""},
    ]
    names = [m.topic.rsplit("/", 1)[1] for m in topics.link_messages("m", "s", {"channels": channels})]
    assert names == ["a_1_2", "a_1_3", "1_4"]


def test_an_event_goes_to_the_topic_of_its_severity_and_is_not_retained():
    event = Event("warning", "gap", "3 frames lost", UTC[0], {"vcid": np.uint8(5), "rate": float("nan")})
    message = topics.event_message("zhurong", "live", event)
    assert (message.topic, message.retain) == ("zhurong/live/event/warning", False)
    assert json.loads(message.payload) == {
        "time": "2021-05-22T01:20:00.123Z",
        "severity": "warning",
        "kind": "gap",
        "text": "3 frames lost",
        "details": {"vcid": 5, "rate": None},
    }


def test_an_event_of_unknown_time_says_so():
    assert json.loads(topics.event_message("m", "s", Event("info", "k", "t")).payload)["time"] is None


def test_a_status_is_retained_below_the_mission():
    message = topics.status_message("zhurong", "replay", "offline")
    assert (message.topic, message.retain) == ("zhurong/status/replay", True)
    assert json.loads(message.payload) == {"service": "replay", "state": "offline"}


def test_the_report_is_retained_json():
    report = {"frames": {"read": np.int32(4)}, "sizes": np.array([1, 2]), "products": {17: 2.5}}
    message = topics.report_message("zhurong", "live", report)
    assert (message.topic, message.retain) == ("zhurong/live/report", True)
    assert json.loads(message.payload) == {"frames": {"read": 4}, "sizes": [1, 2], "products": {"17": 2.5}}


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("Rover Relay", "rover_relay"),
        ("a/b+c#d\0e", "a_b_c_d_e"),
        (" / ", "unnamed"),
        ("Wind\tSpeed\n", "wind_speed"),
        ("température", "température"),
    ],
)
def test_a_slug_is_one_topic_level(name, level):
    assert topics.slug(name) == level


@pytest.mark.parametrize("name", ["", "a/b", "+", "a#", "a\0", "two words", "$SYS", "x" * 300, "status", "stage"])
def test_a_stream_that_cannot_be_a_topic_level_is_refused(name):
    with pytest.raises(ConfigError, match="stream"):
        topics.product_message(product(stream=name))


def test_quantities_whose_names_differ_only_in_case_have_topics_of_their_own():
    one = Quantity(np.array([1]), "V")
    got = topics.latest_messages(product({"Vbus": one, "VBUS": one}, ("Vbus", "VBUS")))
    assert len({message.topic for message in got}) == 2
