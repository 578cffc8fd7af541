"""One channel's frames of several stations made into one sequence: of each frame the best copy.

In: frames of each station, in their order there. Out: every frame once, in the order that `alignment` finds. Only a
frame of the same content is a copy; copies are dropped and counted, that with the fewest corrected symbols stays.
Frames are held until all stations that still send have one in common with another behind them, at most `WINDOW`.
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
    """What one station gave to the merged sequence. `only`: frames no other station had; `copies`: not used."""

    frames: int = 0
    used: int = 0
    only: int = 0
    copies: int = 0


@dataclass(slots=True)
class _Station:
    """`track`: frames that are held, or None; `clock_ns`: what its receive times lack to those of the others."""

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
        self._left = NO_STAMP
        self._gone: Track | None = None
        """The last frames that went on."""

    @property
    def shares(self) -> list[StationShare]:
        return [station.share for station in self._stations]

    def add(self, number: int, frames: Frames, master: Ints) -> None:
        """More frames of one station, each after those before; `master: int64[n]`, their master channel count."""
        station, n_stored = self._stations[number], len(self._store) if self._store else 0
        # The frames may be a view of bytes that their owner uses again.
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
        track = track.take(~self._comes_late(number, track))
        station.share.copies += n - len(track)
        if len(track):
            station.track = Track.join([station.track, track]) if station.track else track

    def end(self, number: int) -> None:
        """This station sends no more."""
        self._stations[number].ended = True

    def n_held(self, number: int) -> int:
        """Frames of a station that wait for those of others."""
        track = self._stations[number].track
        return len(track) if track else 0

    def release(self, *, final: bool = False) -> Frames | None:
        """The frames that no station can add to any more, in order."""
        tracks = [station.track for station in self._stations if station.track is not None]
        if not tracks or not (final or self._may_go_on(tracks)):
            return None
        last = 0 if self._gone is None else int(self._gone.stations[-1])
        merged = in_order(tracks, self._counting, self._left, last)
        self._set_clocks(merged)
        n = len(merged) if final else self._n_settled(merged)
        if len(merged) - n > WINDOW:
            n = len(merged) - WINDOW // 2
        return self._let_go(merged, n) if n else None

    def _comes_late(self, number: int, track: Track) -> NDArray[np.bool_]:
        """Which frames of a station went on already, as another's: bool[n].

        A frame that this station itself gave is no copy: idle frames of a narrow count come again.
        """
        if self._gone is None:
            return np.zeros(len(track), bool)
        theirs = self._gone.key[self._gone.stations >> number & 1 == 0]
        return np.isin(track.key, theirs) & ~np.isin(
            track.key, self._gone.key[self._gone.stations >> number & 1 != 0]
        )

    def _may_go_on(self, tracks: Sequence[Track]) -> bool:
        """Whether anything can be settled: every station that still sends has a frame that another has too."""
        if sum(map(len, tracks)) > WINDOW:
            return True
        waiting = [station.track for station in self._stations if not station.ended]
        if len(tracks) == 1:
            return len(waiting) == 0 or (len(waiting) == 1 and waiting[0] is tracks[0])
        keys, times = np.unique(np.concatenate([np.unique(track.key) for track in tracks]), return_counts=True)
        shared = keys[times > 1]
        return all(track is not None and bool(np.isin(track.key, shared).any()) for track in waiting)

    def _n_settled(self, merged: Track) -> int:
        """How many frames keep their place whatever is still to come.

        Frames to come stand behind the last one that their station has in common with another. What an ended station
        has behind its last common one may still turn out to be common with frames to come.
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
        """Take over what the frames in common tell of the difference between the stations' clocks."""
        for number, station in enumerate(self._stations):
            if station.track is None:
                continue
            there = merged.time_ns[_places(station.track, number, merged)]
            known = (there != 0) & (station.track.time_ns != 0)
            if known.any() and (ahead := int(np.median((there - station.track.time_ns)[known]))):
                station.clock_ns += ahead
                own = station.track.time_ns
                station.track = replace(station.track, time_ns=np.where(own != 0, own + ahead, 0))

    def _let_go(self, merged: Track, n: int) -> Frames:
        """Hand on the first n frames; what is held moves up in the store."""
        assert self._store is not None
        going = merged.take(slice(n))
        out = self._store.take(going.row)
        self._left = going.stamps()[:, -1:]
        self._gone = Track.join([self._gone, going]).take(slice(-WINDOW, None)) if self._gone else going
        rows: list[NDArray[np.intp]] = []
        for number, station in enumerate(self._stations):
            self._count(number, going)
            staying = station.track.take(_places(station.track, number, merged) >= n) if station.track else None
            if not staying:
                station.track = None
                continue
            n_before = sum(map(len, rows))
            station.track = replace(staying, row=np.arange(n_before, n_before + len(staying)))
            rows.append(staying.row)
        self._store = self._store.take(np.concatenate(rows)) if rows else None
        return out

    def _count(self, number: int, going: Track) -> None:
        """Enter these frames into the share of a station."""
        share, has, used = self._stations[number].share, going.stations >> number & 1 != 0, going.source == number
        share.used += int(np.count_nonzero(used))
        share.only += int(np.count_nonzero(going.stations == 1 << number))
        share.copies += int(np.count_nonzero(has & ~used))


def _places(track: Track, number: int, merged: Track) -> NDArray[np.intp]:
    """Where the frames of a station stand in the merged sequence; mostly in the same order."""
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
