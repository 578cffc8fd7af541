"""Packets of differing lengths back to back: many at once, and the same ones whatever the pieces they come in."""

import struct

import numpy as np
import pytest
from downlink_pipeline.link.packets.packet_chains import PacketChains
from downlink_pipeline.link.packets.packet_stream import PacketStream

SIZES = {
    "near each other": lambda rng: rng.integers(20, 400),
    "of a byte or two": lambda rng: rng.integers(1, 3),
    "now and then much longer": lambda rng: 5000 if rng.random() < 0.02 else rng.integers(1, 60),
    "up to the longest": lambda rng: min(65_536, int(rng.pareto(1.0) * 50) + 1),
}


def stream(rng, size_of, *, prefix=0, n=1500, zeros=False):
    """Packets of three APIDs, and the byte with which each begins, header first."""
    octets, starts = bytearray(), []
    for i in range(n):
        size = int(size_of(rng))
        octets += rng.bytes(prefix)
        starts.append(len(octets))
        octets += struct.pack(">HHH", 0x0800 | int(rng.choice([0, 5, 1999])), 0xC000 | i & 0x3FFF, size - 1)
        octets += bytes(size) if zeros else rng.bytes(size)
    return np.frombuffer(bytes(octets), np.uint8), np.array(starts)


def cut(octets, prefix, piece_bytes):
    """Last byte and length of each packet, and what was counted."""
    stream_ = PacketStream(prefix)
    found = [stream_.find_packets(octets[i : i + piece_bytes]) for i in range(0, len(octets), piece_bytes)]
    found.append(stream_.flush())
    counts = stream_.skipped_bytes, stream_.truncated_packets, stream_.bad_headers
    return *(np.concatenate([getattr(one, name) for one in found]).tolist() for name in ("last", "length")), counts


@pytest.mark.parametrize("zeros", [False, True], ids=["of noise", "of zeros, which look like headers of APID 0"])
@pytest.mark.parametrize("prefix", [0, 5])
@pytest.mark.parametrize("size_of", SIZES.values(), ids=SIZES)
def test_every_packet_is_found_where_it_was_put(size_of, prefix, zeros):
    octets, starts = stream(np.random.default_rng(1), size_of, prefix=prefix, zeros=zeros)
    last, length, counts = cut(octets, prefix, len(octets))
    assert [end + 1 - size for end, size in zip(last, length, strict=True)] == starts.tolist()
    assert counts == (0, 0, 0)


@pytest.mark.parametrize("size_of", SIZES.values(), ids=SIZES)
def test_damaged_streams_give_the_same_whatever_the_pieces_are(size_of):
    rng = np.random.default_rng(2)
    octets, _ = stream(rng, size_of)
    octets = octets.copy()
    for place in rng.integers(0, len(octets) - 2000, 4).tolist():
        octets[place : place + 1500] = rng.integers(0, 256, 1500)
    assert cut(octets, 0, len(octets)) == cut(octets, 0, 997)


def test_packets_of_differing_lengths_are_not_walked_one_by_one(monkeypatch):
    octets, starts = stream(np.random.default_rng(3), SIZES["near each other"], n=6000)
    walked = []
    each = PacketStream._find_one_by_one
    monkeypatch.setattr(
        PacketStream, "_find_one_by_one", lambda self, *place: (walked.append(self._n_each), each(self, *place))[1]
    )
    stream_ = PacketStream(0)
    assert len(stream_.find_packets(octets).start) == len(starts)
    assert sum(walked) < 500


def test_what_wrong_guesses_lead_to_is_not_given():
    """Headers that lead to each other, but not to the packets: noise that is a stream of its own, inside of others."""
    decoy = (struct.pack(">HHH", 0x0805, 0xC000, 3) + bytes(4)) * 40
    packet = struct.pack(">HHH", 0x0805, 0xC000, len(decoy) + 2) + b"\0\0\0" + decoy
    octets = np.frombuffer(packet * 400 + bytes(8), np.uint8)
    seen = np.zeros(1 << 12, np.bool_)
    seen[0x805] = True
    length = np.full(20, 57)
    found = PacketChains(0).starts(octets, 0, len(octets) - 8, seen, length)
    assert set(found.tolist()) <= {i * len(packet) for i in range(400)}


def test_a_search_through_data_that_look_like_headers_takes_no_step_for_each_byte():
    """64 KiB in which every byte could begin a packet of version 0, and none leads to another."""

    class Counting(PacketStream):
        n_calls = 0

        def _plausible(self, word):
            Counting.n_calls += 1
            return super()._plausible(word)

    octets = np.random.default_rng(1).integers(1, 32, 1 << 16).astype(np.uint8)
    stream = Counting(0)
    stream.find_packets(octets)
    assert Counting.n_calls < 100
