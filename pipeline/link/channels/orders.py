"""The order of frames where their counts alone do not determine it.

Two cases: a span between two anchors in which frames of both sequences have the same count (a whole turn of a narrow
count was lost), and sequences without any frame in common. The candidates are compared by `Counting.cost`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .tracks import NO_STAMP, WIDE_COUNT, Counting, Ints, Track

_GAPS_TRIED = 64
_TRACKS_PERMUTED = 5
_TURNS_TRIED = 256
_FAR = 1 << 60
Rows = NDArray[np.intp]


class Span(NamedTuple):
    """The frames between two anchors of two sequences.

    `stamps: int64[3 + g, n]`; `of_b: bool[n]`: of the second sequence. `before`, `behind: int64[3 + g, 0 or 1]`: stamps
    of the anchors, if there are any. `had_before`: whether the first and the second sequence had the frame of `before`.
    """

    stamps: Ints
    of_b: NDArray[np.bool_]
    before: Ints
    behind: Ints
    had_before: tuple[bool, ...]

    def whole(self, order: Rows | slice = slice(None)) -> Ints:
        """The stamps in an order, with those of the anchors."""
        return np.concatenate((self.before, self.stamps[:, order], self.behind), axis=1)


def best_order(span: Span, counting: Counting) -> Rows:
    """Choose the order of the frames of a span: intp[n].

    Of orders of equal cost, the one that separates the fewest frames that are consecutive in a sequence.
    """
    orders = list(_orders(span, counting))
    n_separated = _count_separated(span, counting)
    costs = [(counting.cost(span.whole(order)), n_separated(order)) for order in orders]
    return orders[min(range(len(orders)), key=costs.__getitem__)]


def _count_separated(span: Span, counting: Counting) -> Callable[[Rows], int]:
    """Return a function that counts the frames consecutive in a sequence and by count that an order separates."""
    whole, n_before, n = span.whole(), span.before.shape[1], span.stamps.shape[1]
    pairs: list[NDArray[np.intp]] = []
    for side in (False, True):
        rows = np.nonzero(span.of_b == side)[0] + n_before
        first = np.arange(n_before) if span.had_before[side] else np.empty(0, np.intp)
        rows = np.concatenate((first, rows, np.arange(n_before + n, whole.shape[1])))
        follow = counting.follow(whole[:, rows])
        pairs.append(np.stack((rows[:-1][follow], rows[1:][follow])))
    left, right = np.concatenate(pairs, axis=1)

    def count(order: Rows) -> int:
        place = np.arange(whole.shape[1])
        place[order + n_before] = np.arange(n_before, n_before + n)
        return int(np.count_nonzero(place[right] - place[left] != 1))

    return count


def _orders(span: Span, counting: Counting) -> Iterator[Rows]:
    """Candidate orders: by count, with a whole turn lost in one of the gaps; one after the other; by receive time."""
    for longer in _turns_lost(span, counting):
        yield np.lexsort((span.of_b, longer))
    yield np.argsort(span.of_b, kind="stable")
    yield np.argsort(~span.of_b, kind="stable")
    if span.stamps[2].all():
        yield _by_time(span.stamps[2], [np.nonzero(span.of_b == side)[0] for side in (False, True)])


def _by_time(time_ns: Ints, parts: Sequence[Rows]) -> Rows:
    """Interleave sequences by receive time, keeping the order of each."""
    times = time_ns.copy()
    for rows in parts:
        times[rows] = np.maximum.accumulate(times[rows])
    return np.argsort(times, kind="stable")


def _turns_lost(span: Span, counting: Counting) -> Iterator[Ints]:
    """Candidate positions int64[n]: as counted from the edge; then with turns of the count lost in one gap of one of
    them.

    Between two edges the number of lost turns is known. Otherwise all frames behind the gap are put behind those of the
    other sequence; if there is no edge before the span, all frames before the gap are put before them.
    """
    of_b, before, behind = span.of_b, span.before, span.behind
    place = np.empty(len(of_b), np.int64)
    length = {}
    for side in (False, True):
        mine = of_b == side
        places = counting.places(np.concatenate((span.stamps[0, mine], behind[0])), before)
        place[mine] = places[: len(places) - behind.shape[1]] - (0 if before.size else places[-1])
        length[side] = int(places[-1])
    yield place
    more = length[False] - length[True] if before.size and behind.size else 0
    number = np.arange(len(of_b))
    for side in (False, True) if not more else (more > 0,):
        rows = np.nonzero(of_b == side)[0]
        for row in rows[_gaps(span.stamps[:, rows], counting)]:
            if before.size:
                yield np.where((of_b == side) & (number >= row), place + (abs(more) or _FAR), place)
            else:
                yield np.where((of_b == side) & (number < row), place - _FAR, place)


def _gaps(stamps: Ints, counting: Counting) -> Rows:
    """Rows of the frames before which a turn of the count may be lost: all, or those behind the longest gaps."""
    n = stamps.shape[1]
    if n <= _GAPS_TRIED:
        return np.arange(n)
    steps, waits = counting.steps(stamps[0]), np.diff(stamps[2])
    longest = np.lexsort((steps, waits))[-_GAPS_TRIED:] + 1
    return np.concatenate(([0], np.sort(longest)))


def without_anchors(parts: Sequence[Track], counting: Counting) -> Track:
    """Merge sequences without a common frame: interleaved where one fills the gaps of another, else concatenated."""
    remaining = list(parts)
    while len(remaining) > 1 and (filled := _fill_gaps(remaining, counting)):
        i, j, merged = filled
        remaining.pop(j)
        remaining[i] = merged
    if len(remaining) > _TRACKS_PERMUTED:
        orders = [sorted(remaining, key=lambda part: (int(part.time_ns[0]), int(part.key[0])))]
    else:
        orders = [list(order) for order in permutations(remaining)]
    rows = [Track.join(order) for order in orders]
    if rows[0].time_ns.all():
        ends = np.cumsum([len(part) for part in orders[0]])
        rows.append(rows[0].take(_by_time(rows[0].time_ns, np.split(np.arange(ends[-1]), ends[:-1]))))
    return min(rows, key=lambda track: counting.cost(track.stamps()))


def _fill_gaps(parts: Sequence[Track], counting: Counting) -> tuple[int, int, Track] | None:
    """Find two sequences of which one fills gaps of the other at a lower cost than concatenation, and merge them."""
    for i, j in combinations(range(len(parts)), 2):
        a, b = parts[i], parts[j]
        both = Track.join([a, b])
        pair = min(counting.cost(Track.join(order).stamps()) for order in ((a, b), (b, a)))
        place_a, place_b = counting.places(a.count, NO_STAMP), counting.places(b.count, NO_STAMP)
        for turn in _turns(place_a, place_b, counting.modulus):
            place = np.concatenate((place_a, place_b + turn * counting.modulus))
            order = np.argsort(place, kind="stable")
            free = (np.diff(place[order]) > 0).all()
            if free and counting.cost(both.take(order).stamps()) < pair:
                return i, j, both.take(order)
    return None


def _turns(place_a: Ints, place_b: Ints, modulus: int) -> range:
    """Numbers of turns of the count by which the second sequence can be shifted so that both overlap."""
    if not 1 < modulus < WIDE_COUNT:
        return range(1)
    first, last = int(place_a[0] - place_b[-1]) // modulus, int(place_a[-1] - place_b[0]) // modulus
    return range(max(first, -_TURNS_TRIED), min(last, _TURNS_TRIED) + 1)
