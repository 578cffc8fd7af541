"""Bit fields of packet rows: where each begins is data, so that fields may lie at different places in each row.

In: bytes, a row a packet. Out: unsigned or two's complement values. Most significant bit first, as CCSDS counts bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

WORD_BYTES = 8
MAX_FIELD_BITS = 57
"""A field that begins anywhere in a byte then fits into eight bytes."""


def padded(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rows with eight zero bytes behind each, so that a word can be read at each of their bytes."""
    return np.pad(rows, ((0, 0), (0, WORD_BYTES)))


def unsigned(rows: NDArray[np.uint8], at: NDArray[np.int64], n_bits: ArrayLike) -> NDArray[np.uint64]:
    """Read fields of `n_bits` (0 to 57; broadcast to `at`) at the bits `at int64[n, k]` of `padded` rows `uint8[n, L]`.

    Bits beyond a row are zero.
    """
    first = np.clip(at >> 3, 0, rows.shape[1] - WORD_BYTES)
    words = np.lib.stride_tricks.sliding_window_view(rows, WORD_BYTES, axis=1)
    read = words[np.arange(len(rows))[:, None], first].view(">u8")[..., 0].astype(np.uint64)
    read = np.where(at >> 3 == first, read << (at & 7).astype(np.uint64), np.uint64(0))
    shift = 64 - np.asarray(n_bits, np.int64)
    return np.where(shift < 64, read >> np.minimum(shift, 63).astype(np.uint64), np.uint64(0))


def signed(rows: NDArray[np.uint8], at: NDArray[np.int64], n_bits: ArrayLike) -> NDArray[np.int64]:
    """The same of two's complement fields."""
    return twos_complement(unsigned(rows, at, n_bits), n_bits)


def twos_complement(values: NDArray[np.uint64], n_bits: ArrayLike) -> NDArray[np.int64]:
    """Read the lowest `n_bits` (1 to 63) of each value as two's complement."""
    sign = np.int64(1) << np.maximum(np.asarray(n_bits, np.int64) - 1, 0)
    found = values.astype(np.int64) & (2 * sign - 1)
    return (found ^ sign) - sign
