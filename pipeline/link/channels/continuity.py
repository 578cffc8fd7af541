"""Continuity of the frame count of one virtual channel: lost, duplicate and late frames.

In: frames of the channel in order of arrival. Out: the same frames in order of their count, each with the number of
frames missing just before it. Dropped and counted: duplicates, and frames that are too late.

If frames can arrive out of order (datagrams), those after a gap wait for a few frames of the link, in case the missing
ones are only late. The recording of one receiver is in order: a frame whose count steps back follows a gap or a
restart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..frames.tables import Frames

UNKNOWN = -1
RECENT = 32
"""A count at most this far behind may be an earlier frame: a duplicate or a late one."""
WIDE_COUNT = 1 << 16
"""A count of at least this modulus does not wrap within a pass: a step back is a restart."""


@dataclass(slots=True)
class ContinuityCounts:
    """Numbers of frames. `frames`: all of the channel; `reordered_frames`: waited until the missing ones arrived."""

    frames: int = 0
    duplicates: int = 0
    gaps: int = 0
    lost_frames: int = 0
    late_frames: int = 0
    reordered_frames: int = 0
    restarts: int = 0


@dataclass(slots=True)
class _Waiting:
    """A waiting frame: its row in the current batch, its count, a hash of its content, its link index on arrival."""

    row: int
    count: int
    content: int
    index: int


@dataclass(slots=True)
class _Released:
    """Released frames: rows of the current batch, frames missing before each, link index at which each is released."""

    row: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)


class Continuity:
    """Count of one channel, which wraps at `modulus`.

    `window`: how many frames of the link a missing frame may be late; None: frames arrive in order. It may be changed
    at any time.
    """

    def __init__(self, modulus: int, window: int | None) -> None:
        self.counts = ContinuityCounts()
        self._modulus = modulus
        self.window = window
        self._recent_span = max(1, min(RECENT, modulus // 4))
        self._expected: int | None = None
        self._recent: dict[int, int] = {}  # count -> content hash of the last released frames
        self._steady: deque[tuple[list[int], NDArray[np.uint8]]] = (
            deque()
        )  # the same of steady batches, not hashed yet
        self._n_steady = 0
        self._lost_counts: dict[int, None] = {}  # counts of the last gaps
        self._waiting: list[_Waiting] = []
        self._waiting_frames: Frames | None = None
        self.has_waiting = False
        """Whether frames wait for missing ones."""

    @property
    def modulus(self) -> int:
        return self._modulus

    def in_order(self, frames: Frames) -> Frames:
        """Return the frames that can be released, in order of count, with `lost` and `index` set.

        `index`: the link index at which each is released. At least one frame must be given.
        """
        count = frames.vc_count
        n = len(count)
        self.counts.frames += n
        first, last = count.item(0), count.item(-1)
        follows = self._expected is None or (first - self._expected) % self._modulus == 0
        if self._waiting or not follows or (n > 1 and not _is_steady(count, self._modulus)):
            return self._reorder(frames)
        self._expected = (last + 1) % self._modulus
        self._store_steady(count, frames.data)
        return frames

    def expire(self, now: int) -> Frames | None:
        """Release all waiting frames if the first of them has waited for `window` frames; `now`: the link index."""
        window = self.window or 0
        if not self._waiting or now - self._waiting[0].index < window:
            return None
        return self._release_all(self._waiting[0].index + window)

    def flush(self, now: int) -> Frames | None:
        """Release all waiting frames at the end of the recording."""
        return self._release_all(now) if self._waiting else None

    # -- frame by frame, if counts are not continuous ------------------------------------------------------------

    def _reorder(self, arrived: Frames) -> Frames:
        self._hash_steady()
        n_waiting = len(self._waiting)
        frames = arrived if self._waiting_frames is None else Frames.join([self._waiting_frames, arrived])
        for row, waiting in enumerate(self._waiting):
            waiting.row = row
        if self._expected is None:
            self._expected = arrived.vc_count.item(0)
        released, window = _Released(), self.window or 0
        for row in range(n_waiting, len(frames)):
            index = frames.index.item(row)
            if self._waiting and index - self._waiting[0].index >= window:
                self._release_waiting(released, self._waiting[0].index + window)
            content = hash(frames.data[row].tobytes())
            self._place(_Waiting(row, frames.vc_count.item(row), content, index), released)
        rows = np.array([waiting.row for waiting in self._waiting], np.intp)
        self._waiting_frames = frames.take(rows) if len(rows) else None
        self.has_waiting = len(rows) > 0
        return self._gather(frames, released)

    def _place(self, frame: _Waiting, released: _Released) -> None:
        assert self._expected is not None
        ahead = (frame.count - self._expected) % self._modulus
        behind = self._modulus - ahead
        if ahead == 0:
            self._release(frame, 0, frame.index, released)
            self._drain(frame.index, released)
        elif behind <= self._recent_span and self._is_earlier(frame):
            return
        elif any(waiting.count == frame.count and waiting.content == frame.content for waiting in self._waiting):
            self.counts.duplicates += 1
        elif self._modulus >= WIDE_COUNT and ahead >= self._modulus // 2:
            self._release_waiting(released, frame.index)
            self.counts.restarts += 1
            self._recent.clear()
            self._lost_counts.clear()
            self._release(frame, UNKNOWN, frame.index, released)
        elif self.window and ahead <= self.window:
            self._waiting.append(frame)
        else:
            self._release_waiting(released, frame.index)
            self._release_after_gap(frame, frame.index, released)

    def _is_earlier(self, frame: _Waiting) -> bool:
        """Whether a frame whose count is slightly behind is a duplicate or late, and so to be dropped.

        A recent count with other content is a wrap of the counter or a restart instead; so is a count that was not
        seen recently.
        """
        if self.window is not None and frame.count in self._lost_counts:
            del self._lost_counts[frame.count]
            self.counts.late_frames += 1
            return True
        if self._recent.get(frame.count) != frame.content:
            return False
        self.counts.duplicates += 1
        return True

    def _drain(self, index: int, released: _Released) -> None:
        """Release waiting frames whose count is now the expected one."""
        following = True
        while following:
            following = False
            for waiting in self._waiting:
                if waiting.count == self._expected:
                    self._waiting.remove(waiting)
                    self._release(waiting, 0, index, released)
                    self.counts.reordered_frames += 1
                    following = True
                    break

    def _release_waiting(self, released: _Released, index: int) -> None:
        """Count the missing frames as lost, and release all waiting frames in order of count."""
        expected = self._expected or 0
        for waiting in sorted(self._waiting, key=lambda frame: (frame.count - expected) % self._modulus):
            self._release_after_gap(waiting, index, released)
        self._waiting = []

    def _release_after_gap(self, frame: _Waiting, index: int, released: _Released) -> None:
        assert self._expected is not None
        lost = (frame.count - self._expected) % self._modulus
        if lost:
            self.counts.gaps += 1
            self.counts.lost_frames += lost
            for missing in range(min(lost, self._recent_span), 0, -1):
                self._lost_counts[(frame.count - missing) % self._modulus] = None
            while len(self._lost_counts) > self._recent_span:
                del self._lost_counts[next(iter(self._lost_counts))]
        self._release(frame, lost, index, released)

    def _release(self, frame: _Waiting, lost: int, index: int, released: _Released) -> None:
        released.row.append(frame.row)
        released.lost.append(lost)
        released.index.append(index)
        self._expected = (frame.count + 1) % self._modulus
        self._lost_counts.pop(frame.count, None)
        self._recent.pop(frame.count, None)
        self._recent[frame.count] = frame.content
        self._trim_recent()

    def _store_steady(self, count: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
        """Store the last frames of a steady batch, to recognise duplicates of them; they are hashed only if needed."""
        span, steady = self._recent_span, self._steady
        counts = count[-span:].tolist()
        steady.append((counts, data[-span:].copy()))
        self._n_steady += len(counts)
        while self._n_steady - len(steady[0][0]) >= span:
            self._n_steady -= len(steady.popleft()[0])

    def _hash_steady(self) -> None:
        for counts, rows in self._steady:
            for count, row in zip(counts, rows, strict=True):
                self._lost_counts.pop(count, None)
                self._recent.pop(count, None)
                self._recent[count] = hash(bytes(row))
        self._steady.clear()
        self._n_steady = 0
        self._trim_recent()

    def _trim_recent(self) -> None:
        while len(self._recent) > self._recent_span:
            del self._recent[next(iter(self._recent))]

    def _release_all(self, index: int) -> Frames:
        assert self._waiting_frames is not None
        for row, waiting in enumerate(self._waiting):
            waiting.row = row
        released = _Released()
        self._release_waiting(released, index)
        frames, self._waiting_frames, self.has_waiting = self._waiting_frames, None, False
        return self._gather(frames, released)

    @staticmethod
    def _gather(frames: Frames, released: _Released) -> Frames:
        out = frames.take(np.array(released.row, np.intp))
        out.lost[:] = released.lost
        out.index[:] = released.index
        return out


def _is_steady(count: NDArray[np.int64], modulus: int) -> bool:
    """Whether each count is one more than the count before it."""
    return not ((count[1:] - count[:-1] - 1) % modulus).any()
