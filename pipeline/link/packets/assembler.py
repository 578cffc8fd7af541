"""Reassembly of space packets from the packet zones of one channel's frames; a packet may span many frames.

In: frames in order of count, with the number of missing frames before each. Out: whole space packets, as positions in
one flat array. Dropped and counted: packets cut by a gap, idle packets, encapsulation packets, packets that a first
header pointer contradicts.

The zones are concatenated behind the partial packet of the last batch. Each first header pointer starts a chain of
packets (`walk`). The last packet of a chain may continue in later zones; it is accepted only if the next pointer points
to its end (CCSDS 732.0-B-4 4.1.4.2.2, 132.0-B-3 4.1.2.7.6). If not, the pointer is trusted, since all later packets
depend on it.
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
"""Of a chain: its last packet ends where the next pointer points; no pointer can confirm it."""


@dataclass(slots=True)
class AssemblyCounts:
    """Numbers of packets. `truncated_packets`: cut by a gap or the end; `bad_headers`: impossible or contradicted.

    `fragments`: packets that were output with bytes missing (part of `packets`). `idle_frames`: only idle data.
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
    """Packets that end in another row than they begin in; each is the last of its chain.

    `packet: intp[c]`: their numbers; `row: intp[c]`: where they end; `contradicted: bool[c]`: by the pointer there;
    None: no packet is.
    """

    packet: Rows
    row: Rows
    contradicted: NDArray[np.bool_] | None


