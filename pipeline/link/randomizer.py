"""The pseudo-random sequence a sender adds to the coded block so that it has enough bit transitions.

CCSDS 131.0-B clause 10: the sequence starts anew at the first bit after the sync marker and covers frame and
parity symbols alike. Adding it once more takes it away.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

PERIOD_BITS = 255


@cache
def randomizer_sequence(length_bytes: int) -> NDArray[np.uint8]:
    """First bytes of the 255-bit sequence of h(x) = x^8 + x^7 + x^5 + x^3 + 1, all registers one (131.0-B 10.4).

    uint8[length_bytes], read-only.
    """
    bits = [1] * 8
    while len(bits) < PERIOD_BITS:
        bits.append(bits[-1] ^ bits[-3] ^ bits[-5] ^ bits[-8])
    period = np.packbits(np.tile(np.array(bits, np.uint8), 8))
    sequence = np.resize(period, length_bytes)
    sequence.flags.writeable = False
    return sequence
