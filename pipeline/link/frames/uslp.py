"""USLP transfer frames of fixed length (CCSDS 732.1-B-2 4.1): a count of 0 to 7 bytes, MAPs, construction rules.

Packets are read from frames whose protocol is packets (UPID 0) and whose construction rule is 0 (they span frames,
with a pointer) or 7 (whole packets only). Truncated frames and other rules and protocols hold none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ..settings import LinkSettings, Service
from .headers import FECF_BYTES, OPERATIONAL_CONTROL_BYTES, Headers

_VERSION = 12
_FIXED_HEADER_BYTES = 7
_RULES_WITH_POINTER = 3
_RULE_WHOLE_PACKETS = 7
_PACKETS = 0
_COUNT_BYTES_KEPT = 4


class UslpHeaders:
    """16-bit spacecraft id; the low 32 bits of the count; pointers of 16 bits."""

    no_packet_starts = 0xFFFF
    only_idle = 0xFFFE

    def __init__(self, settings: LinkSettings) -> None:
        self.control_field_at = settings.frame_length_bytes - FECF_BYTES * settings.fecf - OPERATIONAL_CONTROL_BYTES
        self._insert = settings.insert_zone_bytes + settings.security_header_bytes
        self._length = settings.frame_length_bytes
        self._body_stop = settings.frame_length_bytes - FECF_BYTES * settings.fecf - settings.security_trailer_bytes

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        head = frames[:, :_FIXED_HEADER_BYTES].astype(np.int32)
        stop = self._body_stop - OPERATIONAL_CONTROL_BYTES * (head[:, 6] >> 3 & 1)
        at = np.minimum(_FIXED_HEADER_BYTES + (head[:, 6] & 7) + self._insert, stop - 1)
        rows = np.arange(len(frames))
        rule, protocol = frames[rows, at] >> 5, frames[rows, at] & 0x1F
        has_pointer = rule < _RULES_WITH_POINTER
        start = np.minimum(at + 1 + 2 * has_pointer, stop)
        pointer = frames[rows, np.minimum(at + 1, stop - 1)].astype(np.int32) << 8
        pointer |= frames[rows, np.minimum(at + 2, stop - 1)]
        pointer = np.where(rule == 0, pointer, np.where(rule == _RULE_WHOLE_PACKETS, 0, self.only_idle))
        truncated = head[:, 3] & 1
        length = (head[:, 4] << 8 | head[:, 5]) + 1
        return Headers(
            valid=(head[:, 0] >> 4 == _VERSION) & (truncated == 0) & (length == self._length),
            scid=((head[:, 0] & 0x0F) << 12 | head[:, 1] << 4 | head[:, 2] >> 4).astype(np.uint16),
            vcid=((head[:, 2] & 0x07) << 3 | head[:, 3] >> 5).astype(np.uint8),
            vc_count=self._counts(frames, head[:, 6] & 7),
            first_header_pointer=np.where(protocol == _PACKETS, pointer, self.only_idle).astype(np.int32),
            zone_start=start.astype(np.int32),
            zone_stop=stop.astype(np.int32),
        )

    @staticmethod
    def _counts(frames: NDArray[np.uint8], n_bytes: NDArray[np.int32]) -> NDArray[np.uint32]:
        count = np.zeros(len(frames), np.uint32)
        for k in range(int(n_bytes.max(initial=0))):
            column = min(_FIXED_HEADER_BYTES + k, frames.shape[1] - 1)
            count = np.where(k < n_bytes, count << np.uint32(8) | frames[:, column], count)
        return count

    def for_service(self, service: Service, frames: FrameBatch) -> FrameBatch:
        """A MAP access service's data are in the same zone."""
        return frames if service == "packets" else replace(frames)

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """1 where the frames have no count, so that every frame follows on."""
        return 1 << 8 * min(int(frame[6] & 7), _COUNT_BYTES_KEPT)

    def master_count(self, frames: NDArray[np.uint8]) -> None:
        """Only each virtual channel has a count."""
        del frames

    def with_operational_control(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The frame's own flag (4.1.2)."""
        flags: NDArray[np.bool_] = frames[:, 6] & 8 != 0
        return flags

    def replayed(self, frames: NDArray[np.uint8]) -> None:
        """There is no such flag."""
        del frames

    def insert_times(self, frames: NDArray[np.uint8]) -> None:
        """No codec is known for such frames."""
        del frames

    def maps(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Four bits before the end-of-header flag (4.1.2)."""
        return frames[:, 3] >> np.uint8(1) & np.uint8(0x0F)
