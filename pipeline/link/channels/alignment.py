"""The order of the frames of one virtual channel that several stations received.

In: for each station the frames it has, in their order. Out: one sequence that keeps the order of every station and
holds each frame once. Frames of equal content are one frame: these are the anchors. Between two anchors frames stand by
their count. Where that cannot be (a station lost a whole turn of a narrow count, so that different frames would stand
in one place) the order is taken that loses the fewest frames and does not step back in receive time.

A narrow count, of 8 bits in TM, tells a place only up to a multiple of its modulus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from .tracks import NO_STAMP, WIDE_COUNT, Counting, Ints, Track, steps_back

_GAPS_TRIED = 64
_TRACKS_PERMUTED = 5
_TURNS_TRIED = 256
_FAR = 1 << 60
_ODD = np.uint64(0x9E3779B97F4A7C15)
Rows = NDArray[np.intp]


def in_order(tracks: Sequence[Track], counting: Counting, left: Ints, left_stations: int = 0) -> Track:
    """Merge the frames of several stations, at least one.

    `left: int64[3, 0 or 1]`: stamp of the frame before all; `left_stations`: bit set of the stations that had it.
    """
    parts = sorted(tracks, key=lambda track: (-len(track), track.key.tobytes()))
    while len(parts) > 1:
        pairs = list(combinations(range(len(parts)), 2))
        n_common = [len(anchors(parts[i].key, parts[j].key)[0]) for i, j in pairs]
        if not max(n_common) and not left.size:
            return _apart(parts, counting)
        i, j = pairs[int(np.argmax(n_common))]
        second = parts.pop(j)
        guides = [track for k, track in enumerate(parts) if k != i]
        parts[i] = merge(parts[i], second, counting, left, guides, left_stations)
    return parts[0]


def merge(
    a: Track,
    b: Track,
    counting: Counting,
    left: Ints,
    guides: Sequence[Track] = (),
    left_stations: int = 0,
) -> Track:
    """Two sequences as one that have frames in common, or that follow on the same frame.

    `guides`: sequences still to be merged; where the counts leave several orders, that of these is kept.
    """
    a, b = _uncrossed(a, b)
    at_a, at_b = anchors(a.key, b.key)
    left = np.concatenate((left, np.zeros((len(guides), left.shape[1]), np.int64)))
    both = Track.join([a, _timed_as(a, b, at_a, at_b)])
    of_b = np.arange(len(both)) >= len(a)
    ends_a, place_a, span_a = _laid_out(a.count, at_a, counting, left)
    ends_b, place_b, span_b = _laid_out(b.count, at_b, counting, left)
    place, span = np.concatenate((place_a, place_b)), np.concatenate((span_a, span_b))
    private = np.ones(len(both), bool)
    private[np.concatenate((at_a, at_b + len(a)))] = False
    differ = np.nonzero(np.diff(ends_a) != np.diff(ends_b))[0] + 1 - left.shape[1]
    stamps = both.stamps(guides)
    had_left = tuple(bool(np.bitwise_or.reduce(side.stations) & left_stations) for side in (a, b))
    for one in _doubtful(both.key, stamps, of_b, span, place, private, differ):
        here = np.nonzero(private & (span == one))[0]
        before = stamps[:, at_a[one - 1 : one]] if one else left
        behind = stamps[:, at_a[one : one + 1]]
        edges = (True, True) if one else had_left
        order = _best_order(stamps[:, here], of_b[here], counting, before, behind, edges)
        place[here[order]] = np.arange(1, len(here) + 1)
    order = np.lexsort((of_b, place, span))
    return _united(both.take(order), of_b[order])


# -- anchors and the spans between them --------------------------------------------------------------------------------


def anchors(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """Where equal keys stand in two sequences: rows of the first and of the second, both rising.

    Keys that come several times in one of them (idle frames of a narrow count) are used only where there are no others;
    then each time of a key is paired with the same time in the other.
    """
    for numbered in (False, True):
        at_a, at_b = _common(first, second, numbered=numbered)
        if len(at_a):
            rising = _longest_rise(at_b)
            return at_a[rising], at_b[rising]
    return np.empty(0, np.intp), np.empty(0, np.intp)


def _uncrossed(a: Track, b: Track) -> tuple[Track, Track]:
    """Frames that both have, each once, in orders that contradict each other: `b` leaves them to `a`."""
    at_a, at_b = _common(a.key, b.key, numbered=False)
    crossed = np.ones(len(at_b), bool)
    crossed[_longest_rise(at_b)] = False
    if not crossed.any():
        return a, b
    stations, kept = a.stations.copy(), np.ones(len(b), bool)
    stations[at_a[crossed]] |= b.stations[at_b[crossed]]
    kept[at_b[crossed]] = False
    return replace(a, stations=stations), b.take(kept)


def _common(first: NDArray[np.uint64], second: NDArray[np.uint64], *, numbered: bool) -> tuple[Rows, Rows]:
    """Rows of equal keys in two sequences, in order of the first."""
    rows_a, names_a = _names(first, numbered=numbered)
    rows_b, names_b = _names(second, numbered=numbered)
    _, in_a, in_b = np.intersect1d(names_a, names_b, assume_unique=True, return_indices=True)
    order = np.argsort(rows_a[in_a])
    return rows_a[in_a][order], rows_b[in_b][order]


def _names(keys: NDArray[np.uint64], *, numbered: bool) -> tuple[Rows, NDArray[np.uint64]]:
    """Rows of the keys that come once; or all rows, each time of a key under a name of its own."""
    if not numbered:
        names, rows, times = np.unique(keys, return_index=True, return_counts=True)
        return rows[times == 1], names[times == 1]
    order = np.argsort(keys, kind="stable")
    number = np.arange(len(keys))
    first = np.concatenate(([True], keys[order][1:] != keys[order][:-1]))[: len(keys)]
    number -= np.maximum.accumulate(np.where(first, number, 0))
    return order, keys[order] ^ number.astype(np.uint64) * _ODD


def _longest_rise(values: Rows) -> Rows | slice:
    """Rows of the longest rising part of `values`: mostly all of them."""
    if not len(values) or (np.diff(values) > 0).all():
        return slice(None)
    tails: list[int] = []  # smallest last value of a rising part of each length, and its row
    rows: list[int] = []
    before: list[int] = []
    for row, value in enumerate(values.tolist()):
        at = bisect_left(tails, value)
        before.append(rows[at - 1] if at else -1)
        tails[at : at + 1], rows[at : at + 1] = [value], [row]
    chosen = [rows[-1]]
    while before[chosen[-1]] >= 0:
        chosen.append(before[chosen[-1]])
    return np.array(chosen[::-1], np.intp)


def _laid_out(count: Ints, at: Rows, counting: Counting, left: Ints) -> tuple[Ints, Ints, Rows]:
    """Places of the edges of the spans, and of each frame: its place behind the edge before it, and its span.

    Frames before the first anchor stand before that, where no frame `left` of them is known.
    """
    place = counting.places(count, left)
    ends = np.concatenate((left[0], place[at]))
    span = np.searchsorted(at, np.arange(len(count)), side="right")
    first = ends[:1] if len(ends) else np.zeros(1, np.int64)
    origin = ends if left.size else np.concatenate((first, ends))
    return ends, place - origin[span], span


def _timed_as(a: Track, b: Track, at_a: Rows, at_b: Rows) -> Track:
    """`b` with its receive times moved to the clock of `a`, as far as frames of both tell the difference."""
    time_a, time_b = a.time_ns[at_a], b.time_ns[at_b]
    known = (time_a != 0) & (time_b != 0)
    if not known.any():
        return b
    offset = int(np.median(time_a[known] - time_b[known]))
    return replace(b, time_ns=np.where(b.time_ns != 0, b.time_ns + offset, 0))


def _doubtful(
    keys: NDArray[np.uint64],
    stamps: Ints,
    of_b: NDArray[np.bool_],
    span: Rows,
    place: Ints,
    private: NDArray[np.bool_],
    differ: Rows,
) -> list[int]:
    """Spans in which the counts do not tell how the frames that only one has stand to those of the other."""
    shared = np.intersect1d(span[private & of_b], span[private & ~of_b])
    if not len(shared):
        return []
    order = np.lexsort((of_b, place, span))
    spans, places, keys = span[order], place[order], keys[order]
    meet = (spans[1:] == spans[:-1]) & (places[1:] == places[:-1]) & (keys[1:] != keys[:-1])
    back = steps_back(stamps[:, order])
    wrong = np.concatenate((spans[1:][meet | back], spans[:-1][back], differ))
    doubtful: list[int] = np.intersect1d(shared, wrong).tolist()
    return doubtful


def _united(track: Track, of_b: NDArray[np.bool_]) -> Track:
    """Copies that stand together made one: that with fewer corrections, then the one received first."""
    first = np.nonzero((track.key[1:] == track.key[:-1]) & ~of_b[:-1] & of_b[1:])[0]
    if not len(first):
        return track
    one, other = track.take(first), track.take(first + 1)
    earlier = (other.time_ns != 0) & ((one.time_ns == 0) | (other.time_ns < one.time_ns))
    better = np.where(one.n_corrected == other.n_corrected, earlier, other.n_corrected < one.n_corrected)
    chosen = np.arange(len(track))
    chosen[first] += better
    stations = track.stations.copy()
    stations[first] |= other.stations
    kept = np.ones(len(track), bool)
    kept[first + 1] = False
    return replace(track.take(chosen), stations=stations).take(kept)


# -- where the counts do not tell --------------------------------------------------------------------------------------


def _best_order(
    stamps: Ints,
    of_b: NDArray[np.bool_],
    counting: Counting,
    before: Ints,
    behind: Ints,
    had_before: tuple[bool, ...],
) -> Rows:
    """The best order of a span between the stamps `before` and `behind`, int64[3 + g, 0 or 1] each.

    `had_before`: whether the first and the second sequence had the frame of `before`. Of orders that cost the same, it
    is the one that parts the fewest frames that followed each other in a sequence.
    """
    orders = list(_orders(stamps, of_b, counting, before, behind))
    parted = _parted(stamps, of_b, counting, before, behind, had_before)
    costs = [
        (counting.cost(np.concatenate((before, stamps[:, order], behind), axis=1)), parted(order))
        for order in orders
    ]
    return orders[min(range(len(orders)), key=costs.__getitem__)]


def _parted(
    stamps: Ints,
    of_b: NDArray[np.bool_],
    counting: Counting,
    before: Ints,
    behind: Ints,
    had_before: tuple[bool, ...],
) -> Callable[[Rows], int]:
    """How many frames an order parts that follow each other in a sequence and by count."""
    whole = np.concatenate((before, stamps, behind), axis=1)
    n_before, n = before.shape[1], stamps.shape[1]
    pairs: list[NDArray[np.intp]] = []
    for side in (False, True):
        rows = np.nonzero(of_b == side)[0] + n_before
        first = np.arange(n_before) if had_before[side] else np.empty(0, np.intp)
        rows = np.concatenate((first, rows, np.arange(n_before + n, whole.shape[1])))
        follow = counting.follow(whole[:, rows])
        pairs.append(np.stack((rows[:-1][follow], rows[1:][follow])))
    left, right = np.concatenate(pairs, axis=1)

    def count(order: Rows) -> int:
        place = np.arange(whole.shape[1])
        place[order + n_before] = np.arange(n_before, n_before + n)
        return int(np.count_nonzero(place[right] - place[left] != 1))

    return count


def _orders(
    stamps: Ints, of_b: NDArray[np.bool_], counting: Counting, before: Ints, behind: Ints
) -> Iterator[Rows]:
    """Orders that may be: by count, with a whole turn lost in one of the gaps; one after the other; by receive time."""
    for longer in _turns_lost(stamps, of_b, counting, before, behind):
        yield np.lexsort((of_b, longer))
    yield np.argsort(of_b, kind="stable")
    yield np.argsort(~of_b, kind="stable")
    if stamps[2].all():
        yield _by_time(stamps[2], [np.nonzero(of_b == side)[0] for side in (False, True)])


def _by_time(time_ns: Ints, parts: Sequence[Rows]) -> Rows:
    """Rows of several sequences in order of receive time, each of them in its own order."""
    times = time_ns.copy()
    for rows in parts:
        times[rows] = np.maximum.accumulate(times[rows])
    return np.argsort(times, kind="stable")


def _turns_lost(
    stamps: Ints, of_b: NDArray[np.bool_], counting: Counting, before: Ints, behind: Ints
) -> Iterator[Ints]:
    """Places of the frames: as counted from the edge; then with turns of the count lost in one gap of one of them.

    Between two edges the turns that one lost more are known. Else all behind the gap is put behind the other's frames,
    or all before it before them, where there is no edge before.
    """
    place = np.empty(len(of_b), np.int64)
    length = {}
    for side in (False, True):
        mine = of_b == side
        places = counting.places(np.concatenate((stamps[0, mine], behind[0])), before)
        place[mine] = places[: len(places) - behind.shape[1]] - (0 if before.size else places[-1])
        length[side] = int(places[-1])
    yield place
    more = length[False] - length[True] if before.size and behind.size else 0
    number = np.arange(len(of_b))
    for side in (False, True) if not more else (more > 0,):
        rows = np.nonzero(of_b == side)[0]
        for row in rows[_gaps(stamps[:, rows], counting)]:
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


def _apart(parts: Sequence[Track], counting: Counting) -> Track:
    """Sequences without a frame in common: one after the other, or between each other where the counts fit."""
    left = list(parts)
    while len(left) > 1 and (filled := _filled(left, counting)):
        i, j, one = filled
        left.pop(j)
        left[i] = one
    if len(left) > _TRACKS_PERMUTED:
        orders = [sorted(left, key=lambda part: (int(part.time_ns[0]), int(part.key[0])))]
    else:
        orders = [list(order) for order in permutations(left)]
    rows = [Track.join(order) for order in orders]
    if rows[0].time_ns.all():
        ends = np.cumsum([len(part) for part in orders[0]])
        rows.append(rows[0].take(_by_time(rows[0].time_ns, np.split(np.arange(ends[-1]), ends[:-1]))))
    return min(rows, key=lambda track: counting.cost(track.stamps()))


def _filled(parts: Sequence[Track], counting: Counting) -> tuple[int, int, Track] | None:
    """Two sequences of which one fills the gaps of the other, with less lost than one after the other."""
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
    """By how many turns of the count the second may be moved so that the two lie over each other."""
    if not 1 < modulus < WIDE_COUNT:
        return range(1)
    first, last = int(place_a[0] - place_b[-1]) // modulus, int(place_a[-1] - place_b[0]) // modulus
    return range(max(first, -_TURNS_TRIED), min(last, _TURNS_TRIED) + 1)
