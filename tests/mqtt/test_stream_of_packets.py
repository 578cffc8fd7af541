"""Packets of a broker come out the same whatever pieces they come in (MQTT 5.0 2 and 3.3)."""

import pytest
from downlink_pipeline.mqtt import receive_limit
from downlink_pipeline.mqtt.packets import ReceivedMessage
from downlink_pipeline.mqtt.receive_limit import ReceiveLimiter

PUBACK = b"\x40\x02\x00\x07"
PINGRESP = b"\xd0\x00"
QOS_0 = b"\x30\x06\x00\x03a/bh"
"""MQTT 3.1.1: remaining length 6, topic a/b, payload h."""
QOS_1_RETAINED = b"\x33\x08\x00\x03a/b\x01\x02h"
LONG = b"\x32\x87\x01\x00\x01t\x00\x09" + bytes(130)
"""Remaining length 135 = 7 + 1 * 128: topic, packet id, 130 bytes."""
STREAM = QOS_0 + PUBACK + LONG + PINGRESP + QOS_1_RETAINED
MESSAGES = [
    ReceivedMessage("a/b", b"h", 0, False, 0),
    (7, 0),
    ReceivedMessage("t", bytes(130), 1, False, 9),
    ReceivedMessage("a/b", b"h", 1, True, 258),
]


def limiter(*, with_properties=False):
    messages, dropped = [], []
    reader = ReceiveLimiter(
        with_properties=with_properties,
        deliver=messages.append,
        acknowledge=dropped.append,
        acknowledged=lambda *answer: messages.append(answer),
    )
    return reader, messages, dropped


@pytest.mark.parametrize("n_bytes", [1, 2, 3, 7, 64, len(STREAM)])
def test_any_split_of_a_stream_gives_the_same_packets(n_bytes):
    reader, messages, _ = limiter()
    pieces = [STREAM[start : start + n_bytes] for start in range(0, len(STREAM), n_bytes)]
    assert b"".join(reader.receive(memoryview(piece)) for piece in pieces) == PINGRESP
    assert messages == MESSAGES
    assert reader.n_read_bytes == len(STREAM)


@pytest.mark.parametrize("properties", [b"\x00", b"\x03\x03\x00\x00", b"\x80\x01" + bytes(128)])
def test_properties_of_mqtt_5_are_no_part_of_the_payload(properties):
    reader, messages, _ = limiter(with_properties=True)
    body = b"\x00\x01t\x00\x09" + properties + b"payload"
    reader.receive(memoryview(b"\x32" + length(len(body)) + body))
    assert messages == [ReceivedMessage("t", b"payload", 1, False, 9)]


def length(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])


@pytest.mark.parametrize(
    "octets",
    [
        b"\x40\xff\xff\xff\xff\x7f",  # a length of five digits
        b"\x20\xff\xff\xff\x7f",  # 256 MiB that are no message
        b"\x34\x05\x00\x01t\x00\x01",  # QoS 2, which nobody asked for
        b"\x30\x02\x00\x00",  # no topic
        b"\x30\x03\x00\x05t",  # a topic longer than the packet
        b"\x30\x01\x00",  # no topic at all
        b"\x30\x00",
        b"\x40\x01\x00",  # an acknowledgement without a packet id
        b"\x30\x04\x00\x02\xff\xfe",  # a topic that is no UTF-8
    ],
)
def test_what_is_no_mqtt_ends_the_connection(octets):
    with pytest.raises(ConnectionError):
        limiter()[0].receive(memoryview(octets))


def test_properties_longer_than_the_packet_end_the_connection():
    for properties in (b"", b"\xff", b"\x05\x00", b"\xff\xff\xff\xff\x01"):
        body = b"\x00\x01t" + properties
        with pytest.raises(ConnectionError):
            limiter(with_properties=True)[0].receive(memoryview(b"\x30" + length(len(body)) + body))


@pytest.mark.parametrize("n_bytes", [100, 70_000, 1 << 20])
def test_a_message_beyond_the_bound_is_dropped_and_acknowledged_and_the_next_is_read(monkeypatch, n_bytes):
    monkeypatch.setattr(receive_limit, "MAX_PACKET_BYTES", 1 << 17)
    reader, messages, dropped = limiter()
    giant = b"\x32\x80\x80\x20\x00\x01t\x00\x09" + bytes((1 << 19) - 5) + QOS_0
    for start in range(0, len(giant), n_bytes):
        reader.receive(memoryview(giant[start : start + n_bytes]))
    assert dropped == [9]
    assert messages == MESSAGES[:1]


def test_room_is_full_beyond_the_bound_and_free_again_at_half_of_it(monkeypatch):
    monkeypatch.setattr(receive_limit, "MAX_WAITING_BYTES", 5000)
    reader, messages, _ = limiter()
    for _ in range(4):
        reader.receive(memoryview(LONG))
    assert not reader.is_full
    reader.receive(memoryview(LONG))
    assert reader.is_full
    for message in messages[:2]:
        reader.release(message)
    assert not reader.is_full
    assert not reader.has_room
    reader.release(messages[2])
    assert reader.has_room
