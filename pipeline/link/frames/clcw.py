"""The communications link control word (CLCW) in the operational control field.

It reports the commands that the spacecraft has accepted (CCSDS 232.0-B-4 4.2.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLCW_BYTES = 4
_OTHER_REPORT = np.uint32(1 << 31)


def control_words(frames: NDArray[np.uint8], at: int) -> NDArray[np.uint32]:
    """Read the operational control fields at byte `at` of `frames: uint8[n, L]`: uint32[n]."""
    return np.frombuffer(frames[:, at : at + CLCW_BYTES].tobytes(), ">u4").astype(np.uint32)


def is_clcw(words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Which words are CLCWs (type 0); type 1 is another report (132.0-B-3 4.1.5.2.3): bool[n]."""
    return words < _OTHER_REPORT


def read_clcw(word: int) -> dict[str, Any] | None:
    """Read the fields of one CLCW by name; None for another report (type 1, 132.0-B-3 4.1.5.2.3)."""
    if word >> 31:
        return None
    return {
        "version": word >> 29 & 3,
        "status": word >> 26 & 7,
        "cop_in_effect": word >> 24 & 3,
        "vcid": word >> 18 & 0x3F,
        "no_rf_available": bool(word >> 15 & 1),
        "no_bit_lock": bool(word >> 14 & 1),
        "lockout": bool(word >> 13 & 1),
        "wait": bool(word >> 12 & 1),
        "retransmit": bool(word >> 11 & 1),
        "farm_b_count": word >> 9 & 3,
        "report_value": word & 0xFF,
    }
