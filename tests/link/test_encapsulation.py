"""Encapsulation packets (CCSDS 133.1-B) among space packets, in all four header lengths: counted, not handed on."""

import numpy as np
import pytest
from downlink_pipeline.link.packets.packet_headers import check_header, check_other_headers
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch

RELAY = [ChannelSettings(245, 5, "relay")]
AOS = LinkSettings("frames", frame_length_bytes=108)


def encapsulated(payload, size_of_length, protocol=2):
    """Version 7, protocol id, length of length; the length field counts the whole packet."""
    first = 0b111 << 5 | protocol << 2 | {0: 0, 1: 1, 2: 2, 4: 3}[size_of_length]
    whole = {0: 1, 1: 2, 2: 4, 4: 8}[size_of_length] + len(payload)
    middle = {0: b"", 1: b"", 2: b"\x00", 4: b"\x00\x00\x00"}[size_of_length]
    return bytes([first]) + middle + whole.to_bytes(size_of_length, "big") + payload


def receive(frames, pieces=1):
    receiver = Receiver(AOS, RELAY)
    stream = np.frombuffer(b"".join(frames), np.uint8)
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in np.array_split(stream, pieces)]
    return [*outputs, receiver.flush()], receiver.report()["channels"][0]


def octets(batches):
    return [b.data[s : s + n].tobytes() for b in batches for s, n in zip(b.start, b.length, strict=True)]


@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_space_packets_among_encapsulation_packets_come_out(sender, pieces):
    space = [sender.packet(1, k, bytes(30 + k)) for k in range(40)]
    other = [encapsulated(bytes([k]) * (3 * k + 1), size) for k, size in enumerate([1, 2, 4] * 13)]
    mixed = [packet for pair in zip(space, other, strict=False) for packet in pair]
    frames = [sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(mixed, 100))]
    outputs, channel = receive(frames, pieces)
    assert octets(output.packets for output in outputs) == space[:39]
    assert (channel["packets"], channel["encapsulation_packets"], channel["bad_headers"]) == (39, 39, 0)


def test_fill_of_one_byte_idle_packets_is_left_out(sender):
    packet = sender.packet(1, 0, bytes(44))
    frames = [sender.aos_frame(packet + b"\xe0" * 50, 0, k) for k in range(30)]
    outputs, channel = receive(frames)
    assert octets(output.packets for output in outputs) == [packet] * 30
    assert (channel["idle_packets"], channel["bad_headers"]) == (1500, 0)


def test_one_and_many_headers_are_judged_alike():
    rng = np.random.default_rng(1)
    words = rng.integers(0, 2**64, 3000, np.uint64) | np.uint64(1 << 63)
    words[::4] &= ~np.uint64(0x00FF00FFFFFF0000)
    words[::2] |= np.uint64(7 << 61)
    room = rng.integers(1, 12, 3000)
    lengths, wrong = check_other_headers(words, room)
    expected = [check_header(int(word), int(space)) for word, space in zip(words, room, strict=True)]
    assert list(zip(lengths.tolist(), wrong.tolist(), strict=True)) == [(n, bool(w)) for n, w in expected]
