"""Frames that are not the rover's: the orbiter's own packets, of no meaning here, and idle frames."""

from __future__ import annotations

import numpy as np

from pipeline.simulate import chance
from pipeline.simulate.arrays import Octets
from pipeline.simulate.frames import TRAFFIC, Profile, idle_frames, packet_frames
from pipeline.simulate.packets import Record, packetize

_APIDS = (1280, 1287, 1301)
"""1287 is among those heard from Tianwen-1 (link facts); the others and all contents are invented."""
_PACKET_BYTES = 100


def how_many(n_relay: int) -> tuple[int, int]:
    """Frames of traffic and idle ones that go between this many relay frames [assumed]."""
    return max(1, n_relay // 4), max(1, n_relay // 12)


def other_frames(n_relay: int, profile: Profile, seed: int) -> Octets:
    """Frames uint8[n, frame_bytes]: traffic first, then idle ones."""
    n_traffic, n_idle = how_many(n_relay)
    draw = chance.stream(seed, "other channels")
    n_packets = (n_traffic * profile.zone_bytes - 7) // _PACKET_BYTES
    contents = draw.integers(0, 256, (n_packets, _PACKET_BYTES - 6), np.uint8)
    records = [Record(_APIDS[k % len(_APIDS)], k, row.tobytes(), False) for k, row in enumerate(contents)]
    stream = packetize(records, seed, profile.zone_bytes)
    traffic = packet_frames(stream, profile, TRAFFIC, int(draw.integers(2**24)))
    return np.vstack([traffic, idle_frames(n_idle, profile, int(draw.integers(2**24)))])
