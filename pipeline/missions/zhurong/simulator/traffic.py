"""Frames that are not the rover's: the orbiter's own packets (VC 1), and idle frames (VC 3)."""

from __future__ import annotations

import numpy as np

from . import chance
from .arrays import Octets
from .frames import IDLE, REAL_TIME, RELAY, Profile, idle_frames, packet_frames
from .packets import PacketStream

_FIRST_COUNT = 2**24 - 600
"""The relay channel's counter wraps inside most passes."""


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
