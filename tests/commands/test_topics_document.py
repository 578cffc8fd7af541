"""The AsyncAPI document of a mission, held against what a replay of another pass really publishes."""

import json
import re

import jsonschema
import msgpack
import pytest
from downlink_pipeline.commands import asyncapi
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.commands.topic_page import page
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.replay.control import read_command

JPSS = """
name = "jpss-1"
[link]
framing = "packets"
[dictionary]
xtce = "geolocation.xml"
"""


@pytest.fixture(scope="module")
def document(products):
    return asyncapi.document(load_mission("zhurong"), catalogue(load_mission("zhurong"), products))


def channels_of(document, topic):
    found = []
    for channel in document["channels"].values():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(channel["address"]))
        if re.fullmatch(pattern, topic):
            found.append(channel)
    return found


def readable(value):
    """What msgpack gives, in the terms of JSON: bytes are strings."""
    if isinstance(value, dict):
        return {key: readable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [readable(one) for one in value]
    return "" if isinstance(value, bytes) else value


def test_the_parser_of_asyncapi_has_nothing_against_it(document, node, tmp_path):
    file = tmp_path / "zhurong.json"
    file.write_text(json.dumps(document))
    told = node("asyncapi.mjs", file)
    assert [one for one in told["told"] if one[1] != "asyncapi-latest-version"] == []
    assert told["channels"] == len(document["channels"])


def test_the_parser_does_find_what_is_wrong(document, node, tmp_path):
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(document | {"operations": {"x": {"action": "shout"}}}))
    assert any(severity == 0 for severity, *_ in node("asyncapi.mjs", file)["told"])


def test_every_message_of_a_replay_has_one_channel_and_fits_its_schema(document, replayed):
    seen = set()
    for message in replayed:
        (channel,) = channels_of(document, message.topic)
        body = channel["messages"]["message"]
        assert body["contentType"] == message.content_type
        unpack = msgpack.unpackb if message.content_type == asyncapi.MSGPACK else json.loads
        schema = {**body["payload"], "components": document["components"]}
        if channel["address"] not in seen:  # a validator of one schema serves all messages of a kind
            seen.add(channel["address"])
            jsonschema.validate(readable(unpack(message.payload)), schema)
    assert {one.split("/")[2] for one in seen} >= {"product", "latest", "link", "event", "report", "progress"}


def test_every_array_of_a_product_is_described_with_its_unit(document, replayed):
    for message in replayed:
        if "/product/" not in message.topic:
            continue
        (channel,) = channels_of(document, message.topic)
        described = channel["messages"]["message"]["payload"]["allOf"][1]["properties"]["arrays"]["properties"]
        for name, array in msgpack.unpackb(message.payload)["arrays"].items():
            own = described[name]["allOf"][1]["properties"]
            assert own["unit"]["const"] == array["unit"], name
            assert own["dims"]["const"] == array["dims"], name


def test_a_retained_message_is_told_to_be_one(document, replayed):
    kept = {
        document["channels"][name]["address"]: one["bindings"]["mqtt"]["retain"]
        for name, one in ((key.removeprefix("publish_"), value) for key, value in document["operations"].items())
    }
    for message in replayed:
        (channel,) = channels_of(document, message.topic)
        assert kept[channel["address"]] == message.retain, message.topic


def test_without_a_pass_the_dictionary_tells_the_products(tmp_path, real_data):
    (tmp_path / "mission.toml").write_text(JPSS)
    (tmp_path / "geolocation.xml").write_bytes((real_data / "jpss-1" / "geolocation.xml").read_bytes())
    mission = load_mission(str(tmp_path))
    (form,) = catalogue(mission)
    assert form.instrument == "telemetry"
    assert form.arrays["ADGPSPOSX"].unit == "m"


def test_a_page_tells_each_topic_and_each_unit(document):
    text = page(document)
    assert "| `zhurong/{stream}/latest/weather/pressure_pa` | number | `Pa` |" in text
    assert "## `zhurong/{stream}/product/magnetometer/field`" in text
    for channel in document["channels"].values():
        assert channel["address"] in text


def test_the_page_in_the_docs_is_the_one_that_is_made(document):
    """`downlink topics zhurong replay_data/clean.cadu --format markdown --out docs/topics.md`."""
    from pathlib import Path  # noqa: PLC0415 - of this test alone

    assert (Path(__file__).parents[2] / "docs" / "topics.md").read_text() == page(document)


@pytest.mark.parametrize(
    "command",
    [
        {"command": "pause"},
        {"command": "speed", "speed": 10},
        {"command": "speed", "speed": "max"},
        {"command": "seek", "share": 0.25},
        {"command": "seek", "time": "2021-05-25T08:13:59Z"},
    ],
)
def test_a_replay_takes_the_commands_that_the_document_describes(document, command):
    jsonschema.validate(command, document["components"]["schemas"]["Control"])
    read_command(json.dumps(command).encode())


def test_a_name_that_is_no_topic_level_is_refused():
    with pytest.raises(ConfigError):
        topics.topic_root("a/b", "live")
