"""Messages in; the latest of every stream out, in bounded memory. No I/O: who feeds it tells the time.

One `State` serves all open pages of a server. A message that is not what its topic says is counted and dropped, a
product that comes twice is taken once, and of more than `MAX_STREAMS` streams the one longest silent is forgotten.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.dashboard.ring import Ring
from pipeline.dashboard.rows import WANTED, product_rows

MAX_STREAMS = 12
MAX_EVENTS = 500
MAX_CHANNELS = 64
MAX_KINDS = 256
MAX_IDS = 8192
MAX_COUNTS = 2000

Unpack = Callable[[bytes], Mapping[str, Any]]


class Stream:
    """What is known of one `<mission>/<stream>`. `n_changes` grows with each message, so a reader sees news."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.n_changes = 0
        self.arrived_s = 0.0
        self.products: dict[str, Ring] = {}
        self.n_products: Counter[str] = Counter()
        self.channels: dict[str, dict[str, Any]] = {}
        self.counts: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MAX_COUNTS)
        """(channel, its counters) as they came, for what is drawn against time."""
        self.link_arrived_s = 0.0
        self.events: deque[dict[str, Any]] = deque(maxlen=MAX_EVENTS)
        self.event_arrived_s = 0.0
        self.report: dict[str, Any] = {}
        self.report_arrived_s = 0.0
        self._ids: dict[str, None] = {}

    def is_new(self, product_id: str) -> bool:
        """Whether a product is one that was not seen; remembers it."""
        if product_id in self._ids:
            return False
        self._ids[product_id] = None
        if len(self._ids) > MAX_IDS:
            del self._ids[next(iter(self._ids))]
        return True


class State:
    """The streams that were seen, and how it stands with the broker."""

    def __init__(self, unpack: Unpack) -> None:
        self.streams: dict[str, Stream] = {}
        self.services: dict[str, str] = {}
        self.n_unread = 0
        self.connected = False
        self.broker_text = "not connected yet"
        self._unpack = unpack

    def tell(self, text: str) -> None:
        """Take what the subscriber tells of its connection: lost, or found again."""
        self.connected = text.startswith("connected")
        self.broker_text = text

    def feed(self, topic: str, payload: bytes, now_s: float) -> None:
        """Take a message. `now_s`: when it came."""
        if not self.connected:
            self.tell("connected")
        try:
            self._take(topic.split("/"), payload, now_s)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):  # of what comes from outside
            self.n_unread += 1

    def _take(self, levels: list[str], payload: bytes, now_s: float) -> None:
        if levels[1] == "status":
            if len(self.services) < MAX_KINDS or "/".join(levels) in self.services:
                self.services["/".join(levels)] = str(_object(payload)["state"])
            return
        take = {"product": _take_product, "link": _take_link, "event": _take_event, "report": _take_report}[
            levels[2]
        ]
        name = f"{levels[0]}/{levels[1]}"
        stream = self.streams.get(name) or Stream(name)
        take(stream, self._unpack if levels[2] == "product" else _object, levels[3:], payload, now_s)
        stream.arrived_s = now_s
        stream.n_changes += 1
        self.streams[name] = stream
        if len(self.streams) > MAX_STREAMS:
            del self.streams[min(self.streams, key=lambda name: self.streams[name].arrived_s)]


def _take_product(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, now_s: float) -> None:
    product = unpack(payload)
    kind = "/".join(levels)
    wanted = WANTED.get(kind)
    if wanted is not None:
        ring = stream.products.get(kind) or Ring(wanted.capacity)
        rows, common = product_rows(product, wanted, ring.rows())
        if not stream.is_new(str(product["id"])):
            ring.arrived_s = now_s
            return
        ring.common = common or ring.common
        ring.append(rows, now_s)
        stream.products[kind] = ring
    if kind in stream.n_products or len(stream.n_products) < MAX_KINDS:
        stream.n_products[kind] += 1


def _take_link(stream: Stream, unpack: Unpack, levels: list[str], payload: bytes, now_s: float) -> None:
    counters = dict(unpack(payload))
    counters.pop("gap_list", None)
    [channel] = levels
    if channel not in stream.channels and len(stream.channels) >= MAX_CHANNELS:
        raise ValueError("more channels than a page shows")
    stream.channels[channel] = counters
    stream.counts.append((channel, counters))
    stream.link_arrived_s = now_s


def _take_event(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, now_s: float) -> None:
    event = unpack(payload)
    stream.events.append(
        {name: event.get(name) for name in ("time", "severity", "kind", "text")} | dict(event.get("details") or {})
    )
    stream.event_arrived_s = now_s


def _take_report(stream: Stream, unpack: Unpack, _: list[str], payload: bytes, now_s: float) -> None:
    stream.report = dict(unpack(payload))
    stream.report_arrived_s = now_s


def _object(payload: bytes) -> Mapping[str, Any]:
    found = json.loads(payload)
    if not isinstance(found, dict):
        raise TypeError("not a JSON object")
    return found
