"""From packet header to packet header, for the chains of many frames at once.

Each first header pointer starts a chain of packets. One step reads the header of the current packet of every chain,
so there are as many steps as one frame can hold packets. Few chains are walked one by one, which is quicker then.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants
from .packet_headers import judge, judge_others, only_space_packets, space_packet_lengths

PAD_BYTES = 8
"""Bytes there must be behind the walked ones: a header is read as one 8-byte word."""
NOTHING = -1
(NOWHERE,) = constants(np.int64, NOTHING)
"""The same, to compare arrays with."""
_FEW_CHAINS = 32


@dataclass(frozen=True, slots=True)
class Walk:
    """p packets in order of their chain and place, and how each of m chains ended.

    `start: int64[p]`, `word: uint64[p]` (first 8 bytes, big-endian), `chain: intp[p]`. Of each chain: `n_packets`;
    `stop`, where its last whole packet ends; `unfinished`, the start of a packet that does not end before the
    limit, and `nonsense`, that of a header that cannot be one or stands behind its zone; `NOTHING` where there is none.
    """

    start: NDArray[np.int64]
    word: NDArray[np.uint64]
    chain: NDArray[np.intp]
    n_packets: NDArray[np.intp]
    stop: NDArray[np.int64]
    unfinished: NDArray[np.int64]
    nonsense: NDArray[np.int64]


def words_of(octets: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The big-endian 8-byte word that begins at each byte: a view, `octets` having `PAD_BYTES` to spare."""
    return np.ndarray((len(octets) - PAD_BYTES + 1,), ">u8", octets, 0, (1,))


def walk(
    octets: NDArray[np.uint8],
    begin: NDArray[np.int64],
    zone_end: NDArray[np.int64],
    limit: NDArray[np.int64],
) -> Walk:
    """Walk the chains that start at `begin` while a packet begins before `zone_end`; none may pass `limit`."""
    if len(begin) <= _FEW_CHAINS:
        return _walk_each(octets, begin, zone_end, limit)
    return _walk_all(octets, begin, zone_end, limit)


def _walk_each(
    octets: NDArray[np.uint8],
    begin: NDArray[np.int64],
    zone_end: NDArray[np.int64],
    limit: NDArray[np.int64],
) -> Walk:
    raw = octets.tobytes()
    starts: list[int] = []
    words: list[int] = []
    chains: list[int] = []
    ends: list[tuple[int, int, int, int]] = []
    for chain, (first, end, last) in enumerate(zip(begin.tolist(), zone_end.tolist(), limit.tolist(), strict=True)):
        at, n_before, unfinished, nonsense = first, len(starts), NOTHING, NOTHING
        if first >= end:
            at, nonsense = end, first
        while at < end:
            word = int.from_bytes(raw[at : at + 8], "big")
            length, wrong = judge(word, last - at)
            if wrong:
                nonsense = at
                break
            following = at + length
            if following > last:
                unfinished = at
                break
            starts.append(at)
            words.append(word)
            chains.append(chain)
            at = following
        ends.append((len(starts) - n_before, at, unfinished, nonsense))
    table = np.array(ends, np.int64).reshape(-1, 4).T
    return Walk(np.array(starts, np.int64), np.array(words, np.uint64), np.array(chains, np.intp), *table)


def _walk_all(
    octets: NDArray[np.uint8],
    begin: NDArray[np.int64],
    zone_end: NDArray[np.int64],
    limit: NDArray[np.int64],
) -> Walk:
    words = words_of(octets)
    stop = begin.copy()
    n_packets = np.zeros(len(begin), np.intp)
    unfinished = np.full(len(begin), NOTHING, np.int64)
    nonsense = np.full(len(begin), NOTHING, np.int64)
    steps: list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.intp]]] = []
    inside = begin < zone_end
    behind, chain = np.nonzero(~inside)[0], np.nonzero(inside)[0]
    nonsense[behind], stop[behind] = begin[behind], zone_end[behind]
    at, end, last = begin[chain], zone_end[chain], limit[chain]
    while len(chain):
        word = words[at].astype(np.uint64)
        following = at + space_packet_lengths(word)
        if not only_space_packets(word) or (following > last).any():
            wrong = _judge_others(word, at, last, following)
            over = following > last
            nonsense[chain[wrong]] = at[wrong]
            cut = over & ~wrong  # a header cut by the limit reads as too long whatever stands behind it
            unfinished[chain[cut]] = at[cut]
            on = ~(over | wrong)
            chain, at, end, last = chain[on], at[on], end[on], last[on]
            word, following = word[on], following[on]
        steps.append((at, word, chain))
        n_packets[chain] += 1
        stop[chain] = following
        on = following < end
        if on.all():
            at = following
        else:
            chain, at, end, last = chain[on], following[on], end[on], last[on]
    return _in_order(steps, n_packets, stop, unfinished, nonsense)


def _judge_others(
    word: NDArray[np.uint64], at: NDArray[np.int64], last: NDArray[np.int64], following: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which headers are nonsense; puts the right ends of encapsulation packets into `following`."""
    wrong = np.zeros(len(word), bool)
    other = np.nonzero(word >> np.uint64(61))[0]
    if len(other):
        lengths, wrong[other] = judge_others(word[other], last[other] - at[other])
        following[other] = at[other] + lengths
    return wrong


def _in_order(
    steps: list[tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.intp]]],
    n_packets: NDArray[np.intp],
    stop: NDArray[np.int64],
    unfinished: NDArray[np.int64],
    nonsense: NDArray[np.int64],
) -> Walk:
    """The packets of all steps, put chain by chain."""
    total = int(n_packets.sum())
    first_slot = np.cumsum(n_packets) - n_packets
    start, word = np.empty(total, np.int64), np.empty(total, np.uint64)
    for step, (at, header, chain) in enumerate(steps):
        slot = first_slot[chain] + step
        start[slot] = at
        word[slot] = header
    chain_of = np.repeat(np.arange(len(n_packets)), n_packets)
    return Walk(start, word, chain_of, n_packets, stop, unfinished, nonsense)
