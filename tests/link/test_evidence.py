"""Whether the first bytes of a sender look like the link: a decision between two senders, nothing more."""

import pytest
from downlink_pipeline.link.evidence import evidence_of
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings

CHANNEL = ChannelSettings(spacecraft_id=0x2A, virtual_channel=3, name="x")
MARKER = bytes.fromhex("1ACFFC1D")
AOS = bytes([0x4A, 0x83]) + bytes(98)
"""732.0-B-4 4.1.2: version 01, spacecraft 00101010, virtual channel 000011."""
PACKET = bytes([0x08, 0x01, 0xC0, 0x00, 0x00, 0x02]) + b"abc"
"""133.0-B-2 4.1.3: version 0, APID 1, three bytes of data."""


@pytest.mark.parametrize(
    ("octets", "right"),
    [
        (b"noise" + MARKER, True),
        (bytes(0xFF ^ one for one in MARKER), True),
        (b"GET / HTTP/1.1\r\n", False),
        (b"", False),
    ],
)
def test_a_coded_link_shows_its_marker(octets, right):
    assert evidence_of(LinkSettings("cadu", frame_length_bytes=100), [CHANNEL])(octets) is right


@pytest.mark.parametrize(
    ("octets", "right"),
    [
        (AOS, True),
        (AOS[:99], False),
        (bytes([0x4B]) + AOS[1:], False),  # another spacecraft
        (bytes([0x0A]) + AOS[1:], False),  # version 00
        (b"GET / HTTP/1.1\r\n" + bytes(100), False),
    ],
)
def test_bare_frames_begin_with_one_of_a_wanted_channel(octets, right):
    assert evidence_of(LinkSettings("frames", frame_length_bytes=100), [CHANNEL])(octets) is right


@pytest.mark.parametrize(
    ("octets", "right"),
    [
        (PACKET, True),
        (PACKET + PACKET[:2], True),
        (PACKET[:8], False),
        (PACKET + b"\xff", False),
        (b"GET / HTTP/1.1\r\n", False),
    ],
)
def test_packets_begin_with_a_whole_one(octets, right):
    assert evidence_of(LinkSettings("packets"), [])(octets) is right


def test_a_prefix_before_each_packet_is_passed_over():
    looks = evidence_of(LinkSettings("packets", packet_prefix_bytes=4), [])
    assert looks(b"\xff\xff\xff\xff" + PACKET + b"\xff\xff\xff\xff" + PACKET)
    assert not looks(PACKET)
