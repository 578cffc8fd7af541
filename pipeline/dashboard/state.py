"""Messages in; the latest of every stream out, in bounded memory. No I/O: who feeds it tells the time.

A replay that begins anew, because it is sought back or started again, is shown anew: what was held of it is dropped.

One `State` serves all open pages of a server. A message that is not what its topic says is counted and dropped, a
product that comes twice is taken once, and of more than `MAX_STREAMS` streams, or `MAX_HELD_BYTES` in all of them, the
one longest silent is forgotten. `State.n_bytes` is what is held, computed from the arrays and numbers of entries.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..messages.topics import iso_utc
from ..messages.topics import level as topic_level
from ..model.container_names import product_name
from ..model.printable import printable
from .album import Album, read_picture
from .packets import MAX_APIDS, PacketCounts
from .parameters import Parameters
from .progress import SILENT_S, Progress, read_progress
from .ring import Ring
from .rows import product_rows
from .tabs import Shown

MAX_STREAMS = 12
MAX_EVENTS = 500
MAX_CHANNELS = 64
MAX_KINDS = 256
MAX_DESCRIBED = 600
MAX_IDS = 8192
MAX_ALARMS = 2000
ONBOARD_KIND = "onboard"
"""Of events that the spacecraft reports itself: the Events look has them, beside the others."""
SEVERITIES = ("error", "warning", "info")
MAX_COUNTS = 2000
MAX_HELD_BYTES = 128 << 20
MAX_TOPIC, MAX_TEXT, MAX_EVENT_TEXT = 500, 80, 400
"""Characters of a topic, of a text and of the text of an event that are kept."""
MAX_ENTRIES, MAX_DETAILS = 40, 12
"""Entries of a JSON object, and of the details of an event, that are kept."""
MAX_JSON_BYTES = 256 << 10
_EVENT_BYTES, _COUNT_BYTES, _ID_BYTES, _OBJECT_BYTES = 13_000, 600, 150, 32_000
"""Upper bounds of what an event, a row of counts, an id, and the counters of a channel take as Python objects."""

UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError, MemoryError)
"""What comes from outside may be anything."""

NOTHING = Shown()
Unpack = Callable[[bytes], Mapping[str, Any]]


class Stream:
    """What is known of one `<mission>/<stream>`. `n_changes` grows with each message, so a reader sees news."""

    def __init__(self, name: str, shown: Shown = NOTHING) -> None:
        self.name = name
        self.shown = shown
        self.n_changes = 0
        self.arrived_s = 0.0
        """When anything of it was last published; 0 while nothing but what the broker retained is known."""
        self.progress: Progress | None = None
        self.progress_arrived_s = 0.0
        """When a replay last told how it stands; 0 while all that is known is what the broker kept."""
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a replay does."""
        self.n_changes += 1
        self.products: dict[str, Ring] = {}
        self.images = Album()
        self.parameters = Parameters()
        self.packets = PacketCounts()
        self.alarms: dict[str, tuple[str, str]] = {}
        """Of each parameter beyond its limits (`<container>/<name>`), the level of concern and its severity."""
        self.n_products: Counter[str] = Counter()
        self.described: dict[str, str] = {}
        """Of each kind of product, the arrays that the dictionary describes, with its words."""
        self.channels: dict[str, dict[str, Any]] = {}
        self.counts: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_COUNTS)
        """(channel, its counters) as they came, for what is drawn against time."""
        self.onboard: dict[str, Any] = {}
        """The latest onboard time of any product: `utc`, and `sol`, `ltst`, `ltst_sol` where it has them."""
        self.link_arrived_s = 0.0
        """When counters were last published, as for `report_arrived_s`; 0 while only retained ones are known."""
        self.frames_arrived_s = 0.0
        """When the frames of any channel last grew in number: 0 while nothing but what the broker kept is known."""
        self.lag_s: float | None = None
        """From the reception of the last frame to the coming of its count, by this computer's clock."""
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.event_arrived_s = 0.0
        self.report: dict[str, Any] = {}
        self.report_arrived_s = 0.0
        self._ids: dict[bytes, None] = {}

    @property
    def n_bytes(self) -> int:
        """Bytes held: of arrays exactly, of other objects at most."""
        small = (
            len(self.events) * _EVENT_BYTES
            + len(self.counts) * _COUNT_BYTES
            + len(self._ids) * _ID_BYTES
            + (len(self.channels) + 2) * _OBJECT_BYTES
        )
        small += self.parameters.n_bytes + self.packets.n_bytes
        return small + self.images.n_bytes + sum(ring.n_bytes for ring in self.products.values())

    def drop_largest(self) -> None:
        """Forget the rows of one kind: those that take most."""
        largest = max(self.products, key=lambda kind: self.products[kind].n_bytes, default="")
        self.products.pop(largest, None)

    @property
    def last_received_ns(self) -> int:
        """When the last frame was received; 0 where that is not known."""
        known = (one.get("last_received_ns") for one in self.channels.values())
        return max((one for one in known if isinstance(one, int)), default=0)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected: a replay that ended or waits, or a pass that was reported."""
        if self.progress:
            return self.progress.state != "playing"
        return bool(self.report) and self.report_arrived_s >= self.arrived_s

    def replaying(self, now_s: float) -> Progress | None:
        """How the replay stands that plays this stream now, if one does."""
        return self.progress if now_s - self.progress_arrived_s < SILENT_S and self.progress_arrived_s else None

    def is_new(self, product_id: str) -> bool:
        """Whether a product is one that was not seen; remembers it."""
        digest = hashlib.blake2b(product_id.encode(errors="surrogatepass"), digest_size=16).digest()
        if digest in self._ids:
            return False
        self._ids[digest] = None
        if len(self._ids) > MAX_IDS:
            del self._ids[next(iter(self._ids))]
        return True


class State:
    """The streams that were seen, and how it stands with the broker."""

    def __init__(self, unpack: Unpack, shown: Shown = NOTHING) -> None:
        """`shown`: kinds of product that are kept; of all others the number that came is."""
        self._shown = shown
        self.streams: dict[str, Stream] = {}
        self.services: dict[str, str] = {}
        self.n_unread = 0
        self.connected = self.was_connected = False
        self.broker_text = "not connected yet"
        self._unpack = unpack

    @property
    def n_bytes(self) -> int:
        """Bytes held of all streams."""
        return sum(stream.n_bytes for stream in self.streams.values())

    def tell(self, text: str) -> None:
        """Take what the subscriber tells of its connection: waiting for it, connected, lost, or connected again."""
        self.connected = text.startswith("connected")
        self.was_connected |= self.connected
        self.broker_text = printable(text)

    def feed(self, topic: str, payload: bytes, now_s: float, *, utc_ns: int = 0, retained: bool = False) -> None:
        """Take a message. `now_s`: when it came, on any steady clock; `utc_ns` the same as a date, where it is known.

        `retained`: the broker had kept it, so it may be old.
        """
        if not self.connected:
            self.tell("connected")
        try:
            if len(topic) > MAX_TOPIC:
                raise ValueError("a topic longer than any of ours")
            self._take(printable(topic).split("/"), payload, _Came(now_s, utc_ns, retained))
        except UNREADABLE:
            self.n_unread += 1

    def give_up(self, name: str) -> None:
        """What is held of a stream cannot be drawn: forget it, so that the next messages can be."""
        self.n_unread += 1
        if stream := self.streams.get(name):
            stream.forget()
            stream.progress = None

    def _take(self, levels: list[str], payload: bytes, came: _Came) -> None:
        if levels[1] == "status":
            if len(self.services) < MAX_KINDS or "/".join(levels) in self.services:
                self.services["/".join(levels)] = printable(str(_object(payload)["state"])[:MAX_TEXT])
            return
        take = _TAKE[levels[2]]
        name = f"{levels[0]}/{levels[1]}"
        stream = self.streams.get(name) or Stream(name, self._shown)
        take(stream, self._unpack if levels[2] == "product" else _object, levels[3:], payload, came)
        if levels[2] != "progress" or not stream.arrived_s:
            stream.arrived_s = came.heard_s or stream.arrived_s
            stream.n_changes += 1
        self.streams[name] = stream
        self._keep_bounds(name)

    def _keep_bounds(self, newest: str) -> None:
        """Forget streams beyond the bounds, those longest silent first, but not the one that was just heard."""
        while len(self.streams) > 1 and (len(self.streams) > MAX_STREAMS or self.n_bytes > MAX_HELD_BYTES):
            others = self.streams.keys() - {newest}
            del self.streams[min(others, key=lambda name: self.streams[name].arrived_s)]
        while self.n_bytes > MAX_HELD_BYTES and self.streams[newest].products:
            self.streams[newest].drop_largest()


@dataclass(frozen=True, slots=True)
class _Came:
    """How a message came."""

    now_s: float
    utc_ns: int
    retained: bool

    @property
    def heard_s(self) -> float:
        """When it was published, which of a retained message is not known: 0."""
        return 0.0 if self.retained else self.now_s


def _take_product(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: _Came) -> None:
    product = unpack(payload)
    kind = "/".join(levels)
    wanted = stream.shown.rows.get(kind)
    if wanted is not None:
        ring = stream.products.get(kind) or Ring(wanted.capacity)
        rows, common = product_rows(product, wanted, ring.rows())
        if not stream.is_new(str(product["id"])):
            ring.arrived_s = came.heard_s or ring.arrived_s
            return
        ring.common = common or ring.common
        ring.append(rows, came.heard_s or ring.arrived_s)
        stream.products[kind] = ring
    elif kind in stream.shown.images:
        picture = read_picture(kind, stream.shown.images[kind], product)
        if not stream.is_new(str(product["id"])):
            return
        stream.images.add(picture, came.heard_s or stream.images.arrived_s)
    elif not stream.is_new(str(product["id"])):
        return
    stream.parameters.take(kind, product, came.heard_s)
    lineage = product.get("lineage")
    stream.packets.take(kind, lineage if isinstance(lineage, Mapping) else {}, came.heard_s)
    _take_onboard_events(stream, kind, product, came)
    _note_time(stream, product.get("time") or {})
    if kind in stream.n_products or len(stream.n_products) < MAX_KINDS:
        stream.n_products[kind] += 1
        if kind not in stream.described:
            stream.described[kind] = _descriptions(product) if kind.startswith("telemetry/") else ""


def _descriptions(product: Mapping[str, Any]) -> str:
    """`name: description` of the arrays that have one, cut to MAX_DESCRIBED characters."""
    arrays = product.get("arrays") or {}
    known = [(name, entry.get("description")) for name, entry in arrays.items() if isinstance(entry, Mapping)]
    known = [(name, about) for name, about in known if not name.startswith("time_")]
    text = "; ".join(f"{name}: {about}" for name, about in known if isinstance(about, str) and about)
    return text if len(text) <= MAX_DESCRIBED else f"{text[: MAX_DESCRIBED - 1]}\N{HORIZONTAL ELLIPSIS}"


def _note_time(stream: Stream, time: Mapping[str, Any]) -> None:
    """Keep the latest onboard time that products carry, of those with a local time where any has one.

    ISO 8601 texts of one zone are in order of time.
    """
    names = ("utc", "sol", "ltst", "ltst_sol")
    last = {name: printable(str(time[name][-1])[:30]) for name in names if time.get(name)}
    known = stream.onboard
    if last.get("utc", "None") == "None" or ("sol" in known and "sol" not in last):
        return
    if last["utc"] > known.get("utc", "") or ("sol" in last and "sol" not in known):
        stream.onboard = last


def _take_link(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: _Came) -> None:
    counters = _scalars(unpack(payload))
    [channel] = levels
    if channel not in stream.channels and len(stream.channels) >= MAX_CHANNELS:
        raise ValueError("more channels than a page shows")
    grown = counters.get("frames") != stream.channels.get(channel, {}).get("frames")
    stream.channels[channel] = counters
    stream.counts.append((channel, {name: counters.get(name) for name in _COUNTED}))
    stream.link_arrived_s = came.heard_s or stream.link_arrived_s
    if grown and not came.retained:
        stream.frames_arrived_s = came.now_s
        received_ns = counters.get("last_received_ns")
        stream.lag_s = (came.utc_ns - int(received_ns)) / 1e9 if came.utc_ns and received_ns else None


def _take_event(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: _Came) -> None:
    event = unpack(payload)
    told = {name: event.get(name) for name in ("time", "severity", "kind", "text")}
    text = printable(str(told.pop("text"))[:MAX_EVENT_TEXT])
    details = _scalars(event.get("details") or {}, MAX_DETAILS)
    stream.events.append(dict.fromkeys(told) | _scalars(told) | {"text": text} | details)
    if told["kind"] == "limit":
        _note_alarm(stream, stream.events[-1])
    stream.event_arrived_s = came.heard_s or stream.event_arrived_s


def _note_alarm(stream: Stream, event: Mapping[str, Any]) -> None:
    """Keep which parameters are beyond their limits, by the events that say when they go and come back."""
    container, name, concern = (event.get(key) for key in ("container", "parameter", "level"))
    if not (isinstance(container, str) and isinstance(name, str)):
        return
    key = f"{topic_level(product_name(container))}/{topic_level(name)}"
    if concern is None or str(concern).lower() == "normal":
        stream.alarms.pop(key, None)
    elif key in stream.alarms or len(stream.alarms) < MAX_ALARMS:
        stream.alarms[key] = str(concern)[:MAX_TEXT], str(event.get("severity"))


def _take_onboard_events(stream: Stream, kind: str, product: Mapping[str, Any], came: _Came) -> None:
    """Events that a spacecraft reports in its telemetry: products whose rows have a severity and a text."""
    arrays = product["arrays"]
    if not {"severity", "text", "time_utc_ns"} <= arrays.keys():
        return
    severities, texts, times_ns = (arrays[name]["values"] for name in ("severity", "text", "time_utc_ns"))
    if (
        not len(severities) == len(texts) == len(times_ns)
        or severities.dtype.kind != "U"
        or texts.dtype.kind != "U"
    ):
        return
    lineage = product.get("lineage")
    ends = lineage.get("received_ns") if isinstance(lineage, Mapping) else None
    for severity, text, time_ns in zip(
        severities[-MAX_EVENTS:], texts[-MAX_EVENTS:], times_ns[-MAX_EVENTS:], strict=True
    ):
        word = str(severity).lower()[:MAX_TEXT]
        stream.events.append(
            {
                "time": iso_utc(int(time_ns), "ms"),
                "severity": next((one for one in SEVERITIES if one.startswith(word[:4])), printable(word)),
                "kind": ONBOARD_KIND,
                "text": printable(str(text)[:MAX_EVENT_TEXT]),
                "source": printable(kind[:MAX_TEXT]),
                "onboard_ns": int(time_ns),
                "received_ns": ends[-1] if isinstance(ends, list) and ends and isinstance(ends[-1], int) else None,
            }
        )
    stream.event_arrived_s = came.heard_s or stream.event_arrived_s


def _take_latest(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, came: _Came) -> None:
    """A value of telemetry that the broker had retained, before products bring newer ones."""
    del came
    _, container, name = levels
    stream.parameters.take_latest(container, name, unpack(payload))


def _take_report(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: _Came) -> None:
    """The report closes the books: a broker drops what a slow listener cannot take, the last counters too."""
    report = unpack(payload)
    packets = report.get("packets") or {}
    stream.report = {
        "frames": _frame_counts(report.get("frames") or {}),
        "bytes": _scalars(report.get("bytes") or {}),
        "synchronizer": _scalars(report.get("synchronizer") or {}),
        "received": _scalars(report.get("received") or {}),
        "packets": _scalars(packets) | {"by_apid": _scalars(packets.get("by_apid") or {}, MAX_APIDS)},
        "other_channels": [_scalars(one) for one in report.get("other_channels", ())[:MAX_CHANNELS]],
        "channels": [_scalars(one) for one in report.get("channels", ())[:MAX_CHANNELS]],
    }
    stream.report_arrived_s = came.heard_s or stream.report_arrived_s
    last = {(one["scid"], one["vcid"]): one for one in stream.report.get("channels", ())}
    for name, counters in stream.channels.items():
        closed = last.get((counters.get("scid"), counters.get("vcid")), {})
        stream.channels[name] = counters | {key: value for key, value in closed.items() if key in counters}


def _take_progress(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, came: _Came) -> None:
    told = unpack(payload)
    progress = read_progress({**told, "frames": _frame_counts(told.get("frames") or {})})
    if stream.progress and progress.began != stream.progress.began:
        stream.forget()
    if progress.frames != (stream.progress.frames if stream.progress else {}):
        stream.n_changes += 1
    stream.progress = progress
    stream.progress_arrived_s = came.heard_s


_TAKE: dict[str, Callable[[Stream, Unpack, list[str], bytes, _Came], None]] = {
    "product": _take_product,
    "link": _take_link,
    "event": _take_event,
    "report": _take_report,
    "latest": _take_latest,
    "progress": _take_progress,
}


_COUNTED = ("first_received_ns", "last_received_ns", "frames", "lost_frames")
"""Of the counters of a channel what is drawn against time."""


def _frame_counts(frames: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of frames as reports and progress have them, with the histogram of corrected symbols."""
    symbols = frames.get("corrected_symbols")
    return _scalars(frames) | ({"corrected_symbols": _scalars(symbols, MAX_KINDS)} if symbols else {})


def _scalars(found: Mapping[str, Any], max_entries: int = MAX_ENTRIES) -> dict[str, Any]:
    """The numbers and texts of an object, texts cut: what else it holds is not shown."""
    kept: dict[str, Any] = {}
    for name, value in islice(found.items(), max_entries):
        if value is None or isinstance(value, int | float):
            kept[printable(name[:MAX_TEXT])] = value
        elif isinstance(value, str):
            kept[printable(name[:MAX_TEXT])] = printable(value[:MAX_TEXT])
    return kept


def _object(payload: bytes) -> Mapping[str, Any]:
    if len(payload) > MAX_JSON_BYTES:
        raise ValueError("JSON larger than any of ours")
    found = json.loads(payload)
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
