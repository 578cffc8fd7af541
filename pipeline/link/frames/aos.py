"""AOS transfer frames (CCSDS 732.0-B-4 4.1): header, time stamp in the insert zone, and the header of the data field by
service.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants
from ..settings import InsertZoneTime, LinkSettings, Service
from .headers import NO_PACKET_STARTS, OPERATIONAL_CONTROL_BYTES, HeaderBits, HeaderReader, first_words
from .tables import Frames, Ints

ALL_VALID = 0x3FFF
NONE_VALID = 0x3FFE
AOS_HEADER_BYTES = 6
HEADER_ERROR_CONTROL_BYTES = 2
PRIMARY_HEADER_BYTES = 6
"""Of a space packet (133.0-B-2 4.1.3)."""
_UNIT_HEADER_BYTES = 2
_VERSION = 1
_SCID_HIGH_OF_KEY = 16
"""Position of the two high bits of the spacecraft id in a key; below them is the first word of the header."""
_BITS = (48, 0xFFFF), (54, 0xFF), (48, 0x3F), (16, 0xFF), (24, 0xFFFFFF), (0, 0x7FF)
"""Key, spacecraft id, virtual channel, signalling field, count, first header pointer: shift and mask of each."""
_COUNT_BYTES = 8
_SECOND_NS = 10**9
# The signalling field, the byte behind the count.
_REPLAYED, _HAS_CYCLE, _SCID_HIGH, _CYCLE = constants(np.int64, 0x80, 0x40, 0x30, 0x0F)
_TO_SCID_HIGH, _TO_KEY_HIGH, _TO_CYCLE = constants(np.int64, 4, _SCID_HIGH_OF_KEY - 4, 24)


class AosHeaders(HeaderReader):
    """24-bit count, 28-bit if the frame uses the frame count cycle (4.1.2.5). Fields: 4.1.2 and 4.1.4.2."""

    def __init__(self, settings: LinkSettings) -> None:
        super().__init__(settings)
        self._ocf = settings.operational_control_field
        header = AOS_HEADER_BYTES + HEADER_ERROR_CONTROL_BYTES * settings.header_error_control
        self._insert_zone, self._insert_time = header, settings.insert_zone_time
        self.may_have_control_field = self._ocf
        self.has_insert_times = self._insert_time is not None
        self._at = header + settings.insert_zone_bytes + settings.security_header_bytes
        self._unit_header = _UNIT_HEADER_BYTES if settings.mpdu_header else 0
        self._stop = self._body_stop - OPERATIONAL_CONTROL_BYTES * self._ocf
        self._bits = HeaderBits(_BITS, (self._at + self._unit_header, self._stop, 0, 0, 0))

    def read(self, data: NDArray[np.uint8], first_index: int = 0) -> Frames:
        n, at = len(data), self._at
        fields = self._bits.read(first_words(data), first_index)
        frames = Frames(data, *fields)
        if len(frames.flags.nonzero()[0]):
            self._read_signalling(frames)
        if not self._unit_header:
            frames.first_header_pointer = np.zeros(n, np.int64)
            frames.data_stop = end_of_packets(data, at, self._stop)
        elif at != AOS_HEADER_BYTES:
            frames.first_header_pointer = first_words(data, at - AOS_HEADER_BYTES) & NO_PACKET_STARTS
        return frames

    @staticmethod
    def _read_signalling(frames: Frames) -> None:
        """Add the high bits of the spacecraft id and of the count from the signalling field (4.1.2.5)."""
        scid_high = frames.flags & _SCID_HIGH
        frames.scid |= scid_high << _TO_SCID_HIGH
        frames.key |= scid_high << _TO_KEY_HIGH
        cycled = frames.flags & _HAS_CYCLE != 0
        frames.vc_count |= ((frames.flags & _CYCLE) * cycled) << _TO_CYCLE

    def key_of(self, scid: int, vcid: int) -> int:
        """The first word of the header and the high bits of the spacecraft id."""
        return scid >> 8 << _SCID_HIGH_OF_KEY | _VERSION << 14 | (scid & 0xFF) << 6 | vcid

    def valid(self, frames: Frames) -> NDArray[np.bool_]:
        """Version 01 (4.1.2.2.2)."""
        valid: NDArray[np.bool_] = frames.key >> 14 & 3 == _VERSION
        return valid

    def for_service(self, service: Service, frames: Frames) -> Frames:
        """A B_PDU gives its last valid bit (4.1.4.3.3); a VCA_SDU fills the data field and has no header."""
        if service == "bitstream":
            head = frames.data[:, self._at : self._at + 2].astype(np.int64)
            last_bit = (head[:, 0] & 0x3F) << 8 | head[:, 1]
            stop = np.minimum(frames.data_start + last_bit // 8 + 1, self._stop)
            stop = np.where(last_bit == NONE_VALID, frames.data_start, stop)
            stop = np.where(last_bit == ALL_VALID, self._stop, stop)
            return replace(frames, first_header_pointer=last_bit, data_stop=stop)
        if service == "data":
            return replace(frames, data_start=np.full_like(frames.data_start, self._at))
        return frames

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        return 1 << 28 if frame[5] & 0x40 else 1 << 24

    def with_operational_control(self, frames: Frames) -> NDArray[np.intp]:
        """All frames or none: a managed parameter of the physical channel (4.1.5.1)."""
        return np.arange(len(frames.index) if self._ocf else 0)

    def n_replayed(self, frames: Frames) -> int:
        """Count the replay flag of the signalling field (4.1.2.5.2)."""
        return len((frames.flags & _REPLAYED).nonzero()[0])

    def insert_times(self, frames: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """Read the time stamps by the layout in the mission file."""
        return insert_zone_times(self._insert_time, frames, self._insert_zone) if self._insert_time else None


def end_of_packets(frames: NDArray[np.uint8], start: int, stop: int) -> Ints:
    """Position where consecutive packets from byte `start` on end, in each of `frames: uint8[n, L]`: int64[n].

    Fill is recognised by octets that are equal up to `stop`; it is not parsed.
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
    return start + end


def insert_zone_times(layout: InsertZoneTime, frames: NDArray[np.uint8], start: int) -> NDArray[np.int64]:
    """Onboard UTC of `frames: uint8[n, L]` whose insert zone begins at byte `start`: int64[n], ns since 1970.

    Counts are elapsed seconds since the epoch; leap seconds are not removed.
    """
    first = start + layout.offset
    padded = np.zeros((len(frames), _COUNT_BYTES), np.uint8)
    own = slice(_COUNT_BYTES - layout.n_bytes, None) if layout.byte_order == "big" else slice(layout.n_bytes)
    padded[:, own] = frames[:, first : first + layout.n_bytes]
    count = padded.view(">u8" if layout.byte_order == "big" else "<u8")[:, 0].astype(np.int64)
    since_ns: NDArray[np.int64]
    if _SECOND_NS % layout.per_second == 0:
        since_ns = count * (_SECOND_NS // layout.per_second)
    else:
        seconds, rest = np.divmod(count, layout.per_second)
        since_ns = seconds * _SECOND_NS + rest * _SECOND_NS // layout.per_second
    return layout.epoch_ns + since_ns
