"""What transfer frame headers say, read for all frames at once, and where the data lie behind them.

`HeaderReader` is what a frame type must tell; AOS, TM and USLP each have a file. Nothing is dropped here: a frame
of another version is marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ..settings import Service

NO_PACKET_STARTS = 0x7FF
ONLY_IDLE = 0x7FE
OPERATIONAL_CONTROL_BYTES = 4
FECF_BYTES = 2


@dataclass(frozen=True, slots=True)
class Headers:
    """Fields of n frames. `valid: bool[n]`: the version is that of the link; the others are noise.

    `first_header_pointer: int32[n]` as transmitted; where a frame holds no packets it is the reader's `only_idle`.
    `zone_start`, `zone_stop: int32[n]`: the packet zone inside the frame, never beyond it.
    """

    valid: NDArray[np.bool_]
    scid: NDArray[np.uint16]
    vcid: NDArray[np.uint8]
    vc_count: NDArray[np.uint32]
    first_header_pointer: NDArray[np.int32]
    zone_start: NDArray[np.int32]
    zone_stop: NDArray[np.int32]


class HeaderReader(Protocol):
    """One frame type. The two pointer values mean: no packet starts here, and nothing but idle data."""

    no_packet_starts: int
    only_idle: int
    control_field_at: int
    """Byte of a frame where its operational control field begins, if it has one (just before the FECF)."""

    def read(self, frames: NDArray[np.uint8]) -> Headers:
        """Headers of `frames: uint8[n, L]`, for a channel that carries packets."""

    def for_service(self, service: Service, frames: FrameBatch) -> FrameBatch:
        """The same frames with the data zone of a channel of this service."""

    def count_modulus(self, frame: NDArray[np.uint8]) -> int:
        """How far the count of this frame's channel runs before it wraps."""

    def master_count(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """Master channel frame count of each frame, uint8[n]; None where the frame type has none."""

    def with_operational_control(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Behind which data zones an operational control field stands, bool[n]; None: behind none."""

    def replayed(self, frames: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
        """Which frames were stored aboard before, bool[n]; None where the frame type does not tell."""

    def insert_times(self, frames: NDArray[np.uint8]) -> NDArray[np.int64] | None:
        """Onboard UTC of each frame by its insert zone, int64[n], ns since 1970; None where no codec is known."""

    def maps(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        """MAP id of each frame, uint8[n]; None where the frame type has none."""
