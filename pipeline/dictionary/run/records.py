"""Segments in, whole records out: the first, continuation and last packets of one APID joined before decoding.

Sequence flags (CCSDS 133.0-B 4.1.3.4.2.2): 01 first, 00 continuation, 10 last, 11 unsegmented. A record is whole
when its segments follow each other in flags and sequence count; one that misses a segment is dropped and
counted. Unsegmented packets pass unchanged. What is unfinished at the end of a batch waits for the next.

All segments of a batch are joined at once: sorted by stream, cut into runs that hang together, gathered. Only
records that span batches are taken one by one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ...model.batches import PacketBatch
from ...model.reductions import count_equal
from .ragged import flat_starts, ragged_gather

CONTINUATION, FIRST, LAST, UNSEGMENTED = 0, 1, 2, 3
PRIMARY_HEADER_BYTES = 6
SEQUENCE_MASK = 0x3FFF
SECONDARY_HEADER_FLAG = 0x08
"""In the first byte of the primary header."""
MOST_ALIKE_BYTES = 64
Bytes = NDArray[np.uint8]
Index = NDArray[np.intp]


@dataclass(slots=True)
class _Partial:
    """A record of one stream whose last segment has not come yet; `first` is its first segment's place."""

    apid: int
    seq_count: int
    scid: int
    vcid: int
    last_count: int
    quality: int = 0
    pieces: list[Bytes] = field(default_factory=list)
    n_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Runs:
    """Packets `first` to `last` (places in `order`) that hang together, stream by stream."""

    first: Index
    last: Index
    key: NDArray[np.int64]
    goes_on: NDArray[np.bool_]
    """The run continues the partial record of its stream."""
    opens: NDArray[np.bool_]
    """It is the first of its stream in this batch."""
    closes: NDArray[np.bool_]
    """It is the last."""


@dataclass(slots=True)
class SegmentHeaders:
    """Segments but the first ones of records that have a secondary header of their own.

    `n_seen`: how many, of `n_later` that are not the first of theirs; `n_alike`: bytes that all of them begin with as
    the first segment of their record does, at most MOST_ALIKE_BYTES; None where no whole record was in one batch.
    """

    n_seen: int = 0
    n_later: int = 0
    n_alike: int | None = None

    def look(self, packets: PacketBatch, rows: Index, first: Index | None = None) -> None:
        """Take the segments `rows` into account; `first`: of each, the first segment of its record, where known."""
        start = packets.start[rows]
        later = packets.seq_flags[rows] != FIRST
        self.n_later += int(np.count_nonzero(later))
        later &= packets.data[start] & SECONDARY_HEADER_FLAG != 0
        self.n_seen += int(np.count_nonzero(later))
        if first is None or not later.any():
            return
        shortest = int(min(packets.length[rows].min(), packets.length[first].min())) - PRIMARY_HEADER_BYTES
        at = PRIMARY_HEADER_BYTES + np.arange(min(shortest, MOST_ALIKE_BYTES))
        own, its_first = (packets.data[begin[later][:, None] + at] for begin in (start, packets.start[first]))
        differs = np.append((own != its_first).any(axis=0), True)
        n_alike = int(np.argmax(differs))
        self.n_alike = n_alike if self.n_alike is None else min(self.n_alike, n_alike)

    def report(self) -> dict[str, int]:
        """Keys of the pass report; none where fewer than half of the segments are such."""
        if 2 * self.n_seen <= self.n_later:
            return {}
        alike = {} if self.n_alike is None else {"alike_bytes": self.n_alike}
        return {"headed_segments": self.n_seen, **alike}


