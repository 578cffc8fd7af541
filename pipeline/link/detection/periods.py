"""Frames without markers: the length of the records that they stand in, and where in a record they begin.

The distance of most pairs of headers that follow each other is the record, or a multiple of it where channels take
turns; their place in the record is where frames begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..coding.randomizer import randomizer_sequence
from ..settings import FrameType
from .header_pairs import HEAD_BYTES, Pairs, header_pairs
from .headers import SHORTEST, TYPES

VARIANTS = ("none", "short", "long")
"""Randomisers that may lie over a block."""
_LONGEST = 1 << 14
_FEWEST_RECORDS = 4
_FEWEST_FOLLOWED = 3
_FEWEST_SHARE = 0.05
_DISTANCES_TRIED = 12
_MOST_CHANNELS = 8
"""That take turns, so that a pair is as many records apart."""
_PLACES_TRIED = 3
_MOST_TRIED = 6
_LIKELY = 0.1
"""Of the most evidence; what has less is chance."""
_SAME = 0.9
_SAMPLE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Records:
    """Records of `length` bytes in each of which a frame begins at byte `offset`, under a randomiser.

    `share`: of the frames, those whose count follows that of another one; `n_followed`: how many these are.
    `frame_length`: of a frame, where its header tells it (USLP); otherwise 0.
    """

    length: int
    offset: int
    variant: str
    n_followed: int
    share: float
    frame_length: int = 0

    @property
    def evidence(self) -> float:
        """The larger, the likelier: a multiple of a record has fewer frames, a part of it a smaller share of them.

        A length that headers state is a second witness.
        """
        return self.n_followed * self.share**2 * (2 if self.frame_length else 1)

    def blocks(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """From the beginning of each frame to that of the next one: uint8[n, length], without randomiser."""
        n = (len(octets) - self.offset) // self.length
        rows = octets[self.offset : self.offset + n * self.length].reshape(n, self.length)
        return derandomized(rows, self.variant)


def derandomized(blocks: NDArray[np.uint8], variant: str) -> NDArray[np.uint8]:
    """Derandomise blocks: uint8[n, L]."""
    if variant == "none":
        return blocks
    return blocks ^ randomizer_sequence(blocks.shape[1], long=variant == "long")


def frames_in_records(octets: NDArray[np.uint8]) -> list[Records]:
    """Records that frames may stand in, those with the most evidence first."""
    if len(octets) < _FEWEST_RECORDS * SHORTEST:
        return []
    found = [one for variant, kind in product(VARIANTS, TYPES) for one in _records(octets, variant, kind)]
    most = max((one.evidence for one in found), default=0.0)
    likely = [one for one in found if one.evidence >= _LIKELY * most]
    return sorted(likely, key=lambda one: -one.evidence)[:_MOST_TRIED]


def identical_records(octets: NDArray[np.uint8]) -> Records | None:
    """Find records that are nearly all identical, whatever they hold."""
    some = octets[:_SAMPLE_BYTES]
    longest = min(_LONGEST, len(some) // _FEWEST_RECORDS)
    lags = range(SHORTEST, longest + 1)
    alike = [np.count_nonzero(some[:-lag] == some[lag:]) / (len(some) - lag) for lag in lags]
    if not alike or max(alike) < _SAME:
        return None
    length = SHORTEST + int(np.argmax(np.array(alike) >= max(alike) - 1e-9))
    n = len(octets) // length
    rows = octets[: n * length].reshape(n, -1)
    return Records(length, 0, "none", 0, 0.0) if rows.any() and len(np.unique(rows)) > 1 else None


def _records(octets: NDArray[np.uint8], variant: str, kind: FrameType) -> list[Records]:
    """Records of frames of one type under one randomiser: lengths, and the places where most counts follow."""
    over = derandomized(np.zeros((1, HEAD_BYTES), np.uint8), variant)[0]
    pairs = header_pairs(octets, kind, over, nearest=SHORTEST, farthest=_MOST_CHANNELS * _LONGEST)
    longest = min(_LONGEST, len(octets) // _FEWEST_RECORDS)
    lengths = [one for one in _lengths(pairs.distance) if one <= longest]
    return [one for length in lengths for one in _places(pairs, length, len(octets), variant)]


def _places(pairs: Pairs, length: int, n_octets: int, variant: str) -> Iterator[Records]:
    """Records of one length, from the commonest places of headers on."""
    at = pairs.place[pairs.distance % length == 0] % length
    n_at = np.bincount(at)
    for offset in np.argsort(-n_at, kind="stable")[:_PLACES_TRIED].tolist():
        n, n_followed = (n_octets - offset) // length, int(n_at[offset])
        if n_followed < max(_FEWEST_FOLLOWED, _FEWEST_SHARE * n):
            return
        frame_length = int(np.median(pairs.frame_length[pairs.place % length == offset]))
        if frame_length <= length:
            yield Records(length, offset, variant, n_followed, n_followed / n, frame_length)


def _lengths(distance: NDArray[np.int64]) -> list[int]:
    """Lengths of records that the commonest distances are small multiples of."""
    n_of = np.bincount(distance)
    commonest = np.argsort(-n_of, kind="stable")[:_DISTANCES_TRIED]
    whole = [int(one) for one in commonest if n_of[one]]
    parts = {one // n for one in whole for n in range(1, _MOST_CHANNELS + 1) if one % n == 0}
    return sorted(one for one in parts if one >= SHORTEST)
