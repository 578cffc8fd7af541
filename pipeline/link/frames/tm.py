"""TM transfer frames (CCSDS 132.0-B-3 4.1): flags say whether a frame has a secondary header and an OCF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.constants import constants
from ..settings import LinkSettings
from .headers import ONLY_IDLE, OPERATIONAL_CONTROL_BYTES, HeaderBits, HeaderReader, first_words
from .tables import Frames, Ints

_VERSION = 0
_COUNT_MODULUS = 1 << 8
_HEADER_BYTES = 6
_BITS = (30, 3), (8, 0x3F), (49, 0x7FFF), (52, 0x3FF), (49, 7), (48, 1), (32, 0xFF), (16, 0x7FF)
"""Flags of the secondary header and of synchronisation, length of the secondary header less one (4.1.3.2.3), key,
spacecraft id, virtual channel, OCF flag, count, first header pointer: shift and mask of each.
"""
_SECONDARY, _SYNCHRONOUS, _ONLY_IDLE = constants(np.int64, 1, 1, ONLY_IDLE)
(_OCF_BYTES,) = constants(np.int64, OPERATIONAL_CONTROL_BYTES)


class TmHeaders(HeaderReader):
    """8-bit count. If the synchronisation flag is set, the data field holds no packets (4.1.2.7.3)."""

    def __init__(self, settings: LinkSettings) -> None:
        super().__init__(settings)
        self._secondary_bytes = settings.secondary_header_bytes
        self._heeds_synchronization = not settings.ignore_synchronization_flag
        self._bits = HeaderBits(_BITS, (_HEADER_BYTES + settings.security_header_bytes, self._body_stop, 0, 0, 0))

    def read(self, data: NDArray[np.uint8], first_index: int = 0) -> Frames:
        options, length, *fields = self._bits.read(first_words(data), first_index)
        frames = Frames(data, *fields)
        frames.data_stop -= frames.flags * _OCF_BYTES
        if len(options.nonzero()[0]):
            self._read_options(frames, options, length)
        return frames

    def _read_options(self, frames: Frames, options: Ints, length: Ints) -> None:
        """Apply the flags of the secondary header (2) and of synchronisation (1).

        `options: int64[n]`: both flags; `length: int64[n]`: length of the secondary header less one (4.1.3.2.3).
        """
        secondary_bytes = length + 1 if self._secondary_bytes is None else self._secondary_bytes
        frames.data_start += (options >> _SECONDARY) * secondary_bytes
        np.minimum(frames.data_start, frames.data_stop, out=frames.data_start)
        if self._heeds_synchronization:
            frames.first_header_pointer[options & _SYNCHRONOUS != 0] = _ONLY_IDLE

    def key_of(self, scid: int, vcid: int) -> int:
        """The first 16 bits of the header without the OCF flag."""
        return _VERSION << 13 | scid << 3 | vcid

    def valid(self, frames: Frames) -> NDArray[np.bool_]:
        """Version 00 (4.1.2.2.2)."""
        valid: NDArray[np.bool_] = frames.key >> 13 == _VERSION
        return valid

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:  # noqa: ARG002 - all frames have 8 bits
        return _COUNT_MODULUS

    def master_count(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """8 bits over all virtual channels (4.1.2.5)."""
        return frames[:, 2]

    def with_operational_control(self, frames: Frames) -> NDArray[np.intp]:
        """By the OCF flag of the frame (4.1.2.4)."""
        return frames.flags.nonzero()[0]
