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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import FrameBatch, Quality
from pipeline.link.fragments import Hole, missing_bytes
from pipeline.link.frames import take_frames
from pipeline.link.packet_headers import (
    IDLE_APID,
    PRIMARY_HEADER_BYTES,
    is_encapsulation,
    is_idle,
    judge,
    packet_lengths,
)
from pipeline.link.packets import Packets
from pipeline.link.walk import NOTHING, PAD_BYTES, Walk, walk, words_of


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


@dataclass(frozen=True, slots=True)
class _Zones:
    """The bytes held from before, as row 0, and the packet zones of n frames behind them.

    `begin`, `end: int64[n + 1]`; `run` numbers the stretches without a gap, `limit` is where each ends. `pointer`:
    place of the first packet that begins in the row, `NOTHING` without one, at `end` or beyond where it is wrong.
    """

    octets: NDArray[np.uint8]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    run: NDArray[np.intp]
    limit: NDArray[np.int64]
    pointer: NDArray[np.int64]
    after_gap: NDArray[np.bool_]
    corrected: NDArray[np.bool_]


class PacketAssembler:
    """Packets of one virtual channel, or one MAP of it. Holds the bytes of the one unfinished packet.

    `no_packet_starts`, `only_idle`: first header pointers that are none. `counts` may be shared.
    `hand_on`: packets that a gap cut go on too, with their holes.
    """

    def __init__(self, no_packet_starts: int, only_idle: int, counts: AssemblyCounts, *, hand_on: bool) -> None:
        self.counts = counts
        self._no_packet_starts = no_packet_starts
        self._only_idle = only_idle
        self._held = np.empty(0, np.uint8)
        self._held_corrected = False
        self._held_goes_on = False
        self._hand_on = hand_on
        self._holes: list[Hole] = []
        self._after_gap = False

    def feed(self, frames: FrameBatch) -> Packets:
        """The packets that are whole with `frames`, and those handed on with holes."""
        broken = frames.lost != 0
        apart = broken if self._hand_on else frames.lost < 0
        if not apart.any():
            return self._assemble(frames, broken)
        return self._feed_apart(frames, broken, np.nonzero(apart)[0].tolist())

    def flush(self) -> Packets | None:
        """No more frames: what is unfinished stays so."""
        parts = self._end_packet() if self._hand_on else []
        self._count_truncated(self._held)
        self._held = np.empty(0, np.uint8)
        self._held_corrected = False
        return parts[0] if parts else None

    def _feed_apart(self, frames: FrameBatch, broken: NDArray[np.bool_], breaks: list[int]) -> Packets:
        """Look at what is held wherever a packet may run on over a break."""
        parts: list[Packets] = []
        for first, last in pairwise([0, *breaks, len(broken)]):
            if first == last:
                continue
            some = take_frames(frames, slice(first, last))
            # A restarted count does not say whether frames are missing; the pointer does, where a packet runs on.
            if frames.lost[first] < 0 and self._runs_on(int(some.first_header_pointer[0])):
                broken[first] = False
            if frames.lost[first] > 0 and self._hand_on:
                zone = int(some.data_stop[0] - some.data_start[0])
                bridged = self._bridge(int(frames.lost[first]) * zone)
                broken[first] = not bridged
                parts += [] if bridged else [part.moved(first) for part in self._end_packet()]
            parts.append(self._assemble(some, broken[first:last]).moved(first))
        return Packets.join(parts)

    def _bridge(self, n_lost: int) -> bool:
        """Lay out a gap of `n_lost` bytes as zeros, if the packet that is held goes on behind it."""
        if missing_bytes(self._held) <= n_lost:
            return False
        self._holes.append(Hole(0, len(self._held), n_lost))
        self._held = np.concatenate((self._held, np.zeros(n_lost, np.uint8)))
        return True

    def _end_packet(self) -> list[Packets]:
        """The packet that is held, filled up with zeros, if its header tells how far."""
        n_missing = missing_bytes(self._held)
        if not n_missing:
            return []
        holes = (*self._holes, Hole(0, len(self._held), n_missing))
        octets = np.concatenate((self._held, np.zeros(n_missing + PAD_BYTES, np.uint8)))
        quality = Quality.FRAGMENT | (Quality.CORRECTED if self._held_corrected else 0)
        quality |= Quality.AFTER_GAP if self._after_gap else 0
        self._held, self._holes = np.empty(0, np.uint8), []
        self._held_corrected = self._after_gap = False
        self.counts.packets += 1
        self.counts.fragments += 1
        none = np.zeros(1, np.int64)
        return [
            Packets(
                octets,
                none,
                none + len(octets) - PAD_BYTES,
                words_of(octets)[:1].astype(np.uint64),
                none.astype(np.intp),
                np.array([quality], np.uint32),
                holes,
            )
        ]

    def _with_holes(self, packets: Packets) -> Packets:
        """Mark the packet that was bridged over a gap, if it has ended now."""
        if not self._holes or self._held_goes_on:
            return packets
        holes, self._holes = tuple(self._holes), []
        if len(packets) and packets.start[0] == 0:
            packets.quality[0] |= np.uint32(Quality.FRAGMENT)
            self.counts.fragments += 1
            return replace(packets, holes=holes)
        return packets

    def _runs_on(self, pointer: int) -> bool:
        """Whether the unfinished packet ends exactly where `pointer` says the next one begins."""
        if len(self._held) < PRIMARY_HEADER_BYTES:
            return False
        word = int.from_bytes(self._held[:PAD_BYTES].tobytes().ljust(PAD_BYTES, b"\0"), "big")
        return judge(word, len(self._held))[0] - len(self._held) == pointer

    def _assemble(self, frames: FrameBatch, broken: NDArray[np.bool_]) -> Packets:
        zones = self._lay_out(frames, broken)
        chained = np.nonzero(zones.pointer != NOTHING)[0]
        found = walk(zones.octets, zones.pointer[chained], zones.end[chained], zones.limit[chained])
        last_row, contradicted = self._judge_last_packets(zones, chained, found)
        row = chained[found.chain]
        final_packet = np.cumsum(found.n_packets)[found.n_packets > 0] - 1
        row_end = row.copy()
        row_end[final_packet] = last_row[found.n_packets > 0]
        keep = np.ones(len(row), bool)
        keep[final_packet] = ~contradicted[found.n_packets > 0]
        self._hold_unfinished(zones, chained, found)
        return self._with_holes(self._pick(zones, found, row, row_end, keep))

    def _lay_out(self, frames: FrameBatch, broken: NDArray[np.bool_]) -> _Zones:
        idle = frames.first_header_pointer == self._only_idle
        size = frames.data_stop - frames.data_start
        size[idle] = 0
        end = np.empty(len(size) + 1, np.int64)
        end[0] = len(self._held)
        np.cumsum(size, out=end[1:])
        end[1:] += len(self._held)
        begin = _behind(0, end[:-1])
        octets = np.zeros(int(end[-1]) + PAD_BYTES, np.uint8)
        octets[: len(self._held)] = self._held
        _copy_zones(frames, idle, octets[len(self._held) : -PAD_BYTES])
        pointer = begin + _behind(0 if len(self._held) else NOTHING, frames.first_header_pointer)
        pointer[1:][idle | (frames.first_header_pointer == self._no_packet_starts)] = NOTHING
        after_gap = _behind(False, broken)
        run = after_gap.cumsum()
        if run[-1]:
            limit = end[np.append(np.nonzero(after_gap)[0] - 1, len(end) - 1)][run]
        else:
            limit = np.full_like(end, end[-1])
        corrected = _behind(self._held_corrected, frames.n_corrected > 0)
        return _Zones(octets, begin, end, run, limit, pointer, after_gap, corrected)

    def _judge_last_packets(
        self, zones: _Zones, chained: NDArray[np.intp], found: Walk
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Row in which each chain's last packet ends, and whether a pointer contradicts it.

        Counts the contradictions, those of unfinished packets too, and headers that cannot be ones.
        """
        run = zones.run[chained]
        next_row = _ahead(chained, len(zones.end))
        next_pointer = _ahead(zones.pointer[chained], NOTHING)
        followed = run == _ahead(run, NOTHING)
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
        self.counts.bad_headers += int(contradicted.sum() + outrun.sum() + nonsense.sum())
        return last_row, contradicted

    def _hold_unfinished(self, zones: _Zones, chained: NDArray[np.intp], found: Walk) -> None:
        """Keep the packet that the last frame left unfinished; those before a gap are lost."""
        run = zones.run[chained]
        left = (found.unfinished != NOTHING) & (run != _ahead(run, NOTHING))
        self._held = np.empty(0, np.uint8)
        self._held_corrected = self._held_goes_on = False
        for chain in np.nonzero(left)[0]:
            row = int(chained[chain])
            rest = zones.octets[int(found.unfinished[chain]) : int(zones.limit[row])]
            if zones.run[row] == zones.run[-1]:
                self._held = rest.copy()
                self._held_goes_on = row == 0
                self._held_corrected = bool(zones.corrected[row:].any())
            else:
                self._count_truncated(rest)

    def _count_truncated(self, rest: NDArray[np.uint8]) -> None:
        if len(rest) == 0:
            return
        apid = int(rest[0] & 7) << 8 | int(rest[1]) if len(rest) >= PRIMARY_HEADER_BYTES else 0
        self.counts.truncated_packets += int(apid != IDLE_APID)

    def _pick(
        self,
        zones: _Zones,
        found: Walk,
        row: NDArray[np.intp],
        row_end: NDArray[np.intp],
        keep: NDArray[np.bool_],
    ) -> Packets:
        """The packets to hand on: those not contradicted and not idle, with their quality."""
        idle = is_idle(found.word)
        self.counts.idle_packets += int((idle & keep).sum())
        keep &= ~idle
        n_kept = int(keep.sum())
        if n_kept < len(keep):
            start, word, row, row_end = found.start[keep], found.word[keep], row[keep], row_end[keep]
        else:
            start, word = found.start, found.word
        quality = np.zeros(n_kept, np.uint32)
        if zones.corrected.any():
            sum_to = np.concatenate(([0], np.cumsum(zones.corrected)))
            quality[sum_to[row_end + 1] > sum_to[row]] |= np.uint32(Quality.CORRECTED)
        self._mark_after_gap(zones, start, quality)
        n_other = int(is_encapsulation(word).sum())
        self.counts.packets += n_kept - n_other
        self.counts.encapsulation_packets += n_other
        return Packets(zones.octets, start, packet_lengths(word), word, row_end - 1, quality)

    def _mark_after_gap(self, zones: _Zones, start: NDArray[np.int64], quality: NDArray[np.uint32]) -> None:
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


def _behind(first: Any, rest: NDArray[Any]) -> NDArray[Any]:
    """`first`, then all of `rest`: [n + 1]."""
    out = np.empty(len(rest) + 1, rest.dtype)
    out[0] = first
    out[1:] = rest
    return out


def _ahead(values: NDArray[Any], last: Any) -> NDArray[Any]:
    """All of `values` but the first, then `last`: [n]."""
    out = np.empty_like(values)
    out[:-1] = values[1:]
    out[-1:] = last
    return out


def _copy_zones(frames: FrameBatch, idle: NDArray[np.bool_], out: NDArray[np.uint8]) -> None:
    """Lay the packet zones end to end in `out`."""
    if not len(out):
        return
    start, stop = frames.data_start, frames.data_stop
    if not idle.any() and start[0] == start[-1] and (start == start[0]).all() and (stop == stop[0]).all():
        out.reshape(len(start), -1)[:] = frames.data[:, start[0] : stop[0]]
        return
    column = np.arange(frames.data.shape[1])
    wanted = (column >= start[:, None]) & (column < stop[:, None]) & ~idle[:, None]
    out[:] = frames.data[wanted]
