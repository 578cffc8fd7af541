"""Topics and payloads: products, events and reports in, MQTT messages out. No I/O.

A product is a self-describing msgpack map: arrays are `{"dtype", "shape", "data", "unit", ...}` in little-endian C
order, beside times, quality bits and lineage. Messages for people and dashboards are flat JSON, where a number that is
not finite becomes null. Names become topic levels by `slug`; mission and stream are used unchanged and are therefore
checked. Nothing is dropped silently: what cannot be a message is an error.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from ..model.batches import DOUBTFUL, GENERIC_INSTRUMENT, Event, Message, Product, Quantity
from ..model.errors import ConfigError, RunError
from ..model.quantities import MAX_KNOWN
from .payloads import ARRAY_KINDS, plain, product_payload
from .time_texts import iso_utc, time_map
from .unpacking import unpack_bounded

MAX_PAYLOAD_BYTES = (64 << 20) - 140_000
"""Our clients read packets of 64 MiB at most; topic, properties and the stage message around it need a part."""

MAX_COMPONENTS = 16
"""Limit of components of a `latest` vector, each with a topic; longer ones are spectra, for products only."""

RESERVED_STREAMS = ("status", "stage")
"""Levels below the mission that are no streams."""

_MAX_DIMENSIONS, _MAX_LENGTH, _MAX_ITEM_BYTES = 8, 1 << 31, 1 << 16
_FORM = re.compile(r"[<>|=]?[a-zA-Z?][0-9]{0,7}(\[[0-9]{0,4}[a-zA-Z]{1,2}\])?")
"""A type string of NumPy for single values, not for structures."""
_AXES = {3: ("x", "y", "z")}
_NOT_IN_A_LEVEL = re.compile(r"[\x00-\x1f\x7f/+#\s\ud800-\udfff]+")
_NO_SIGN_OF_A_LEVEL = re.compile(r"[\x00-\x1f\x7f/+#\s\ud800-\udfff]")


def slug(name: str) -> str:
    """A name as one topic level: lower case, "_" for space, control characters, "/", "+", "#" and invalid UTF-8."""
    return _NOT_IN_A_LEVEL.sub("_", name.strip().lower()).strip("_") or "unnamed"


def level(name: str) -> str:
    """A name as one topic level, unchanged except that each character with a meaning in topics becomes "_"."""
    return _NO_SIGN_OF_A_LEVEL.sub("_", name) or "unnamed"


def topic_root(mission: str, stream: str) -> str:
    """`<mission>/<stream>`; ConfigError where either cannot be a topic level."""
    if stream in RESERVED_STREAMS:
        raise ConfigError(f"the stream cannot be called {stream!r}: that topic has another use")
    return f"{_level(mission, 'mission')}/{_level(stream, 'stream')}"


def product_message(product: Product) -> Message:
    """Message of a whole product. RunError where it is larger than MAX_PAYLOAD_BYTES."""
    payload = product_payload(_front(product), product)
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RunError(
            f"product {product.id} is {len(payload)} bytes, more than a message carries "
            f"({MAX_PAYLOAD_BYTES}): its batches must be smaller"
        )
    return Message(_topic_of(product), payload)


def _topic_of(product: Product) -> str:
    return _product_topic(product.mission, product.stream, product.instrument, product.product)


@lru_cache(MAX_KNOWN)
def _product_topic(mission: str, stream: str, instrument: str, product: str) -> str:
    return f"{topic_root(mission, stream)}/product/{slug(instrument)}/{level(product)}"


def latest_prefix(instrument: str, product: str) -> str:
    """The levels between `latest/` and the quantity: the instrument, and for parameters of a dictionary the container.

    The container's name is that of its product: its path below the root, so that equal names in two subsystems differ.
    """
    first = slug(instrument)
    return f"{first}/{level(product)}" if instrument == GENERIC_INSTRUMENT else first


def latest_messages(product: Product, names: Iterable[str] | None = None) -> list[Message]:
    """The last row of each array in `names` (`product.latest` by default), retained, for readers without msgpack.

    `time` is the UTC of that row (null where it is not known), `received` its Earth receive time (only where that is
    known); `simulated` is true, and only there, where a simulator made it. A vector is a topic for each component, as
    Grafana reads no lists: `<name>_x`, `_y`, `_z` where there are three, else `<name>_0` and so on. An array without
    rows gives no message.
    """
    prefix = latest_prefix(product.instrument, product.product)
    root = f"{topic_root(product.mission, product.stream)}/latest/{prefix}"
    time = iso_utc(product.time.utc_ns[1], "ms")
    received_ns = product.lineage.get("received_ns")
    more: dict[str, Any] = {"received": iso_utc(received_ns[1], "ms")} if received_ns else {}
    more |= {"simulated": True} if product.lineage.get("simulated") else {}
    quality = int(product.quality[-1]) if len(product.quality) else 0
    is_usable = not quality & DOUBTFUL
    about = _topic_of(product)
    messages = []
    for name in product.latest if names is None else names:
        quantity = product.arrays[name]
        for topic, value in _last_values(name, quantity):
            payload = {
                "time": time,
                "value": value,
                "unit": quantity.unit,
                "quality": quality,
                "usable": is_usable,
                **more,
            }
            messages.append(_json_message(f"{root}/{level(topic)}", payload, retain=True, about=about))
    return messages


def packet_message(mission: str, stream: str, apid: int, octets: bytes) -> Message:
    """A whole space packet, with its header."""
    return Message(f"{topic_root(mission, stream)}/packet/{apid}", octets, content_type="application/octet-stream")


def link_messages(mission: str, stream: str, report: Mapping[str, Any]) -> list[Message]:
    """The counters of each channel of a pass report, retained; equal names are distinguished by scid and vcid."""
    root = f"{topic_root(mission, stream)}/link"
    channels = list(report.get("channels", ()))
    names = [slug(channel.get("name") or f"{channel['scid']}_{channel['vcid']}") for channel in channels]
    n_same = Counter(names)
    return [
        _json_message(f"{root}/{_unlike(name, channel, n_same)}", dict(channel), retain=True)
        for name, channel in zip(names, channels, strict=True)
    ]


def packets_message(mission: str, stream: str, report: Mapping[str, Any]) -> Message:
    """The packets of a pass report, retained: counts by APID, and by reason those that were not decoded."""
    counts = dict(report.get("packets", {})) | {"set_aside": dict(report.get("records", {}).get("set_aside", {}))}
    return _json_message(f"{topic_root(mission, stream)}/packets", counts, retain=True)


def event_message(mission: str, stream: str, event: Event) -> Message:
    """An event as JSON; its time is null where the receive time is not known."""
    payload = {
        "time": iso_utc(event.time_ns, "ms") if event.time_ns else None,
        "severity": event.severity,
        "kind": event.kind,
        "text": event.text,
        "details": dict(event.details),
    }
    return _json_message(f"{topic_root(mission, stream)}/event/{slug(event.severity)}", payload)


def status_message(mission: str, service: str, state: str) -> Message:
    """State of a service ("online", "offline", ...), retained. Without a time, so that it can be a last will."""
    topic = f"{_level(mission, 'mission')}/status/{slug(service)}"
    return _json_message(topic, {"service": service, "state": state}, retain=True)


def report_message(mission: str, stream: str, report: Mapping[str, Any]) -> Message:
    """The pass report, retained."""
    return _json_message(f"{topic_root(mission, stream)}/report", dict(report), retain=True)


def progress_message(mission: str, stream: str, progress: Mapping[str, Any]) -> Message:
    """Progress of a replay, retained."""
    return _json_message(f"{topic_root(mission, stream)}/progress", dict(progress), retain=True)


def control_topic(mission: str, stream: str) -> str:
    """Topic on which a replay of a stream takes commands."""
    return f"{topic_root(mission, stream)}/control"


def control_message(mission: str, stream: str, command: Mapping[str, Any]) -> Message:
    """A command to a running replay; not retained."""
    return _json_message(control_topic(mission, stream), dict(command))


def unpack_product(payload: bytes) -> dict[str, Any]:
    """The map of a product message, its arrays as NumPy arrays under "values" (and "quality" as one itself).

    For what comes from outside: the arrays are views into `payload`, so nothing larger than it is made, and what is
    not a product message is a ValueError in one line.
    """
    try:
        product = unpack_bounded(payload)
        fields = product["quality"]
        quality = _array(fields["dtype"], fields["shape"], fields["data"])
        arrays = _with_values(product["arrays"])
    except (KeyError, TypeError, AttributeError, ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"not a product message: {type(error).__name__}: {str(error)[:200]}") from None
    return {**product, "arrays": arrays, "quality": quality}


def _front(product: Product) -> dict[str, Any]:
    """The keys before the arrays."""
    return {
        "id": product.id,
        "mission": product.mission,
        "stream": product.stream,
        "instrument": product.instrument,
        "product": product.product,
        "level": product.level,
        "simulated": bool(product.lineage.get("simulated", False)),
        "time": time_map(product.time),
    }


def _with_values(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The entries of arrays with the array under "values", in place of "dtype", "shape" and "data"."""
    for entry in entries.values():
        entry["values"] = _array(entry.pop("dtype"), entry.pop("shape"), entry.pop("data"))
    return entries


