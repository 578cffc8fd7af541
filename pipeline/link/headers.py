"""Transfer frame headers, read for all frames at once, and where the packet zone lies behind them.

AOS: CCSDS 732.0-B-4 4.1. TM: CCSDS 132.0-B-3 4.1. Nothing is dropped here: a frame of another version is marked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.link.settings import LinkSettings

NO_PACKET_STARTS = 0x7FF
ONLY_IDLE = 0x7FE
OPERATIONAL_CONTROL_BYTES = 4
FECF_BYTES = 2


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields of n frames. `valid: bool[n]`: the version is that of the link; the others are noise.

    `first_header_pointer: int32[n]` as transmitted; TM frames without packets (sync flag) carry `NO_PACKET_STARTS`.
    `zone_start`, `zone_stop: int32[n]`: the packet zone inside the frame, never beyond it.
    """

    valid: NDArray[np.bool_]
    scid: NDArray[np.uint16]
    vcid: NDArray[np.uint8]
    vc_count: NDArray[np.uint32]
    first_header_pointer: NDArray[np.int32]
    zone_start: NDArray[np.int32]
    zone_stop: NDArray[np.int32]


class AosHeaders:
    """AOS frames: 24-bit count, or 28 bits where a frame says that it uses the cycle (732.0-B-4 4.1.2.5)."""

    def __init__(self, settings: LinkSettings) -> None:
        self._zone_start = 6 + 2 * settings.header_error_control + settings.insert_zone_bytes
        trailer = OPERATIONAL_CONTROL_BYTES * settings.operational_control_field + FECF_BYTES * settings.fecf
        self._zone_stop = settings.frame_length_bytes - trailer

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        n, at = len(frames), self._zone_start
        head = frames[:, :6].astype(np.uint32)
        count = head[:, 2] << 16 | head[:, 3] << 8 | head[:, 4]
        cycle = np.where(head[:, 5] & 0x40, head[:, 5] & 0x0F, 0)
        pointer = (frames[:, at].astype(np.int32) & 0x07) << 8 | frames[:, at + 1]
        return Headers(
            valid=head[:, 0] >> 6 == 1,
            scid=((head[:, 0] & 0x3F) << 2 | head[:, 1] >> 6).astype(np.uint16),
            vcid=(head[:, 1] & 0x3F).astype(np.uint8),
            vc_count=(cycle << 24 | count).astype(np.uint32),
            first_header_pointer=pointer,
            zone_start=np.full(n, at + 2, np.int32),
            zone_stop=np.full(n, self._zone_stop, np.int32),
        )

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """How far the count of this frame's channel runs before it wraps."""
        return 1 << 28 if frame[5] & 0x40 else 1 << 24


class TmHeaders:
    """TM frames: 8-bit count; each says itself whether it has a secondary header and an OCF (132.0-B-3 4.1.2)."""

    def __init__(self, settings: LinkSettings) -> None:
        self._body_stop = settings.frame_length_bytes - FECF_BYTES * settings.fecf

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        head = frames[:, :7].astype(np.int32)
        status = head[:, 4] << 8 | head[:, 5]
        # The secondary header's length field holds its whole length less one (4.1.3.2.3).
        secondary = np.where(status & 0x8000, (head[:, 6] & 0x3F) + 1, 0)
        stop = self._body_stop - OPERATIONAL_CONTROL_BYTES * (head[:, 1] & 1)
        holds_packets = status & 0x4000 == 0
        return Headers(
            valid=head[:, 0] >> 6 == 0,
            scid=((head[:, 0] & 0x3F) << 4 | head[:, 1] >> 4).astype(np.uint16),
            vcid=(head[:, 1] >> 1 & 0x07).astype(np.uint8),
            vc_count=head[:, 3].astype(np.uint32),
            first_header_pointer=np.where(holds_packets, status & 0x07FF, NO_PACKET_STARTS).astype(np.int32),
            zone_start=np.minimum(6 + secondary, stop).astype(np.int32),
            zone_stop=stop.astype(np.int32),
        )

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """How far the count of this frame's channel runs before it wraps."""
        del frame
        return 1 << 8


HeaderReader = AosHeaders | TmHeaders


def header_reader(settings: LinkSettings) -> HeaderReader:
    """The reader of this link's frame type."""
    return TmHeaders(settings) if settings.frame_type == "tm" else AosHeaders(settings)
