"""Frames that are not the rover's: the orbiter's own packets (VC 1), and idle frames (VC 3)."""

from __future__ import annotations

import numpy as np

from pipeline.simulate import chance
from pipeline.simulate.arrays import Octets
from pipeline.simulate.frames import REAL_TIME, Profile, idle_frames, packet_frames
from pipeline.simulate.packets import PacketStream


def how_many_idle(n_relay: int) -> int:
    """Idle frames that go between this many relay frames [assumed]."""
    return max(1, n_relay // 12)


def other_frames(stream: PacketStream | None, n_idle: int, profile: Profile, seed: int) -> tuple[Octets, Octets]:
    """Frames uint8[n, frame_bytes] of the orbiter's packets, and idle ones; their counters start anywhere."""
    draw = chance.stream(seed, "other channels")
    first_own, first_idle = (int(draw.integers(2**24)) for _ in range(2))
    none = np.empty((0, profile.frame_bytes), np.uint8)
    own = packet_frames(stream, profile, REAL_TIME, first_own) if stream else none
    return own, idle_frames(n_idle, profile, first_idle) if n_idle else none
