"""The pseudo-random sequence a sender adds to the coded block so that it has enough bit transitions.

CCSDS 131.0-B clause 10: the sequence restarts at the first bit after the sync marker and covers frame and parity
symbols. Adding it a second time removes it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_LONG_SEED = 0b11000111000111000


@cache
def randomizer_sequence(length_bytes: int, *, long: bool = False) -> NDArray[np.uint8]:
    """First bytes of the sequence: uint8[length_bytes], read-only.

    Short: h(x) = x^8 + x^7 + x^5 + x^3 + 1, all registers one, 255 bits (131.0-B 10.4). Long: h(x) = x^17 + x^14
    + 1, seed 11000111000111000 with its last bit sent first, 131,071 bits (131.0-B-5 10.4).
    """
    if long:
        bits = [_LONG_SEED >> k & 1 for k in range(17)]
        taps, period = [3, 17], (1 << 17) - 1
    else:
        bits = [1] * 8
        taps, period = [1, 3, 5, 8], 255
    while len(bits) < min(period, 8 * length_bytes):
        bits.append(sum(bits[-tap] for tap in taps) & 1)
    sequence = np.packbits(np.resize(np.array(bits[:period], np.uint8), 8 * length_bytes))
    sequence.flags.writeable = False
    return sequence
