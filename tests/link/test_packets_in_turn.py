"""Packets that come in turn are cut many at a time: the same packets as one by one, wherever the turn breaks."""

import struct

import numpy as np
import pytest
from downlink_pipeline.link.packets.packet_stream import PacketStream
from downlink_pipeline.model.reused_memory import Surroundings
from hypothesis import given
from hypothesis import strategies as st

ROUNDS = st.lists(st.integers(1, 90), min_size=1, max_size=70)


def packet(number, n_user_bytes, prefix):
    """Its user bytes are all ones: no header can be read from them (version 7)."""
    header = struct.pack(">HHH", number % 7 + 1, 0xC000 | number & 0x3FFF, n_user_bytes - 1)
    return bytes(prefix) + header + b"\xff" * n_user_bytes


def cut(octets, prefix, sizes):
    """Starts in the stream and sequence counts of what a PacketStream finds, the bytes given in pieces."""
    stream, found, place = PacketStream(prefix), [], 0
    for size in [*sizes, len(octets)]:
        piece, place = octets[place : place + size], place + size
        found.append(stream.find_packets(np.frombuffer(piece, np.uint8)))
    found.append(stream.flush())
    last = np.concatenate([one.last for one in found])
    length = np.concatenate([one.length for one in found])
    counts = np.concatenate([one.word for one in found]) >> np.uint64(32) & np.uint64(0x3FFF)
    return (last - length + 1).tolist(), counts.tolist(), stream


@given(
    turns=st.lists(st.tuples(ROUNDS, st.integers(1, 400)), min_size=1, max_size=4),
    prefix=st.sampled_from((0, 2)),
    sizes=st.lists(st.integers(0, 30_000), max_size=5),
)
def test_turns_of_any_length_that_change_anywhere_give_every_packet_once_and_in_place(turns, prefix, sizes):
    lengths = [turn[i % len(turn)] for turn, n in turns for i in range(n)]
    sent = [packet(number, n, prefix) for number, n in enumerate(lengths)]
    starts = np.cumsum([0, *map(len, sent)])[:-1] + prefix
    found, counts, stream = cut(b"".join(sent), prefix, sizes)
    assert found == starts.tolist()
    assert counts == [number & 0x3FFF for number in range(len(sent))]
    assert (stream.skipped_bytes, stream.bad_headers, stream.truncated_packets) == (0, 0, 0)


@pytest.mark.parametrize("n_broken", [0, 200, 1001])
def test_a_header_that_is_spoilt_in_mid_turn_costs_that_packet_alone(n_broken):
    sent = [packet(number, (10, 100, 37)[number % 3], 0) for number in range(3000)]
    octets = bytearray(b"".join(sent))
    at = sum(map(len, sent[:n_broken]))
    octets[at] |= 0x60
    _, counts, stream = cut(bytes(octets), 0, [5000, 70_000])
    assert counts == [number for number in range(3000) if number != n_broken]
    assert stream.bad_headers == 1
    assert stream.skipped_bytes == len(sent[n_broken])


@pytest.mark.parametrize("piece_bytes", [700, 5000])
def test_packets_cut_by_pieces_that_have_memory_around_them_are_those_of_the_whole(piece_bytes):
    sent = [packet(number, 1 + number * 37 % 900, 0) for number in range(400)]
    octets, stream, found = b"".join(sent), PacketStream(0), []
    for place in range(0, len(octets), piece_bytes):
        part = np.frombuffer(octets[place : place + piece_bytes], np.uint8)
        around = Surroundings(600, len(part), 8)  # less than some packets leave of themselves
        around.array[:] = part
        one = stream.find_packets(around.array, around)
        found += [bytes(one.octets[a : a + n]) for a, n in zip(one.start, one.length, strict=True)]
    assert found == sent
