"""The packet that the last frame left unfinished, and how it is handled at a gap.

On channels with `hand_on_fragments`, a packet that continues behind a gap is kept, with zeros for the missing frames;
one whose end is missing is padded with zeros to the length in its header.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Quality
from .packet_headers import IDLE_APID, PRIMARY_HEADER_BYTES, check_header, packet_fields
from .tables import Packets
from .walk import PAD_BYTES, words_of


def n_lost_packets(octets: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]) -> int:
    """Number of packets from `begin: int64[n]` that are lost by a cut at `end: int64[n]`; idle ones do not count."""
    if not len(begin):
        return 0
    _, apid, _, _ = packet_fields(words_of(octets)[begin].astype(np.uint64))
    return int(np.count_nonzero((apid != IDLE_APID) | (end - begin < PRIMARY_HEADER_BYTES)))


@dataclass(frozen=True, slots=True)
class PartialPacket:
    """`octets: uint8[n]` from the packet's first byte on; empty if no packet is unfinished.

    `corrected`: one of its frames has corrected symbols; `bridged`: frames are missing inside it.
    """

    octets: NDArray[np.uint8]
    corrected: bool = False
    bridged: bool = False

    def may_continue(self, pointer: int | None, zone_bytes: int) -> bool:
        """Whether it may continue in a frame with a packet zone of `zone_bytes`.

        It must end at `pointer`; None: no packet begins in that frame, so it must fill the zone.
        """
        if len(self.octets) < PRIMARY_HEADER_BYTES:
            return False
        word = int.from_bytes(self.octets[:PAD_BYTES].tobytes().ljust(PAD_BYTES, b"\0"), "big")
        rest = check_header(word, len(self.octets))[0] - len(self.octets)
        return rest >= zone_bytes if pointer is None else rest == pointer

    def is_lost_packet(self) -> bool:
        """Whether its loss counts: there is a packet, and it is not idle."""
        return len(self.octets) > 0 and not self._is_idle()

    def n_missing(self) -> int:
        """Bytes that are missing at its end; 0 if its header is incomplete, or it is idle or no space packet."""
        if len(self.octets) < PRIMARY_HEADER_BYTES or self.octets[0] >> 5 or self._is_idle():
            return 0
        return (int(self.octets[4]) << 8 | int(self.octets[5])) + 7 - len(self.octets)

    def bridge(self, n_lost: int) -> PartialPacket:
        """Append `n_lost` zeros for missing frames."""
        octets = np.concatenate((self.octets, np.zeros(n_lost, np.uint8)))
        return PartialPacket(octets, self.corrected, bridged=True)

    def zero_filled(self) -> Packets:
        """Return the packet at its full length, padded with zeros; it ends in frame 0."""
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
        """Whether it has the idle APID; False if its header is incomplete."""
        if len(self.octets) < PRIMARY_HEADER_BYTES:
            return False
        return int(self.octets[0] & 7) << 8 | int(self.octets[1]) == IDLE_APID


NO_PACKET = PartialPacket(np.empty(0, np.uint8))
