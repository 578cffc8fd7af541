"""Describe the topics of a mission as an AsyncAPI 3.0 document.

In: a mission and its catalogue of products. Out: a JSON map. Payloads are described by JSON Schemas, msgpack payloads
by the schema of the unpacked map.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..messages import topics
from ..mission.loading import Mission
from ..processing.latest import MESSAGES_PER_SECOND, MESSAGES_PER_SECOND_MAX_SPEED, PER_SECOND
from ..system.software import release
from .catalogue import ArrayForm, ProductForm
from .topic_schemas import SCHEMAS, SEVERITIES

MSGPACK, JSON, OCTETS = "application/msgpack", "application/json", "application/octet-stream"
_PACKETS = "Each space packet as received, on request: `packets = true` in `[products]`, or `--packets`."
Map = dict[str, Any]

_RATES = (
    f"Newest values (`latest`) are sent at most {PER_SECOND:g} times a second each, and all those of a stream together "
    f"at most {MESSAGES_PER_SECOND:,} times a second; of a replay at maximum speed or a backlog "
    f"{MESSAGES_PER_SECOND_MAX_SPEED:,}. If there are more, the topics sent the longest time ago are sent first, so "
    "that all are sent equally often; the last value before the end of a pass is always sent. "
    "`downlink_latest_thinned` counts the values that newer ones replaced before they were sent; products hold all of "
    "them."
)
_STREAM = {
    "description": "Where the data come from: a station's name for a live link, else the name of a replay.",
    "examples": ["live", "demo"],
}
_APID = {"description": "Application process id of the packets, 0 to 2046.", "examples": ["100"]}
_SERVICE = {"description": "A running service.", "examples": ["ingest", "decode", "publish", "replay"]}


def document(mission: Mission, forms: Sequence[ProductForm]) -> Map:
    """The AsyncAPI document of a mission's topics. ConfigError if its name is no topic level."""
    topics.topic_root(mission.name, "live")
    channels = dict(_channels(mission, forms))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{mission.name} telemetry",
            "version": release(),
            "description": (
                f"Topics of mission {mission.name}. The same packets give the same product `id`: repeated messages can "
                "be recognized. Subscribers get the newest value of retained topics at once. `simulated` is true in "
                "products and newest values of simulated telemetry."
                f"\n\n{_RATES}"
            ),
        },
        "defaultContentType": JSON,
        "servers": {"broker": {"host": "localhost:1883", "protocol": "mqtt", "protocolVersion": "5.0"}},
        "channels": channels,
        "operations": {
            f"publish_{name}": {
                "action": "receive" if name == "control" else "send",
                "channel": {"$ref": f"#/channels/{name}"},
                "bindings": {"mqtt": {"qos": 1, "retain": channel.pop("x-retained")}},
            }
            for name, channel in channels.items()
        },
        "components": {"schemas": SCHEMAS},
    }


def _channels(mission: Mission, forms: Sequence[ProductForm]) -> Iterator[tuple[str, Map]]:
    root = f"{mission.name}/{{stream}}"
    for form in forms:
        text = f"Products `{form.instrument}/{form.product}`, level {form.level}: a msgpack map."
        yield _channel(f"{root}/product/{form.topic}", text, _product(form), MSGPACK, retained=False)
    for form in forms:
        for leaf, (kind, unit) in form.latest.items():
            address = f"{root}/latest/{topics.latest_prefix(form.instrument, form.product)}/{leaf}"
            text = f"Newest `{leaf}`{f' in {unit}' if unit not in ('', '1') else ''}, at most five a second."
            yield _channel(address, text, _latest(kind, unit), JSON, retained=True)
    for channel in _link_names(mission):
        yield _channel(
            f"{root}/link/{channel}", "Counters of a virtual channel.", _ref("Counters"), JSON, retained=True
        )
    for severity, text in SEVERITIES.items():
        yield _channel(f"{root}/event/{severity}", f"Events: {text}.", _ref("Event"), JSON, retained=False)
    yield _channel(
        f"{root}/packet/{{apid}}", _PACKETS, {"type": "string", "format": "binary"}, OCTETS, retained=False
    )
    yield _channel(f"{root}/packets", "Packets by APID, each second.", _ref("Packets"), JSON, retained=True)
    yield _channel(f"{root}/report", "The pass report at the end of a pass.", _ref("Report"), JSON, retained=True)
    yield _channel(f"{root}/progress", "Position of a replay.", _ref("Progress"), JSON, retained=True)
    yield _channel(f"{root}/control", "Commands to a replay.", _ref("Control"), JSON, retained=False)
    address = f"{mission.name}/status/{{service}}"
    yield _channel(address, "`online`, or `offline` by last will.", _ref("Status"), JSON, retained=True)


def _link_names(mission: Mission) -> list[str]:
    channels = [{"scid": c.spacecraft_id, "vcid": c.virtual_channel, "name": c.name} for c in mission.channels]
    messages = topics.link_messages(mission.name, "live", {"channels": channels})
    return [message.topic.rsplit("/", 1)[1] for message in messages]


def _channel(address: str, text: str, payload: Map, content_type: str, *, retained: bool) -> tuple[str, Map]:
    known = {"stream": _STREAM, "service": _SERVICE, "apid": _APID}
    parameters = {name: one for name, one in known.items() if f"{{{name}}}" in address}
    name = re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"^[^/]+/(\{stream\}/)?", "", address)).strip("_")
    return name, {
        "address": address,
        "description": text,
        "parameters": parameters,
        "messages": {"message": {"contentType": content_type, "payload": payload}},
        "x-retained": retained,
    }


def _product(form: ProductForm) -> Map:
    arrays = {name: _array(one) for name, one in form.arrays.items()}
    own = {"arrays": {"type": "object", "properties": arrays}, "level": {"const": form.level}}
    return {"allOf": [_ref("Product"), {"type": "object", "properties": own}]}


def _array(form: ArrayForm) -> Map:
    own: Map = {"unit": {"const": form.unit}, "dims": {"const": list(form.dims)}}
    if form.dtype:
        own["dtype"] = {"pattern": "^<U[0-9]+$"} if form.dtype.startswith("<U") else {"const": form.dtype}
    schema: Map = {"allOf": [_ref("Array"), {"type": "object", "properties": own}]}
    return schema | ({"description": form.description} if form.description else {})


def _latest(kind: str, unit: str) -> Map:
    own = {"value": {"type": [kind, "null"]}, "unit": {"const": unit}}
    return {"allOf": [_ref("Latest"), {"type": "object", "properties": own}]}


def _ref(name: str) -> Map:
    return {"$ref": f"#/components/schemas/{name}"}
