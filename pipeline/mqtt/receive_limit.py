"""Splits the stream from a broker into packets, with a bound on each message and on all that wait.

In: bytes of the connection, split anywhere. Out: messages, each with one copy of its payload; acknowledgements; all
other packets as bytes for the client library. A message larger than MAX_PACKET_BYTES is not kept while it is read: it
is acknowledged, dropped and logged. An MQTT 5 broker does not even send it, since the connection announces the bound.
Beyond MAX_WAITING_BYTES the connection stops reading until some messages are consumed (back-pressure).
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from .packets import KIND_MASK, NOT_MQTT, PUBACK, PUBLISH, ReceivedMessage, decode_puback, decode_publish

MAX_PACKET_BYTES = 64 << 20
"""Over twice the largest message of ours: an image of 4 million samples, a batch of 16 MiB."""
MAX_WAITING_BYTES = 64 << 20

_OVERHEAD_BYTES = 1000
"""Memory of a waiting message beside its payload."""
_HEAD_BYTES = 2 + 65_535 + 2
"""Topic and packet id: kept of a dropped message, to log and acknowledge it."""
_log = structlog.get_logger("mqtt")


class ReceiveLimiter:
    """Parses the stream of one connection.

    Calls `deliver` with each message, `acknowledge` with the packet id of a dropped one, and `acknowledged` with packet
    id and reason code of each PUBACK. `with_properties`: the connection speaks MQTT 5.
    """

    def __init__(
        self,
        *,
        with_properties: bool,
        deliver: Callable[[ReceivedMessage], None],
        acknowledge: Callable[[int], None],
        acknowledged: Callable[[int, int], None],
    ) -> None:
        self._with_properties = with_properties
        self._deliver = deliver
        self._acknowledge = acknowledge
        self._acknowledged = acknowledged
        self._head = bytearray()
        """Fixed header of the packet that is being read: its kind and its length in up to four digits."""
        self._body = bytearray()
        """Received part of the packet at hand; of one that is too large the first _HEAD_BYTES."""
        self._n_body = self._n_left = 0
        """Length of that packet after its fixed header, and how much of it is still to come."""
        self._n_waiting_bytes = 0
        self.n_dropped = 0
        self.n_read_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether more bytes wait than MAX_WAITING_BYTES."""
        return self._n_waiting_bytes > MAX_WAITING_BYTES

    @property
    def has_room(self) -> bool:
        """Whether half of the room is free, so that reading may go on."""
        return self._n_waiting_bytes < MAX_WAITING_BYTES // 2

    def release(self, message: ReceivedMessage) -> None:
        """A delivered message is consumed: its bytes no longer count as waiting."""
        self._n_waiting_bytes -= len(message.payload) + _OVERHEAD_BYTES

    def receive(self, octets: memoryview) -> bytes:
        """Parse the next bytes. Returns the packets for the client library. ConnectionError if they are no MQTT."""
        self.n_read_bytes += len(octets)
        others = bytearray()
        at = 0
        while at < len(octets):
            if self._n_left:
                at = self._continue(octets, at, others)
                continue
            self._head.append(octets[at])
            at += 1
            if len(self._head) > 1 and self._head[-1] < 0x80:
                at = self._begin(octets, at, others)
            elif len(self._head) > 4:
                raise ConnectionError(NOT_MQTT)
        return bytes(others)

    def _begin(self, octets: memoryview, at: int, others: bytearray) -> int:
        """The fixed header is complete. Read the packet if it is complete, too, else keep its part. Returns its end."""
        n_body = sum((digit & 0x7F) << 7 * i for i, digit in enumerate(self._head[1:]))
        if n_body > MAX_PACKET_BYTES and self._head[0] & KIND_MASK != PUBLISH:
            raise ConnectionError(NOT_MQTT)
        self._n_body = n_body
        if at + n_body > len(octets):
            self._n_left = n_body
            return self._continue(octets, at, others)
        self._read(octets[at : at + n_body], others)
        return at + n_body

    def _continue(self, octets: memoryview, at: int, others: bytearray) -> int:
        """Add to the packet at hand, and read it once it is complete. Returns the end of the bytes used."""
        end = min(at + self._n_left, len(octets))
        self._n_left -= end - at
        if self._n_body > MAX_PACKET_BYTES:
            self._body += octets[at : min(end, at + _HEAD_BYTES - len(self._body))]
        else:
            self._body += octets[at:end]
        if not self._n_left:
            body, self._body = self._body, bytearray()
            self._read(memoryview(body), others)
        return end

    def _read(self, body: memoryview, others: bytearray) -> None:
        """Read a whole packet."""
        first = self._head[0]
        kind = first & KIND_MASK
        if kind == PUBACK:
            self._acknowledged(*decode_puback(body))
        elif kind != PUBLISH:
            others += self._head
            others += body
        elif self._n_body > MAX_PACKET_BYTES:
            self._drop(first, body)
        else:
            message = decode_publish(first, body, with_properties=self._with_properties)
            self._n_waiting_bytes += len(message.payload) + _OVERHEAD_BYTES
            self._deliver(message)
        self._head.clear()

    def _drop(self, kind: int, body: memoryview) -> None:
        topic_end = 2 + int.from_bytes(body[:2], "big")
        self.n_dropped += 1
        if self.n_dropped.bit_count() == 1:  # 1, 2, 4, 8, ...: logged, but not without end
            topic = str(body[2:topic_end], "utf-8", "replace")[:200]
            _log.warning("dropped: too large", topic=topic, bytes=self._n_body, so_far=self.n_dropped)
        if kind >> 1 & 3:
            self._acknowledge(int.from_bytes(body[topic_end : topic_end + 2], "big"))
