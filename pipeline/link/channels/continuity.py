"""The frame count of one virtual channel: what is lost, what came twice, what came late.

In: frames of the channel in order of arrival. Out: the same frames in order of their count, each with the number
missing just before it; duplicates and frames too late to use are dropped and counted.

Where frames can overtake each other (datagrams) they wait after a gap, for as long as a few frames of the link
take, in case the missing ones are only late. The recording of one receiver is in order: there no frame is late, and one
whose count steps back follows a gap or a restart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..frames.tables import Frames

UNKNOWN = -1
RECENT = 32
"""A count at most this far behind is an earlier frame: a duplicate or a late one."""
WIDE_COUNT = 1 << 16
"""A count at least this wide does not come round within a pass: a step back is a restart."""


@dataclass(slots=True)
class ContinuityCounts:
    """Frames by fate. `frames`: all of the channel; `reordered_frames` waited and were then in order after all."""

    frames: int = 0
    duplicates: int = 0
    gaps: int = 0
    lost_frames: int = 0
    late_frames: int = 0
    reordered_frames: int = 0
    restarts: int = 0


@dataclass(slots=True)
class _Waiting:
    """A frame that waits: its row in the batch at hand, its count, its content, when it came."""

    row: int
    count: int
    content: int
    index: int


@dataclass(slots=True)
class _Released:
    """What goes on: rows of the batch at hand, frames missing before each, link index at which each was let go."""

    row: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)


class Continuity:
    """One channel's count, `modulus` wide.

    `window`: frames of the link that a missing frame may be late by; None where frames come in order. May be changed
    while frames wait.
    """

    def __init__(self, modulus: int, window: int | None) -> None:
        self.counts = ContinuityCounts()
        self._modulus = modulus
        self.window = window
        self._recent_span = max(1, min(RECENT, modulus // 4))
        self._expected: int | None = None
        self._recent: dict[int, int] = {}  # count -> content, of the last frames let go
        self._steady: deque[tuple[list[int], NDArray[np.uint8]]] = deque()  # the same, not yet put there
        self._n_steady = 0
        self._given_up: dict[int, None] = {}  # counts of the last gaps
        self._waiting: list[_Waiting] = []
        self._waiting_frames: Frames | None = None
        self.holds = False
        """Whether frames wait."""

    @property
    def modulus(self) -> int:
        return self._modulus

    def in_order(self, frames: Frames) -> Frames:
        """Order `frames` and fill in `lost`; `index` becomes the link index at which each was let go."""
        count = frames.vc_count
        n = len(count)
        self.counts.frames += n
        first, last = count.item(0), count.item(-1)
        follows = self._expected is None or (first - self._expected) % self._modulus == 0
        if self._waiting or not follows or (n > 1 and not _is_steady(count, self._modulus)):
            return self._reorder(frames)
        self._expected = (last + 1) % self._modulus
        self._keep_in_mind(count, frames.data)
        return frames

    def expire(self, now: int) -> Frames | None:
        """Let go what has waited long enough when frame `now` of the link has arrived."""
        window = self.window or 0
        if not self._waiting or now - self._waiting[0].index < window:
            return None
        return self._let_go_all(self._waiting[0].index + window)

    def flush(self, now: int) -> Frames | None:
        """The recording ends: nothing missing will come any more."""
        return self._let_go_all(now) if self._waiting else None

    # -- the slow way, frame by frame, where counts do not follow on ---------------------------------------------

    def _reorder(self, arrived: Frames) -> Frames:
        self._remember()
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
                self._give_up(released, self._waiting[0].index + window)
            content = hash(frames.data[row].tobytes())
            self._take(_Waiting(row, frames.vc_count.item(row), content, index), released)
        rows = np.array([waiting.row for waiting in self._waiting], np.intp)
        self._waiting_frames = frames.take(rows) if len(rows) else None
        self.holds = len(rows) > 0
        return self._gather(frames, released)

    def _take(self, frame: _Waiting, released: _Released) -> None:
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
            self._give_up(released, frame.index)
            self.counts.restarts += 1
            self._recent.clear()
            self._given_up.clear()
            self._release(frame, UNKNOWN, frame.index, released)
        elif self.window and ahead <= self.window:
            self._waiting.append(frame)
        else:
            self._give_up(released, frame.index)
            self._release_after_gap(frame, frame.index, released)

    def _is_earlier(self, frame: _Waiting) -> bool:
        """Whether a frame that is slightly behind is a duplicate or late, and so not to be used.

        A count that was there before with other content is a turn of the counter or a restart instead, and so is
        one from before anything that was seen.
        """
        if self.window is not None and frame.count in self._given_up:
            del self._given_up[frame.count]
            self.counts.late_frames += 1
            return True
        if self._recent.get(frame.count) != frame.content:
            return False
        self.counts.duplicates += 1
        return True

    def _drain(self, index: int, released: _Released) -> None:
        """Let go waiting frames that now follow on."""
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

    def _give_up(self, released: _Released, index: int) -> None:
        """The missing frames are lost: let go all that waits, in order of count."""
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
                self._given_up[(frame.count - missing) % self._modulus] = None
            while len(self._given_up) > self._recent_span:
                del self._given_up[next(iter(self._given_up))]
        self._release(frame, lost, index, released)

    def _release(self, frame: _Waiting, lost: int, index: int, released: _Released) -> None:
        released.row.append(frame.row)
        released.lost.append(lost)
        released.index.append(index)
        self._expected = (frame.count + 1) % self._modulus
        self._given_up.pop(frame.count, None)
        self._recent.pop(frame.count, None)
        self._recent[frame.count] = frame.content
        self._forget()

    def _keep_in_mind(self, count: NDArray[np.int64], data: NDArray[np.uint8]) -> None:
        """The last frames of a steady batch, in case a duplicate of one comes."""
        span, steady = self._recent_span, self._steady
        counts = count[-span:].tolist()
        steady.append((counts, data[-span:].copy()))
        self._n_steady += len(counts)
        while self._n_steady - len(steady[0][0]) >= span:
            self._n_steady -= len(steady.popleft()[0])

    def _remember(self) -> None:
        for counts, rows in self._steady:
            for count, row in zip(counts, rows, strict=True):
                self._given_up.pop(count, None)
                self._recent.pop(count, None)
                self._recent[count] = hash(bytes(row))
        self._steady.clear()
        self._n_steady = 0
        self._forget()

    def _forget(self) -> None:
        while len(self._recent) > self._recent_span:
            del self._recent[next(iter(self._recent))]

    def _let_go_all(self, index: int) -> Frames:
        assert self._waiting_frames is not None
        for row, waiting in enumerate(self._waiting):
            waiting.row = row
        released = _Released()
        self._give_up(released, index)
        frames, self._waiting_frames, self.holds = self._waiting_frames, None, False
        return self._gather(frames, released)

    @staticmethod
    def _gather(frames: Frames, released: _Released) -> Frames:
        out = frames.take(np.array(released.row, np.intp))
        out.lost[:] = released.lost
        out.index[:] = released.index
        return out


def _is_steady(count: NDArray[np.int64], modulus: int) -> bool:
    """Whether each count is the one after the count before it."""
    return not ((count[1:] - count[:-1] - 1) % modulus).any()
