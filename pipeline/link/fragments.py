"""Packets that a gap cut, for channels where a mission wants what there is of them.

A packet that runs on behind the gap keeps its place: the missing frames are laid out as zeros. One whose end is
missing is filled up with zeros to the length its header tells. Either way its holes are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.link.packet_headers import IDLE_APID, PRIMARY_HEADER_BYTES


@dataclass(frozen=True, slots=True)
class Hole:
    """`length` bytes from byte `start` of packet number `packet` were never received and are zero."""

    packet: int
    start: int
    length: int


def missing_bytes(held: NDArray[np.uint8]) -> int:
    """What a space packet of which `held: uint8[n]` is the beginning still lacks; 0 where that cannot be told."""
    if len(held) < PRIMARY_HEADER_BYTES or held[0] >> 5:
        return 0
    if int(held[0] & 7) << 8 | int(held[1]) == IDLE_APID:
        return 0
    return (int(held[4]) << 8 | int(held[5])) + 7 - len(held)
