"""Packets of one virtual channel: straight where it has no MAPs, else MAP by MAP (CCSDS 732.1-B-2 2.2.4).

In: frames in order of their count. A frame that is missing may have belonged to any MAP, so it breaks them all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch
from ..frames.headers import HeaderReader
from ..frames.tables import take_frames
from .assembler import AssemblyCounts, PacketAssembler
from .tables import Packets


class Assembly:
    """The packet assemblers of one channel.

    `hand_on`: packets that a gap cut go on too; not from MAPs, where a missing frame may be of any.
    """

    def __init__(self, headers: HeaderReader, *, hand_on: bool) -> None:
        self._hand_on = hand_on
        self.counts = AssemblyCounts()
        self._headers = headers
        self._assemblers: dict[int, PacketAssembler] = {}
        self._plain = True
        self._n_gaps = 0
        self._gaps_seen: dict[int, int] = {}

    def feed(self, frames: FrameBatch) -> Packets:
        """The packets that are whole with `frames`, at least one."""
        maps = self._headers.maps(frames.data)
        self._plain = maps is None
        if maps is None:
            return self._assembler(0, hand_on=self._hand_on).feed(frames)
        return self._feed_maps(frames, maps)

    @property
    def contradicting(self) -> list[int]:
        """As in `PacketAssembler`, of frames without MAPs."""
        return self._assemblers[0].contradicting if self._plain and 0 in self._assemblers else []

    def flush(self) -> Packets | None:
        """No more frames: the unfinished packet, where it is to be handed on."""
        last = [assembler.flush() for assembler in self._assemblers.values()]
        return next((packets for packets in last if packets), None)

    def _assembler(self, map_id: int, *, hand_on: bool = False) -> PacketAssembler:
        if map_id not in self._assemblers:
            codes = self._headers.no_packet_starts, self._headers.only_idle
            self._assemblers[map_id] = PacketAssembler(*codes, self.counts, hand_on=hand_on)
        return self._assemblers[map_id]

    def _feed_maps(self, frames: FrameBatch, maps: NDArray[np.uint8]) -> Packets:
        """Each MAP by itself; packets in order of the frames that end them."""
        gaps = self._n_gaps + np.cumsum(frames.lost != 0)
        parts = []
        for map_id in np.unique(maps).tolist():
            rows = np.nonzero(maps == map_id)[0]
            before = np.concatenate(([self._gaps_seen.get(map_id, 0)], gaps[rows[:-1]]))
            own = take_frames(frames, rows)
            broken = np.where(own.lost < 0, own.lost, gaps[rows] > before).astype(np.int32)
            packets = self._assembler(map_id).feed(replace(own, lost=broken))
            parts.append(replace(packets, frame=rows[packets.frame]))
            self._gaps_seen[map_id] = int(gaps[rows[-1]])
        self._n_gaps = int(gaps[-1])
        joined = Packets.join(parts)
        return joined.take(np.argsort(joined.frame, kind="stable"))