def _array(form: str, shape: list[int], data: bytes) -> NDArray[Any]:
    """An array as a view of the bytes; ValueError where type, shape and size contradict each other."""
    dtype = _readable(form)
    if len(shape) == 1 and shape[0] * dtype.itemsize == len(data) > 0:
        return np.frombuffer(data, dtype)
    if not isinstance(shape, list) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError("an array of no shape that is read")
    if any(type(n) is not int or not 0 <= n <= _MAX_LENGTH for n in shape):
        raise ValueError(f"an array of shape {shape} is not read")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{len(data)} bytes are not {shape} values of {dtype}")
    return np.frombuffer(data, dtype).reshape(shape)


@lru_cache(256)
def _readable(form: str) -> np.dtype[Any]:
    if not isinstance(form, str) or not _FORM.fullmatch(form):
        raise ValueError("an array of a type that is not read")
    dtype = np.dtype(form)
    if dtype.kind not in ARRAY_KINDS or not 0 < dtype.itemsize <= _MAX_ITEM_BYTES:
        raise ValueError(f"an array of type {dtype} is not read")
    return dtype


def _last_values(name: str, quantity: Quantity) -> Iterator[tuple[str, Any]]:
    values = quantity.values
    has_rows = values.ndim > 0 and quantity.dims[:1] == ("row",)
    if has_rows and not len(values):
        return
    last = np.asarray(values[-1] if has_rows else values)
    if last.ndim > 1 or last.size > MAX_COMPONENTS:
        raise ValueError(f"{name!r} has {last.size} values a row: too many for topics of their own")
    if not last.ndim:
        yield name, _json_value(last[()])
        return
    yield from zip(component_names(name, len(last)), map(_json_value, last), strict=True)


