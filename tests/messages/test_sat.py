"""Two subsystems that both have a container HK with a TEMPERATURE: topics and limit events keep them apart.

The truth is read from the packets with `struct`: APID 10 is 6 header bytes, u32 seconds since 2020, i16 in 0.01 degC
(warning outside -10 to 40, critical outside -20 to 60), u8 mode (2 is FAULT, critical); APID 20 has an i16 in degC.
"""

import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.commands import asyncapi
from downlink_pipeline.commands import recordings as app
from downlink_pipeline.commands.catalogue import catalogue, latest_clashes
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass

HERE = Path(__file__).parent
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
LEVELS = ["normal", "warning", "critical"]


def packets():
    """(APID, seconds, body) of each, in order."""
    data, at = (HERE / "sat.packets").read_bytes(), 0
    while at < len(data):
        apid, _, length = struct.unpack_from(">HHH", data, at)
        end = at + 7 + length
        yield apid & 0x7FF, struct.unpack_from(">I", data, at + 6)[0], data[at + 10 : end]
        at = end


def iso(seconds):
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def crossings():
    """(time, parameter, level before, level, value, limit) of each change of the two alarms, as they happened."""
    temperature_level = mode_level = 0
    for apid, seconds, body in packets():
        if apid != 10:
            continue
        counts, mode = struct.unpack(">hB", body)
        value = counts / 100
        level = 2 if not -20 <= value <= 60 else 1 if not -10 <= value <= 40 else 0
        if level != temperature_level:
            worse = max(level, temperature_level)
            limit = {1: (-10, 40), 2: (-20, 60)}[worse][value > 0]
            yield iso(seconds), "TEMPERATURE", LEVELS[temperature_level], LEVELS[level], value, limit
            temperature_level = level
        level = 2 if mode == 2 else 0
        if level != mode_level:
            yield iso(seconds), "MODE", LEVELS[mode_level], LEVELS[level], ["OFF", "ON", "FAULT"][mode], "FAULT"
            mode_level = level


@pytest.fixture(scope="module")
def mission():
    return load_mission(str(HERE / "sat"))


@pytest.fixture(scope="module")
def outcomes(mission):
    line = ProcessingChain(mission, "live")
    return [*map(line.process, read_pass(HERE / "sat.packets")), line.flush()]


def test_equal_names_of_two_subsystems_have_topics_of_their_own(outcomes):
    told = {}
    for outcome in outcomes:
        for product in outcome.products:
            for message in topics.latest_messages(product):
                told[message.topic] = json.loads(message.payload)
    newest = {apid: body for apid, _, body in packets()}
    battery = told["sat/live/latest/telemetry/EPS.HK/TEMPERATURE"]
    computer = told["sat/live/latest/telemetry/OBC.HK/TEMPERATURE"]
    assert battery["value"] == pytest.approx(struct.unpack(">hB", newest[10])[0] / 100)
    assert computer["value"] == struct.unpack(">h", newest[20])[0]
    assert not [topic for topic in told if len(topic.split("/")) != 6]


def test_the_topics_in_the_document_are_those_that_are_published(mission, outcomes):
    products = [product for outcome in outcomes for product in outcome.products]
    published = {message.topic for product in products for message in topics.latest_messages(product)}
    channels = asyncapi.document(mission, catalogue(mission, products))["channels"].values()
    addresses = {one["address"].replace("{stream}", "live") for one in channels if "/latest/" in one["address"]}
    assert addresses == published


def test_a_limit_event_tells_when_what_and_which_limit_in_order_of_time(outcomes):
    events = [event for outcome in outcomes for event in outcome.events if event.kind == "limit"]
    told = [json.loads(topics.event_message("sat", "live", event).payload) for event in events]
    keys = ("parameter", "before", "level", "value", "limit")
    found = [(one["time"], *(one["details"][key] for key in keys)) for one in told]
    expected = list(crossings())
    assert len(expected) > 4
    assert [one[:4] for one in found] == [one[:4] for one in expected]
    for (*_, value, limit), (*_, true_value, true_limit) in zip(found, expected, strict=True):
        assert value == (true_value if isinstance(true_value, str) else pytest.approx(true_value))
        assert limit == true_limit
    assert {one["details"]["container"] for one in told} == {"EPS.HK"}
    assert {one["details"]["unit"] for one in told if one["details"]["parameter"] == "TEMPERATURE"} == {"degC"}


def test_check_names_parameters_that_share_a_topic(tmp_path):
    assert latest_clashes(load_mission(str(HERE / "sat"))) == []
    folder = tmp_path / "sat"
    folder.mkdir()
    (folder / "mission.toml").write_text((HERE / "sat" / "mission.toml").read_text())
    xtce = (HERE / "sat" / "sat.xml").read_text()
    (folder / "sat.xml").write_text(xtce.replace('"TEMPERATURE"', '"T#1"').replace('"MODE"', '"T+1"'))
    (clash,) = app.describe(load_mission(str(folder)))["clashes"]
    assert clash.startswith("latest/telemetry/EPS.HK/T_1 is shared by T#1 of ")
    assert "T+1 of " in clash


def test_the_books_of_a_value_tell_when_it_was_received(mission):
    line = ProcessingChain(mission, "live")
    data = np.frombuffer((HERE / "sat.packets").read_bytes(), np.uint8)
    received_ns = 1_700_000_000_123_456_789  # 2023-11-14T22:13:20.123Z
    batch = next(iter(read_pass(HERE / "sat.packets"))).of(data, received_ns)
    products = [*line.process(batch).products, *line.flush().products]
    told = json.loads(topics.latest_messages(products[-1])[0].payload)
    assert told["received"] == "2023-11-14T22:13:20.123Z"
