"""Messages in; the latest of every stream out, in bounded memory. No I/O: the time is an argument.

One `State` serves all open pages of a server. A message that does not parse is counted and dropped, and products are
deduplicated by id. Beyond `MAX_STREAMS` streams, or `MAX_KEPT_BYTES` in all of them, the stream whose last message is
the oldest is dropped. `stream.py` has what is kept of each stream, `intake.py` how each topic is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..model.displays import Display
from ..model.printable import printable
from .intake import MAX_KINDS, MAX_TEXT, TAKE, UNREADABLE, Came, Unpack, json_object
from .missions import KnownMission
from .stream import NOTHING, Stream
from .tabs import Shown

MAX_STREAMS = 12
MAX_KEPT_BYTES = 128 << 20
MAX_TOPIC = 500
"""Characters of a topic."""


class State:
    """The streams that were received, and the state of the connection to the broker."""

    def __init__(self, unpack: Unpack, shown: Shown = NOTHING, missions: Iterable[KnownMission] = ()) -> None:
        """`shown`: kinds of product whose rows are kept; other kinds are only counted."""
        self._shown = shown
        self.missions = {one.name: one for one in missions}
        self.displays: Mapping[str, Sequence[Display]] = {}
        """Displays by mission, as in its folder; replaced by another mapping when one of them changes."""
        self.streams: dict[str, Stream] = {}
        self.services: dict[str, str] = {}
        self.n_unread = 0
        self.connected = self.was_connected = False
        self.broker_text = "not connected yet"
        self._unpack = unpack

    @property
    def n_bytes(self) -> int:
        """Bytes kept of all streams."""
        return sum(stream.n_bytes for stream in self.streams.values())

    def set_connection(self, text: str) -> None:
        """Take the state of the subscriber's connection, as text: waiting, connected, lost, or connected again."""
        self.connected = text.startswith("connected")
        self.was_connected |= self.connected
        self.broker_text = printable(text)

    def receive(self, topic: str, payload: bytes, now_s: float, *, utc_ns: int = 0, retained: bool = False) -> None:
        """Take a message. `now_s`: time of arrival on a monotonic clock; `utc_ns`: the same as UTC, 0 if not known.

        `retained`: the broker had stored it, so it may be old.
        """
        if not self.connected:
            self.set_connection("connected")
        try:
            if len(topic) > MAX_TOPIC:
                raise ValueError("a topic longer than any of ours")
            self._take(printable(topic).split("/"), payload, Came(now_s, utc_ns, retained))
        except UNREADABLE:
            self.n_unread += 1

    def give_up(self, name: str) -> None:
        """Drop what is kept of a stream because it cannot be drawn; the messages after it may be."""
        self.n_unread += 1
        if stream := self.streams.get(name):
            stream.forget()
            stream.progress = None

    def _take(self, levels: list[str], payload: bytes, came: Came) -> None:
        if levels[1] == "status":
            if len(self.services) < MAX_KINDS or "/".join(levels) in self.services:
                self.services["/".join(levels)] = printable(str(json_object(payload)["state"])[:MAX_TEXT])
            return
        take = TAKE[levels[2]]
        name = f"{levels[0]}/{levels[1]}"
        stream = self.streams.get(name) or Stream(name, self._shown, self.missions.get(levels[0]))
        take(stream, self._unpack if levels[2] == "product" else json_object, levels[3:], payload, came)
        if levels[2] != "progress" or not stream.arrived_s:
            stream.arrived_s = came.heard_s or stream.arrived_s
            stream.n_changes += 1
        self.streams[name] = stream
        self._keep_bounds(name)

    def _keep_bounds(self, newest: str) -> None:
        """Drop streams beyond the bounds, those with the oldest last message first, but not the newest one."""
        while len(self.streams) > 1 and (len(self.streams) > MAX_STREAMS or self.n_bytes > MAX_KEPT_BYTES):
            others = self.streams.keys() - {newest}
            del self.streams[min(others, key=lambda name: self.streams[name].arrived_s)]
        while self.n_bytes > MAX_KEPT_BYTES and self.streams[newest].products:
            self.streams[newest].drop_largest()
