"""The pseudo-random sequence that keeps the bits turning (CCSDS 131.0-B 10.4)."""

from __future__ import annotations

import numpy as np

from .arrays import Octets


def sequence(n_bytes: int) -> Octets:
    """The first bytes of the sequence of h(x) = x^8 + x^7 + x^5 + x^3 + 1, register all ones at each marker."""
    bits = np.ones(n_bytes * 8, np.uint8)
    for i in range(8, bits.size):
        bits[i] = bits[i - 1] ^ bits[i - 3] ^ bits[i - 5] ^ bits[i - 8]
    return np.packbits(bits)
