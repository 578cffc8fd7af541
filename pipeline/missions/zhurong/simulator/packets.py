"""Records to space packets (CCSDS 133.0-B), in the order in which the rover sends them.

A record longer than 4,096 bytes of packet data field goes out in segments; the sequence count of an APID grows by
one with each. Two records complete at the same time go in the order of their APIDs, so navigation is first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Anything, Longs, Octets

IDLE_APID = 2047
SEGMENT_BYTES = 4096
_ALONE, _FIRST, _CONTINUED, _LAST = 3, 1, 0, 2


@dataclass(frozen=True, slots=True)
class Record:
    """One packet data field, before segmentation."""

    apid: int
    complete_ns: int
    """UTC from 1970 at which the rover sends it."""
    octets: bytes
    secondary_header: bool = True


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one instrument recorded, and what was true."""

    name: str
    """Lower-case name of its container; its truth arrays begin with it."""
    records: Sequence[Record]
    truth: Mapping[str, Anything]
    noise: Mapping[str, object]
    """One sigma of what the sensor adds to the truth, before quantisation."""


def records_at(apid: int, times_ns: Longs, rows: Sequence[bytes], *, secondary_header: bool = True) -> list[Record]:
    """A record of each row, sent at its time (UTC ns)."""
    return [Record(apid, int(at), row, secondary_header) for at, row in zip(times_ns, rows, strict=True)]


def photon_noise(name: str, read: float, photon: float) -> dict[str, object]:
    """The noise of a detector: one sigma of a count by read noise and by `photon` times the net count."""
    return {name: {"formula": "sqrt(read^2 + photon * net)", "read": read, "photon": photon}}


@dataclass(frozen=True, slots=True)
class PacketStream:
    """Packets back to back; arrays are int64[n_packets] but for the octets."""

    octets: Octets
    start: Longs
    length: Longs
    apid: Longs
    sequence_count: Longs
    record: Longs
    """Which record, in the order given to `queue`; -1: an idle packet."""

    def __len__(self) -> int:
        return len(self.start)

    def cut(self, first: int, last: int) -> PacketStream:
        """Packets from `first` on, before `last`."""
        begin, end = (int(self.start[at]) if at < len(self) else len(self.octets) for at in (first, last))
        part = slice(first, last)
        return PacketStream(
            octets=self.octets[begin:end],
            start=self.start[part] - begin,
            length=self.length[part],
            apid=self.apid[part],
            sequence_count=self.sequence_count[part],
            record=self.record[part],
        )

    def by_apid(self) -> dict[int, int]:
        return dict(sorted(Counter(self.apid.tolist()).items()))


def primary_header(apid: int, secondary_header: bool, flags: int, sequence_count: int, n_bytes: int) -> bytes:
    """The six bytes before a packet data field of `n_bytes` (4.1.3)."""
    identification = (secondary_header << 11) | apid
    control = (flags << 14) | sequence_count
    return bytes(
        (identification >> 8, identification & 255, control >> 8, control & 255, *(n_bytes - 1).to_bytes(2, "big"))
    )


def queue(records: Sequence[Record], seed: int, count: dict[int, int]) -> PacketStream:
    """Packets of all records. `count`: next sequence count of each APID, updated; others begin at random."""
    order = sorted(range(len(records)), key=lambda i: (records[i].complete_ns, records[i].apid))
    draw = chance.stream(seed, "sequence counts")
    first = {apid: int(draw.integers(16384)) for apid in sorted({record.apid for record in records} | {IDLE_APID})}
    for apid, begin in first.items():
        count.setdefault(apid, begin)
    packets: list[bytes] = []
    rows: list[tuple[int, int, int]] = []
    for i in order:
        for packet in _packets_of(records[i], count[records[i].apid]):
            packets.append(packet)
            rows.append((records[i].apid, count[records[i].apid], i))
            count[records[i].apid] = (count[records[i].apid] + 1) % 16384
    return _stream(packets, rows)


def fill(stream: PacketStream, zone_bytes: int, count: dict[int, int]) -> PacketStream:
    """The same packets, and one idle packet that fills the last packet zone of `zone_bytes`."""
    idle = _idle_packet(-len(stream.octets) % zone_bytes, zone_bytes, count[IDLE_APID])
    if not idle:
        return stream
    last = _stream([idle], [(IDLE_APID, count[IDLE_APID], -1)])
    count[IDLE_APID] = (count[IDLE_APID] + 1) % 16384
    return PacketStream(
        octets=np.concatenate([stream.octets, last.octets]),
        start=np.append(stream.start, len(stream.octets)),
        length=np.append(stream.length, last.length),
        apid=np.append(stream.apid, last.apid),
        sequence_count=np.append(stream.sequence_count, last.sequence_count),
        record=np.append(stream.record, last.record),
    )


def _packets_of(record: Record, first_count: int) -> Iterable[bytes]:
    pieces = [record.octets[at : at + SEGMENT_BYTES] for at in range(0, len(record.octets), SEGMENT_BYTES)]
    for k, piece in enumerate(pieces):
        flags = _FIRST if k == 0 else _LAST if k == len(pieces) - 1 else _CONTINUED
        flags = _ALONE if len(pieces) == 1 else flags
        head = record.secondary_header and k == 0
        yield primary_header(record.apid, head, flags, (first_count + k) % 16384, len(piece)) + piece


def _idle_packet(room_bytes: int, zone_bytes: int, sequence_count: int) -> bytes:
    """The shortest packet has seven bytes; where there is no room for it the idle packet ends a zone later."""
    if room_bytes == 0:
        return b""
    n_bytes = (room_bytes if room_bytes >= 7 else room_bytes + zone_bytes) - 6
    return primary_header(IDLE_APID, False, _ALONE, sequence_count, n_bytes) + b"\x55" * n_bytes


def _stream(packets: Sequence[bytes], rows: Sequence[tuple[int, int, int]]) -> PacketStream:
    length = np.array([len(packet) for packet in packets], np.int64)
    apid, sequence_count, record = np.array(rows, np.int64).reshape(-1, 3).T
    return PacketStream(
        octets=np.frombuffer(b"".join(packets), np.uint8),
        start=np.cumsum(length) - length,
        length=length,
        apid=apid.copy(),
        sequence_count=sequence_count.copy(),
        record=record.copy(),
    )