class RecordJoiner:
    """`joined`: records put together; `broken`: records dropped since a segment is missing.

    `segment_header_bytes`: bytes of secondary header dropped from each segment but the first, where the segment's own
    secondary header flag (CCSDS 133.0-B 4.1.3.3.3) is set; where it is 0, `headed` says which were seen. A record
    longer than `max_record_bytes` counts as broken.
    Packets of the APIDs `apart` pass as they are, whatever their flags.
    """

    def __init__(
        self, *, segment_header_bytes: int = 0, max_record_bytes: int = 64 << 20, apart: Collection[int] = ()
    ) -> None:
        self.joined = 0
        self.broken = 0
        self.headed = SegmentHeaders()
        self._segment_header_bytes = segment_header_bytes
        self._max_bytes = max_record_bytes
        self._apart = np.array(sorted(apart), np.uint16)
        self._partials: dict[int, _Partial] = {}
        self._lost: set[int] = set()
        """Streams inside a record that is broken already: its other segments are not counted again."""

    def join(self, packets: PacketBatch) -> PacketBatch:
        """Whole records and unsegmented packets, in the order in which they were completed.

        A record has its first segment's header and sequence count, its last segment's `received_ns`, the quality
        bits of all its segments, and sequence flags 3 (whole).
        """
        n, flags = len(packets.start), packets.seq_flags
        if not n or (not self._partials and not self._lost and count_equal(flags, UNSEGMENTED) == n):
            return packets
        if len(self._apart):
            flags = np.where(np.isin(packets.apid, self._apart), np.uint8(UNSEGMENTED), flags)
            packets = replace(packets, seq_flags=flags)
        key = _stream_keys(packets)
        order = np.argsort(key, kind="stable")
        runs = self._cut(packets, key[order], order)
        whole, carried = self._sort_out(packets, order, runs)
        return self._assemble(packets, order, runs, whole, carried)

    def flush(self) -> None:
        """End of the stream: what is unfinished is broken."""
        self.broken += len(self._partials)
        self._partials.clear()
        self._lost.clear()

    def _cut(self, packets: PacketBatch, key: NDArray[np.int64], order: Index) -> _Runs:
        flags, counts = packets.seq_flags[order], packets.seq_count[order].astype(np.int64)
        opens = np.ones(len(order), np.bool_)
        opens[1:] = key[1:] != key[:-1]
        before_flag, before_count = np.full(len(order), LAST), np.zeros(len(order), np.int64)
        before_flag[1:], before_count[1:] = flags[:-1], counts[:-1]
        for place in np.flatnonzero(opens):
            partial = self._partials.get(int(key[place]))
            before_flag[place] = CONTINUATION if partial else LAST
            before_count[place] = partial.last_count if partial else 0
        follows = (counts == (before_count + 1) & SEQUENCE_MASK) & (before_flag <= FIRST)
        linked = follows & ((flags == CONTINUATION) | (flags == LAST))
        first = np.flatnonzero(~linked | opens)
        last = np.append(first[1:], len(order)) - 1
        closes = np.append(opens[first[1:]], True)
        return _Runs(first, last, key[first], linked[first], opens[first], closes)

    def _sort_out(
        self, packets: PacketBatch, order: Index, runs: _Runs
    ) -> tuple[NDArray[np.bool_], list[tuple[int, _Partial]]]:
        """Which runs are whole records; carried-over records that are complete now, with the run that ends them."""
        begin, end = packets.seq_flags[order[runs.first]], packets.seq_flags[order[runs.last]]
        unsegmented, ended = begin == UNSEGMENTED, (end == LAST) | (end == UNSEGMENTED)
        good = (begin == FIRST) | runs.goes_on
        self._count_broken(runs, good, unsegmented, ended)
        carried: list[tuple[int, _Partial]] = []
        waiting = good & ~ended & runs.closes
        for run in np.flatnonzero(runs.goes_on | waiting):
            key = int(runs.key[run])
            partial = self._partials.pop(key) if runs.goes_on[run] else _begin(packets, int(order[runs.first[run]]))
            self._extend(partial, packets, order[runs.first[run] : runs.last[run] + 1])
            if partial.n_bytes > self._max_bytes:
                self.broken += 1
                if not ended[run] and runs.closes[run]:
                    self._lost.add(key)
            elif ended[run]:
                carried.append((int(run), partial))
            elif waiting[run]:
                self._partials[key] = partial
        return good & ended & ~runs.goes_on, carried

    def _count_broken(
        self, runs: _Runs, good: NDArray[np.bool_], unsegmented: NDArray[np.bool_], ended: NDArray[np.bool_]
    ) -> None:
        """Count each broken record once: where it breaks off, or where it appears without its beginning."""
        left_open = np.zeros(len(good), np.bool_)
        left_open[1:] = ~ended[:-1] & ~runs.opens[1:]
        for run in np.flatnonzero(runs.opens):
            key = int(runs.key[run])
            left_open[run] = key in self._lost
            self._lost.discard(key)
            if key in self._partials and not runs.goes_on[run]:
                del self._partials[key]
                self.broken += 1
                left_open[run] = True
        orphan = ~good & ~unsegmented
        self.broken += int((good & ~ended & ~runs.closes).sum()) + int((orphan & ~left_open).sum())
        self._lost.update(int(key) for key in runs.key[orphan & ~ended & runs.closes])

    def _extend(self, partial: _Partial, packets: PacketBatch, rows: Index) -> None:
        if not self._segment_header_bytes:
            self.headed.look(packets, rows)
        start, length = self._user_bytes(packets, rows, first_is_whole=not partial.pieces)
        partial.pieces.append(ragged_gather(packets.data, start, length))
        partial.n_bytes += int(length.sum())
        partial.quality |= int(np.bitwise_or.reduce(packets.quality[rows]))
        partial.last_count = int(packets.seq_count[rows[-1]])

    def _user_bytes(
        self, packets: PacketBatch, rows: Index, *, first_is_whole: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        start, length = packets.start[rows], packets.length[rows]
        skip = np.full(len(rows), PRIMARY_HEADER_BYTES, np.int64)
        if self._segment_header_bytes and len(rows):
            flagged = packets.data[start] & SECONDARY_HEADER_FLAG != 0
            skip += np.where(flagged, self._segment_header_bytes, 0)
        np.minimum(skip, length, out=skip)
        if first_is_whole:
            skip[packets.seq_flags[rows] == FIRST] = 0
        return start + skip, length - skip

    def _assemble(
        self,
        packets: PacketBatch,
        order: Index,
        runs: _Runs,
        whole: NDArray[np.bool_],
        carried: list[tuple[int, _Partial]],
    ) -> PacketBatch:
        """Unsegmented packets and records, of this batch and carried over, by the place of their last packet."""
        passing = np.flatnonzero(packets.seq_flags == UNSEGMENTED)
        records = self._join(packets, order, runs, np.flatnonzero(whole))
        ends = [order[runs.last[run]] for run, _ in carried]
        data, parts = [packets.data] if len(passing) else [], [packets.take(passing)] if len(passing) else []
        places = [passing]
        offset = len(packets.data) if len(passing) else 0
        for batch, place in [
            records,
            *((_finished(p, packets, int(e)), np.array([e])) for (_, p), e in zip(carried, ends, strict=True)),
        ]:
            data.append(batch.data)
            parts.append(replace(batch, start=batch.start + offset))
            places.append(place)
            offset += len(batch.data)
        self.joined += len(carried) + len(records[1])
        sorting = np.argsort(np.concatenate(places), kind="stable")
        return PacketBatch.join(np.concatenate(data), parts, sorting)

    def _join(self, packets: PacketBatch, order: Index, runs: _Runs, wanted: Index) -> tuple[PacketBatch, Index]:
        """The records of the wanted runs, and the place of the last packet of each."""
        n_segments = runs.last[wanted] - runs.first[wanted] + 1
        segment = flat_starts(n_segments)
        places = np.repeat(runs.first[wanted] - segment, n_segments) + np.arange(int(n_segments.sum()))
        rows = order[places]
        start, length = self._user_bytes(packets, rows, first_is_whole=True)
        if not len(rows):
            return PacketBatch.empty(), np.empty(0, np.intp)
        if not self._segment_header_bytes:
            self.headed.look(packets, rows, np.repeat(rows[segment], n_segments))
        record_bytes = np.add.reduceat(length, segment)
        quality = np.bitwise_or.reduceat(packets.quality[rows], segment)
        fits = record_bytes <= self._max_bytes
        self.broken += int((~fits).sum())
        kept = np.repeat(fits, n_segments)
        first, last = rows[segment][fits], order[runs.last[wanted]][fits]
        batch = PacketBatch(
            ragged_gather(packets.data, start[kept], length[kept]),
            flat_starts(record_bytes[fits]),
            record_bytes[fits],
            packets.apid[first],
            packets.seq_count[first],
            np.full(len(first), UNSEGMENTED, np.uint8),
            packets.scid[first],
            packets.vcid[first],
            packets.received_ns[last],
            quality[fits],
        )
        return batch, last


def _stream_keys(packets: PacketBatch) -> NDArray[np.int64]:
    scid, vcid = packets.scid.astype(np.int64), packets.vcid.astype(np.int64)
    return (scid << 24) | (vcid << 16) | packets.apid


def _begin(packets: PacketBatch, row: int) -> _Partial:
    count = int(packets.seq_count[row])
    return _Partial(int(packets.apid[row]), count, int(packets.scid[row]), int(packets.vcid[row]), count)


def _finished(partial: _Partial, packets: PacketBatch, last: int) -> PacketBatch:
    """The record whose last segment is the packet `last`."""
    return PacketBatch.single(
        np.concatenate(partial.pieces),
        partial.apid,
        partial.seq_count,
        UNSEGMENTED,
        partial.scid,
        partial.vcid,
        int(packets.received_ns[last]),
        partial.quality,
    )
