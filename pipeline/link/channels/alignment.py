"""The order of the frames of one virtual channel that several stations received.

In: the frames of each station, in order. Out: one sequence that keeps the order of every station and holds each frame
once. Frames of equal content are the same frame: these are the anchors. Between two anchors frames are ordered by their
count. If that is ambiguous (a station lost a whole turn of a narrow count, so that different frames have the same
count), the order with the fewest lost frames and no step back in receive time is chosen (`orders`).

A narrow count, of 8 bits in TM, determines a position only up to a multiple of its modulus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .orders import Rows, Span, best_order, without_anchors
from .tracks import Counting, Ints, Track, steps_back

_ODD = np.uint64(0x9E3779B97F4A7C15)


def in_order(tracks: Sequence[Track], counting: Counting, left: Ints, left_stations: int = 0) -> Track:
    """Merge the frames of several stations, at least one, into one track.

    `left: int64[3, 0 or 1]`: stamp of the last frame before all of them, if any; `left_stations`: bit set of the
    stations that had it.
    """
    parts = sorted(tracks, key=lambda track: (-len(track), track.key.tobytes()))
    while len(parts) > 1:
        pairs = list(combinations(range(len(parts)), 2))
        n_common = [len(anchors(parts[i].key, parts[j].key)[0]) for i, j in pairs]
        if not max(n_common) and not left.size:
            return without_anchors(parts, counting)
        i, j = pairs[int(np.argmax(n_common))]
        second = parts.pop(j)
        guides = [track for k, track in enumerate(parts) if k != i]
        parts[i] = merge(parts[i], second, counting, left, guides, left_stations)
    return parts[0]


def merge(
    a: Track, b: Track, counting: Counting, left: Ints, guides: Sequence[Track] = (), left_stations: int = 0
) -> Track:
    """Merge two sequences that have frames in common, or that follow the same frame `left`.

    `guides`: sequences still to be merged; they decide between orders that the counts allow.
    """
    a, b = _uncrossed(a, b)
    at_a, at_b = anchors(a.key, b.key)
    left = np.concatenate((left, np.zeros((len(guides), left.shape[1]), np.int64)))
    both = Track.join([a, _with_clock_of(a, b, at_a, at_b)])
    of_b = np.arange(len(both)) >= len(a)
    ends_a, place_a, span_a = _span_positions(a.count, at_a, counting, left)
    ends_b, place_b, span_b = _span_positions(b.count, at_b, counting, left)
    place, span = np.concatenate((place_a, place_b)), np.concatenate((span_a, span_b))
    private = np.ones(len(both), bool)
    private[np.concatenate((at_a, at_b + len(a)))] = False
    differ = np.nonzero(np.diff(ends_a) != np.diff(ends_b))[0] + 1 - left.shape[1]
    stamps = both.stamps(guides)
    had_left = tuple(bool(np.bitwise_or.reduce(side.stations) & left_stations) for side in (a, b))
    for number in _ambiguous_spans(both.key, stamps, of_b, span, place, private, differ):
        here = np.nonzero(private & (span == number))[0]
        before = stamps[:, at_a[number - 1 : number]] if number else left
        behind = stamps[:, at_a[number : number + 1]]
        edges = (True, True) if number else had_left
        order = best_order(Span(stamps[:, here], of_b[here], before, behind, edges), counting)
        place[here[order]] = np.arange(1, len(here) + 1)
    order = np.lexsort((of_b, place, span))
    return _merge_copies(both.take(order), of_b[order])


# -- anchors and the spans between them --------------------------------------------------------------------------------


def anchors(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    """Rows of equal keys in two sequences, both ascending: intp[k] of the first and of the second.

    Keys that occur several times in a sequence (idle frames of a narrow count) are used only if there are no others;
    then the i-th occurrences are paired.
    """
    for numbered in (False, True):
        at_a, at_b = _common(first, second, numbered=numbered)
        if len(at_a):
            rising = _longest_rise(at_b)
            return at_a[rising], at_b[rising]
    return np.empty(0, np.intp), np.empty(0, np.intp)


def _uncrossed(a: Track, b: Track) -> tuple[Track, Track]:
    """Remove from `b` the common frames whose order contradicts that of `a`; `a` keeps them for both stations."""
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
    """Rows of the keys that occur once; `numbered`: all rows, with a different name for each occurrence of a key."""
    if not numbered:
        names, rows, times = np.unique(keys, return_index=True, return_counts=True)
        return rows[times == 1], names[times == 1]
    order = np.argsort(keys, kind="stable")
    number = np.arange(len(keys))
    first = np.concatenate(([True], keys[order][1:] != keys[order][:-1]))[: len(keys)]
    number -= np.maximum.accumulate(np.where(first, number, 0))
    return order, keys[order] ^ number.astype(np.uint64) * _ODD


def _longest_rise(values: Rows) -> Rows | slice:
    """Rows of the longest increasing subsequence of `values`; mostly all of them."""
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


def _span_positions(count: Ints, at: Rows, counting: Counting, left: Ints) -> tuple[Ints, Ints, Rows]:
    """Positions of the span edges; of each frame, its position relative to the edge before it, and its span.

    Frames before the first anchor have positions relative to that anchor if there is no frame `left`.
    """
    place = counting.places(count, left)
    ends = np.concatenate((left[0], place[at]))
    span = np.searchsorted(at, np.arange(len(count)), side="right")
    first = ends[:1] if len(ends) else np.zeros(1, np.int64)
    origin = ends if left.size else np.concatenate((first, ends))
    return ends, place - origin[span], span


def _with_clock_of(a: Track, b: Track, at_a: Rows, at_b: Rows) -> Track:
    """Shift the receive times of `b` to the clock of `a`, by the median difference of their common frames."""
    time_a, time_b = a.time_ns[at_a], b.time_ns[at_b]
    known = (time_a != 0) & (time_b != 0)
    if not known.any():
        return b
    offset = int(np.median(time_a[known] - time_b[known]))
    return replace(b, time_ns=np.where(b.time_ns != 0, b.time_ns + offset, 0))


def _ambiguous_spans(
    keys: NDArray[np.uint64],
    stamps: Ints,
    of_b: NDArray[np.bool_],
    span: Rows,
    place: Ints,
    private: NDArray[np.bool_],
    differ: Rows,
) -> list[int]:
    """Spans in which the counts do not determine the order of the frames that only one sequence has."""
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


def _merge_copies(track: Track, of_b: NDArray[np.bool_]) -> Track:
    """Merge adjacent copies: keep the one with fewer corrected symbols, then the one received first."""
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
