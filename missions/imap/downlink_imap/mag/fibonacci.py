"""Fibonacci's code in packets of bits: where each number ends, and what it is, without a loop over numbers.

A number is a sum of the Fibonacci numbers 1, 2, 3, 5, ... of which no two are neighbours: one bit for each from the
smallest on, and another one behind the last, so that a code ends with its first pair of ones (Fraenkel and Klein
1996, Discrete Appl. Math. 64, 31). In a run of ones every other one thus ends a code: the second, the fourth ...
Steps from one number to the next are sent by such numbers: 0, -1, 1, -2, ... as 1, 2, 3, 4, ...
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LONGEST_BITS = 32
"""Of a code without its last one: enough for what 21 bits count."""
MARGIN_BYTES = 8
_HALF_BITS = 16


def _numbers(n: int) -> NDArray[np.int64]:
    found = [1, 2]
    while len(found) < n:
        found.append(found[-1] + found[-2])
    return np.array(found, np.int64)


def _sums(parts: NDArray[np.int64]) -> NDArray[np.int64]:
    """What each value of 16 bits adds that stand for these 16 numbers, the first in the highest bit: `int64[65536]`."""
    sums = np.zeros(1, np.int64)
    for part in parts:
        sums = (sums[:, None] + [0, part]).ravel()
    return sums


def _steps(numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    return (((numbers - 1) >> 1) ^ -((numbers - 1) & 1)).astype(np.int32)


_EARLY, _LATE = (_sums(parts) for parts in _numbers(LONGEST_BITS).reshape(2, _HALF_BITS))
_EARLY_STEPS = _steps(_EARLY)
_MIRRORED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1), axis=1, bitorder="little")[
    :, 0
]
_KEPT = np.array([(1 << 64) - (1 << 64 - n) for n in range(LONGEST_BITS + 1)], np.uint64)
"""The highest 0, 1, 2, ... bits."""


class Codes:
    """Rows of bytes `uint8[n, L]` in which codes stand; bits are counted through all rows, `row_bits` in each.

    Each row is followed by zeros, so that no run of ones reaches into the next one.
    """

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        n, n_bytes = rows.shape
        self._bytes = np.zeros((n, -(-n_bytes // 4) * 4 + MARGIN_BYTES), np.uint8)
        self._bytes[:, :n_bytes] = rows
        self.row_bits = self._bytes.shape[1] * 8
        halves = np.append(self._bytes.ravel().view(">u4"), np.uint32(0)).astype(np.uint64)
        self._words = halves[:-1] << np.uint64(32) | halves[1:]
        """64 bits from each 32nd bit on."""

    def boundaries(self, start: NDArray[np.int64], n_codes: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where codes begin that follow each other from the bits `start int64[n]` of the rows on, and the last end.

        `int64[n, n_codes + 1]`, counted in each row, and which rows have so many. What is missing is at the row's end.
        """
        first_byte = int(start.min(initial=self.row_bits)) // 16 * 2
        first_byte = min(first_byte, self._bytes.shape[1] - MARGIN_BYTES)
        ends, row_bits = self._ends(start, first_byte), self.row_bits - 8 * first_byte
        rows = np.arange(len(start) + 1)
        first = np.searchsorted(ends, rows * row_bits)
        enough = np.diff(first) >= n_codes
        which = first[:-1, None] + np.arange(n_codes)
        at = np.empty((len(start), n_codes + 1), np.int64)
        at[:, 0] = start
        if enough.all():
            at[:, 1:] = ends.take(which)
        else:
            after = rows[1:, None] * row_bits - 1
            at[:, 1:] = np.where(which < first[1:, None], np.append(ends, 0).take(which, mode="clip"), after)
        at[:, 1:] += 8 * first_byte + 1 - rows[:-1, None] * row_bits
        return at, enough

    def _ends(self, start: NDArray[np.int64], first_byte: int) -> NDArray[np.int64]:
        """The bits that end a code, of those from `start int64[n]` of each row on, counted from `first_byte` of each.

        All bits are one number, the first bit its lowest: where a run of ones begins, an addition of one carries
        through the whole run and clears it. Runs that begin at even bits are cleared so; of them odd bits are ends,
        of the others even bits.
        """
        at = np.minimum(start, self.row_bits - 1) - 8 * first_byte
        octets = self._bytes[:, first_byte:]
        bits = np.where(np.arange(octets.shape[1]) < (at >> 3)[:, None], np.uint8(0), octets)
        bits[np.arange(len(at)), at >> 3] &= np.uint8(255) >> (at & 7).astype(np.uint8)
        n = bits.size
        ones = int.from_bytes(_MIRRORED.take(bits).tobytes(), "little")
        even = int.from_bytes(b"\x55" * n, "little")
        begin_even = ones & ~(ones << 1) & even
        in_even = ones & ~(ones + begin_even)
        ends = (in_even & even << 1) | ((ones ^ in_even) & even)
        found = np.frombuffer(ends.to_bytes(n, "little"), np.uint8)
        return np.flatnonzero(np.unpackbits(found, bitorder="little").view(np.bool_))

    def steps(self, at: NDArray[np.int64]) -> NDArray[np.int32]:
        """What the codes between boundaries `at int64[n, k + 1]` of the rows stand for: `int32[n, k]`."""
        begin = at[:, :-1] + np.arange(len(at))[:, None] * self.row_bits
        n_bits = np.minimum(np.maximum(np.diff(at, axis=1) - 1, 0), LONGEST_BITS)
        words = self._words.take(begin >> 5, mode="clip") << (begin & 31).astype(np.uint64)
        words &= _KEPT.take(n_bits)
        steps: NDArray[np.int32] = _EARLY_STEPS.take((words >> np.uint64(48)).astype(np.intp))
        long = n_bits > _HALF_BITS
        if long.any():
            of_long = (words[long] >> np.uint64(32)).astype(np.intp)
            steps[long] = _steps(_EARLY.take(of_long >> _HALF_BITS) + _LATE.take(of_long & 0xFFFF))
        return steps
