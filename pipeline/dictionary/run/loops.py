"""Where each time of a repeat of varying contents begins, in all packets at once.

The size of one time tells where the next begins, so times are found one after the other. To do that for many at once,
the sizes at all bytes of a window are worked out together, as if a time began at each of them; which of them are times
is then found by following the chain from the first, in steps that double. The window is a single place at first, and
grows while that pays: a packet of thousands of small records takes a few windows, one of a few large records a step
for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .ragged import flat_starts

if TYPE_CHECKING:
    from .runs import Run
    from .step_programs import LoopProgram

Positions = NDArray[np.int64]
Rows = NDArray[np.intp]
MAX_IDLE = 1024
"""What takes no bit comes no more often: a damaged count should not hold everything up."""
FEW_PLACES, MOST_PLACES = 1 << 10, 1 << 14
"""Places that are worked out together: so few cost next to nothing; more would leave the cache."""
LEAST_YIELD = 64
"""A window grows while one in so many places, or more, is the beginning of a time."""
GROWTH = 64
"""By how much a window becomes wider or narrower: each costs the calls to NumPy of one step, whatever its width."""
MOST_DOUBLINGS = 7
"""Longer jumps would cost more to make, for all places, than they save on the way."""
FEW_MARKS = 8
"""After so many of the longest jumps it is looked whether they still lead anywhere."""


class TimesFound(NamedTuple):
    """All times, packet by packet: `row` (which packet), where they `begin` and `end` (bits). `n_times: int64[n]`."""

    row: Rows
    begin: Positions
    end: Positions
    n_times: Positions


class _Piece(NamedTuple):
    """Times that were found in one window, and the number of each in its packet."""

    row: Rows
    begin: Positions
    end: Positions
    number: Positions


def find_times(run: Run, loop: LoopProgram, count: Positions, gap: Positions) -> TimesFound:
    """Find `count` times of each packet from the run's position on, `gap` bits between one and the next.

    The run's packets are then behind their last time, and those too short for all of theirs are so noted.
    """
    done = np.zeros(len(count), np.int64)
    rows = np.flatnonzero(count > 0)
    begin, width = run.position[rows], 1
    pieces: list[_Piece] = []
    while len(rows):
        window = _Window(run, loop, rows, begin, width, gap)
        piece, ended, behind = window.follow(count[rows] - done[rows], done[rows])
        pieces.append(piece)
        done += np.bincount(piece.row, minlength=len(done))
        goes_on = ~ended & (done[rows] < count[rows])
        rows, begin = rows[goes_on], behind[goes_on]
        width = _next_width(width, len(piece.row), len(goes_on), len(rows)) if loop.looks_ahead else 1
    return _in_order(pieces, np.where(run.alive, done, 0))


def _next_width(width: int, n_found: int, n_before: int, n_rows: int) -> int:
    pays = n_before * width <= FEW_PLACES or n_found * LEAST_YIELD >= n_before * width
    wanted = width * GROWTH if pays else width // GROWTH
    return max(min(wanted, MOST_PLACES // max(n_rows, 1)), 1)


def _in_order(pieces: list[_Piece], count: Positions) -> TimesFound:
    """The times of all pieces, packet by packet, without those of packets that were too short."""
    total, start = int(count.sum()), flat_starts(count)
    row, begin, end = np.zeros(total, np.intp), np.zeros(total, np.int64), np.zeros(total, np.int64)
    for piece in pieces:
        kept = count[piece.row] > 0
        place = start[piece.row[kept]] + piece.number[kept]
        row[place], begin[place], end[place] = piece.row[kept], piece.begin[kept], piece.end[kept]
    return TimesFound(row, begin, end, count)


class _Window:
    """`width` bytes from where the next time of each packet begins, each taken for the beginning of a time."""

    def __init__(
        self, run: Run, loop: LoopProgram, rows: Rows, begin: Positions, width: int, gap: Positions
    ) -> None:
        self.run, self.rows, self.width = run, rows, width
        places = begin[:, None] + np.arange(width, dtype=np.int64) * 8
        self.begin = np.minimum(places, np.maximum(run.end[rows], begin)[:, None]).reshape(-1)
        self.inside = run.inside(np.repeat(rows, width), loop.walk, self.begin)
        behind = self.inside.position.reshape(-1, width) + gap[rows][:, None]
        self.behind = behind.reshape(-1)
        ahead = behind - begin[:, None]
        # What lies before the window is a large number without a sign.
        stays = (ahead.view(np.uint64) < np.uint64(width * 8)) & (ahead & 7 == 0)
        if not self.inside.is_whole:
            stays &= self.inside.alive.reshape(-1, width)
        ahead >>= 3
        ahead += (np.arange(len(rows)) * width)[:, None]
        self.next = np.where(stays, ahead, len(self.begin)).reshape(-1)

    def follow(self, left: Positions, done: Positions) -> tuple[_Piece, NDArray[np.bool_], Positions]:
        """The times in the window, no more than `left` of each packet; which packets were too short; and where the next
        time of each begins. `done`: times before these.
        """
        inside, rows, run = self.inside, self.rows, self.run
        chain = _chain(self.next, np.arange(len(rows)) * self.width, int(left.max()))
        number = np.arange(chain.shape[1])
        found = (chain < len(self.next)) & (number < left[:, None])
        at = np.minimum(chain, len(self.next) - 1)
        is_idle = (inside.position <= self.begin)[at] & (done[:, None] + number >= MAX_IDLE)
        ended = (found & (~inside.alive[at] | is_idle)).any(axis=1)
        last = at[np.arange(len(rows)), found.sum(axis=1) - 1]
        lost = None if inside.lost is None else np.asarray((found & inside.lost[at]).any(axis=1))
        run.end_some(rows, ended, lost)
        run.position[rows] = inside.position[last]
        reach = np.where(found, inside.reach[at], run.reach[rows][:, None]).max(axis=1)
        run.reach[rows] = np.maximum(run.reach[rows], reach)
        packet, place = np.nonzero(found)[0], at[found]
        numbers = (done[:, None] + number)[found]
        return _Piece(rows[packet], self.begin[place], inside.position[place], numbers), ended, self.behind[last]


def _chain(following: Rows, first: Rows, most: int) -> Rows:
    """From each first place the next ones, up to `most`; places of len(following) stand behind the last.

    Jumps over 1, 2, 4, ... places are made of each other for all places, up to MOST_DOUBLINGS times; the chain is
    walked by the longest, and what they leap over is filled in by the shorter ones.
    """
    nowhere = len(following)
    jumps = [np.append(following, nowhere)]
    while len(jumps) <= MOST_DOUBLINGS and 1 << len(jumps) < most and jumps[-1].take(first).min() < nowhere:
        jumps.append(jumps[-1].take(jumps[-1]))
    longest = jumps.pop()
    marks, n_marks = [first], -(-most // (1 << len(jumps)))
    while len(marks) < n_marks and (len(marks) % FEW_MARKS or marks[-1].min() < nowhere):
        marks.append(longest.take(marks[-1]))
    chain = np.stack(marks, axis=1)[:, :, None]
    while jumps:
        chain = np.concatenate([chain[..., None], jumps.pop().take(chain)[..., None]], axis=3)
        chain = chain.reshape(len(first), len(marks), -1)
    return chain.reshape(len(first), -1)[:, :most]
