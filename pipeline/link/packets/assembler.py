"""Packets out of the packet zones of one channel's frames, over any number of frames.

In: frames in order of their count, with what is missing before each. Out: whole packets, as places in one flat
array. Dropped and counted: packets a gap cut short, idle packets, packets that a pointer contradicts.

The zones are laid end to end behind the bytes held from before. Each first header pointer starts a chain of packets
(`walk`). The last packet of a chain may run on into later zones; it is believed only if the next pointer says that
the next packet begins where this one ends (CCSDS 732.0-B-4 4.1.4.2.2, 132.0-B-3 4.1.2.7.6). Where the two
disagree the pointer is believed, since it is the one that every later packet hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch, Quality
from ..frames.tables import take_frames
from .packet_headers import (
    is_encapsulation,
    is_idle,
    only_space_packets,
    packet_lengths,
)
from .partial_packets import Held, n_lost_packets
from .tables import Hole, Packets
from .walk import NOTHING, Walk, walk
from .zones import Zones, ahead, lay_out


@dataclass(slots=True)
class AssemblyCounts:
    """Packets by fate: `truncated_packets` cut by a gap or the end, `bad_headers` impossible or contradicted.

    `fragments`: those among the packets that were handed on with holes.
    """

    packets: int = 0
    idle_packets: int = 0
    encapsulation_packets: int = 0
    fragments: int = 0
    truncated_packets: int = 0
    bad_headers: int = 0


class PacketAssembler:
    """Packets of one virtual channel, or one MAP of it. Holds the bytes of the one unfinished packet.

    `no_packet_starts`, `only_idle`: first header pointers that are none. `counts` may be shared.
    `hand_on`: packets that a gap cut go on too, with their holes.
    """

    def __init__(self, no_packet_starts: int, only_idle: int, counts: AssemblyCounts, *, hand_on: bool) -> None:
        self.counts = counts
        self._no_packet_starts = no_packet_starts
        self._only_idle = only_idle
        self._hand_on = hand_on
        self._held = Held.nothing()
        self._after_gap = False
        self.contradicting: list[int] = []
        """Frames of the last batch whose pointer contradicts a packet, while the pointer before met its packet."""
        self._first_row = 0
        self._last_met = False

    def feed(self, frames: FrameBatch) -> Packets:
        """The packets that are whole with `frames`, and those handed on with holes."""
        self.contradicting, self._first_row = [], 0
        broken = frames.lost != 0
        apart = broken if self._hand_on else frames.lost < 0
        if not apart.any():
            return self._assemble(frames, broken)
        return self._feed_apart(frames, broken, np.nonzero(apart)[0].tolist())

    def flush(self) -> Packets | None:
        """No more frames: what is unfinished stays so."""
        last = self._end_packet() if self._hand_on else None
        self.counts.truncated_packets += int(self._held.is_lost_packet())
        self._held = Held.nothing()
        return last

    def _feed_apart(self, frames: FrameBatch, broken: NDArray[np.bool_], breaks: list[int]) -> Packets:
        """Look at what is held wherever a packet may run on over a break."""
        parts: list[Packets] = []
        for first, last in pairwise([0, *breaks, len(broken)]):
            if first == last:
                continue
            some = take_frames(frames, slice(first, last))
            if frames.lost[first] < 0 and self._goes_on(some):
                broken[first] = False
            if frames.lost[first] > 0 and self._hand_on:
                n_lost = int(frames.lost[first]) * int(some.data_stop[0] - some.data_start[0])
                if self._held.n_missing() > n_lost:
                    self._held = self._held.bridged(n_lost)
                    broken[first] = False
                elif cut := self._end_packet():
                    parts.append(cut.moved(first))
            self._first_row = first
            parts.append(self._assemble(some, broken[first:last]).moved(first))
        return Packets.join(parts)

    def _goes_on(self, frames: FrameBatch) -> bool:
        """Whether the packet held may run on in the first of `frames`.

        A restarted count does not say whether frames are missing; the pointers do. Where no packet begins in the first
        frame, the next pointer will confirm or contradict it, as that of every packet over several frames.
        """
        pointer = int(frames.first_header_pointer[0])
        zone_bytes = int(frames.data_stop[0] - frames.data_start[0])
        return self._held.may_go_on(None if pointer == self._no_packet_starts else pointer, zone_bytes)

    def _end_packet(self) -> Packets | None:
        """The packet that is held, filled up with zeros, if its header tells how far."""
        if not self._held.n_missing():
            return None
        packets, self._held = self._held.filled_up(), Held.nothing()
        if self._after_gap:
            packets.quality[0] |= np.uint32(Quality.AFTER_GAP)
            self._after_gap = False
        self.counts.packets += 1
        self.counts.fragments += 1
        return packets

    def _with_holes(self, packets: Packets, holes: tuple[Hole, ...]) -> Packets:
        """Mark the packet that was held before with its holes, if it has ended now."""
        if not holes or self._held.holes or not len(packets) or packets.start[0] != 0:
            return packets
        packets.quality[0] |= np.uint32(Quality.FRAGMENT)
        self.counts.fragments += 1
        return replace(packets, holes=holes)

    def _assemble(self, frames: FrameBatch, broken: NDArray[np.bool_]) -> Packets:
        zones = lay_out(self._held, frames, broken, self._no_packet_starts, self._only_idle)
        chained = np.nonzero(zones.pointer != NOTHING)[0]
        found = walk(zones.octets, zones.pointer[chained], zones.end[chained], zones.limit[chained])
        last_row, contradicted = self._judge_last_packets(zones, chained, found)
        row = chained[found.chain]
        final_packet = np.cumsum(found.n_packets)[found.n_packets > 0] - 1
        row_end = row.copy()
        row_end[final_packet] = last_row[found.n_packets > 0]
        keep = np.ones(len(row), bool)
        keep[final_packet] = ~contradicted[found.n_packets > 0]
        holes = self._held.holes
        self._hold_unfinished(zones, chained, found)
        return self._with_holes(self._pick(zones, found, row, row_end, keep), holes)

    def _judge_last_packets(
        self, zones: Zones, chained: NDArray[np.intp], found: Walk
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Row in which each chain's last packet ends, and whether a pointer contradicts it.

        Counts the contradictions, those of unfinished packets too, and headers that cannot be ones.
        """
        run = zones.run[chained]
        next_row = ahead(chained, len(zones.end))
        next_pointer = ahead(zones.pointer[chained], NOTHING)
        followed = run == ahead(run, NOTHING)
        crossing = (found.stop > zones.end[chained]) & (found.n_packets > 0)
        last_row = np.where(crossing, np.searchsorted(zones.end, found.stop), chained)
        meets = np.where(
            followed & (next_row <= last_row),
            (next_row == last_row) & (next_pointer == found.stop),
            zones.end[last_row] == found.stop,
        )
        contradicted = crossing & ~meets
        outrun = (found.unfinished != NOTHING) & followed
        nonsense = (found.nonsense != NOTHING) | (zones.pointer[chained] >= zones.end[chained])
        self.counts.bad_headers += int(sum(map(np.count_nonzero, (contradicted, outrun, nonsense))))
        unknown = nonsense | ((found.unfinished != NOTHING) & ~followed)
        at_pointer = outrun | (followed & (next_row <= last_row))
        self._note_contradictions(contradicted | outrun, unknown, np.where(at_pointer, next_row, last_row))
        return last_row, contradicted

    def _note_contradictions(
        self, wrong: NDArray[np.bool_], unknown: NDArray[np.bool_], row: NDArray[np.intp]
    ) -> None:
        """Note where a pointer is the first to contradict: with wrong settings nearly all do."""
        told = np.nonzero(wrong | ~unknown)[0]
        if not len(told):
            return
        met = ~wrong[told]
        first = ~met & np.concatenate(([self._last_met], met[:-1]))
        self.contradicting += (row[told[first]] - 1 + self._first_row).tolist()
        self._last_met = bool(met[-1])

    def _hold_unfinished(self, zones: Zones, chained: NDArray[np.intp], found: Walk) -> None:
        """Keep the packet that the last frame left unfinished; those before a gap are lost."""
        run = zones.run[chained]
        left = np.nonzero((found.unfinished != NOTHING) & (run != ahead(run, NOTHING)))[0]
        before, self._held = self._held, Held.nothing()
        if len(left) and run[left[-1]] == zones.run[-1]:
            row = int(chained[left[-1]])
            rest = zones.octets[int(found.unfinished[left[-1]]) : int(zones.limit[row])]
            corrected = bool(zones.corrected[row:].any())
            self._held = Held(rest.copy(), corrected, before.holes if row == 0 else ())
            left = left[:-1]
        self.counts.truncated_packets += n_lost_packets(
            zones.octets, found.unfinished[left], zones.limit[chained[left]]
        )

    def _pick(
        self,
        zones: Zones,
        found: Walk,
        row: NDArray[np.intp],
        row_end: NDArray[np.intp],
        keep: NDArray[np.bool_],
    ) -> Packets:
        """The packets to hand on: those not contradicted and not idle, with their quality."""
        idle = is_idle(found.word)
        self.counts.idle_packets += int(np.count_nonzero(idle & keep))
        keep &= ~idle
        n_kept = int(np.count_nonzero(keep))
        if n_kept < len(keep):
            start, word, row, row_end = found.start[keep], found.word[keep], row[keep], row_end[keep]
        else:
            start, word = found.start, found.word
        quality = np.zeros(n_kept, np.uint32)
        if zones.corrected.any():
            sum_to = np.concatenate(([0], np.cumsum(zones.corrected)))
            quality[sum_to[row_end + 1] > sum_to[row]] |= np.uint32(Quality.CORRECTED)
        self._mark_after_gap(zones, start, quality)
        n_other = 0 if only_space_packets(word) else int(np.count_nonzero(is_encapsulation(word)))
        self.counts.packets += n_kept - n_other
        self.counts.encapsulation_packets += n_other
        return Packets(zones.octets, start, packet_lengths(word), word, row_end - 1, quality)

    def _mark_after_gap(self, zones: Zones, start: NDArray[np.int64], quality: NDArray[np.uint32]) -> None:
        """Flag the first packet that begins after each gap, be it in a later batch."""
        breaks = zones.begin[zones.after_gap]
        if self._after_gap and len(start):
            quality[0] |= np.uint32(Quality.AFTER_GAP)
            self._after_gap = False
        if not len(breaks):
            return
        first = np.searchsorted(start, breaks)
        quality[first[first < len(start)]] |= np.uint32(Quality.AFTER_GAP)
        self._after_gap = self._after_gap or bool((first >= len(start)).any())
