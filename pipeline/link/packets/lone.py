"""A frame alone, as a datagram brings it: the same as for many, in plain numbers.

For one row an array costs a hundred times what its number does. So a frame that follows on the last one of its
channel, begins with a packet and ends with one goes through each part of the link as numbers, and only its packets
become arrays. Whatever is not so plain (a gap, a check that fails, a packet over several frames) goes the way of
many: each part says so before anything has changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch, PacketBatch
from ..frames.headers import LoneHeader
from .packet_headers import IDLE_APID, PRIMARY_HEADER_BYTES
from .walk import PAD_BYTES


class LoneFrame(NamedTuple):
    """One good frame of a wanted channel."""

    octets: bytes
    header: LoneHeader
    received_ns: int


@dataclass(slots=True)
class LonePackets:
    """The space packets of a zone, idle ones left out: packet i is `length[i]` bytes from `start[i]` of `octets` on,
    and its first eight are `word[i]`.
    """

    octets: bytearray
    start: list[int]
    length: list[int]
    word: list[int]
    n_idle: int
    quality: list[int] = field(default_factory=list)


def cut(zone: bytes) -> LonePackets | None:
    """The packets of a zone; None where it does not hold whole space packets and nothing else."""
    end, at, n_idle = len(zone), 0, 0
    octets = bytearray(zone)
    octets += bytes(PAD_BYTES)
    start: list[int] = []
    lengths: list[int] = []
    words: list[int] = []
    while at < end:
        word = int.from_bytes(octets[at : at + 8], "big")
        following = at + (word >> 16 & 0xFFFF) + PRIMARY_HEADER_BYTES + 1
        if word >> 61 or following > end:
            return None
        if word >> 48 & 0x7FF == IDLE_APID:
            n_idle += 1
        else:
            start.append(at)
            lengths.append(following - at)
            words.append(word)
        at = following
    return LonePackets(octets, start, lengths, words, n_idle)


def packet_batch(frame: LoneFrame, packets: LonePackets) -> PacketBatch:
    """The packets of a frame as those of many."""
    word, header = packets.word, frame.header
    n = len(word)
    return PacketBatch(
        np.frombuffer(packets.octets, np.uint8),
        np.array(packets.start, np.int64),
        np.array(packets.length, np.int64),
        np.array([one >> 48 & 0x7FF for one in word], np.uint16),
        np.array([one >> 32 & 0x3FFF for one in word], np.uint16),
        np.array([one >> 46 & 3 for one in word], np.uint8),
        _times(header.scid, n, np.uint16),
        _times(header.vcid, n, np.uint8),
        np.array([frame.received_ns] * n, np.int64),
        np.array(packets.quality, np.uint32),
    )


@lru_cache(256)
def _times(value: int, n: int, dtype: type[np.unsignedinteger[Any]]) -> NDArray[Any]:
    """One number `n` times. Nobody may change it."""
    array = np.full(n, value, dtype)
    array.flags.writeable = False
    return array


def frame_batch(frame: LoneFrame) -> FrameBatch:
    """One frame as one of many."""
    header = frame.header
    return FrameBatch(
        data=np.frombuffer(bytearray(frame.octets), np.uint8).reshape(1, -1),
        scid=np.array([header.scid], np.uint16),
        vcid=np.array([header.vcid], np.uint8),
        vc_count=np.array([header.vc_count], np.uint32),
        first_header_pointer=np.array([header.first_header_pointer], np.int32),
        lost=np.zeros(1, np.int32),
        n_corrected=np.zeros(1, np.int16),
        received_ns=np.array([frame.received_ns], np.int64),
        data_start=np.array([header.zone_start], np.int32),
        data_stop=np.array([header.zone_stop], np.int32),
    )