class PacketAssembler:
    """Packets of one virtual channel, or of one MAP of it. The state is the partial packet of the last frame.

    `no_packet_starts`, `only_idle`: special first header pointers. `counts` may be shared. `keep_fragments`: output
    packets that are cut by a gap, with zeros for missing bytes.
    """

    def __init__(
        self, no_packet_starts: int, only_idle: int, counts: AssemblyCounts, *, keep_fragments: bool
    ) -> None:
        self.counts = counts
        self._no_packet_starts = no_packet_starts
        self._only_idle, self._least_code = constants(np.int64, only_idle, min(no_packet_starts, only_idle))
        self._keep_fragments = keep_fragments
        self._partial = NO_PACKET
        self._after_gap = False
        self.contradicting: list[int] = []
        """Rows of the last batch whose pointer contradicts a packet, while the pointer before confirmed its packet."""
        self._first_row = 0
        self._last_met = False

    def assemble(self, frames: Frames, gaps: Rows) -> Packets:
        """Return the packets completed by `frames`, and fragments if they are kept.

        `gaps: intp[k]`: rows of `frames` whose `lost` is not 0.
        """
        self.contradicting, self._first_row = [], 0
        if not len(gaps):
            return self._assemble(frames, gaps)
        apart = gaps if self._keep_fragments else gaps[frames.lost[gaps] < 0]
        return self._assemble_pieces(frames, apart.tolist()) if len(apart) else self._assemble(frames, gaps)

    def flush(self) -> Packets | None:
        """End the stream: count the partial packet as truncated, or return it as a fragment."""
        last = self._complete_fragment() if self._keep_fragments else None
        self.counts.truncated_packets += int(self._partial.is_lost_packet())
        self._partial = NO_PACKET
        return last

    def _assemble_pieces(self, frames: Frames, breaks: list[int]) -> Packets:
        """Assemble frame ranges between gaps at which the partial packet may continue."""
        parts: list[Packets] = []
        for first, last in pairwise([0, *breaks, len(frames.lost)]):
            if first == last:
                continue
            some = frames.take(slice(first, last))
            gaps = some.lost.nonzero()[0]
            if some.lost[0] < 0 and self._may_continue(some):
                gaps = gaps[1:]
            if some.lost[0] > 0 and self._keep_fragments:
                n_lost = int(some.lost[0]) * int(some.data_stop[0] - some.data_start[0])
                if self._partial.n_missing() > n_lost:
                    self._partial = self._partial.bridge(n_lost)
                    gaps = gaps[1:]
                elif cut := self._complete_fragment():
                    parts.append(cut.moved(first))
            self._first_row = first
            parts.append(self._assemble(some, gaps).moved(first))
        return Packets.join(parts)

    def _may_continue(self, frames: Frames) -> bool:
        """Whether the partial packet may continue in the first of `frames`.

        After a counter restart it is unknown whether frames are missing; the pointer decides. If no packet begins in
        the first frame, a later pointer confirms or contradicts the packet, as for any packet over several frames.
        """
        pointer = int(frames.first_header_pointer[0])
        zone_bytes = int(frames.data_stop[0] - frames.data_start[0])
        return self._partial.may_continue(None if pointer == self._no_packet_starts else pointer, zone_bytes)

    def _complete_fragment(self) -> Packets | None:
        """Return the partial packet, padded with zeros to its full length, if its header is complete."""
        if not self._partial.n_missing():
            return None
        packets, self._partial = self._partial.zero_filled(), NO_PACKET
        if self._after_gap:
            packets.quality[0] |= _AFTER_GAP
            self._after_gap = False
        self.counts.packets += 1
        self.counts.fragments += 1
        return packets

    def _assemble(self, frames: Frames, gaps: Rows) -> Packets:
        """Assemble frames with gaps before the rows `gaps`, over which no packet continues."""
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
            crossing = self._check_last_packets(zones, chains, found.ends, last)
            self._save_unfinished(before, zones, chains, found.ends, last, corrected)
        packets = self._pick(zones, found, crossing, corrected)
        if before.bridged and not self._partial.bridged and len(packets.start) and packets.start[0] == 0:
            packets.quality[0] |= np.uint32(Quality.FRAGMENT)
            self.counts.fragments += 1
        return packets

    def _check_last_packets(self, zones: Zones, chains: Chains, ends: ChainEnds, last: Rows) -> _Crossing | None:
        """Find the last packets of chains that end in a later row, and check them against the pointers.

        Counts contradictions, also of unfinished packets, and invalid headers. `last: intp[r]`: the last chain of each
        range without a gap.
        """
        is_last = np.zeros(len(chains.row), np.bool_)
        is_last[last] = True
        invalid, unfinished = (ends.invalid != NOWHERE).nonzero()[0], (ends.unfinished != NOWHERE).nonzero()[0]
        outrun = unfinished[~is_last[unfinished]]
        n_unknown = len(invalid) + len(unfinished) - len(outrun)
        self.counts.bad_headers += len(invalid) + len(outrun)
        crossing, missed = self._crossing(zones, chains, ends, is_last)
        if len(outrun) or len(missed):
            row = np.full(len(is_last), _MET, np.int64)
            row[invalid] = row[unfinished] = _UNKNOWN
            row[outrun] = chains.row[outrun + _ONE]
            if crossing is not None and crossing.contradicted is not None:
                following = chains.row[np.minimum(missed + _ONE, len(row) - 1)]
                end_row = crossing.row[crossing.contradicted]
                row[missed] = np.where(is_last[missed], end_row, np.minimum(following, end_row))
            self._record_contradictions(row)
        elif n_unknown < len(is_last):
            self._last_met = True
        return crossing

    def _crossing(
        self, zones: Zones, chains: Chains, ends: ChainEnds, is_last: NDArray[np.bool_]
    ) -> tuple[_Crossing | None, Rows]:
        """Return the packets that end in another row, and the chains whose last packet the next pointer contradicts.

        `is_last: bool[m]`: last chain of its range without a gap. Counts the contradictions.
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

    def _record_contradictions(self, row: NDArray[np.int64]) -> None:
        """Record the rows where a pointer contradicts after one that did not (with wrong settings nearly all do).

        `row: int64[m]`: row of the pointer that contradicts each chain, or `_MET`, or `_UNKNOWN`.
        """
        seen = row[row != _UNKNOWN]
        wrong = seen != _MET
        first = wrong & np.concatenate(([self._last_met], ~wrong[:-1]))
        self.contradicting += (seen[first] - 1 + self._first_row).tolist()
        self._last_met = not wrong[-1]

    def _save_unfinished(
        self,
        before: PartialPacket,
        zones: Zones,
        chains: Chains,
        ends: ChainEnds,
        last: Rows,
        corrected: NDArray[np.bool_] | None,
    ) -> None:
        """Save the unfinished packet of the last frame, and count those before a gap as truncated.

        `before`: the partial packet that is row 0 of the zones.
        """
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
        """Select the packets to output, neither contradicted nor idle, and set their quality."""
        word, start, row, end_row = found.word, found.start, found.row, found.row
        if crossing is not None:
            end_row = row.copy()
            end_row[crossing.packet] = crossing.row
        kept = self._select(found, crossing)
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

    def _select(self, found: Walk, crossing: _Crossing | None) -> Rows:
        """Rows of the space packets that are neither idle nor contradicted: intp[k]. Counts idle and encapsulation."""
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
        """Flag the first packet that begins after each gap; it may be in a later batch."""
        if self._after_gap and len(start):
            quality[0] |= _AFTER_GAP
            self._after_gap = False
        first = np.searchsorted(start, zones.begin[zones.gaps])
        quality[first[first < len(start)]] |= _AFTER_GAP
        self._after_gap = self._after_gap or bool((first >= len(start)).any())


def _corrected_rows(partial: PartialPacket, frames: Frames) -> NDArray[np.bool_] | None:
    """Which rows of the zones have corrected symbols: bool[n + 1]; None: no row has."""
    if not (partial.corrected or len(frames.n_corrected.nonzero()[0])):
        return None
    return np.concatenate(([partial.corrected], frames.n_corrected > 0))
