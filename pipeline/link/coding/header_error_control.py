"""The AOS frame header error control: a code that protects the ids of spacecraft and channel in the frame header.

A shortened Reed-Solomon code (10, 6) over GF(16) covers the 16 bits of master and virtual channel id and the 8 bits
of the signalling field; the count is outside it (CCSDS 732.0-B-4 4.1.2.6). Field polynomial x^4 + x + 1, roots
alpha^6 to alpha^9. Up to two wrong symbols of 4 bits are corrected, by a table from syndrome to error pattern.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

PROTECTED_BYTES = (0, 1, 5, 6, 7)
"""Bytes of the frame that form the codeword, the first symbol in the upper half of the first."""
UNCORRECTABLE = -1
_SYMBOLS = 10
_FIRST_ROOT = 6
_PARITY = 4


def correct_headers(frames: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Correct the headers of `frames: uint8[n, L]` in place.

    Returns the number of corrected symbols of each frame, -1: more than two are wrong: int16[n].
    """
    by_byte, patterns, weights = _tables()
    word = frames[:, PROTECTED_BYTES]
    syndrome = np.bitwise_xor.reduce(by_byte[np.arange(len(PROTECTED_BYTES)), word], axis=1)
    weight = weights[syndrome]
    rows = np.nonzero(weight > 0)[0]
    frames[rows[:, None], PROTECTED_BYTES] ^= patterns[syndrome[rows]]
    return weight


@cache
def _tables() -> tuple[NDArray[np.uint16], NDArray[np.uint8], NDArray[np.int16]]:
    """Syndromes by place and value uint16[5, 256]; by syndrome, error patterns uint8[65536, 5] and weights."""
    by_symbol = _symbol_syndromes()
    value = np.arange(256)
    by_byte = by_symbol[0::2][:, value >> 4] ^ by_symbol[1::2][:, value & 15]
    patterns = np.zeros((1 << 16, len(PROTECTED_BYTES)), np.uint8)
    weights = np.full(1 << 16, UNCORRECTABLE, np.int16)
    weights[0] = 0
    error = np.arange(1, 16)
    for place in range(_SYMBOLS):
        found = by_symbol[place, error]
        weights[found] = 1
        patterns[found, place // 2] = _placed(error, place)
    for first, second in combinations(range(_SYMBOLS), 2):
        a, b = (grid.ravel() for grid in np.meshgrid(error, error))
        found = by_symbol[first, a] ^ by_symbol[second, b]
        weights[found] = 2
        patterns[found, first // 2] ^= _placed(a, first)
        patterns[found, second // 2] ^= _placed(b, second)
    return by_byte, patterns, weights


def _placed(error: NDArray[np.intp], place: int) -> NDArray[np.uint8]:
    """The error symbol in its half of the byte."""
    return (error << (0 if place % 2 else 4)).astype(np.uint8)


def _symbol_syndromes() -> NDArray[np.uint16]:
    """uint16[10, 16]: four syndromes of 4 bits each, for every symbol value at every place."""
    powers = [1]
    for _ in range(14):
        value = powers[-1] << 1
        powers.append(value ^ 0x13 if value & 0x10 else value)
    table = np.zeros((_SYMBOLS, 16), np.uint16)
    for place in range(_SYMBOLS):
        for log, value in enumerate(powers):
            for k in range(_PARITY):
                term = powers[(log + (_FIRST_ROOT + k) * (_SYMBOLS - 1 - place)) % 15]
                table[place, value] |= term << 4 * k
    return table
