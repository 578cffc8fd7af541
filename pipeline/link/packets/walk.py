"""Walks from packet header to packet header, for the chains of many frames at once.

Each first header pointer starts a chain of packets. One step reads the header of the current packet of every chain, so
there are as many steps as the most packets in a frame. A few chains are walked one by one, which is then faster.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants
from .packet_headers import (
    OTHER_VERSION,
    check_header,
    check_other_headers,
    only_space_packets,
    space_packet_lengths,
)

PAD_BYTES = 8
"""Number of bytes that must follow the walked ones: a header is read as one 8-byte word."""
NOTHING = -1
(NOWHERE,) = constants(np.int64, NOTHING)
"""The same as a constant for array comparisons."""
_FEW_CHAINS = 32
_word_at = struct.Struct(">Q").unpack_from


@dataclass(slots=True)
class Chains:
    """m chains of packets, each from a first header pointer on; the partial packet begins one, too.

    `row: intp[m]`; int64[m] each: `begin`: start of the first packet; `zone_end`: end of the row; `limit`: end of the
    range without a gap, which no packet can cross.
    """

    row: NDArray[np.intp]
    begin: NDArray[np.int64]
    zone_end: NDArray[np.int64]
    limit: NDArray[np.int64]


@dataclass(slots=True)
class ChainEnds:
    """How each of m chains ended, int64[m] each.

    `n_packets`: number of whole packets; `stop`: end of the last of them; `unfinished`: start of a packet that does not
    end before the limit; `invalid`: position of an invalid header, or of one behind its zone; `NOTHING`: there is none.
    """

    n_packets: NDArray[np.int64]
    stop: NDArray[np.int64]
    unfinished: NDArray[np.int64]
    invalid: NDArray[np.int64]


@dataclass(slots=True)
class Walk:
    """p packets in order of chain and position.

    `start: int64[p]`; `word: uint64[p]`: first 8 bytes, big-endian; `row: intp[p]`: of their chain. `only_space`: no
    encapsulation packet is among them. `ends`: None: every chain ends exactly at the end of its zone.
    """

    start: NDArray[np.int64]
    word: NDArray[np.uint64]
    row: NDArray[np.intp]
    only_space: bool
    ends: ChainEnds | None


def words_of(octets: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """View the big-endian 8-byte word that begins at each byte; `octets` must end with `PAD_BYTES` spare bytes."""
    return np.ndarray((len(octets) - PAD_BYTES + 1,), ">u8", octets, 0, (1,))


def walk(octets: NDArray[np.uint8], chains: Chains) -> Walk:
    """Walk the chains, each while packets begin before the end of its zone and end before its limit."""
    return _walk_one_by_one(octets, chains) if len(chains.row) <= _FEW_CHAINS else _walk_together(octets, chains)


def _walk_one_by_one(octets: NDArray[np.uint8], chains: Chains) -> Walk:
    raw = octets.tobytes()
    starts: list[int] = []
    words: list[int] = []
    rows: list[int] = []
    ends: list[tuple[int, int, int, int]] = []
    only_space = ends_with_zone = True
    columns = (chains.row.tolist(), chains.begin.tolist(), chains.zone_end.tolist(), chains.limit.tolist())
    for row, first, end, last in zip(*columns, strict=True):
        at, n_before, unfinished, invalid = first, len(starts), NOTHING, NOTHING
        if first >= end:
            at, invalid = end, first
        while at < end:
            (word,) = _word_at(raw, at)
            if word < OTHER_VERSION:
                following = at + (word >> 16 & 0xFFFF) + 7
            else:
                only_space = False
                length, wrong = check_header(word, last - at)
                if wrong:
                    invalid = at
                    break
                following = at + length
            if following > last:
                unfinished = at
                break
            starts.append(at)
            words.append(word)
            rows.append(row)
            at = following
        ends.append((len(starts) - n_before, at, unfinished, invalid))
        ends_with_zone = ends_with_zone and at == end and invalid == NOTHING
    return Walk(
        np.array(starts, np.int64),
        np.array(words, np.uint64),
        np.array(rows, np.intp),
        only_space,
        None if ends_with_zone else ChainEnds(*np.array(ends, np.int64).T),
    )


def _walk_together(octets: NDArray[np.uint8], chains: Chains) -> Walk:
    words, begin, zone_end, limit = words_of(octets), chains.begin, chains.zone_end, chains.limit
    stop = begin.copy()
    only_space = True
    unfinished = np.full(len(begin), NOTHING, np.int64)
    invalid = np.full(len(begin), NOTHING, np.int64)
    steps: list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.intp]]] = []
    inside = begin < zone_end
    behind, chain = (~inside).nonzero()[0], inside.nonzero()[0]
    invalid[behind], stop[behind] = begin[behind], zone_end[behind]
    at, end, last = begin[chain], zone_end[chain], limit[chain]
    while len(chain):
        word = words[at].astype(np.uint64)
        following = at + space_packet_lengths(word)
        all_space, over = only_space_packets(word), following > last
        if not all_space or len(over.nonzero()[0]):
            only_space = only_space and all_space
            wrong = _check_others(word, at, last, following)
            over = following > last
            invalid[chain[wrong]] = at[wrong]
            cut = over & ~wrong  # a header cut by the limit counts as too long, whatever follows it
            unfinished[chain[cut]] = at[cut]
            on = (~(over | wrong)).nonzero()[0]
            chain, at, end, last = chain[on], at[on], end[on], last[on]
            word, following = word[on], following[on]
        steps.append((at, word, chain))
        stop[chain] = following
        on = (following < end).nonzero()[0]
        if len(on) == len(chain):
            at = following
        else:
            chain, at, end, last = chain[on], following[on], end[on], last[on]
    n_packets = np.bincount(np.concatenate([chain, *(step[2] for step in steps)]), minlength=len(begin))
    ends_with_zone = (stop == zone_end).all() and (invalid == NOTHING).all()
    ends = None if ends_with_zone else ChainEnds(n_packets, stop, unfinished, invalid)
    return Walk(*_in_order(steps, n_packets), chains.row.repeat(n_packets), only_space, ends)


def _check_others(
    word: NDArray[np.uint64], at: NDArray[np.int64], last: NDArray[np.int64], following: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which headers are invalid: bool[n]; writes the ends of encapsulation packets into `following`."""
    wrong = np.zeros(len(word), bool)
    other = np.nonzero(word >> np.uint64(61))[0]
    if len(other):
        lengths, wrong[other] = check_other_headers(word[other], last[other] - at[other])
        following[other] = at[other] + lengths
    return wrong


def _in_order(
    steps: list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.intp]]], n_packets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Sort start and first word of the packets of all steps by chain."""
    total = int(n_packets.sum())
    first_slot = np.cumsum(n_packets) - n_packets
    start, word = np.empty(total, np.int64), np.empty(total, np.uint64)
    for step, (at, header, chain) in enumerate(steps):
        slot = first_slot[chain] + step
        start[slot] = at
        word[slot] = header
    return start, word
