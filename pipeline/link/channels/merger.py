"""Merges the frames of one channel from several stations: the best copy of each frame.

In: frames of each station in order. Out: every frame once, in the order that `alignment` finds. Frames of equal content
are copies: the one with the fewest corrected symbols is used, the others are dropped and counted. A frame waits until
every station that still sends has a later frame in common with another station; at most `WINDOW` frames wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ..frames.tables import Frames
from .alignment import in_order
from .tracks import NO_STAMP, Counting, Ints, Track

WINDOW = 8192


@dataclass(slots=True)
class StationShare:
    """Share of one station in the merged sequence. `only`: frames no other station had; `copies`: not used."""

    frames: int = 0
    used: int = 0
    only: int = 0
    copies: int = 0


@dataclass(slots=True)
class _Station:
    """`track`: waiting frames, or None. `clock_ns`: added to its receive times to match those of the others."""

    track: Track | None = None
    ended: bool = False
    clock_ns: int = 0
    share: StationShare = field(default_factory=StationShare)


class ChannelMerger:
    """Merges one virtual channel."""

    def __init__(self, counting: Counting, n_stations: int) -> None:
        self._counting = counting
        self._stations = [_Station() for _ in range(n_stations)]
        self._store: Frames | None = None
        self._last_stamp = NO_STAMP
        self._released: Track | None = None
        """The last released frames."""

    @property
    def shares(self) -> list[StationShare]:
        return [station.share for station in self._stations]

    def add(self, number: int, frames: Frames, master: Ints) -> None:
        """Add frames of station `number`, in order. `master: int64[n]`: their master channel frame count."""
        station, n_stored = self._stations[number], len(self._store) if self._store else 0
        # The frames may be a view of memory that its owner reuses.
        kept = replace(frames, data=frames.data.copy())
        self._store = Frames.join([self._store, kept]) if self._store else kept
        n = len(frames)
        station.share.frames += n
        track = Track(
            row=np.arange(n_stored, n_stored + n),
            key=_keys(frames.data),
            count=frames.vc_count,
            master=master,
            time_ns=np.where(frames.received_ns != 0, frames.received_ns + station.clock_ns, 0),
            n_corrected=frames.n_corrected,
            source=np.full(n, number),
            stations=np.full(n, 1 << number),
        )
        track = track.take(~self._is_late_copy(number, track))
        station.share.copies += n - len(track)
        if len(track):
            station.track = Track.join([station.track, track]) if station.track else track

    def end(self, number: int) -> None:
        """Note that station `number` sends no more."""
        self._stations[number].ended = True

    def n_waiting(self, number: int) -> int:
        """Number of frames of a station that wait for those of others."""
        track = self._stations[number].track
        return len(track) if track else 0

    def release(self, *, final: bool = False) -> Frames | None:
        """Return the frames whose order is final, with the best copy of each. `final`: all that wait."""
        tracks = [station.track for station in self._stations if station.track is not None]
        if not tracks or not (final or self._can_release(tracks)):
            return None
        last = 0 if self._released is None else int(self._released.stations[-1])
        merged = in_order(tracks, self._counting, self._last_stamp, last)
        self._set_clocks(merged)
        n = len(merged) if final else self._n_final(merged)
        if len(merged) - n > WINDOW:
            n = len(merged) - WINDOW // 2
        return self._release(merged, n) if n else None

    def _is_late_copy(self, number: int, track: Track) -> NDArray[np.bool_]:
        """Which frames of a station are copies of released frames of another station: bool[n].

        A frame that this station itself contributed is no copy: idle frames of a narrow count are repeated.
        """
        if self._released is None:
            return np.zeros(len(track), bool)
        theirs = self._released.key[self._released.stations >> number & 1 == 0]
        return np.isin(track.key, theirs) & ~np.isin(
            track.key, self._released.key[self._released.stations >> number & 1 != 0]
        )

    def _can_release(self, tracks: Sequence[Track]) -> bool:
        """Whether the order of any frame can be final: each station that still sends has a frame in common."""
        if sum(map(len, tracks)) > WINDOW:
            return True
        waiting = [station.track for station in self._stations if not station.ended]
        if len(tracks) == 1:
            return len(waiting) == 0 or (len(waiting) == 1 and waiting[0] is tracks[0])
        keys, times = np.unique(np.concatenate([np.unique(track.key) for track in tracks]), return_counts=True)
        shared = keys[times > 1]
        return all(track is not None and bool(np.isin(track.key, shared).any()) for track in waiting)

    def _n_final(self, merged: Track) -> int:
        """Number of leading frames whose order later frames cannot change.

        Later frames of a station come behind its last frame in common with another station. Frames of an ended station
        behind its last common one may still be equal to later frames of others.
        """
        waiting = [number for number, station in enumerate(self._stations) if not station.ended]
        if len(waiting) == 1 and (merged.stations == 1 << waiting[0]).all():
            return len(merged)
        n = len(merged)
        for number, station in enumerate(self._stations):
            own = merged.stations == 1 << number
            shared = np.nonzero((merged.stations >> number & 1 != 0) & ~own)[0]
            behind = int(shared[-1]) + 1 if len(shared) else 0
            after = np.nonzero(own[behind:])[0]
            if not station.ended:
                n = min(n, behind)
            elif waiting and len(after):
                n = min(n, behind + int(after[0]))
        return n

    def _set_clocks(self, merged: Track) -> None:
        """Update the clock differences of the stations from the receive times of common frames."""
        for number, station in enumerate(self._stations):
            if station.track is None:
                continue
            there = merged.time_ns[_positions(station.track, number, merged)]
            known = (there != 0) & (station.track.time_ns != 0)
            if known.any() and (ahead := int(np.median((there - station.track.time_ns)[known]))):
                station.clock_ns += ahead
                own = station.track.time_ns
                station.track = replace(station.track, time_ns=np.where(own != 0, own + ahead, 0))

    def _release(self, merged: Track, n: int) -> Frames:
        """Remove the first n merged frames from the store and return them."""
        assert self._store is not None
        released = merged.take(slice(n))
        out = self._store.take(released.row)
        self._last_stamp = released.stamps()[:, -1:]
        if self._released:
            self._released = Track.join([self._released, released]).take(slice(-WINDOW, None))
        else:
            self._released = released
        rows: list[NDArray[np.intp]] = []
        for number, station in enumerate(self._stations):
            self._count(number, released)
            remaining = (
                station.track.take(_positions(station.track, number, merged) >= n) if station.track else None
            )
            if not remaining:
                station.track = None
                continue
            n_before = sum(map(len, rows))
            station.track = replace(remaining, row=np.arange(n_before, n_before + len(remaining)))
            rows.append(remaining.row)
        self._store = self._store.take(np.concatenate(rows)) if rows else None
        return out

    def _count(self, number: int, released: Track) -> None:
        """Count released frames in the share of a station."""
        share, has, used = (
            self._stations[number].share,
            released.stations >> number & 1 != 0,
            released.source == number,
        )
        share.used += int(np.count_nonzero(used))
        share.only += int(np.count_nonzero(released.stations == 1 << number))
        share.copies += int(np.count_nonzero(has & ~used))


def _positions(track: Track, number: int, merged: Track) -> NDArray[np.intp]:
    """Positions of a station's frames in the merged sequence: intp[n]; mostly ascending."""
    there = np.nonzero(merged.stations >> number & 1)[0]
    if (merged.key[there] == track.key).all():
        return there
    places = np.empty(len(track), np.intp)
    places[np.argsort(track.key, kind="stable")] = there[np.argsort(merged.key[there], kind="stable")]
    return places


def _keys(frames: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hash of each frame of `frames: uint8[n, L]`, the same in every process: uint64[n]."""
    digests = b"".join([blake2b(frame, digest_size=8).digest() for frame in np.ascontiguousarray(frames)])
    return np.frombuffer(digests, np.uint64)
