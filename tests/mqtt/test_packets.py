"""PUBLISH and PUBACK are the bytes of MQTT 5.0 and 3.1.1, sections 3.3 and 3.4."""

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.packets import (
    PacketIds,
    ReceivedMessage,
    decode_puback,
    decode_publish,
    encode_puback,
    encode_publish,
)
from downlink_pipeline.mqtt.paho_client import puback_reason

# (message, packet id, as MQTT 5, bytes), put together from the tables of the standard
AS_SENT = [
    # 3.3.1: kind 3, QoS 1 in bits 2 and 1. 3.3.2: topic, packet id, properties: 0x03, content type "x" (3.3.2.3.9)
    (Message("a/b", b"h", content_type="x"), 10, True, b"\x32\x0d\x00\x03a/b\x00\x0a\x04\x03\x00\x01xh"),
    (Message("a/b", b"h", content_type=""), 258, True, b"\x32\x09\x00\x03a/b\x01\x02\x00h"),
    # MQTT 3.1.1: no properties. Bit 0: retain
    (Message("a/b", b"h", retain=True), 65_535, False, b"\x33\x08\x00\x03a/b\xff\xffh"),
    # QoS 0 has no packet id
    (Message("t", b"", qos=0), 7, False, b"\x30\x03\x00\x01t"),
    # The length of the topic is of its UTF-8, not of its characters
    (Message("\N{GREEK SMALL LETTER MU}", b"", qos=0), 7, False, b"\x30\x04\x00\x02\xce\xbc"),
]


@pytest.mark.parametrize(("message", "packet_id", "with_properties", "octets"), AS_SENT)
def test_a_message_is_sent_as_the_standard_says(message, packet_id, with_properties, octets):
    assert encode_publish(message, packet_id, with_properties=with_properties) + message.payload == octets


@pytest.mark.parametrize(
    ("n_bytes", "length"),
    [  # table 1-1 of MQTT 5.0 1.5.5: the first and last number of each count of digits
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16_383, b"\xff\x7f"),
        (16_384, b"\x80\x80\x01"),
        (2_097_151, b"\xff\xff\x7f"),
        (2_097_152, b"\x80\x80\x80\x01"),
    ],
)
def test_the_remaining_length_has_as_many_digits_as_it_needs(n_bytes, length):
    head = encode_publish(Message("t", bytes(n_bytes - 3), qos=0), 0, with_properties=False)
    assert head == b"\x30" + length + b"\x00\x01t"


def test_what_mqtt_does_not_allow_is_a_value_error():
    with pytest.raises(ValueError, match="more than MQTT allows"):
        encode_publish(Message("x" * 65_536, b""), 1, with_properties=True)


def test_a_content_type_of_more_than_a_digit_of_length_comes_back():
    message = Message("t", b"payload", content_type="x" * 300)
    packet = encode_publish(message, 9, with_properties=True) + message.payload
    assert packet[8:14] == b"\xaf\x02\x03\x01\x2cx"  # 303 bytes of properties, a text of 300
    assert decode_publish(packet[0], memoryview(packet)[3:], with_properties=True) == ReceivedMessage(
        "t", b"payload", 1, False, 9
    )


def test_an_acknowledgement_is_a_packet_id_and_a_reason_code_where_there_is_one():
    assert encode_puback(258) == b"\x40\x02\x01\x02"
    assert decode_puback(memoryview(b"\x01\x02")) == (258, 0)
    assert decode_puback(memoryview(b"\x01\x02\x87")) == (258, 0x87)
    assert decode_puback(memoryview(b"\x01\x02\x10\x00")) == (258, 0x10)
    with pytest.raises(ConnectionError):
        decode_puback(memoryview(b"\x01"))


def test_packet_ids_come_in_turn_and_those_in_use_or_of_subscriptions_are_left_out():
    ids = PacketIds()
    assert [ids.take() for _ in range(32_768)] == list(range(32_768, 65_536))
    with pytest.raises(ConnectionError):
        ids.take()
    for packet_id in (40_007, 40_003):
        ids.release(packet_id)
    assert [ids.take(), ids.take()] == [40_003, 40_007]


@pytest.mark.parametrize(
    ("code", "reason"),
    [  # 3.4.2.1; 0x10, no matching subscribers, is no failure
        (0x00, ""),
        (0x10, ""),
        (0x87, "Not authorized"),
        (0x97, "Quota exceeded"),
        (0x82, "reason code 0x82"),  # of other packets only
        (0xFF, "reason code 0xFF"),
    ],
)
def test_a_refusal_has_the_reason_that_the_standard_gives_its_code(code, reason):
    assert puback_reason(code) == reason
