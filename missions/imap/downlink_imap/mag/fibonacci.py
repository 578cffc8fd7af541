"""Fibonacci's code in packets of bits: where each number ends, and what it is, without a loop over numbers.

A number is a sum of the Fibonacci numbers 1, 2, 3, 5, ... of which no two are neighbours: one bit for each from the
smallest on, and another one behind the last, so that a code ends with its first pair of ones (Fraenkel and Klein
1996, Discrete Appl. Math. 64, 31). In a run of ones every other one thus ends a code: the second, the fourth ...
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..bits import unsigned

LONGEST_BITS = 32
"""Of a code without its last one: enough for what 21 bits count."""


def _numbers(n: int) -> NDArray[np.int64]:
    found = [1, 2]
    while len(found) < n:
        found.append(found[-1] + found[-2])
    return np.array(found, np.int64)


_OCTETS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)
_SUMS = np.stack([_OCTETS @ part for part in _numbers(LONGEST_BITS).reshape(-1, 8)])
"""`int64[4, 256]`: what each value of the first, second ... byte of a code adds."""


def last_zeros(bits: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Where the last zero up to each bit is, -1 where there is none: `int32[n, B]` of `bits uint8[n, B]`."""
    at = np.arange(bits.shape[1], dtype=np.int32)
    return np.maximum.accumulate(np.where(bits == 0, at, np.int32(-1)), axis=1)


def boundaries(zeros: NDArray[np.int32], start: NDArray[np.int64], n_codes: int) -> NDArray[np.int64]:
    """Where codes begin that follow each other from `start int64[n]` on: `int64[n, n_codes + 1]`, with the last end.

    `zeros`: of `last_zeros`. The end of the row, B, where there are fewer codes.
    """
    n, n_bits = zeros.shape
    at = np.arange(n_bits, dtype=np.int32)
    before = np.clip(start - 1, -1, n_bits).astype(np.int32)[:, None]
    in_run = at - np.maximum(zeros, before)
    ends = np.flatnonzero((in_run > 0) & (in_run & 1 == 0))
    first = np.searchsorted(ends, np.arange(n + 1) * n_bits)
    which = first[:-1, None] + np.arange(n_codes)
    found = which < first[1:, None]
    row = np.arange(n)[:, None] * n_bits
    of_row = np.append(ends, 0)[np.where(found, which, -1)] - row + 1
    return np.concatenate([start[:, None], np.where(found, of_row, n_bits)], axis=1)


def zigzag_values(rows: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Signed numbers of the codes between boundaries `at int64[n, k + 1]` of `padded` rows: `int64[n, k]`.

    0, -1, 1, -2, ... are sent as 1, 2, 3, 4, ...
    """
    n_bits = np.clip(np.diff(at, axis=1) - 1, 0, LONGEST_BITS)
    code = unsigned(rows, at[:, :-1], n_bits).astype(np.int64) << (LONGEST_BITS - n_bits)
    octets = code[..., None] >> np.array([24, 16, 8, 0]) & 255
    number: NDArray[np.int64] = _SUMS[np.arange(4), octets].sum(axis=-1) - 1
    return (number >> 1) ^ -(number & 1)
