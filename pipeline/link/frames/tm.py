"""TM transfer frames (CCSDS 132.0-B-3 4.1): each says itself whether it has a secondary header and an OCF."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ..settings import LinkSettings, Service
from .headers import (
    FECF_BYTES,
    NO_PACKET_STARTS,
    ONLY_IDLE,
    OPERATIONAL_CONTROL_BYTES,
    Headers,
)

_VERSION = 0
_COUNT_MODULUS = 1 << 8


class TmHeaders:
    """8-bit count; where the synchronisation flag is set the field holds no packets (4.1.2.7.3)."""

    no_packet_starts = NO_PACKET_STARTS
    only_idle = ONLY_IDLE

    def __init__(self, settings: LinkSettings) -> None:
        self.control_field_at = settings.frame_length_bytes - FECF_BYTES * settings.fecf - OPERATIONAL_CONTROL_BYTES
        self._body_stop = settings.frame_length_bytes - FECF_BYTES * settings.fecf - settings.security_trailer_bytes
        self._secondary_bytes = settings.secondary_header_bytes
        self._synchronous = 0 if settings.ignore_synchronization_flag else 1
        self._security = settings.security_header_bytes

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        valid, scid, vcid, count, pointer, start, ocf = self._fields(frames[:, :7].astype(np.int32).T)
        stop = self._body_stop - OPERATIONAL_CONTROL_BYTES * ocf
        return Headers(
            valid=valid,
            scid=scid.astype(np.uint16),
            vcid=vcid.astype(np.uint8),
            vc_count=count.astype(np.uint32),
            first_header_pointer=pointer,
            zone_start=np.minimum(start, stop),
            zone_stop=stop,
        )

    def for_service(self, service: Service, frames: FrameBatch) -> FrameBatch:
        """The data field is where the packets would be, whatever it holds."""
        del service
        return frames

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        del frame
        return _COUNT_MODULUS

    def master_count(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """8 bits over all virtual channels (4.1.2.5)."""
        return frames[:, 2]

    def with_operational_control(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The frame's own flag (4.1.2.4)."""
        flags: NDArray[np.bool_] = frames[:, 1] & 1 != 0
        return flags

    def replayed(self, frames: NDArray[np.uint8]) -> None:
        """There is no such flag."""
        del frames

    def insert_times(self, frames: NDArray[np.uint8]) -> None:
        """No codec is known for such frames."""
        del frames

    def maps(self, frames: NDArray[np.uint8]) -> None:
        """There are none in TM."""
        del frames

    def _fields(self, head: Any) -> tuple[Any, Any, Any, Any, Any, Any, Any]:
        """Whether the version is that of TM, SCID, VCID, count, first header pointer, start of the data, the OCF flag.

        `head`: the first seven bytes, as numbers or as arrays of them. The secondary header's length field holds its
        whole length less one (4.1.3.2.3).
        """
        secondary, synchronous = head[4] >> 7, (head[4] >> 6 & 1) * self._synchronous
        length = (head[6] & 0x3F) + 1 if self._secondary_bytes is None else self._secondary_bytes
        return (
            head[0] >> 6 == _VERSION,
            (head[0] & 0x3F) << 4 | head[1] >> 4,
            head[1] >> 1 & 0x07,
            head[3],
            synchronous * ONLY_IDLE + (1 - synchronous) * ((head[4] & 0x07) << 8 | head[5]),
            6 + secondary * length + self._security,
            head[1] & 1,
        )
