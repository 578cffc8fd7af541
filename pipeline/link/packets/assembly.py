"""Packet assembly of one virtual channel; with MAPs, of each MAP by itself (CCSDS 732.1-B-2 2.2.4).

In: frames in order of count. A missing frame may belong to any MAP, so it is a gap in each of them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..frames.headers import HeaderReader
from ..frames.tables import Frames
from .assembler import AssemblyCounts, PacketAssembler
from .tables import Packets
from .zones import Rows


class Assembly:
    """The packet assemblers of one channel.

    `keep_fragments`: output packets that are cut by a gap, too; not with MAPs: a missing frame may be of any MAP.
    """

    def __init__(self, headers: HeaderReader, *, keep_fragments: bool) -> None:
        self.counts = AssemblyCounts()
        self._headers = headers
        self._keep_fragments = keep_fragments and not headers.has_maps
        self._of_channel = self._assembler()
        self._of_map: dict[int, PacketAssembler] = {}
        self._n_gaps = 0
        self._gaps_seen: dict[int, int] = {}

    def assemble(self, frames: Frames, gaps: Rows) -> Packets:
        """Return the packets completed by `frames`, at least one. `gaps: intp[k]`: rows whose `lost` is not 0."""
        if self._headers.has_maps:
            return self._assemble_maps(frames, gaps)
        return self._of_channel.assemble(frames, gaps)

    @property
    def contradicting(self) -> list[int]:
        """As in `PacketAssembler`; empty with MAPs."""
        return self._of_channel.contradicting

    def flush(self) -> Packets | None:
        """End the stream: return the unfinished packet as a fragment, if fragments are kept."""
        last = [assembler.flush() for assembler in (self._of_channel, *self._of_map.values())]
        return next((packets for packets in last if packets), None)

    def _assembler(self) -> PacketAssembler:
        codes = self._headers.no_packet_starts, self._headers.only_idle
        return PacketAssembler(*codes, self.counts, keep_fragments=self._keep_fragments)

    def _assemble_maps(self, frames: Frames, gaps: Rows) -> Packets:
        """Assemble each MAP by itself; packets are in order of the frames that end them."""
        maps = self._headers.maps(frames)
        if not len((maps != maps[0]).nonzero()[0]):
            packets = self._assemble_map(maps.item(0), np.arange(len(maps)), frames, gaps)
            self._n_gaps += len(gaps)
            return packets
        parts = []
        for map_id in np.unique(maps).tolist():
            rows = (maps == map_id).nonzero()[0]
            packets = self._assemble_map(map_id, rows, frames.take(rows), gaps)
            parts.append(replace(packets, frame=rows[packets.frame]))
        self._n_gaps += len(gaps)
        joined = Packets.join(parts)
        return joined.take(np.argsort(joined.frame, kind="stable"))

    def _assemble_map(self, map_id: int, rows: Rows, own: Frames, gaps: Rows) -> Packets:
        """Assemble one MAP, whose frames `own` are the rows `rows: intp[k]` of the batch.

        `gaps`: rows of the batch before which frames are missing; the MAP has the gap before its next frame.
        """
        broken = rows.searchsorted(gaps)
        broken = broken[broken < len(rows)]
        if self._gaps_seen.get(map_id, 0) < self._n_gaps:
            broken = np.append(0, broken)
        self._gaps_seen[map_id] = self._n_gaps + int(gaps.searchsorted(rows[-1], side="right"))
        if len(broken):
            broken = np.unique(broken)
            lost = np.zeros_like(own.lost)
            lost[broken] = np.where(own.lost[broken] < 0, own.lost[broken], 1)
            own = replace(own, lost=lost)
        assembler = self._of_map.get(map_id) or self._of_map.setdefault(map_id, self._assembler())
        return assembler.assemble(own, broken)
