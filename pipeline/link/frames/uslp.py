"""USLP transfer frames of fixed length (CCSDS 732.1-B-2 4.1): a count of 0 to 7 bytes, MAPs, construction rules.

Packets are read from frames whose protocol is packets (UPID 0) and whose construction rule is 0 (they span frames,
with a pointer) or 7 (whole packets only). Truncated frames and other rules and protocols hold none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..settings import LinkSettings
from .headers import OPERATIONAL_CONTROL_BYTES, HeaderBits, HeaderReader, first_words
from .tables import Frames, Ints

_VERSION = 12
_FIXED_HEADER_BYTES = 7
_RULES_WITH_POINTER = 3
_RULE_WHOLE_PACKETS = 7
_PACKETS = 0
_COUNT_BYTES_KEPT = 4
_COUNT_SHIFT = np.array([63, 56, 48, 40, 32, 24, 16, 8])
_COUNT_MASK = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF, *[0xFFFFFFFF] * 4])
"""By the length of the count in bytes: its shift in the eight bytes from its first on, and the bits that are kept."""
_NO_KEY = -1
_BITS = (16, 0x1FFFF), (8, 7), (11, 1), (37, 0x7FFFFBF), (44, 0xFFFF), (37, 0x3F), (33, 0xF)
"""End of header flag and length less one, bytes of the count, OCF flag, key (without the flag for source or
destination), spacecraft id, virtual channel, MAP: shift and mask of each.
"""
_HEAD_OF_FIELD = np.arange(3)
"""Construction rule and protocol, and the pointer behind them (4.1.4.2)."""


class UslpHeaders(HeaderReader):
    """16-bit spacecraft id; the low 32 bits of the count; 16-bit first header pointers."""

    no_packet_starts = 0xFFFF
    only_idle = 0xFFFE
    has_maps = True

    def __init__(self, settings: LinkSettings) -> None:
        super().__init__(settings)
        self._insert = settings.insert_zone_bytes + settings.security_header_bytes
        self._length = settings.frame_length_bytes
        self._bits = HeaderBits(_BITS, (0, 0, 0, self._body_stop, 0, 0, 0))

    def read(self, data: NDArray[np.uint8], first_index: int = 0) -> Frames:
        length, n_count_bytes, control_field, *fields = self._bits.read(first_words(data), first_index)
        frames = Frames(data, *fields)
        frames.vc_count = _counts(data, n_count_bytes)
        frames.data_stop -= OPERATIONAL_CONTROL_BYTES * control_field
        self._read_field_header(frames, n_count_bytes)
        unknown = (length != self._length - 1).nonzero()[0]
        frames.key[unknown] = _NO_KEY
        return frames

    def _read_field_header(self, frames: Frames, n_count_bytes: Ints) -> None:
        """Read the data field header (4.1.4.2) for pointer and packet zone. `n_count_bytes: int64[n]`."""
        last = frames.data_stop - 1
        at = np.minimum(n_count_bytes + (_FIXED_HEADER_BYTES + self._insert), last)
        place = np.minimum(at[:, None] + _HEAD_OF_FIELD, last[:, None])
        head = frames.data[np.arange(len(at))[:, None], place].astype(np.int64)
        rule, pointer = head[:, 0] >> 5, head[:, 1] << 8 | head[:, 2]
        frames.data_start = np.minimum(at + 1 + 2 * (rule < _RULES_WITH_POINTER), frames.data_stop)
        other = rule != 0
        if len(other.nonzero()[0]):
            pointer[other] = np.where(rule[other] == _RULE_WHOLE_PACKETS, 0, self.only_idle)
        pointer[head[:, 0] & 0x1F != _PACKETS] = self.only_idle
        frames.first_header_pointer = pointer

    def key_of(self, scid: int, vcid: int) -> int:
        """The first four bytes of the header without the flag for source or destination, MAP and end of header flag."""
        return _VERSION << 23 | scid << 7 | vcid

    def valid(self, frames: Frames) -> NDArray[np.bool_]:
        """Version 1100 (4.1.2); truncated frames and frames of another length have no key."""
        valid: NDArray[np.bool_] = frames.key >> 23 == _VERSION
        return valid

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """1 if the frames have no count, so that every frame is continuous."""
        return 1 << 8 * min(int(frame[6] & 7), _COUNT_BYTES_KEPT)

    def with_operational_control(self, frames: Frames) -> NDArray[np.intp]:
        """By the OCF flag of the frame (4.1.2)."""
        return (frames.data[:, 6] & 8).nonzero()[0]

    def maps(self, frames: Frames) -> Ints:
        """Four bits before the end-of-header flag (4.1.2)."""
        return frames.flags


def _counts(data: NDArray[np.uint8], n_bytes: Ints) -> Ints:
    """Read the low 32 bits of counts of `n_bytes: int64[n]` bytes; 0 if there is no count: int64[n]."""
    if data.shape[1] < _FIXED_HEADER_BYTES + 8:
        data = np.pad(data, ((0, 0), (0, 8)))
    count: Ints = first_words(data, _FIXED_HEADER_BYTES) >> _COUNT_SHIFT[n_bytes] & _COUNT_MASK[n_bytes]
    return count
