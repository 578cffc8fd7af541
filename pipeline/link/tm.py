"""TM transfer frames (CCSDS 132.0-B-3 4.1): each says itself whether it has a secondary header and an OCF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import FrameBatch
from pipeline.link.headers import (
    FECF_BYTES,
    NO_PACKET_STARTS,
    ONLY_IDLE,
    OPERATIONAL_CONTROL_BYTES,
    Headers,
)
from pipeline.link.settings import LinkSettings, Service

_VERSION = 0
_COUNT_MODULUS = 1 << 8


class TmHeaders:
    """8-bit count; where the synchronisation flag is set the field holds no packets (4.1.2.7.3)."""

    no_packet_starts = NO_PACKET_STARTS
    only_idle = ONLY_IDLE

    def __init__(self, settings: LinkSettings) -> None:
        self._body_stop = settings.frame_length_bytes - FECF_BYTES * settings.fecf

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        head = frames[:, :7].astype(np.int32)
        status = head[:, 4] << 8 | head[:, 5]
        # The secondary header's length field holds its whole length less one (4.1.3.2.3).
        secondary = np.where(status & 0x8000, (head[:, 6] & 0x3F) + 1, 0)
        stop = self._body_stop - OPERATIONAL_CONTROL_BYTES * (head[:, 1] & 1)
        pointer = np.where(status & 0x4000, ONLY_IDLE, status & 0x07FF)
        return Headers(
            valid=head[:, 0] >> 6 == _VERSION,
            scid=((head[:, 0] & 0x3F) << 4 | head[:, 1] >> 4).astype(np.uint16),
            vcid=(head[:, 1] >> 1 & 0x07).astype(np.uint8),
            vc_count=head[:, 3].astype(np.uint32),
            first_header_pointer=pointer.astype(np.int32),
            zone_start=np.minimum(6 + secondary, stop).astype(np.int32),
            zone_stop=stop.astype(np.int32),
        )

    def for_service(self, service: Service, frames: FrameBatch) -> FrameBatch:
        """The data field is where the packets would be, whatever it holds."""
        del service
        return frames

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        del frame
        return _COUNT_MODULUS

    def with_operational_control(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The frame's own flag (4.1.2.4)."""
        flags: NDArray[np.bool_] = frames[:, 1] & 1 != 0
        return flags

    def replayed(self, frames: NDArray[np.uint8]) -> None:
        """There is no such flag."""
        del frames

    def maps(self, frames: NDArray[np.uint8]) -> None:
        """There are none in TM."""
        del frames
