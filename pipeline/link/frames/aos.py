"""AOS transfer frames (CCSDS 732.0-B-4 4.1): header, insert zone, and the head of the data field by service."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ...model.constants import constants
from ..settings import LinkSettings, Service
from .headers import (
    FECF_BYTES,
    NO_PACKET_STARTS,
    ONLY_IDLE,
    OPERATIONAL_CONTROL_BYTES,
    Headers,
)
from .insert_zone import insert_zone_times

ALL_VALID = 0x3FFF
NONE_VALID = 0x3FFE
AOS_HEADER_BYTES = 6
HEADER_ERROR_CONTROL_BYTES = 2
PRIMARY_HEADER_BYTES = 6
"""Of a space packet (133.0-B-2 4.1.3)."""
_UNIT_HEADER_BYTES = 2
# Places in the first eight bytes of a frame, as one number; the first 16 bits are its first word.
_TO_FIRST_WORD, _TO_VERSION, _TO_SCID, _TO_SCID_HIGH = constants(np.uint64, 48, 14, 6, 12)
_VERSION, _SCID_LOW, _SCID_HIGH, _VCID = constants(np.uint64, 1, 0xFF, 0x300, 0x3F)
_TO_COUNT, _COUNT = constants(np.uint64, 24, 0xFFFFFF)
_HAS_CYCLE, _CYCLE, _TO_CYCLE, _NO_CYCLE = constants(np.uint64, 1 << 22, 0x0F << 16, 8, 0)
(_POINTER,) = constants(np.int32, 0x7FF)


class AosHeaders:
    """24-bit count, or 28 bits where a frame says that it uses the cycle (4.1.2.5). Fields by 4.1.2 and 4.1.4.2."""

    no_packet_starts = NO_PACKET_STARTS
    only_idle = ONLY_IDLE

    def __init__(self, settings: LinkSettings) -> None:
        self._ocf = settings.operational_control_field
        header = AOS_HEADER_BYTES + HEADER_ERROR_CONTROL_BYTES * settings.header_error_control
        self.control_field_at = settings.frame_length_bytes - FECF_BYTES * settings.fecf - OPERATIONAL_CONTROL_BYTES
        self._insert_zone, self._insert_time = header, settings.insert_zone_time
        self._at = header + settings.insert_zone_bytes + settings.security_header_bytes
        self._unit_header = _UNIT_HEADER_BYTES if settings.mpdu_header else 0
        trailer = OPERATIONAL_CONTROL_BYTES * self._ocf + FECF_BYTES * settings.fecf
        self._stop = settings.frame_length_bytes - trailer - settings.security_trailer_bytes
        self._zone = np.array([[self._at + self._unit_header], [self._stop]], np.int32)

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        n, at = len(frames), self._at
        word = frames[:, :8].view(">u8")[:, 0].astype(np.uint64)
        first = word >> _TO_FIRST_WORD
        count = word >> _TO_COUNT & _COUNT
        if np.count_nonzero(cycled := word & _HAS_CYCLE):
            count |= np.where(cycled, (word & _CYCLE) << _TO_CYCLE, _NO_CYCLE)
        pointer = frames[:, at : at + 2].view(">u2")[:, 0].astype(np.int32) & _POINTER
        start, stop = self._zone.repeat(n, axis=1)
        if not self._unit_header:
            pointer, stop = np.zeros(n, np.int32), end_of_packets(frames, at, self._stop)
        return Headers(
            valid=first >> _TO_VERSION == _VERSION,
            scid=(first >> _TO_SCID & _SCID_LOW | word >> _TO_SCID_HIGH & _SCID_HIGH).astype(np.uint16),
            vcid=(first & _VCID).astype(np.uint8),
            vc_count=count.astype(np.uint32),
            first_header_pointer=pointer,
            zone_start=start,
            zone_stop=stop,
        )

    def for_service(self, service: Service, frames: FrameBatch) -> FrameBatch:
        """A B_PDU tells its last valid bit (4.1.4.3.3), a VCA_SDU fills the field without a header of its own."""
        if service == "bitstream":
            head = frames.data[:, self._at : self._at + 2].astype(np.int32)
            last_bit = (head[:, 0] & 0x3F) << 8 | head[:, 1]
            stop = np.minimum(frames.data_start + last_bit // 8 + 1, self._stop)
            stop = np.where(last_bit == NONE_VALID, frames.data_start, stop)
            stop = np.where(last_bit == ALL_VALID, self._stop, stop).astype(np.int32)
            return replace(frames, first_header_pointer=last_bit, data_stop=stop)
        if service == "data":
            return replace(frames, data_start=np.full_like(frames.data_start, self._at))
        return frames

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        return 1 << 28 if frame[5] & 0x40 else 1 << 24

    def master_count(self, frames: NDArray[np.uint8]) -> None:
        """Only each virtual channel has a count (4.1.2.4)."""
        del frames

    def with_operational_control(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """A managed parameter of the physical channel (4.1.5.1)."""
        return np.ones(len(frames), np.bool_) if self._ocf else None

    def replayed(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """The replay flag of the signalling field (4.1.2.5.2)."""
        flags: NDArray[np.bool_] = frames[:, 5] >= 0x80
        return flags

    def insert_times(self, frames: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """By the layout of the mission file."""
        return insert_zone_times(self._insert_time, frames, self._insert_zone) if self._insert_time else None

    def maps(self, frames: NDArray[np.uint8]) -> None:
        """There are none in AOS."""
        del frames


def end_of_packets(frames: NDArray[np.uint8], start: int, stop: int) -> NDArray[np.int32]:
    """Where the packets end that follow each other from byte `start` of each of `frames: uint8[n, L]`: int32[n].

    Behind them fill is told by its octets, which are all the same up to `stop`: no packet is looked for in it.
    """
    n = len(frames)
    zone = frames[:, start:stop]
    differs = zone != zone[:, -1:]
    tail = np.where(differs.any(axis=1), zone.shape[1] - np.argmax(differs[:, ::-1], axis=1), 0)
    at, going = np.zeros(n, np.intp), np.arange(n)
    while len(going):
        here = at[going]
        going = going[(here < tail[going]) & (here + PRIMARY_HEADER_BYTES <= zone.shape[1])]
        here = at[going]
        length = zone[going, here + 4].astype(np.intp) << 8 | zone[going, here + 5]
        following = here + length + PRIMARY_HEADER_BYTES + 1
        whole = (zone[going, here] >> 5 == 0) & (following <= zone.shape[1])
        going = going[whole]
        at[going] = following[whole]
    end = np.where((at > 0) & (at >= tail), at, zone.shape[1])
    return (start + end).astype(np.int32)