def component_names(name: str, n: int) -> list[str]:
    """Last levels of the topics of a vector of n components: `<name>_x`, `_y`, `_z` of three, else `<name>_0` ..."""
    return [f"{name}_{axis}" for axis in _AXES.get(n, tuple(map(str, range(n))))]


def _json_value(value: Any) -> Any:
    """A NumPy scalar for JSON: None if it is not finite; a float32 with as many digits as it needs."""
    if isinstance(value, np.floating):
        return float(str(value)) if np.isfinite(value) else None
    if isinstance(value, np.datetime64):
        return iso_utc(int(value.astype("M8[ns]").astype(np.int64)))
    if isinstance(value, np.bytes_):
        return value.decode("ascii", "replace")
    return plain(value)


def _json_message(topic: str, payload: Mapping[str, Any], *, retain: bool = False, about: str = "") -> Message:
    try:
        text = _JSON.encode(payload)
    except (ValueError, TypeError):  # a float that is not finite, or a key that is no text
        text = _JSON.encode(_finite(payload))
    return Message(topic, text.encode(), qos=1, retain=retain, content_type="application/json", about=about)


def _finite(value: Any) -> Any:
    """The same with None for each float that is not finite."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_finite(item) for item in value.tolist()]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


_JSON = json.JSONEncoder(default=plain, ensure_ascii=False, allow_nan=False)


def _unlike(name: str, channel: Mapping[str, Any], n_same: Mapping[str, int]) -> str:
    return name if n_same[name] == 1 else f"{name}_{channel['scid']}_{channel['vcid']}"


def _level(name: str, what: str) -> str:
    if not name or name.startswith("$") or _NOT_IN_A_LEVEL.search(name) or len(name.encode()) > 255:
        raise ConfigError(
            f"the {what} cannot be called {name!r}: a topic level has no space, '/', '+' or '#', nor '$' in front"
        )
    return name
