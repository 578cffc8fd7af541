"""Headers of packets, read from the big-endian 8-byte word in which each packet begins.

Packet zones hold two kinds: space packets (version 0, CCSDS 133.0-B 4.1) and encapsulation packets (version 7, CCSDS
133.1-B 4.1), whose header has 1, 2, 4 or 8 bytes. Any other version is invalid.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants

IDLE_APID = 0x7FF
SPACE_PACKET = 0
ENCAPSULATION_PACKET = 7
PRIMARY_HEADER_BYTES = 6
LONGEST_ENCAPSULATION_BYTES = 1 << 17
"""Longer encapsulation packets are invalid: the length field allows 4 GB, but memory must be bounded."""
_ENCAPSULATION_HEADER_BYTES = (1, 2, 4, 8)
OTHER_VERSION = 1 << 61
"""The first words of space packets are below it."""
(_OTHER_VERSION,) = constants(np.uint64, OTHER_VERSION)
_APID, _COUNT, _FLAGS_SHIFT, _IDLE = constants(np.uint16, 0x7FF, 0x3FFF, 14, IDLE_APID)
_APID_OF_WORD, _IDLE_WORD = constants(np.uint64, 0x7FF << 48, IDLE_APID << 48)
(_HEADER_AND_ONE,) = constants(np.int64, PRIMARY_HEADER_BYTES + 1)
_FIRST, _SECOND, _THIRD = (3, 2, 1) if sys.byteorder == "little" else (0, 1, 2)
"""Positions of the 16-bit words of a header in a native 8-byte word."""


def only_space_packets(word: NDArray[np.uint64]) -> bool:
    """Whether all packets are space packets, as on most links; then other checks can be skipped."""
    return not len((word >= _OTHER_VERSION).nonzero()[0])


def space_packet_lengths(word: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Whole lengths in bytes: the length field is that of the data field less one (133.0-B 4.1.3.5.3): int64[n].

    `word: uint64[n]`: contiguous, native order.
    """
    lengths: NDArray[np.int64] = word.view(np.uint16).reshape(-1, 4)[:, _THIRD].astype(np.int64)
    lengths += _HEADER_AND_ONE
    return lengths


def encapsulation_size(word: int) -> tuple[int, int]:
    """Header length and whole length in bytes of an encapsulation packet (133.1-B 4.1.2)."""
    kind = word >> 56 & 3
    header = _ENCAPSULATION_HEADER_BYTES[kind]
    whole = (1, word >> 48 & 0xFF, word >> 32 & 0xFFFF, word & 0xFFFFFFFF)[kind]
    return header, whole


def encapsulation_sizes(word: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`encapsulation_size` for many packets: int64[n], int64[n]."""
    kind = (word >> np.uint64(56) & np.uint64(3)).astype(np.intp)
    shift, bits = np.array([0, 48, 32, 0], np.uint64), np.array([0, 0xFF, 0xFFFF, 0xFFFFFFFF], np.uint64)
    whole = (word >> shift[kind] & bits[kind]).astype(np.int64)
    whole[kind == 0] = 1
    return np.array(_ENCAPSULATION_HEADER_BYTES)[kind], whole


def check_other_headers(
    word: NDArray[np.uint64], room: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`check_header` for many packets, none of them a space packet: lengths int64[n], invalid bool[n]."""
    header, whole = encapsulation_sizes(word)
    cut = header > room
    wrong = ~cut & ((whole < header) | (whole > LONGEST_ENCAPSULATION_BYTES))
    unknown = ~is_encapsulation(word)
    cut = np.where(unknown, room < PRIMARY_HEADER_BYTES, cut)
    least = np.where(unknown, PRIMARY_HEADER_BYTES, header)
    return np.where(cut, least, np.where(unknown, 0, whole)), np.where(unknown, ~cut, wrong)


def check_header(word: int, room: int) -> tuple[int, bool]:
    """Whole length of the packet that begins with `word`, and whether its header is invalid.

    `room`: bytes available from its beginning on. A header that is cut counts as a packet longer than the room.
    """
    version = word >> 61
    if version == SPACE_PACKET:
        return (word >> 16 & 0xFFFF) + 7, False
    if version == ENCAPSULATION_PACKET:
        header, whole = encapsulation_size(word)
        if header > room:
            return header, False
        return whole, not header <= whole <= LONGEST_ENCAPSULATION_BYTES
    # The first byte shows the version, but a header of unknown version is rejected only when it is complete.
    return (PRIMARY_HEADER_BYTES, False) if room < PRIMARY_HEADER_BYTES else (0, True)


def packet_fields(
    word: NDArray[np.uint64],
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """Whole length, APID, sequence count and sequence flags of space packets (133.0-B 4.1.3).

    `word`: contiguous, native order.
    """
    return space_packet_lengths(word), *header_fields(word)


def header_fields(word: NDArray[np.uint64]) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint8]]:
    """The same without the length."""
    halves = word.view(np.uint16).reshape(-1, 4)
    sequence = halves[:, _SECOND]
    return halves[:, _FIRST] & _APID, sequence & _COUNT, (sequence >> _FLAGS_SHIFT).astype(np.uint8)


def count_idle(word: NDArray[np.uint64]) -> int:
    """How many of space packets are of the idle APID."""
    return int(np.count_nonzero(word & _APID_OF_WORD == _IDLE_WORD))


def not_idle(word: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Rows of the space packets that do not have the idle APID: intp[k]."""
    rows: NDArray[np.intp] = (word & _APID_OF_WORD != _IDLE_WORD).nonzero()[0]
    return rows


def is_idle(word: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which are space packets of the idle APID or encapsulation packets of protocol 0 (133.1-B 4.1.2): bool[n]."""
    idle: NDArray[np.bool_] = word.view(np.uint16).reshape(-1, 4)[:, _FIRST] & _APID == _IDLE
    if only_space_packets(word):
        return idle
    return np.where(is_encapsulation(word), protocol(word) == 0, idle)


def is_encapsulation(word: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which are encapsulation packets: bool[n]."""
    found: NDArray[np.bool_] = word >> np.uint64(61) == ENCAPSULATION_PACKET
    return found


def protocol(word: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Protocol id of encapsulation packets: uint16[n]."""
    return (word >> np.uint64(58) & np.uint64(7)).astype(np.uint16)
