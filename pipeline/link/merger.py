"""One channel's frames of several stations made into one sequence: of each frame the best copy.

In: frames of each station, in order of arrival there. Out: every frame once, in order of count. Copies are dropped
and counted; of two, the one with fewer corrected symbols stays. A frame is held until every station that is still
sending has passed its count, at most `WINDOW` frames.

Counts wrap, so a frame's place is its count unwrapped: steps within a station are taken the short way round, and a
station that joins is placed beside the frames already there: by the same content if there is any.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.link.frames import Arrivals

WINDOW = 8192
_UNPLACED_AT_MOST = 1024
_REMEMBERED = 4096
_BACKWARD = 32
_WIDE_COUNT = 1 << 16
_EPOCH = 1 << 40
"""Distance in places between counts before and after a restart; a multiple of every modulus, as its half is."""


@dataclass(slots=True)
class StationShare:
    """What one station gave to the merged sequence. `only`: frames no other station had; `copies`: not used."""

    frames: int = 0
    used: int = 0
    only: int = 0
    copies: int = 0


@dataclass(slots=True)
class _Copy:
    """A frame of one station: row of a batch that is kept."""

    batch: int
    row: int
    station: int
    n_corrected: int
    content: int
    stations: int  # bit set of those that had it


@dataclass(slots=True)
class _Station:
    """`place`: unwrapped count of its last frame, None before it is placed; `waiting`: frames before that."""

    place: int | None = None
    ended: bool = False
    waiting: list[tuple[int, _Copy]] = field(default_factory=list)


class ChannelMerger:
    """Merges one virtual channel whose count wraps at `modulus`."""

    def __init__(self, modulus: int, n_stations: int) -> None:
        self.shares = [StationShare() for _ in range(n_stations)]
        self._modulus = modulus
        self._stations = [_Station() for _ in range(n_stations)]
        self._pool: dict[int, _Copy] = {}
        self._batches: dict[int, tuple[Arrivals, int]] = {}  # number -> batch, its copies still in use
        self._n_batches = 0
        self._place_of: dict[int, int] = {}  # content -> place, of the last frames
        self._recent: deque[int] = deque()
        self._released_to: int | None = None

    def feed(self, station: int, arrivals: Arrivals) -> None:
        """More frames of one station."""
        batch = self._n_batches
        self._n_batches += 1
        # The frames may be a view of bytes that their owner reuses, and these stay for long.
        kept = replace(arrivals.frames, data=arrivals.frames.data.copy())
        self._batches[batch] = (Arrivals(kept, arrivals.index), len(arrivals))
        counts, corrected = arrivals.frames.vc_count.tolist(), arrivals.frames.n_corrected.tolist()
        state, share = self._stations[station], self.shares[station]
        share.frames += len(counts)
        for row, count in enumerate(counts):
            content = hash(arrivals.frames.data[row].tobytes())
            copy = _Copy(batch, row, station, corrected[row], content, 1 << station)
            if state.place is None:
                self._join(state, count, copy)
            else:
                state.place = self._step(state.place, count)
                self._put(state.place, copy)

    def end(self, station: int) -> None:
        """This station sends no more."""
        state = self._stations[station]
        state.ended = True
        self._settle(state)

    def position(self, station: int) -> float:
        """How far a station is; infinite where it has ended."""
        state = self._stations[station]
        if state.ended:
            return float("inf")
        return float("-inf") if state.place is None else state.place

    def release(self, *, final: bool = False) -> Arrivals | None:
        """The frames that no station can add to any more, in order of count."""
        places = sorted(self._pool)
        if not final:
            passed = min(self.position(station) for station in range(len(self._stations)))
            n_over = len(places) - WINDOW
            places = [place for rank, place in enumerate(places) if place < passed or rank < n_over]
        if not places:
            return None
        self._released_to = places[-1]
        return self._gather([self._pool.pop(place) for place in places])

    # -- places ------------------------------------------------------------------------------------------------

    def _step(self, place: int, count: int) -> int:
        """The place of a frame that comes after one at `place`: the short way round, or a new epoch."""
        ahead = (count - place) % self._modulus
        back = self._modulus - ahead
        if back <= _BACKWARD:
            return place - back
        if self._modulus >= _WIDE_COUNT and ahead >= self._modulus // 2:
            return (place // _EPOCH + 1) * _EPOCH + _EPOCH // 2 + count
        return place + ahead

    def _join(self, state: _Station, count: int, copy: _Copy) -> None:
        """Place a station's first frames beside what the others sent."""
        state.waiting.append((count, copy))
        beside = self._place_of.get(copy.content)
        first = not self._place_of
        if beside is not None:
            self._settle(state, beside)
        elif first or self._modulus >= _WIDE_COUNT or len(state.waiting) >= _UNPLACED_AT_MOST:
            self._settle(state)

    def _settle(self, state: _Station, last_place: int | None = None) -> None:
        """Give the waiting frames their places, the last of them being at `last_place` where that is known."""
        if not state.waiting:
            return
        waiting, state.waiting = state.waiting, []
        place = self._nearest(waiting[0][0])
        places = [place]
        for count, _ in waiting[1:]:
            places.append(self._step(places[-1], count))
        shift = 0 if last_place is None else last_place - places[-1]
        for place, (_, copy) in zip(places, waiting, strict=True):
            self._put(place + shift, copy)
        state.place = places[-1] + shift

    def _nearest(self, count: int) -> int:
        """The place with this count that is nearest to the frames held."""
        if not self._place_of:
            return _EPOCH // 2 + count
        middle = min(self._pool, default=self._released_to or 0)
        ahead = (count - middle) % self._modulus
        return middle + (ahead if ahead <= self._modulus // 2 else ahead - self._modulus)

    def _put(self, place: int, copy: _Copy) -> None:
        """Into the pool, if it is not there better already or gone on before."""
        self._place_of[copy.content] = place
        self._recent.append(copy.content)
        if len(self._recent) > _REMEMBERED:
            self._place_of.pop(self._recent.popleft(), None)
        there = self._pool.get(place)
        if there is None:
            if self._released_to is not None and place <= self._released_to:
                self._drop(copy)
                return
            self._pool[place] = copy
            return
        better, worse = (copy, there) if copy.n_corrected < there.n_corrected else (there, copy)
        better.stations = copy.stations | there.stations
        self._pool[place] = better
        self._drop(worse)

    def _drop(self, copy: _Copy) -> None:
        self.shares[copy.station].copies += 1
        self._let_go(copy.batch, 1)

    def _let_go(self, batch: int, n: int) -> None:
        arrivals, left = self._batches[batch]
        if left == n:
            del self._batches[batch]
        else:
            self._batches[batch] = (arrivals, left - n)

    def _gather(self, copies: list[_Copy]) -> Arrivals:
        """The frames of these copies, in their order."""
        numbers = sorted({copy.batch for copy in copies})
        offset, before = {}, 0
        for number in numbers:
            offset[number] = before
            before += len(self._batches[number][0])
        joined = Arrivals.join([self._batches[number][0] for number in numbers])
        rows = np.array([offset[copy.batch] + copy.row for copy in copies], np.intp)
        for copy in copies:
            share = self.shares[copy.station]
            share.used += 1
            share.only += int(copy.stations == 1 << copy.station)
            self._let_go(copy.batch, 1)
        return joined.take(rows)
