"""Messages between the three services under `<mission>/stage/`, as msgpack maps.

    offer, raw (Chunk)    ingest to decode: a pass to take on; its bytes, in order
    claim                 decode to ingest: this worker takes the run
    out (Output)          decode to publish and history: messages made of those bytes, in order
    done (Ack)            publish to ingest: published up to there; history to ingest: kept up to there
    lost (Nack)           to ingest: a message of the run is missing (negative acknowledgement): send it again
    hello (Restarted)     to ingest: publish has started and knows no run

The names of topics and keys stay as access lists and workers of earlier versions have them. A run is one try at a pass,
from its first byte on; `seq` counts its messages from 0. Input is checked here: a payload that is no such message is a
ValueError in one line. Flow control is in `dispatch`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from ..messages.unpacking import unpack_bounded
from ..model.batches import ByteBatch, Event, Message, Outgoing
from ..model.carrier import carrier

MAX_RAW_BYTES = 16 << 20
MAX_EVENTS = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~\-]{0,119}")
_MAX_TOPIC = 1024
_EVENT = ("severity", "kind", "text", "time_ns", "details")
_SEVERITIES = ("info", "warning", "error")
_MAX_DAMAGE = 4096


class RunId(NamedTuple):
    """A run: one try at one pass of one station."""

    station: str
    name: str
    run: str


@carrier
class Offer:
    """Ingest offers a run to the decode workers."""

    id: RunId


@carrier
class Claim:
    """A decode worker takes the offered run."""

    id: RunId
    worker: str


@carrier
class Chunk:
    """Bytes of a pass, `seq` counted from 0 within the run.

    `complete`: whole frames, each with a receive time of its own, and all that was received by now. `ended`: nothing
    follows. `events`: of the station, to be published with the products of the bytes.
    """

    id: RunId
    seq: int
    batch: ByteBatch
    ended: bool = False
    complete: bool = False
    events: tuple[Event, ...] = ()


@carrier
class Output:
    """Messages made of the run up to `n_bytes`; `seq` counts the run's Outputs. `received_ns`: of its newest byte.

    `refused`: why some output could not be sent to publish at all; empty where all were.
    """

    id: RunId
    seq: int
    n_bytes: int
    ended: bool
    received_ns: int
    messages: tuple[Outgoing, ...]
    refused: str = ""


@carrier
class Ack:
    """All of the run up to `n_bytes` is published. `refused`: why some of it is not; then the pass is not closed.

    `by`: the service that acknowledges: publish, or the history, which has the rows on disk.
    """

    id: RunId
    n_bytes: int
    ended: bool
    refused: str = ""
    by: str = "publish"


@carrier
class Nack:
    """A message of the run is missing: it has to begin again. `why`: the reason."""

    id: RunId
    why: str


@carrier
class Restarted:
    """`service`, publish or history, has started: what the broker took lately of publish may be lost."""

    service: str


@carrier
class Presence:
    """Whether publish is online, by its status topic (its last will included). Never sent as a stage message."""

    online: bool


StageMessage = Offer | Claim | Chunk | Output | Ack | Nack | Restarted | Presence
KINDS: dict[type, str] = {
    Offer: "offer",
    Claim: "claim",
    Chunk: "raw",
    Output: "out",
    Ack: "done",
    Nack: "lost",
    Restarted: "hello",
    Presence: "presence",
}


def stage_topic(mission: str, message: StageMessage, worker: str = "") -> str:
    """Topic of a stage message. `worker`: of messages for one decode worker."""
    kind = KINDS[type(message)]
    return f"{mission}/stage/{kind}/{worker}" if worker else f"{mission}/stage/{kind}"


def ids(message: Chunk | Output) -> dict[str, Any]:
    """Fields of log lines about a message: station, pass, run and number."""
    station, name, run = message.id
    return {"station": station, "pass_": name, "run": run, "batch": message.seq}


def pack(message: StageMessage) -> bytes:
    """Encode a stage message as its payload."""
    if isinstance(message, Presence):
        raise TypeError("presence has a topic of its own, status")
    fields: dict[str, Any] = {"kind": KINDS[type(message)]}
    if not isinstance(message, Restarted):
        fields |= {"station": message.id.station, "pass": message.id.name, "run": message.id.run}
    match message:
        case Chunk():
            fields |= {"seq": message.seq, "ended": message.ended, "settled": message.complete}
            fields["data"] = np.ascontiguousarray(message.batch.data).data
            fields |= {"mark_start": _times(message.batch.mark_start), "mark_ns": _times(message.batch.mark_ns)}
            fields["unordered"] = message.batch.unordered
            fields["events"] = [[getattr(one, name) for name in _EVENT] for one in message.events]
            fields |= _damage(message.batch)
        case Output():
            fields |= {"seq": message.seq, "n_bytes": message.n_bytes, "ended": message.ended}
            fields |= {"received_ns": message.received_ns, "messages": [_sent(one) for one in message.messages]}
            fields["refused"] = message.refused
        case Ack():
            fields |= {"n_bytes": message.n_bytes, "ended": message.ended, "refused": message.refused}
            fields["by"] = message.by
        case Claim():
            fields["worker"] = message.worker
        case Nack():
            fields["why"] = message.why
        case Restarted():
            fields["service"] = message.service
        case Offer():
            pass
    payload: bytes = msgpack.Packer(buf_size=_n_bytes(message) + 4096).pack(fields)
    return payload


def _damage(batch: ByteBatch) -> dict[str, Any]:
    """The fields of missing or damaged bytes before a chunk; empty where there are none."""
    if not batch.missing and not batch.damage:
        return {}
    return {"missing": batch.missing, "damage": batch.damage[:_MAX_DAMAGE]}


def _n_bytes(message: StageMessage) -> int:
    """Estimated size of the payload, so that its buffer is allocated once."""
    if isinstance(message, Chunk):
        return len(message.batch.data) + 16 * len(message.batch.mark_ns)
    return sum(len(one.message.payload) + 400 for one in message.messages) if isinstance(message, Output) else 0


def unpack(payload: bytes) -> StageMessage:
    """Decode a payload; ValueError in one line if it is no stage message. Arrays are views into the payload."""
    try:
        fields = unpack_bounded(payload)
        return _READERS[fields["kind"]](fields)
    except (KeyError, TypeError, ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"not a stage message: {type(error).__name__}: {str(error)[:120]}") from None


def _times(values: NDArray[np.int64]) -> dict[str, Any]:
    return {"dtype": "<i8", "shape": [len(values)], "data": values.astype("<i8").tobytes()}


def _sent(one: Outgoing) -> list[Any]:
    message = one.message
    return [message.topic, message.payload, message.qos, message.retain, message.content_type, one.key]


def _id(fields: Mapping[str, Any]) -> RunId:
    return RunId(_name(fields["station"]), _name(fields["pass"]), _name(fields["run"]))


def _name(value: Any) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError("a name has other characters, or too many")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError("a count is no integer from 0 on")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a flag is no boolean")
    return value


def _raw(fields: Mapping[str, Any]) -> Chunk:
    data = fields["data"]
    if not isinstance(data, bytes) or len(data) > MAX_RAW_BYTES:
        raise ValueError("its bytes are none, or too many")
    start, when_ns = _read_times(fields["mark_start"]), _read_times(fields["mark_ns"])
    if len(start) != len(when_ns) or (len(start) and (start[0] < 0 or start[-1] >= max(len(data), 1))):
        raise ValueError("its marks are not of its bytes")
    if (start[1:] <= start[:-1]).any() or (when_ns < 0).any():
        raise ValueError("its marks are not in order")
    unordered = _flag(fields.get("unordered", False))  # absent: of an ingest of an earlier version
    missing, damage = fields.get("missing", 0), fields.get("damage", "")
    if not isinstance(missing, int) or not -1 <= missing < 1 << 62 or not isinstance(damage, str):
        raise ValueError("what is missing before it is no number, or without words")
    octets = np.frombuffer(data, np.uint8)
    batch = ByteBatch(octets, start, when_ns, damage=damage[:_MAX_DAMAGE], missing=missing, unordered=unordered)
    return Chunk(
        _id(fields),
        _count(fields["seq"]),
        batch,
        _flag(fields["ended"]),
        _flag(fields["settled"]),
        _events(fields.get("events", [])),
    )


def _events(fields: Any) -> tuple[Event, ...]:
    if not isinstance(fields, list) or len(fields) > MAX_EVENTS:
        raise ValueError("its events are none, or too many")
    found = tuple(Event(**dict(zip(_EVENT, one, strict=True))) for one in fields)
    for one in found:
        texts = (one.severity, one.kind, one.text)
        if not all(isinstance(text, str) and len(text) < _MAX_TOPIC for text in texts):
            raise TypeError("an event is none")
        if one.severity not in _SEVERITIES or not isinstance(one.details, dict):
            raise TypeError("an event is none")
        _count(one.time_ns)
    return found


def _read_times(fields: Any) -> NDArray[np.int64]:
    if (
        fields["dtype"] != "<i8"
        or not isinstance(fields["data"], bytes)
        or fields["shape"] != [len(fields["data"]) // 8]
    ):
        raise ValueError("an array is not of int64")
    return np.frombuffer(fields["data"], "<i8").astype(np.int64)


def _out(fields: Mapping[str, Any]) -> Output:
    messages = tuple(_outgoing(one) for one in fields["messages"])
    return Output(
        _id(fields),
        _count(fields["seq"]),
        _count(fields["n_bytes"]),
        _flag(fields["ended"]),
        _count(fields["received_ns"]),
        messages,
        str(fields.get("refused", ""))[:200],
    )


def _outgoing(one: Any) -> Outgoing:
    topic, payload, qos, retain, content_type, key = one
    texts = (topic, content_type, key)
    if not all(isinstance(text, str) for text in texts) or not isinstance(payload, bytes) or qos not in (0, 1):
        raise TypeError("a message is none")
    levels = topic.split("/")
    if not 0 < len(topic) < _MAX_TOPIC or any(sign in topic for sign in "+#\0") or "stage" in levels[1:2]:
        raise ValueError("a topic is none to publish on")
    return Outgoing(Message(topic, payload, qos, _flag(retain), content_type[:100]), key[:400])


_READERS: dict[str, Callable[[Mapping[str, Any]], StageMessage]] = {
    "offer": lambda fields: Offer(_id(fields)),
    "claim": lambda fields: Claim(_id(fields), _name(fields["worker"])),
    "raw": _raw,
    "out": _out,
    "done": lambda fields: Ack(
        _id(fields),
        _count(fields["n_bytes"]),
        _flag(fields["ended"]),
        str(fields.get("refused", ""))[:200],
        _name(fields.get("by", "publish")),
    ),
    "lost": lambda fields: Nack(_id(fields), str(fields["why"])[:200]),
    "hello": lambda fields: Restarted(_name(fields["service"])),
}
