"""Vectors of MAG's science packets, as they are or compressed: bytes to counts and ranges of both sensors.

In: the science data of packets of one kind, a row a packet: in each, as many vectors of the primary sensor as in the
others, and then of the secondary one. Out: `Unpacked`. The layouts are those of the mission's public level 1A code
(imap_processing, mag/l1a); none of that code is used here.

Not compressed: 50 bits a vector, three components of 16 bits in two's complement and the range in two bits, without
padding between vectors or sensors.

Compressed: a header byte (width w of a component in 6 bits, whether ranges follow in 1 bit, 1 spare bit), then for each
sensor a first vector of 3 w bits and 2 bits of range, and the differences from vector to vector of x, y, z, each
zigzag coded (0, -1, 1, -2 as 0, 1, 2, 3) and, plus one, in Fibonacci's code. After a vector whose codes take more than
60 bits, the others of that sensor are not differences but 3 w bits each. Ranges follow at the next byte: two bits for
each vector but the two first; without them all have the range of the first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..bits import padded, signed, unsigned
from .fibonacci import LONGEST_BITS, Codes

VECTOR_BITS, COMPONENT_BITS, RANGE_BITS = 50, 16, 2
GROUP_VECTORS, GROUP_BYTES = 4, 25
HEADER_BITS, LONGEST_CODED_VECTOR_BITS = 8, 60
MAX_WIDTH_BITS = 20
BLOCK_BYTES = 1 << 17
"""Of compressed packets that are worked on at once: what is made of them fits a cache."""


class Vectors(NamedTuple):
    """Of one sensor: `counts int32[n, k, 3]` and `range_index uint8[n, k]`, a row a packet, k vectors in each."""

    counts: NDArray[np.int32]
    range_index: NDArray[np.uint8]


class Unpacked(NamedTuple):
    """Of both sensors. `whole bool[n]`: nothing is wrong with the packet; the vectors of others are zero.

    `width_bits uint8[n]`: of a component in a compressed packet; 0 in others.
    """

    primary: Vectors
    secondary: Vectors
    whole: NDArray[np.bool_]
    width_bits: NDArray[np.uint8]


class _Section(NamedTuple):
    """Of one sensor in compressed packets: its vectors, where they end in each packet, which packets are right."""

    vectors: Vectors
    end: NDArray[np.int64]
    whole: NDArray[np.bool_]


def unpack(data: NDArray[np.uint8], n_bytes: NDArray[np.int64], n_primary: int, n_secondary: int) -> Unpacked:
    """Vectors of packets that are not compressed: `data uint8[n, L]`, of which `n_bytes int64[n]` are the packet's."""
    n_vectors = n_primary + n_secondary
    whole = n_bytes * 8 >= n_vectors * VECTOR_BITS
    n_groups = -(-n_vectors // GROUP_VECTORS)
    groups = np.zeros((len(data), n_groups * GROUP_BYTES), np.uint8)
    n_copied = min(data.shape[1], groups.shape[1])
    groups[:, :n_copied] = data[:, :n_copied]
    both = _groups(groups.reshape(len(data), n_groups, GROUP_BYTES))
    return _where_whole(*_split(both, n_primary, n_vectors), whole, np.zeros(len(data), np.uint8))


def _groups(groups: NDArray[np.uint8]) -> Vectors:
    """Four vectors are 25 bytes: `groups uint8[n, g, 25]` to 4 g vectors in each row."""
    n, n_groups, _ = groups.shape
    counts = np.empty((n, n_groups, GROUP_VECTORS, 3), np.int32)
    ranges = np.empty((n, n_groups, GROUP_VECTORS), np.uint8)
    for vector in range(GROUP_VECTORS):
        begin = vector * VECTOR_BITS
        for axis in range(3):
            counts[..., vector, axis] = _component(groups, begin + axis * COMPONENT_BITS)
        at = begin + 3 * COMPONENT_BITS
        ranges[..., vector] = groups[..., at // 8] >> (8 - RANGE_BITS - at % 8) & 3
    return Vectors(counts.reshape(n, -1, 3), ranges.reshape(n, -1))


def _component(groups: NDArray[np.uint8], at: int) -> NDArray[np.int16]:
    """The 16 bits of two's complement from bit `at` of each group on."""
    byte, behind = at // 8, at % 8
    found = groups[..., byte].astype(np.uint16) << 8 | groups[..., byte + 1]
    if behind:
        found = found << behind | groups[..., byte + 2] >> (8 - behind)
    return found.view(np.int16)


def decompress(data: NDArray[np.uint8], n_bytes: NDArray[np.int64], n_primary: int, n_secondary: int) -> Unpacked:
    """The same of compressed packets."""
    block = max(1, BLOCK_BYTES // max(1, data.shape[1]))
    parts = [
        _decompress(data[i : i + block], n_bytes[i : i + block], n_primary, n_secondary)
        for i in range(0, max(1, len(data)), block)
    ]
    joined = [np.concatenate(each) for each in zip(*(_flat(part) for part in parts), strict=True)]
    return Unpacked(Vectors(*joined[:2]), Vectors(*joined[2:4]), joined[4], joined[5])


def _decompress(data: NDArray[np.uint8], n_bytes: NDArray[np.int64], n_primary: int, n_secondary: int) -> Unpacked:
    header = data[:, 0] if data.shape[1] else np.zeros(len(data), np.uint8)
    width, with_ranges = (header >> 2).astype(np.uint8), header >> 1 & 1
    rows, codes = padded(data), Codes(data)
    start = np.full(len(data), HEADER_BITS, np.int64)
    primary = _section(rows, codes, start, width.astype(np.int64), n_primary)
    secondary = _section(rows, codes, primary.end, width.astype(np.int64), n_secondary)
    known, end = with_ranges == 1, secondary.end
    vectors = [primary.vectors, secondary.vectors]
    if known.any():
        at, n_ranges = -(-end // 8) * 8, n_primary + n_secondary - 2
        rest = unsigned(rows, at[:, None] + np.arange(n_ranges, dtype=np.int64) * RANGE_BITS, RANGE_BITS)
        of_each = rest[:, : n_primary - 1], rest[:, n_primary - 1 :]
        vectors = [_with_ranges(one, own, known) for one, own in zip(vectors, of_each, strict=True)]
        end = np.where(known, at + n_ranges * RANGE_BITS, end)
    whole = (n_bytes * 8 >= end) & (width > 0) & (width <= MAX_WIDTH_BITS) & primary.whole & secondary.whole
    return _where_whole(vectors[0], vectors[1], whole, width)


def _section(
    rows: NDArray[np.uint8], codes: Codes, start: NDArray[np.int64], width: NDArray[np.int64], n: int
) -> _Section:
    """Vectors of one sensor, n in each packet, from the bits `start int64[n]` of `padded` rows on."""
    first, range_index = _plain(rows, start, width), unsigned(rows, (start + 3 * width)[:, None], RANGE_BITS)
    at, enough = codes.boundaries(start + 3 * width + RANGE_BITS, 3 * (n - 1))
    counts = np.empty((len(rows), n, 3), np.int32)
    counts[:, 0] = first
    counts[:, 1:] = codes.steps(at).reshape(len(rows), n - 1, 3)
    np.cumsum(counts, axis=1, out=counts)
    coded, end = _coded(at), at[:, -1]
    all_coded = coded.all(axis=1)
    if not all_coded.all():
        counts, end = _with_plain(rows, counts, at, coded, width)
    length = np.diff(at, axis=1)
    whole = enough | ~all_coded
    if length.size and length.max() > LONGEST_BITS + 1:
        longest = length.reshape(len(rows), n - 1, 3).max(axis=2)
        whole &= ~((longest > LONGEST_BITS + 1) & coded).any(axis=1)
    ranges = np.repeat(range_index.astype(np.uint8), n, axis=1)
    return _Section(Vectors(counts, ranges), end, whole)


def _coded(at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which vectors but the first are differences: all up to, and with, the first one of more than 60 bits."""
    n_bits = at[:, 3::3] - at[:, :-3:3] if at.shape[1] > 1 else np.zeros((len(at), 0), np.int64)
    is_long = (n_bits > LONGEST_CODED_VECTOR_BITS).astype(np.int64)
    return np.asarray(np.cumsum(is_long, axis=1) == is_long)


def _with_plain(
    rows: NDArray[np.uint8],
    counts: NDArray[np.int32],
    at: NDArray[np.int64],
    coded: NDArray[np.bool_],
    width: NDArray[np.int64],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Counts with those vectors that are no differences, and the end of the section in each packet."""
    n_coded = coded.sum(axis=1)
    last = np.take_along_axis(at, 3 * n_coded[:, None], axis=1)
    behind = np.arange(coded.shape[1]) - n_coded[:, None]
    begin = last + np.maximum(behind, 0) * 3 * width[:, None]
    plain = np.stack([signed(rows, begin + axis * width[:, None], width[:, None]) for axis in range(3)], axis=-1)
    counts[:, 1:] = np.where(coded[..., None], counts[:, 1:], plain)
    return counts, last[:, 0] + (coded.shape[1] - n_coded) * 3 * width


def _plain(rows: NDArray[np.uint8], start: NDArray[np.int64], width: NDArray[np.int64]) -> NDArray[np.int64]:
    """`int64[n, 3]`: the vector of 3 w bits at `start int64[n]` in each row."""
    at = start[:, None] + width[:, None] * np.arange(3)
    return signed(rows, at, width[:, None])


def _with_ranges(vectors: Vectors, rest: NDArray[np.uint64], known: NDArray[np.bool_]) -> Vectors:
    """The vectors with ranges of their own for all but the first, in packets that have them."""
    ranges = vectors.range_index.copy()
    ranges[:, 1:] = np.where(known[:, None], rest.astype(np.uint8), ranges[:, 1:])
    return Vectors(vectors.counts, ranges)


def _split(both: Vectors, n_primary: int, n_vectors: int) -> tuple[Vectors, Vectors]:
    return (
        Vectors(both.counts[:, :n_primary], both.range_index[:, :n_primary]),
        Vectors(both.counts[:, n_primary:n_vectors], both.range_index[:, n_primary:n_vectors]),
    )


def _where_whole(
    primary: Vectors, secondary: Vectors, whole: NDArray[np.bool_], width: NDArray[np.uint8]
) -> Unpacked:
    if not whole.all():
        primary, secondary = (
            Vectors(each.counts * whole[:, None, None], each.range_index * whole[:, None])
            for each in (primary, secondary)
        )
    return Unpacked(primary, secondary, whole, width)


def _flat(part: Unpacked) -> tuple[NDArray[np.generic], ...]:
    return (*part.primary, *part.secondary, part.whole, part.width_bits)
