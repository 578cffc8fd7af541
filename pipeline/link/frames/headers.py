"""Reads transfer frame headers, and where the data field is, for all frames at once.

`HeaderReader` is what frame types have in common; AOS, TM and USLP each have a file. Nothing is dropped here: a frame
of another version has a key that no channel has.

The fields of a header are bits of its first eight bytes as one number: a shift and a mask for each field, applied to
all frames and fields at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..settings import LinkSettings, Service
from .tables import Frames, Ints

NO_PACKET_STARTS = 0x7FF
ONLY_IDLE = 0x7FE
OPERATIONAL_CONTROL_BYTES = 4
FECF_BYTES = 2


class HeaderReader(ABC):
    """One frame type. What a type does not have (replay flag, insert zone, MAPs) is answered here."""

    no_packet_starts = NO_PACKET_STARTS
    only_idle = ONLY_IDLE
    """Special first header pointers: no packet starts in the frame; it holds idle data only."""
    has_maps = False
    has_insert_times = False
    """Whether `insert_times` can be called: the layout of the insert zone is known."""
    may_have_control_field = True
    """Whether frames may have an operational control field."""

    def __init__(self, settings: LinkSettings) -> None:
        end = settings.frame_length_bytes - FECF_BYTES * settings.fecf
        self.control_field_at = end - OPERATIONAL_CONTROL_BYTES
        """Byte of a frame where its operational control field begins, if it has one (just before the FECF)."""
        self._body_stop = end - settings.security_trailer_bytes

    @abstractmethod
    def read(self, data: NDArray[np.uint8], first_index: int = 0) -> Frames:
        """Read the headers of `data: uint8[n, L]`, as of a channel that carries packets.

        `lost`, `n_corrected` and `received_ns` are 0; `index` counts from `first_index`.
        """

    @abstractmethod
    def key_of(self, scid: int, vcid: int) -> int:
        """Return the key of the frames of a channel."""

    @abstractmethod
    def valid(self, frames: Frames) -> NDArray[np.bool_]:
        """Whether the version is that of this frame type: bool[n]; if not, the other fields are meaningless."""

    def for_service(self, service: Service, frames: Frames) -> Frames:  # noqa: ARG002 - the same for all but AOS
        """Return the frames with the data zone of a channel of this service."""
        return frames

    @abstractmethod
    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """Modulus at which the frame count of the channel of `frame: uint8[L]` wraps."""

    def master_count(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8] | None:  # noqa: ARG002 - TM alone has it
        """Master channel frame count of each frame: uint8[n]; None if the frame type has none."""
        return None

    @abstractmethod
    def with_operational_control(self, frames: Frames) -> NDArray[np.intp]:
        """Rows of the frames with an operational control field: intp[k]."""

    def n_replayed(self, frames: Frames) -> int:  # noqa: ARG002 - AOS alone has the flag
        """Number of frames with the replay flag; 0 if the frame type has no such flag."""
        return 0

    def insert_times(self, frames: NDArray[np.uint8]) -> NDArray[np.int64] | None:  # noqa: ARG002 - AOS alone has them
        """Onboard UTC of each frame from its insert zone, ns since 1970: int64[n]; None if its layout is unknown."""
        return None

    def maps(self, frames: Frames) -> Ints:
        """MAP id of each frame: int64[n]. NotImplementedError if the frame type has no MAPs."""
        raise NotImplementedError


class HeaderBits:
    """Fields of n headers: each is the bits `mask` of the first eight bytes shifted right by `shift`."""

    def __init__(self, fields: Sequence[tuple[int, int]], constants: Sequence[int]) -> None:
        """`fields`: shift and mask of each. `constants`: further fields, equal for all frames."""
        self._shift, self._mask = np.array(fields, np.int64).T[:, :, None]
        self._constants = np.array(constants, np.int64)[:, None]
        self._n_read, self._n_fields = len(fields), len(fields) + len(constants) + 1

    def read(self, word: Ints, first_index: int) -> Ints:
        """Read the fields of the headers `word: int64[n]`, then the constants, then numbers from `first_index` on.

        Returns int64[fields, n].
        """
        n = len(word)
        fields = np.empty((self._n_fields, n), np.int64)
        found = np.right_shift(word, self._shift, out=fields[: self._n_read])
        found &= self._mask
        fields[self._n_read : -1] = self._constants
        fields[-1] = np.arange(first_index, first_index + n)
        return fields


def first_words(data: NDArray[np.uint8], start: int = 0) -> Ints:
    """Eight bytes of each row of `data: uint8[n, L]` from `start` on as one big-endian number: int64[n], signed."""
    return data[:, start : start + 8].view(">i8")[:, 0].astype(np.int64)
