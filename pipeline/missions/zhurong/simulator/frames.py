"""AOS transfer frames (CCSDS 732.0-B) as the orbiter makes them: insert zone, no FECF, no control field.

A frame is: primary header 6, insert zone 8 (48-bit count of 100 us since the epoch, then a constant), and either
an M_PDU (2 bytes of header, packet zone) or, on an idle channel, fill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Longs, Octets
from .octets import EPOCH_UTC_NS, constant, unsigned
from .packets import PacketStream

SPACECRAFT = 245
RELAY, REAL_TIME, IDLE = 5, 1, 3
"""Virtual channels: the rover's packets (5, assumed), the orbiter's own (1), idle frames (3)."""
_HEADER_BYTES = 6
_INSERT_ZONE_BYTES = 8
OVERHEAD_BYTES = _HEADER_BYTES + _INSERT_ZONE_BYTES + 2
_NO_PACKET_STARTS = 0x7FF
_FIRST_COUNT = 2**24 - 600
"""The relay channel's counter wraps inside most passes."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One of the link's two settings (link facts)."""

    frame_bytes: int
    interleave: int
    bits_per_second: float

    @property
    def zone_bytes(self) -> int:
        return self.frame_bytes - OVERHEAD_BYTES

    @property
    def cadu_bytes(self) -> int:
        return 4 + self.frame_bytes + 32 * self.interleave

    @property
    def slot_ns(self) -> int:
        """Time that one CADU takes on the link."""
        return round(self.cadu_bytes * 8e9 / self.bits_per_second)


PROFILES = {"high": Profile(892, 4, 2_048_000.0), "low": Profile(220, 1, 8_192.0)}


def first_header_pointers(start: Longs, n_frames: int, zone_bytes: int) -> Longs:
    """Where in each packet zone the first packet starts; 0x7FF where none does (4.1.4.2.2)."""
    zone_start = np.arange(n_frames, dtype=np.int64) * zone_bytes
    first = np.append(start, np.iinfo(np.int64).max)[np.searchsorted(start, zone_start)]
    inside = first < zone_start + zone_bytes
    return np.where(inside, first - zone_start, _NO_PACKET_STARTS)


def packet_frames(stream: PacketStream, profile: Profile, vcid: int, first_count: int) -> Octets:
    """Frames uint8[n, frame_bytes] of packets that fill them to the last byte; the insert zones are still zero."""
    zones = stream.octets.reshape(-1, profile.zone_bytes)
    pointers = first_header_pointers(stream.start, len(zones), profile.zone_bytes)
    return np.hstack([_headers(vcid, first_count, len(zones)), unsigned(pointers, 2), zones])


def idle_frames(n: int, profile: Profile, first_count: int) -> Octets:
    """Frames of the idle channel: fill where the others have an M_PDU."""
    return np.hstack([_headers(IDLE, first_count, n), constant(b"\xaa" * (profile.frame_bytes - 14), n)])


def _headers(vcid: int, first_count: int, n: int) -> Octets:
    """Primary headers, and eight zeros in place of the insert zone."""
    version_and_ids = 1 << 14 | SPACECRAFT << 6 | vcid
    counts = (first_count + np.arange(n, dtype=np.int64)) % 2**24
    return np.hstack(
        [
            constant(version_and_ids.to_bytes(2, "big"), n),
            unsigned(counts, 3),
            constant(bytes(1 + _INSERT_ZONE_BYTES), n),
        ]
    )


def stamp(frames: Octets, sent_ns: Longs) -> None:
    """Write the time of sending into the insert zones, in place."""
    ticks = (sent_ns - EPOCH_UTC_NS) // 100_000
    zone = slice(_HEADER_BYTES, _HEADER_BYTES + _INSERT_ZONE_BYTES)
    frames[:, zone] = np.hstack([unsigned(ticks, 6), constant(b"\x4a\xaa", len(frames))])


def how_many_idle(n_relay: int) -> int:
    """Idle frames that go between this many relay frames [assumed]."""
    return max(1, n_relay // 12)


def first_counts(seed: int) -> dict[int, int]:
    """Frame counts of the virtual channels at the beginning: of the relay channel near its wrap, of the others any."""
    draw = chance.stream(seed, "other channels")
    return {RELAY: _FIRST_COUNT, REAL_TIME: int(draw.integers(2**24)), IDLE: int(draw.integers(2**24))}


def all_frames(
    relay: PacketStream, own: PacketStream | None, n_idle: int, profile: Profile, count: dict[int, int]
) -> list[Octets]:
    """Frames uint8[n, frame_bytes] of the rover's packets, of the orbiter's, and idle ones. `count` goes on."""
    none = np.empty((0, profile.frame_bytes), np.uint8)
    found = [
        packet_frames(relay, profile, RELAY, count[RELAY]),
        packet_frames(own, profile, REAL_TIME, count[REAL_TIME]) if own else none,
        idle_frames(n_idle, profile, count[IDLE]) if n_idle else none,
    ]
    for vcid, frames in zip((RELAY, REAL_TIME, IDLE), found, strict=True):
        count[vcid] = (count[vcid] + len(frames)) % 2**24
    return found
