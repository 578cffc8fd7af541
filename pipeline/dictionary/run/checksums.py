"""Check values over many spans of bytes at once: CRCs of any polynomial, sums, parity.

A CRC is linear: each byte adds the table row of its distance from the end, and the initial remainder adds a term that
depends on the length alone. Spans longer than the table go through it a segment at a time, all spans together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.encodings import CheckAlgorithm, Checksum, Crc, Parity
from .numbers import MIRROR
from .ragged import flat_starts, ragged_gather

Octets = NDArray[np.uint8]
Positions = NDArray[np.int64]
Array = NDArray[Any]
SEGMENT_BYTES = 512
BLOCK_BYTES = 128 << 10
"""What is gathered at once: it and its indices should stay in the second-level cache."""


class CheckValues:
    """The check value of each span, by one algorithm."""

    def __init__(self, algorithm: CheckAlgorithm) -> None:
        self._crc = CrcTable(algorithm) if isinstance(algorithm, Crc) else None
        self._algorithm = algorithm

    def of(self, data: Octets, start: Positions, length: Positions) -> NDArray[np.uint64]:
        """uint64[n] for the spans `data[start : start + length]`. Parity: 1 where the number of ones is odd."""
        found = np.zeros(len(start), np.uint64)
        for low, high in _blocks(length):
            octets = ragged_gather(data, start[low:high], length[low:high])
            found[low:high] = self._block(octets, length[low:high])
        return found

    def _block(self, octets: Octets, length: Positions) -> Array:
        if self._crc is not None:
            return self._crc.of(octets, length)
        if isinstance(self._algorithm, Parity):
            return np.bitwise_count(_reduced(np.bitwise_xor, octets, length)) & np.uint8(1)
        assert isinstance(self._algorithm, Checksum)
        return _sum(self._algorithm, octets, length)


def _blocks(length: Positions) -> Iterator[tuple[int, int]]:
    """Rows that take about BLOCK_BYTES together."""
    ends = np.cumsum(length)
    low = 0
    while low < len(length):
        done = int(ends[low - 1]) if low else 0
        high = max(int(np.searchsorted(ends, done + BLOCK_BYTES, side="right")), low + 1)
        yield low, high
        low = high


def _reduced(act: np.ufunc, values: Array, length: Positions) -> Array:
    """The values of each row put together; rows without any give 0."""
    n = len(length)
    if n and len(values) == n * int(length[0]) and bool((length == length[0]).all()):
        return np.asarray(act.reduce(values.reshape(n, -1), axis=1, dtype=values.dtype))
    found = np.zeros(n, values.dtype)
    there = np.flatnonzero(length)
    if len(there):
        found[there] = act.reduceat(values, flat_starts(length)[there], dtype=values.dtype)
    return found


def _from_end(length: Positions) -> Positions:
    """Of every byte, how many of its row come behind it."""
    ends = np.cumsum(length)
    return np.repeat(ends, length) - np.arange(1, int(ends[-1]) + 1 if len(ends) else 1)


def _sum(checksum: Checksum, octets: Octets, length: Positions) -> Array:
    """Sums of bytes; Adler's second sum counts each byte as often as its place from the end says."""
    wide = octets.astype(np.int64)
    if checksum.name.startswith("fletcher"):
        return _fletcher(checksum.width_bits // 2, wide, length)
    first = _reduced(np.add, wide, length)
    if checksum.name.startswith("sum"):
        return np.asarray(first & ((1 << checksum.width_bits) - 1))
    second = _reduced(np.add, wide * (_from_end(length) + 1), length)
    # RFC 1950: the first sum begins with 1, so the second has 1 more for each byte.
    return np.asarray((second + length) % 65521 << 16 | (first + 1) % 65521)


def _fletcher(block_bits: int, octets: NDArray[np.int64], length: Positions) -> Array:
    """Two sums of blocks modulo 2**block_bits - 1, the second of what the first has been after each block. Blocks
    are taken as they are sent, most significant bit first; a last half of one is filled with zeros.
    """
    modulus = (1 << block_bits) - 1
    behind = _from_end(length)
    if block_bits > 8:
        # Bytes are halves of blocks: counted from the row's start, the even ones are the high halves.
        n_blocks = np.repeat((length + 1) // 2, length)
        place = np.repeat(length, length) - 1 - behind
        value = np.where(place % 2 == 0, octets << 8, octets)
        first, second = value, value * (n_blocks - place // 2)
    else:
        n_parts = 8 // block_bits
        first, second = np.zeros_like(octets), np.zeros_like(octets)
        for part in range(n_parts):
            value = octets >> (8 - block_bits * (part + 1)) & modulus
            first += value
            second += value * (behind * n_parts + n_parts - part)
    low, high = (_reduced(np.add, each % modulus, length) % modulus for each in (first, second))
    return np.asarray(high << block_bits | low)


class CrcTable:
    """The tables of one CRC. `reflect_data` mirrors the bits of each byte, `reflect_remainder` those of the result;
    the initial remainder stands as the register has it before the first byte.
    """

    def __init__(self, crc: Crc) -> None:
        self._crc = crc
        self._dtype = np.dtype(f"u{next(each for each in (1, 2, 4, 8) if each * 8 >= crc.width_bits)}")
        first = self._multiplier(self._power(crc.width_bits))
        table = first.of(np.arange(256, dtype=np.uint64))[None, :] if crc.width_bits >= 8 else self._small()
        while len(table) < SEGMENT_BYTES:
            table = np.concatenate([table, self._multiplier(self._power(8 * len(table))).of(table)])
        table = table[:, MIRROR] if crc.reflect_data else table
        self._table = table.astype(self._dtype).reshape(-1)
        self._next = self._multiplier(self._power(8 * SEGMENT_BYTES))
        self._begin = np.array([crc.initial], np.uint64)

    def of(self, octets: Octets, length: Positions) -> NDArray[np.uint64]:
        """The CRC of each row of flat `octets`."""
        n_segments = max(-(-int(length.max(initial=0)) // SEGMENT_BYTES), 1)
        if n_segments == 1:
            register = self._segment(octets, length).astype(np.uint64)
        else:
            register = np.zeros(len(length), np.uint64)
            start = flat_starts(length)
            for k in reversed(range(n_segments)):
                end = np.maximum(length - k * SEGMENT_BYTES, 0)
                begin = np.maximum(end - SEGMENT_BYTES, 0)
                part = ragged_gather(octets, start + begin, end - begin)
                register = self._next.of(register) ^ self._segment(part, end - begin)
        register ^= self._beginnings(int(length.max(initial=0)))[length]
        if self._crc.reflect_remainder:
            register = _mirrored(register, self._crc.width_bits)
        return register ^ np.uint64(self._crc.final_xor)

    def _segment(self, octets: Octets, length: Positions) -> Array:
        n = len(length)
        width = int(length[0]) if n else 0
        if len(octets) == n * width and bool((length == width).all()):
            places = np.arange(width - 1, -1, -1) * 256
            found = self._table.take(octets.reshape(n, width) + places)
            return np.asarray(np.bitwise_xor.reduce(found, axis=1))
        return _reduced(np.bitwise_xor, self._table.take(_from_end(length) * 256 + octets), length)

    def _beginnings(self, length_bytes: int) -> NDArray[np.uint64]:
        """What the initial remainder has become after 0, 1, 2 ... bytes; it is kept, and grows by doubling."""
        while len(self._begin) <= length_bytes:
            ahead = self._multiplier(self._power(8 * len(self._begin)))
            self._begin = np.concatenate([self._begin, ahead.of(self._begin)])
        return self._begin

    def _small(self) -> NDArray[np.uint64]:
        """Bytes are wider than the register: their highest bits are reduced first."""
        powers = [self._power(self._crc.width_bits + i) for i in range(8)]
        return _combined(powers)[None, :]

    def _power(self, n: int) -> int:
        """x**n modulo the polynomial."""
        found, square = 1, 2 if self._crc.width_bits > 1 else self._crc.polynomial & 1
        while n:
            if n & 1:
                found = self._product(found, square)
            square, n = self._product(square, square), n >> 1
        return found

    def _product(self, a: int, b: int) -> int:
        top, total = 1 << self._crc.width_bits, 0
        modulus = top | self._crc.polynomial
        while b:
            if b & 1:
                total ^= a
            a, b = a << 1, b >> 1
            if a & top:
                a ^= modulus
        return total

    def _multiplier(self, factor: int) -> _Multiplier:
        products: list[int] = []
        for _ in range(self._crc.width_bits):
            products.append(factor)
            factor = self._product(factor, 2) if self._crc.width_bits > 1 else factor & self._crc.polynomial
        return _Multiplier(products)


class _Multiplier:
    """Multiplies registers by one factor; `products`: what each bit gives, the lowest first."""

    def __init__(self, products: list[int]) -> None:
        self._tables = [_combined(products[i : i + 8]) for i in range(0, len(products), 8)]

    def of(self, register: NDArray[np.uint64]) -> NDArray[np.uint64]:
        found = np.zeros_like(register)
        for i, table in enumerate(self._tables):
            found ^= table[(register >> np.uint64(8 * i)) & np.uint64(0xFF)]
        return found


def _combined(products: list[int]) -> NDArray[np.uint64]:
    """uint64[256]: of every byte, the sum of what its bits give."""
    table = np.zeros(1, np.uint64)
    for product in products:
        table = np.concatenate([table, table ^ np.uint64(product)])
    return np.resize(table, 256)


def _mirrored(register: NDArray[np.uint64], width_bits: int) -> NDArray[np.uint64]:
    octets = MIRROR[register.view(np.uint8)]
    return octets.view(np.uint64).byteswap() >> np.uint64(64 - width_bits)
