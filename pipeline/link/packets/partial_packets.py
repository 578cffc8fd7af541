"""The packet that the last frame left unfinished, and what becomes of it at a gap.

On channels where a mission wants what there is of a packet, one that runs on behind a gap keeps its place: the missing
frames are laid out as zeros. One whose end is missing is filled up with zeros to the length its header tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Quality
from .packet_headers import IDLE_APID, PRIMARY_HEADER_BYTES, judge, packet_fields
from .tables import Packets
from .walk import PAD_BYTES, words_of


def n_lost_packets(octets: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]) -> int:
    """How many packets are lost where those from `begin` are cut at `end`: idle ones, if that shows, do not count."""
    if not len(begin):
        return 0
    _, apid, _, _ = packet_fields(words_of(octets)[begin].astype(np.uint64))
    return int(np.count_nonzero((apid != IDLE_APID) | (end - begin < PRIMARY_HEADER_BYTES)))


@dataclass(frozen=True, slots=True)
class PartialPacket:
    """`octets: uint8[n]` from the packet's first byte on, none where no packet is unfinished.

    `corrected`: a frame that carried part of it needed correction; `bridged`: frames are missing in it.
    """

    octets: NDArray[np.uint8]
    corrected: bool = False
    bridged: bool = False

    def may_go_on(self, pointer: int | None, zone_bytes: int) -> bool:
        """Whether it may run on in a frame of `zone_bytes`.

        `pointer` must be where it ends; None: no packet begins in that frame, so it must fill it.
        """
        if len(self.octets) < PRIMARY_HEADER_BYTES:
            return False
        word = int.from_bytes(self.octets[:PAD_BYTES].tobytes().ljust(PAD_BYTES, b"\0"), "big")
        rest = judge(word, len(self.octets))[0] - len(self.octets)
        return rest >= zone_bytes if pointer is None else rest == pointer

    def is_lost_packet(self) -> bool:
        """Whether its loss is one: idle packets do not count."""
        return len(self.octets) > 0 and not self._is_idle()

    def n_missing(self) -> int:
        """Bytes a space packet still lacks; 0 where that cannot be told or is of no interest."""
        if len(self.octets) < PRIMARY_HEADER_BYTES or self.octets[0] >> 5 or self._is_idle():
            return 0
        return (int(self.octets[4]) << 8 | int(self.octets[5])) + 7 - len(self.octets)

    def bridge(self, n_lost: int) -> PartialPacket:
        """With a gap of `n_lost` bytes laid out as zeros."""
        octets = np.concatenate((self.octets, np.zeros(n_lost, np.uint8)))
        return PartialPacket(octets, self.corrected, bridged=True)

    def filled_up(self) -> Packets:
        """The packet at its full length, zeros at its end; it ends with frame 0."""
        octets = np.concatenate((self.octets, np.zeros(self.n_missing() + PAD_BYTES, np.uint8)))
        quality = Quality.FRAGMENT | (Quality.CORRECTED if self.corrected else Quality(0))
        return Packets(
            octets,
            np.zeros(1, np.int64),
            *packet_fields(words_of(octets)[:1].astype(np.uint64)),
            np.zeros(1, np.intp),
            np.array([quality], np.uint32),
        )

    def _is_idle(self) -> bool:
        """Of the idle APID, as far as its header is there."""
        if len(self.octets) < PRIMARY_HEADER_BYTES:
            return False
        return int(self.octets[0] & 7) << 8 | int(self.octets[1]) == IDLE_APID


NO_PACKET = PartialPacket(np.empty(0, np.uint8))
