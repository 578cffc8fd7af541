"""Zero octets in a stream of packets: fill that a disk left is skipped, a packet of zeros is a packet."""

import struct

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import LinkSettings
from downlink_pipeline.link.verdict import nothing_right, problems
from downlink_pipeline.model.batches import ByteBatch


def packet(apid, count, data):
    return struct.pack(">HHH", apid, 0xC000 | count, len(data) - 1) + data


def packets(n, first=0):
    return b"".join(packet(1 + k % 3, first + k, bytes([k % 251 + 1]) * (5 + k % 7)) for k in range(n))


def read(octets, split=0, prefix=0):
    receiver = Receiver(LinkSettings("packets", packet_prefix_bytes=prefix), [])
    pieces = [octets[k : k + split] for k in range(0, len(octets), split)] if split else [octets]
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in pieces] + [receiver.flush()]
    found = [
        bytes(out.packets.data[start : start + length])
        for out in outputs
        for start, length in zip(out.packets.start, out.packets.length, strict=True)
    ]
    return found, receiver.report()


@pytest.mark.parametrize("n", [22, 100, 10_000])
@pytest.mark.parametrize("prefix", [0, 4])
def test_a_recording_of_nothing_but_zeros_is_nothing(n, prefix):
    found, report = read(bytes(n), prefix=prefix)
    assert found == []
    assert (report["packets"]["read"], report["bytes"]["skipped"]) == (0, n)
    (text,) = problems(report)
    assert f"{n:,} zero octets" in text
    assert nothing_right(report)


@pytest.mark.parametrize("split", [0, 1, 7, 13, 64])
def test_a_hole_of_zeros_between_packets_costs_none_and_brings_none(split):
    first, second = packets(40), packets(40, 40)
    found, report = read(first + bytes(4096) + second, split)
    assert b"".join(found) == first + second
    assert (report["bytes"]["skipped"], report["packets"]["bad_headers"]) == (4096, 0)


@pytest.mark.parametrize("split", [0, 1, 5])
def test_a_packet_of_zeros_is_a_packet(split):
    """APID 0, count 0, continuation segment, one octet of 0: legal by 133.0-B."""
    sent = [packet(3, 9, b"abc"), bytes(7), packet(0, 1, b"\0"), packet(3, 10, b"def")]
    found, report = read(b"".join(sent), split)
    assert found == sent
    assert report["bytes"]["skipped"] == 0
    assert read(bytes(7))[0] == [bytes(7)]


def test_many_packets_of_apid_0_are_packets():
    sent = [struct.pack(">HHHB", 0, count, 0, 0) for count in range(300)]
    found, _ = read(b"".join(sent))
    assert found == sent


def test_zeros_before_and_behind_are_skipped():
    sent = packets(20)
    found, report = read(bytes(512) + sent + bytes(777))
    assert b"".join(found) == sent
    assert report["bytes"]["skipped"] == 512 + 777
    assert np.isclose(report["bytes"]["skipped_zeros"], 512 + 777, atol=20)
