"""Reassembly of space packets out of the packet zones of one channel's frames, over any number of frames.

In: frames in order of their count, with what is missing before each. Out: whole space packets, as places in one flat
array. Dropped and counted: packets a gap cut short, idle packets, encapsulation packets, packets that a pointer
contradicts.

The zones are laid end to end behind the partial packet from before. Each first header pointer starts a chain of packets
(`walk`). The last packet of a chain may run on into later zones; it is believed only if the next pointer says that
the next packet begins where this one ends (CCSDS 732.0-B-4 4.1.4.2.2, 132.0-B-3 4.1.2.7.6). Where the two
disagree the pointer is believed, since it is the one that every later packet hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...model.batches import FrameBatch, Quality
from ...model.constants import constants
from ..frames.tables import take_frames
from .packet_headers import (
    is_encapsulation,
    is_idle,
    only_space_packets,
    packet_fields,
    space_packet_lengths,
)
from .partial_packets import NO_PACKET, PartialPacket, n_lost_packets
from .tables import Packets
from .walk import NOTHING, NOWHERE, Walk, walk
from .zones import Chains, Rows, Zones, ahead, chains_of, lay_out

_CORRECTED, _AFTER_GAP = np.uint32(Quality.CORRECTED), np.uint32(Quality.AFTER_GAP)
(_ONE,) = constants(np.intp, 1)


@dataclass(slots=True)
class AssemblyCounts:
    """Packets by fate: `truncated_packets` cut by a gap or the end, `bad_headers` impossible or contradicted.

    `fragments`: those among the packets that were handed on with bytes missing. `idle_frames`: of idle data only.
    """

    packets: int = 0
    idle_packets: int = 0
    encapsulation_packets: int = 0
    fragments: int = 0
    truncated_packets: int = 0
    bad_headers: int = 0
    idle_frames: int = 0


@dataclass(frozen=True, slots=True)
class _Ends:
    """Of the packets `packet: intp[c]`, the last ones of their chains, which end in another row than that in which they
    begin: `row: intp[c]`, where they end; `contradicted: bool[c]`: by the pointer there.
    """

    packet: Rows
    row: Rows
    contradicted: NDArray[np.bool_]


class PacketAssembler:
    """Packets of one virtual channel, or one MAP of it. Holds the bytes of the one unfinished packet.

    `no_packet_starts`, `only_idle`: first header pointers that are none. `counts` may be shared.
    `hand_on`: packets that a gap cut go on too, with zeros for what is missing.
    """

    def __init__(self, no_packet_starts: int, only_idle: int, counts: AssemblyCounts, *, hand_on: bool) -> None:
        self.counts = counts
        self._no_packet_starts = no_packet_starts
        self._only_idle, self._least_code = constants(np.int32, only_idle, min(no_packet_starts, only_idle))
        self._hand_on = hand_on
        self._partial = NO_PACKET
        self._after_gap = False
        self.contradicting: list[int] = []
        """Frames of the last batch whose pointer contradicts a packet, while the pointer before met its packet."""
        self._first_row = 0
        self._last_met = False

    def feed(self, frames: FrameBatch) -> Packets:
        """The packets that are whole with `frames`, and those handed on with bytes missing."""
        self.contradicting, self._first_row = [], 0
        gaps = frames.lost.nonzero()[0]
        if not len(gaps):
            return self._assemble(frames, gaps)
        apart = gaps if self._hand_on else gaps[frames.lost[gaps] < 0]
        return self._feed_apart(frames, apart.tolist()) if len(apart) else self._assemble(frames, gaps)

    def flush(self) -> Packets | None:
        """No more frames: what is unfinished stays so."""
        last = self._end_packet() if self._hand_on else None
        self.counts.truncated_packets += int(self._partial.is_lost_packet())
        self._partial = NO_PACKET
        return last

    def _feed_apart(self, frames: FrameBatch, breaks: list[int]) -> Packets:
        """Look at the partial packet wherever it may run on over a gap."""
        parts: list[Packets] = []
        for first, last in pairwise([0, *breaks, len(frames.lost)]):
            if first == last:
                continue
            some = take_frames(frames, slice(first, last))
            gaps = some.lost.nonzero()[0]
            if some.lost[0] < 0 and self._goes_on(some):
                gaps = gaps[1:]
            if some.lost[0] > 0 and self._hand_on:
                n_lost = int(some.lost[0]) * int(some.data_stop[0] - some.data_start[0])
                if self._partial.n_missing() > n_lost:
                    self._partial = self._partial.bridge(n_lost)
                    gaps = gaps[1:]
                elif cut := self._end_packet():
                    parts.append(cut.moved(first))
            self._first_row = first
            parts.append(self._assemble(some, gaps).moved(first))
        return Packets.join(parts)

    def _goes_on(self, frames: FrameBatch) -> bool:
        """Whether the partial packet may run on in the first of `frames`.

        A restarted count does not say whether frames are missing; the pointers do. Where no packet begins in the first
        frame, the next pointer will confirm or contradict it, as that of every packet over several frames.
        """
        pointer = int(frames.first_header_pointer[0])
        zone_bytes = int(frames.data_stop[0] - frames.data_start[0])
        return self._partial.may_go_on(None if pointer == self._no_packet_starts else pointer, zone_bytes)

    def _end_packet(self) -> Packets | None:
        """The partial packet, filled up with zeros, if its header tells how far."""
        if not self._partial.n_missing():
            return None
        packets, self._partial = self._partial.filled_up(), NO_PACKET
        if self._after_gap:
            packets.quality[0] |= _AFTER_GAP
            self._after_gap = False
        self.counts.packets += 1
        self.counts.fragments += 1
        return packets

    def _assemble(self, frames: FrameBatch, gaps: Rows) -> Packets:
        """The packets of frames with gaps before those of the rows `gaps`, at which no packet goes on."""
        before = self._partial
        zones = lay_out(before, frames, gaps + _ONE, self._only_idle)
        self.counts.idle_frames += zones.n_idle
        corrected = _corrected_rows(before, frames)
        chains = chains_of(zones, frames.first_header_pointer, self._least_code)
        found = walk(zones.octets, chains.begin, chains.zone_end, chains.limit)
        ends = self._judge_last_packets(zones, chains, found)
        self._keep_unfinished(zones, chains, found, corrected)
        packets = self._pick(zones, chains, found, ends, corrected)
        if before.bridged and not self._partial.bridged and len(packets) and packets.start[0] == 0:
            packets.quality[0] |= np.uint32(Quality.FRAGMENT)
            self.counts.fragments += 1
        return packets

    def _judge_last_packets(self, zones: Zones, chains: Chains, found: Walk) -> _Ends | None:
        """Where the last packets of chains end that go on beyond their row, and which a pointer contradicts.

        Counts the contradictions, those of unfinished packets too, and headers that cannot be ones.
        """
        nonsense = found.nonsense != NOWHERE
        unfinished = found.unfinished != NOWHERE
        outrun = unfinished.copy()
        outrun[chains.last] = False
        unknown = nonsense | (unfinished ^ outrun)
        crossing = found.stop > chains.zone_end
        if not np.count_nonzero(crossing | outrun):
            self.counts.bad_headers += int(np.count_nonzero(nonsense))
            self._last_met = self._last_met or bool(np.count_nonzero(unknown) < len(unknown))
            return None
        followed = np.ones(len(unknown), np.bool_)
        followed[chains.last] = False
        next_row, next_begin = ahead(chains.row, NOTHING), ahead(chains.begin, NOTHING)
        end_row = np.where(crossing, np.searchsorted(zones.end, found.stop), chains.row)
        reaches_next = followed & (next_row <= end_row)
        meets = np.where(
            reaches_next, (next_row == end_row) & (next_begin == found.stop), zones.end[end_row] == found.stop
        )
        contradicted = crossing & ~meets
        self.counts.bad_headers += int(sum(map(np.count_nonzero, (contradicted, outrun, nonsense))))
        at = np.where(outrun | reaches_next, next_row, end_row)
        self._note_contradictions(contradicted | outrun, unknown, at)
        chain = crossing.nonzero()[0]
        return _Ends(found.n_packets.cumsum()[chain] - 1, end_row[chain], contradicted[chain])

    def _note_contradictions(self, wrong: NDArray[np.bool_], unknown: NDArray[np.bool_], row: Rows) -> None:
        """Note where a pointer is the first to contradict: with wrong settings nearly all do."""
        known = (wrong | ~unknown).nonzero()[0]
        if not len(known):
            return
        met = ~wrong[known]
        first = ~met & np.concatenate(([self._last_met], met[:-1]))
        self.contradicting += (row[known[first]] - 1 + self._first_row).tolist()
        self._last_met = bool(met[-1])

    def _keep_unfinished(
        self, zones: Zones, chains: Chains, found: Walk, corrected: NDArray[np.bool_] | None
    ) -> None:
        """Keep the packet that the last frame left unfinished; those before a gap are lost."""
        before, self._partial = self._partial, NO_PACKET
        left = chains.last[found.unfinished[chains.last] != NOWHERE]
        if not len(left):
            return
        row = int(chains.row[left[-1]])
        if not len(zones.gaps) or row >= zones.gaps[-1]:
            rest = zones.octets[int(found.unfinished[left[-1]]) : int(zones.end[-1])]
            was_corrected = corrected is not None and bool(corrected[row:].any())
            self._partial = PartialPacket(rest.copy(), was_corrected, before.bridged and row == 0)
            left = left[:-1]
        self.counts.truncated_packets += n_lost_packets(zones.octets, found.unfinished[left], chains.limit[left])

    def _pick(
        self, zones: Zones, chains: Chains, found: Walk, ends: _Ends | None, corrected: NDArray[np.bool_] | None
    ) -> Packets:
        """The packets to hand on: those not contradicted and not idle, with their quality."""
        word, start = found.word, found.start
        row = end_row = chains.row[found.chain]
        keep = self._is_wanted(word, ends)
        if ends is not None:
            end_row = row.copy()
            end_row[ends.packet] = ends.row
        if np.count_nonzero(keep) < len(keep):
            word, start, end_row, row = word[keep], start[keep], end_row[keep], row[keep]
        self.counts.packets += len(word)
        quality = np.zeros(len(word), np.uint32)
        if corrected is not None:
            sum_to = np.concatenate(([0], np.cumsum(corrected)))
            quality[sum_to[end_row + 1] > sum_to[row]] |= _CORRECTED
        if self._after_gap or len(zones.gaps):
            self._mark_after_gap(zones, start, quality)
        length = space_packet_lengths(word)
        return Packets(zones.octets, start, length, *packet_fields(word), end_row - _ONE, quality)

    def _is_wanted(self, word: NDArray[np.uint64], ends: _Ends | None) -> NDArray[np.bool_]:
        """Space packets, not idle and not contradicted: bool[p]. Idle and encapsulation packets are counted."""
        idle = is_idle(word)
        wanted = ~idle
        if ends is not None:
            idle[ends.packet] &= ~ends.contradicted
            wanted[ends.packet] &= ~ends.contradicted
        self.counts.idle_packets += int(np.count_nonzero(idle))
        if only_space_packets(word):
            return wanted
        other = is_encapsulation(word)
        self.counts.encapsulation_packets += int(np.count_nonzero(other & wanted))
        wanted &= ~other
        return wanted

    def _mark_after_gap(self, zones: Zones, start: NDArray[np.int64], quality: NDArray[np.uint32]) -> None:
        """Flag the first packet that begins after each gap, be it in a later batch."""
        if self._after_gap and len(start):
            quality[0] |= _AFTER_GAP
            self._after_gap = False
        first = np.searchsorted(start, zones.begin[zones.gaps])
        quality[first[first < len(start)]] |= _AFTER_GAP
        self._after_gap = self._after_gap or bool((first >= len(start)).any())


def _corrected_rows(partial: PartialPacket, frames: FrameBatch) -> NDArray[np.bool_] | None:
    """Which rows of the zones needed correction, bool[n + 1]; None where none did."""
    if not (partial.corrected or np.count_nonzero(frames.n_corrected)):
        return None
    return np.concatenate(([partial.corrected], frames.n_corrected > 0))
