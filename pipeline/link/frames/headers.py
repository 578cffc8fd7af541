"""What transfer frame headers say, read for all frames at once, and where the data lie behind them.

`HeaderReader` is what a frame type provides; AOS, TM and USLP each have a file. Nothing is dropped here: the key of a
frame of another version is that of no channel.

The fields of a header are bits of its first eight bytes as one number: a shift and a mask for each field, applied to
all frames and fields at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..settings import Service
from .tables import Frames, Ints

NO_PACKET_STARTS = 0x7FF
ONLY_IDLE = 0x7FE
OPERATIONAL_CONTROL_BYTES = 4
FECF_BYTES = 2


class HeaderReader(Protocol):
    """One frame type. The two pointer values mean: no packet starts here, and nothing but idle data."""

    no_packet_starts: int
    only_idle: int
    has_maps: bool
    has_insert_times: bool
    """Whether `insert_times` can be asked for: the codec of the insert zone is known."""
    control_field_at: int
    """Byte of a frame where its operational control field begins, if it has one (just before the FECF)."""

    may_have_control_field: bool
    """Whether `with_operational_control` may find any."""

    def read(self, data: NDArray[np.uint8], first_index: int = 0) -> Frames:
        """The frames `data: uint8[n, L]` with their headers, for a channel that carries packets.

        As if none was lost or corrected; receive times are 0, and they are numbered from `first_index` on.
        """

    def key_of(self, scid: int, vcid: int) -> int:
        """The key of frames of this channel."""

    def valid(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether the version is that of this type: bool[n]; what else the header of another says is noise."""

    def for_service(self, service: Service, frames: Frames) -> Frames:
        """The same frames with the data zone of a channel of this service."""

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """How far the count of this frame's channel runs before it wraps."""

    def master_count(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Master channel frame count of each frame, uint8[n]; None where the frame type has none."""

    def with_operational_control(self, frames: Frames) -> NDArray[np.intp]:
        """The frames behind whose data zones an operational control field stands: intp[k]."""

    def n_replayed(self, frames: Frames) -> int:
        """How many frames were stored aboard before; 0 where the frame type has no such flag."""

    def insert_times(self, frames: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """Onboard UTC of each frame by its insert zone, int64[n], ns since 1970; None where no codec is known."""

    def maps(self, frames: Frames) -> Ints:
        """MAP id of each frame, int64[n], of a type that has them."""


class HeaderBits:
    """Fields of n headers: each is the bits `mask` of the first eight bytes shifted right by `shift`."""

    def __init__(self, fields: Sequence[tuple[int, int]], constants: Sequence[int]) -> None:
        """`fields`: shift and mask of each. `constants`: fields behind them that are the same for all frames."""
        self._shift, self._mask = np.array(fields, np.int64).T[:, :, None]
        self._constants = np.array(constants, np.int64)[:, None]
        self._n_read, self._n_fields = len(fields), len(fields) + len(constants) + 1

    def read(self, word: Ints, first_index: int) -> Ints:
        """The fields of the headers `word: int64[n]`, the constants, and numbers from `first_index` on.

        int64[fields, n].
        """
        n = len(word)
        fields = np.empty((self._n_fields, n), np.int64)
        found = np.right_shift(word, self._shift, out=fields[: self._n_read])
        found &= self._mask
        fields[self._n_read : -1] = self._constants
        fields[-1] = np.arange(first_index, first_index + n)
        return fields


def first_words(data: NDArray[np.uint8], start: int = 0) -> Ints:
    """Eight bytes of each of `data: uint8[n, L]` from `start` on as one number: int64[n], negative from 2^63 on."""
    words: Ints = data[:, start : start + 8].view(">i8")[:, 0].astype(np.int64)
    return words
