"""From the orbiter's memory to the received bytes: frames in slots, coded, with symbol errors, losses and garbage.

The order is that of the real link: what is sent twice takes a slot of its own, errors strike coded blocks after
the randomiser, and what is lost leaves a hole in the receive times. Several stations each lose frames of their own, and
miss an end of the pass below their horizon: of two, the first sees it rise late and the other sees it set early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import chance, coding, faults
from .arrays import Flags, Longs, Octets
from .faults import FrameFaults, add_symbol_errors
from .frames import Profile, stamp
from .octets import constant
from .scenario import Faults, Scenario

MARKER = b"\x1a\xcf\xfc\x1d"
_BLOCK = 4096
_UNSEEN = 0.08
"""Share of the pass that a station misses at its end."""


@dataclass(frozen=True, slots=True)
class Slots:
    """What is sent, slot after slot."""

    frame: Longs
    """Row of the frame."""
    again: Flags
    """True where the slot before already sent it."""
    sent_ns: Longs


@dataclass(frozen=True, slots=True)
class Reception:
    """The pass on the ground."""

    octets: Octets
    offset: Longs
    """Of each CADU that arrived, bytes into the pass."""
    received_ns: Longs
    slot: Longs
    """Which slot each arrived CADU was sent in."""
    corrected: Flags
    """Per slot: at least one wrong symbol, all of them correctable."""
    noise: tuple[tuple[int, int], ...]
    """Offset and length of each piece of garbage."""


def schedule(order: Longs, duplicated: Longs, start_ns: int, profile: Profile) -> Slots:
    """Slots for frames in this order of sending, those named in `duplicated` twice in a row."""
    repeats = 1 + np.isin(order, duplicated).astype(np.int64)
    frame = np.repeat(order, repeats)
    again = np.append(False, frame[1:] == frame[:-1])
    return Slots(frame, again, start_ns + np.arange(len(frame), dtype=np.int64) * profile.slot_ns)


def encode(frames: Octets, profile: Profile) -> Octets:
    """Coded and randomised blocks uint8[n, cadu_bytes - 4]."""
    blocks = [
        coding.encode_frames(frames[at : at + _BLOCK], profile.interleave) for at in range(0, len(frames), _BLOCK)
    ]
    return np.vstack(blocks) ^ coding.randomizer(profile.cadu_bytes - len(MARKER))


def transmit(
    frames: Octets, slots: Slots, broken: FrameFaults, profile: Profile, faults: Faults, seed: int, light_ns: int
) -> Reception:
    """Send the frames; returns what is received, `light_ns` later."""
    first_slot = np.flatnonzero(~slots.again)
    stamped = frames[slots.frame[first_slot]]
    stamp(stamped, slots.sent_ns[first_slot])
    blocks = encode(stamped, profile)[np.cumsum(~slots.again) - 1]
    uncorrectable = np.isin(slots.frame, broken.uncorrectable)
    corrected = add_symbol_errors(blocks, uncorrectable, profile.interleave, faults, seed)
    arrives = np.flatnonzero(~np.isin(slots.frame, broken.lost))
    cadus = np.hstack([constant(MARKER, len(arrives)), blocks[arrives]])
    octets, offset, noise = _with_noise(cadus, faults.noise_bytes, seed)
    return Reception(octets, offset, slots.sent_ns[arrives] + light_ns, arrives, corrected, noise)


def _with_noise(cadus: Octets, n_noise: int, seed: int) -> tuple[Octets, Longs, tuple[tuple[int, int], ...]]:
    """Put garbage into seeded gaps between CADUs."""
    n, width = cadus.shape
    after = _noise_after(n, n_noise, seed)
    offset = np.arange(n, dtype=np.int64) * width + np.append(0, np.cumsum(after)[:-1])
    places = np.flatnonzero(after)
    draw = chance.stream(seed, "noise bytes")
    garbage = [draw.integers(0, 256, int(length), np.uint8) for length in (*after[places], 0)]
    runs = np.split(cadus, places + 1)
    octets = np.concatenate(
        [piece for run, noise in zip(runs, garbage, strict=True) for piece in (run.ravel(), noise)]
    )
    return octets, offset, tuple((int(offset[place]) + width, int(after[place])) for place in places)


def _noise_after(n_cadus: int, n_noise: int, seed: int) -> Longs:
    """Bytes of garbage after each CADU: at most 16 pieces, none after the last CADU."""
    after = np.zeros(n_cadus, np.int64)
    n_pieces = min(16, n_noise, n_cadus - 1)
    if n_pieces:
        draw = chance.stream(seed, "noise places")
        places = draw.permutation(n_cadus - 1)[:n_pieces]
        cuts = np.sort(draw.permutation(n_noise - 1)[: n_pieces - 1] + 1)
        after[places] = np.diff(np.concatenate([[0], cuts, [n_noise]]))
    return after


def receive_times(reception: Reception) -> Octets:
    """The file beside the pass: u64 offset and i64 nanoseconds since 1970 UTC, little-endian, for each CADU."""
    records = np.empty(len(reception.offset), dtype=[("offset", "<u8"), ("received_ns", "<i8")])
    records["offset"] = reception.offset
    records["received_ns"] = reception.received_ns
    return records.view(np.uint8)


def sending_order(n_frames: Sequence[int], seed: int) -> Longs:
    """Rows in the order of sending, where the frames of each channel are one after the other.

    The order inside each channel is kept; which channel is next is chance.
    """
    kinds = np.repeat(np.arange(len(n_frames)), n_frames)
    chance.stream(seed, "channel order").shuffle(kinds)
    return np.argsort(np.argsort(kinds, kind="stable"), kind="stable")


def counter(frames: Octets) -> Longs:
    """The 24-bit virtual channel frame counts."""
    return frames[:, 2].astype(np.int64) << 16 | frames[:, 3].astype(np.int64) << 8 | frames[:, 4].astype(np.int64)


def faults_of_station(
    broken: FrameFaults, slots: Slots, n_relay: int, scenario: Scenario, station: tuple[int, int]
) -> FrameFaults:
    """The faults of one station, `station` being its number from 0 and how many there are."""
    k, n_stations = station
    if n_stations == 1:
        return broken
    own = faults.choose(n_relay, scenario.faults, scenario.seed + 101 * k) if k else broken
    hidden = unseen(slots, k)
    apart = np.concatenate([broken.duplicated, hidden])
    return replace(
        broken,
        lost=np.union1d(np.setdiff1d(own.lost, broken.duplicated), hidden),
        uncorrectable=np.setdiff1d(own.uncorrectable, apart),
    )


def unseen(slots: Slots, k: int) -> Longs:
    """Rows of the frames that are sent while a station does not see the orbiter: the first before, others after."""
    n = len(slots.frame)
    wide = round(_UNSEEN * n)
    seen = slots.frame[wide:] if k == 0 else slots.frame[: n - wide * k]
    return np.setdiff1d(slots.frame, seen)


def faults_of_all(received: list[FrameFaults]) -> FrameFaults:
    """Faults common to all stations: lost where all lost a frame, else uncorrectable where none can correct it."""
    faulty = [np.union1d(one.lost, one.uncorrectable) for one in received]
    nowhere, lost = faulty[0], received[0].lost
    for one, own in zip(received[1:], faulty[1:], strict=True):
        nowhere, lost = np.intersect1d(nowhere, own), np.intersect1d(lost, one.lost)
    return FrameFaults(lost, np.setdiff1d(nowhere, lost), received[0].duplicated)
