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

from ...model.batches import Quality
from ...model.constants import constants
from ..frames.tables import Frames
from .packet_headers import is_encapsulation, is_idle, not_idle, packet_fields
from .partial_packets import NO_PACKET, PartialPacket, n_lost_packets
from .tables import Packets
from .walk import NOWHERE, ChainEnds, Chains, Walk, walk
from .zones import Rows, Zones, chains_of, last_of_stretches, lay_out

_CORRECTED, _AFTER_GAP = np.uint32(Quality.CORRECTED), np.uint32(Quality.AFTER_GAP)
(_ONE,) = constants(np.intp, 1)
_MET, _UNKNOWN = -1, -2
"""Of a chain: the next pointer is where its last packet ends; no pointer judges it."""


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


@dataclass(slots=True)
class _Crossing:
    """Of the packets `packet: intp[c]`, the last ones of their chains, which end in another row than that in which they
    begin: `row: intp[c]`, where they end; `contradicted: bool[c]`: by the pointer there, None where none is.
    """

    packet: Rows
    row: Rows
    contradicted: NDArray[np.bool_] | None


class PacketAssembler:
    """Packets of one virtual channel, or one MAP of it. Holds the bytes of the one unfinished packet.

    `no_packet_starts`, `only_idle`: first header pointers that are none. `counts` may be shared.
    `hand_on`: packets that a gap cut go on too, with zeros for what is missing.
    """

    def __init__(self, no_packet_starts: int, only_idle: int, counts: AssemblyCounts, *, hand_on: bool) -> None:
        self.counts = counts
        self._no_packet_starts = no_packet_starts
        self._only_idle, self._least_code = constants(np.int64, only_idle, min(no_packet_starts, only_idle))
        self._hand_on = hand_on
        self._partial = NO_PACKET
        self._after_gap = False
        self.contradicting: list[int] = []
        """Frames of the last batch whose pointer contradicts a packet, while the pointer before met its packet."""
        self._first_row = 0
        self._last_met = False

    def assemble(self, frames: Frames, gaps: Rows) -> Packets:
        """The packets that are whole with `frames`, and those handed on with bytes missing.

        `gaps: intp[k]`: rows of `frames` whose `lost` is not 0.
        """
        self.contradicting, self._first_row = [], 0
        if not len(gaps):
            return self._assemble(frames, gaps)
        apart = gaps if self._hand_on else gaps[frames.lost[gaps] < 0]
        return self._assemble_pieces(frames, apart.tolist()) if len(apart) else self._assemble(frames, gaps)

    def flush(self) -> Packets | None:
        """No more frames: what is unfinished stays so."""
        last = self._end_packet() if self._hand_on else None
        self.counts.truncated_packets += int(self._partial.is_lost_packet())
        self._partial = NO_PACKET
        return last

    def _assemble_pieces(self, frames: Frames, breaks: list[int]) -> Packets:
        """Look at the partial packet wherever it may run on over a gap."""
        parts: list[Packets] = []
        for first, last in pairwise([0, *breaks, len(frames.lost)]):
            if first == last:
                continue
            some = frames.take(slice(first, last))
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

    def _goes_on(self, frames: Frames) -> bool:
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

    def _assemble(self, frames: Frames, gaps: Rows) -> Packets:
        """The packets of frames with gaps before those of the rows `gaps`, at which no packet goes on."""
        before = self._partial
        zones = lay_out(before, frames, gaps + _ONE if len(gaps) else gaps, self._only_idle)
        self.counts.idle_frames += zones.n_idle
        corrected = _corrected_rows(before, frames)
        chains = chains_of(zones, frames.first_header_pointer, self._least_code)
        found = walk(zones.octets, chains)
        self._partial, crossing = NO_PACKET, None
        if found.ends is None:
            self._last_met = self._last_met or len(chains.row) > 0
        else:
            last = last_of_stretches(zones, chains)
            crossing = self._judge_last_packets(zones, chains, found.ends, last)
            self._keep_unfinished(before, zones, chains, found.ends, last, corrected)
        packets = self._pick(zones, found, crossing, corrected)
        if before.bridged and not self._partial.bridged and len(packets.start) and packets.start[0] == 0:
            packets.quality[0] |= np.uint32(Quality.FRAGMENT)
            self.counts.fragments += 1
        return packets

    def _judge_last_packets(self, zones: Zones, chains: Chains, ends: ChainEnds, last: Rows) -> _Crossing | None:
        """Where the last packets of chains end that go on beyond their row, and which a pointer contradicts.

        Counts the contradictions, those of unfinished packets too, and headers that cannot be ones. `last`: the last
        chain of each stretch.
        """
        is_last = np.zeros(len(chains.row), np.bool_)
        is_last[last] = True
        nonsense, unfinished = (ends.nonsense != NOWHERE).nonzero()[0], (ends.unfinished != NOWHERE).nonzero()[0]
        outrun = unfinished[~is_last[unfinished]]
        n_unknown = len(nonsense) + len(unfinished) - len(outrun)
        self.counts.bad_headers += len(nonsense) + len(outrun)
        crossing, missed = self._crossing(zones, chains, ends, is_last)
        if len(outrun) or len(missed):
            row = np.full(len(is_last), _MET, np.int64)
            row[nonsense] = row[unfinished] = _UNKNOWN
            row[outrun] = chains.row[outrun + _ONE]
            if crossing is not None and crossing.contradicted is not None:
                following = chains.row[np.minimum(missed + _ONE, len(row) - 1)]
                end_row = crossing.row[crossing.contradicted]
                row[missed] = np.where(is_last[missed], end_row, np.minimum(following, end_row))
            self._note_contradictions(row)
        elif n_unknown < len(is_last):
            self._last_met = True
        return crossing

    def _crossing(
        self, zones: Zones, chains: Chains, ends: ChainEnds, is_last: NDArray[np.bool_]
    ) -> tuple[_Crossing | None, Rows]:
        """The packets that end in another row, and the chains whose last packet the next pointer contradicts.

        `is_last: bool[m]`: no other chain begins in the stretch. The contradictions are counted.
        """
        chain = (ends.stop > chains.zone_end).nonzero()[0]
        if not len(chain):
            return None, chain
        stop, following = ends.stop[chain], np.minimum(chain + _ONE, len(is_last) - 1)
        end_row, next_row = zones.end.searchsorted(stop), chains.row[following]
        misses_pointer = (next_row != end_row) | (chains.begin[following] != stop)
        behind_next = (next_row > end_row) | is_last[chain]
        contradicted = np.where(behind_next, zones.end[end_row] != stop, misses_pointer)
        missed = chain[contradicted]
        self.counts.bad_headers += len(missed)
        packet = ends.n_packets.cumsum()[chain] - _ONE
        return _Crossing(packet, end_row, contradicted if len(missed) else None), missed

    def _note_contradictions(self, row: NDArray[np.int64]) -> None:
        """Note where a pointer is the first to contradict: with wrong settings nearly all do.

        `row: int64[m]`, of the pointer that contradicts each chain, or `_MET`, or `_UNKNOWN`.
        """
        seen = row[row != _UNKNOWN]
        wrong = seen != _MET
        first = wrong & np.concatenate(([self._last_met], ~wrong[:-1]))
        self.contradicting += (seen[first] - 1 + self._first_row).tolist()
        self._last_met = not wrong[-1]

    def _keep_unfinished(
        self,
        before: PartialPacket,
        zones: Zones,
        chains: Chains,
        ends: ChainEnds,
        last: Rows,
        corrected: NDArray[np.bool_] | None,
    ) -> None:
        """Keep the packet that the last frame left unfinished; those before a gap are lost. `before`: as row 0."""
        left = last[ends.unfinished[last] != NOWHERE]
        if not len(left):
            return
        row = chains.row.item(left[-1])
        if not len(zones.gaps) or row >= zones.gaps[-1]:
            rest = zones.octets[ends.unfinished.item(left[-1]) : zones.end.item(-1)]
            was_corrected = corrected is not None and bool(corrected[row:].any())
            self._partial = PartialPacket(rest.copy(), was_corrected, before.bridged and row == 0)
            left = left[:-1]
        if len(left):
            self.counts.truncated_packets += n_lost_packets(zones.octets, ends.unfinished[left], chains.limit[left])

    def _pick(
        self, zones: Zones, found: Walk, crossing: _Crossing | None, corrected: NDArray[np.bool_] | None
    ) -> Packets:
        """The packets to hand on: those not contradicted and not idle, with their quality."""
        word, start, row, end_row = found.word, found.start, found.row, found.row
        if crossing is not None:
            end_row = row.copy()
            end_row[crossing.packet] = crossing.row
        kept = self._wanted(found, crossing)
        if len(kept) < len(word):
            word, start, end_row, row = word[kept], start[kept], end_row[kept], row[kept]
        self.counts.packets += len(word)
        quality = np.zeros(len(word), np.uint32)
        if corrected is not None:
            sum_to = np.concatenate(([0], np.cumsum(corrected)))
            quality[sum_to[end_row + 1] > sum_to[row]] |= _CORRECTED
        if self._after_gap or len(zones.gaps):
            self._mark_after_gap(zones, start, quality)
        return Packets(zones.octets, start, *packet_fields(word), end_row - _ONE, quality)

    def _wanted(self, found: Walk, crossing: _Crossing | None) -> Rows:
        """Which are space packets, not idle or contradicted: intp[k]. Idle and encapsulation packets are counted."""
        word = found.word
        if found.only_space and (crossing is None or crossing.contradicted is None):
            kept = not_idle(word)
            self.counts.idle_packets += len(word) - len(kept)
            return kept
        sound = np.ones(len(word), np.bool_)
        if crossing is not None and crossing.contradicted is not None:
            sound[crossing.packet[crossing.contradicted]] = False
        idle = is_idle(word) & sound
        other = is_encapsulation(word) & sound & ~idle
        self.counts.idle_packets += int(np.count_nonzero(idle))
        self.counts.encapsulation_packets += int(np.count_nonzero(other))
        return (sound & ~idle & ~other).nonzero()[0]

    def _mark_after_gap(self, zones: Zones, start: NDArray[np.int64], quality: NDArray[np.uint32]) -> None:
        """Flag the first packet that begins after each gap, be it in a later batch."""
        if self._after_gap and len(start):
            quality[0] |= _AFTER_GAP
            self._after_gap = False
        first = np.searchsorted(start, zones.begin[zones.gaps])
        quality[first[first < len(start)]] |= _AFTER_GAP
        self._after_gap = self._after_gap or bool((first >= len(start)).any())


def _corrected_rows(partial: PartialPacket, frames: Frames) -> NDArray[np.bool_] | None:
    """Which rows of the zones needed correction, bool[n + 1]; None where none did."""
    if not (partial.corrected or len(frames.n_corrected.nonzero()[0])):
        return None
    return np.concatenate(([partial.corrected], frames.n_corrected > 0))
