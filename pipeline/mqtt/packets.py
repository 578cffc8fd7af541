"""PUBLISH and PUBACK as bytes (MQTT 5.0 and 3.1.1, sections 3.3 and 3.4). All other packets are the client library's.

They are the two kinds of which a connection has thousands a second. Topics and content types repeat, so their bytes
are cached.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from ..model.batches import Message
from ..model.carrier import carrier

PUBLISH, PUBACK = 0x30, 0x40
"""First byte of the fixed header, without its flags."""
KIND_MASK = 0xF0
NOT_MQTT = "the broker sends what is no MQTT"
_CONTENT_TYPE = 0x03
"""Identifier of the property (MQTT 5.0 2.2.2.2)."""
_MIN_PACKET_ID, _MAX_PACKET_ID = 0x8000, 0xFFFF
MAX_IN_FLIGHT = _MAX_PACKET_ID - _MIN_PACKET_ID + 1
"""Messages without an acknowledgement at most."""
_MAX_LENGTH = 268_435_455
"""Largest variable byte integer of four digits (1.5.5)."""
_packet_id = struct.Struct(">H").pack


@carrier
class ReceivedMessage:
    """A PUBLISH. `packet_id`: 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    packet_id: int


class PacketIds:
    """Packet ids of sent messages: 32,768 to 65,535 in turn, without those still to be acknowledged.

    An id must not be in use for any other packet (MQTT 5.0 2.2.1). The client library counts its own, of SUBSCRIBE and
    UNSUBSCRIBE, from 1 on.
    """

    def __init__(self) -> None:
        self._last = _MAX_PACKET_ID
        self._in_use: set[int] = set()

    def take(self) -> int:
        """The next free one. ConnectionError where all are in use."""
        packet_id = self._after(self._last)
        while packet_id in self._in_use:
            if len(self._in_use) == MAX_IN_FLIGHT:
                raise ConnectionError(f"{MAX_IN_FLIGHT:,} messages wait for their acknowledgement")
            packet_id = self._after(packet_id)
        self._in_use.add(packet_id)
        self._last = packet_id
        return packet_id

    @staticmethod
    def _after(packet_id: int) -> int:
        return packet_id + 1 if packet_id < _MAX_PACKET_ID else _MIN_PACKET_ID

    def release(self, packet_id: int) -> None:
        """The message is acknowledged."""
        self._in_use.discard(packet_id)


def encode_publish(message: Message, packet_id: int, *, with_properties: bool) -> bytes:
    """The PUBLISH of a message of QoS 0 or 1 up to its payload, which follows. `with_properties`: for MQTT 5.

    ValueError where topic or packet are longer than MQTT allows.
    """
    topic = _text(message.topic)
    properties = _properties(message.content_type) if with_properties else b""
    qos = _packet_id(packet_id) if message.qos else b""
    length = _length(len(topic) + len(qos) + len(properties) + len(message.payload))
    kind = PUBLISH | message.qos << 1 | message.retain
    return b"".join((bytes((kind,)), length, topic, qos, properties))


def encode_puback(packet_id: int) -> bytes:
    """The PUBACK of a message that was taken: without a reason code that is success (MQTT 5.0 3.4.2.1)."""
    return b"\x40\x02" + _packet_id(packet_id)


def decode_publish(kind: int, body: memoryview, *, with_properties: bool) -> ReceivedMessage:
    """A PUBLISH with one copy of its payload; its properties are skipped. `kind`: first byte of the fixed header.

    `body`: what follows the fixed header. ConnectionError for what breaks the protocol: subscriptions ask for QoS 1 and
    announce no topic aliases, so QoS 2 and an empty topic do so, too.
    """
    qos, topic_end = kind >> 1 & 3, 2 + int.from_bytes(body[:2], "big")
    start = topic_end + 2 * qos
    packet_id = int.from_bytes(body[topic_end:start], "big")
    if with_properties:
        start = _after_properties(body, start)
    if qos > 1 or topic_end == 2 or start > len(body):
        raise ConnectionError(NOT_MQTT)
    try:
        topic = str(body[2:topic_end], "utf-8")
    except UnicodeDecodeError:
        raise ConnectionError(NOT_MQTT) from None
    return ReceivedMessage(topic, bytes(body[start:]), qos, bool(kind & 1), packet_id)


def decode_puback(body: memoryview) -> tuple[int, int]:
    """Packet id and reason code of a PUBACK: 0 where there is none. ConnectionError where it is too short."""
    if len(body) < 2:
        raise ConnectionError(NOT_MQTT)
    return body[0] << 8 | body[1], body[2] if len(body) > 2 else 0


@lru_cache(4096)
def _text(text: str) -> bytes:
    """A UTF-8 string as it is sent (1.5.4): its length in two bytes, then the string."""
    octets = text.encode()
    if len(octets) > 0xFFFF:
        raise ValueError(f"{text[:100]!r} has {len(octets)} bytes: more than MQTT allows")
    return _packet_id(len(octets)) + octets


@lru_cache(256)
def _properties(content_type: str) -> bytes:
    """Properties of a PUBLISH with this content type, behind their length."""
    properties = bytes((_CONTENT_TYPE,)) + _text(content_type) if content_type else b""
    return _length(len(properties)) + properties


def _length(n: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    if n < 0x80:
        return bytes((n,))
    if n > _MAX_LENGTH:
        raise ValueError(f"a packet of {n} bytes is longer than MQTT allows")
    digits = bytearray()
    while n > 0x7F:
        digits.append(n & 0x7F | 0x80)
        n >>= 7
    digits.append(n)
    return bytes(digits)


def _after_properties(body: memoryview, start: int) -> int:
    """Where the properties end whose length, a variable byte integer, stands at `start`."""
    length = shift = 0
    for digit in body[start : start + 4]:
        start += 1
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return start + length
    raise ConnectionError(NOT_MQTT)
