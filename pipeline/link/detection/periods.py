"""Detects frames without markers: the length of their records, and where in a record they begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..coding.randomizer import randomizer_sequence
from ..settings import FrameType
from .headers import TYPES, HeaderScore, best_type, score_headers

VARIANTS = ("none", "short", "long")
"""Randomisers that may be applied to a block."""
_HEAD_BYTES = 24
_SHORTEST, _LONGEST = 24, 1 << 14
_LONGEST_PREFIX = 128
_ROWS_SEEN = 48
_ROWS_SCORED = 400
_EQUAL = 0.25
_VALID = 0.25
_SIMILAR, _CERTAIN = 0.8, 0.9
"""Of the shares of frames with consecutive counts: similar to the best one; high enough to end the search."""
_SAME = 0.9
_CHANGING = slice(2, 14)
"""Bytes of a header that hold its counts."""
_FEWEST_RECORDS = 4
_ROWS_GLANCED = 96
_VERSIONS = {"aos": 1, "tm": 0, "uslp": 12}
_FEWEST_FOLLOWED = 3
_SAMPLE_BYTES = 1 << 16
_LAGS_TRIED = 12


@dataclass(frozen=True, slots=True)
class Records:
    """Records of `length` bytes, each with a frame at byte `offset`; `variant`: the randomiser."""

    length: int
    offset: int
    variant: str
    score: HeaderScore

    @property
    def share(self) -> float:
        """Share of the frames whose count is one more than that before."""
        return self.score.n_followed / max(self.score.n, 1)

    def blocks(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut out the bytes behind the prefix of each record, derandomised: uint8[n, length - offset]."""
        n = (len(octets) - self.offset) // self.length
        rows = octets[: n * self.length].reshape(n, self.length)[:, self.offset :]
        return derandomized(rows, self.variant)


def derandomized(blocks: NDArray[np.uint8], variant: str) -> NDArray[np.uint8]:
    """Derandomise blocks: uint8[n, L]."""
    if variant == "none":
        return blocks
    return blocks ^ randomizer_sequence(blocks.shape[1], long=variant == "long")


def frames_at_record_start(octets: NDArray[np.uint8]) -> Records | None:
    """Find records that begin with their frame."""
    longest = min(_LONGEST, len(octets) // _FEWEST_RECORDS)
    lengths = range(_SHORTEST, longest + 1)
    return _best(octets, ((length, 0) for length in lengths if _may_begin(octets, length, 0)))


def frames_in_records(octets: NDArray[np.uint8]) -> Records | None:
    """Find records that have a prefix before their frame."""
    places = []
    for length in _periods(octets[:_SAMPLE_BYTES]):
        offsets = range(1, min(_LONGEST_PREFIX, length - _HEAD_BYTES) + 1)
        places += [(length, offset) for offset in offsets if _may_begin(octets, length, offset)]
    return _best(octets, places)


def identical_records(octets: NDArray[np.uint8]) -> Records | None:
    """Find records that are nearly all identical, whatever they hold."""
    periods = _periods(octets[:_SAMPLE_BYTES])
    if not periods or np.count_nonzero(octets[: -periods[0]] == octets[periods[0] :]) < _SAME * len(octets):
        return None
    n = len(octets) // periods[0]
    rows = octets[: n * periods[0]].reshape(n, -1)
    return Records(periods[0], 0, "none", best_type(rows)) if rows.any() and len(np.unique(rows)) > 1 else None


def _may_begin(octets: NDArray[np.uint8], length: int, offset: int) -> bool:
    """Whether frames may begin there: channel ids are repeated, and counts change."""
    n = min((len(octets) - offset) // length, _ROWS_SEEN)
    if n < _FEWEST_RECORDS:
        return False
    heads = np.ndarray((n, _CHANGING.stop), np.uint8, octets, offset, (length, 1))
    names = heads[:, 0].astype(np.uint16) << 8 | heads[:, 1]
    names.sort()
    same = names[1:] == names[:-1]
    if np.count_nonzero(same) < _EQUAL * n - 1:
        return False
    changing = (heads[1:, _CHANGING] != heads[:-1, _CHANGING]).any(axis=1)
    return bool(changing.mean() >= _EQUAL)


def _best(octets: NDArray[np.uint8], places: Iterable[tuple[int, int]]) -> Records | None:
    """Choose the (length, offset) with the largest share of consecutive counts; of similar ones the shortest record.

    The search ends at the first position where the share is at least _CERTAIN.
    """
    found: list[Records] = []
    for place in places:
        found += _at(octets, *place)
        if found and found[-1].share >= _CERTAIN:
            break
    if not found:
        return None
    most = max(records.share for records in found)
    similar = [records for records in found if records.share >= _SIMILAR * most]
    return min(similar, key=lambda records: (records.length, -records.share))


def _at(octets: NDArray[np.uint8], length: int, offset: int) -> Iterator[Records]:
    """Yield plausible readings of frames at one position: each randomiser and frame type."""
    n = min((len(octets) - offset) // length, _ROWS_SCORED)
    heads = np.ndarray((n, min(_HEAD_BYTES, length)), np.uint8, octets, offset, (length, 1))
    for variant, kind in product(VARIANTS, TYPES):
        if not _may_be_of(derandomized(heads[:_ROWS_GLANCED], variant), kind, length - offset):
            continue
        score = score_headers(derandomized(heads, variant), kind, length - offset, check=False)
        if score.n_followed >= max(_FEWEST_FOLLOWED, n // 20) and score.n_valid >= _VALID * n:
            yield Records(length, offset, variant, score)


def _may_be_of(heads: NDArray[np.uint8], kind: FrameType, length: int) -> bool:
    """Whether versions and counts of frame heads may be of this type: a fast test before all fields are read."""
    version = heads[:, 0] >> 4 if kind == "uslp" else heads[:, 0] >> 6
    if np.count_nonzero(version == _VERSIONS[kind]) < _VALID * len(heads) + 1:
        return False
    if kind == "uslp":
        lengths = heads[:, 4].astype(np.int64) << 8 | heads[:, 5]
        return bool(np.count_nonzero(lengths == length - 1) >= _VALID * len(heads))
    names = heads[:, 0].astype(np.uint16) << 8 | (heads[:, 1] if kind == "aos" else heads[:, 1] & 0xFE)
    order = np.argsort(names, kind="stable")
    count, same = heads[order, 4 if kind == "aos" else 3], names[order]
    followed = (count[1:] - count[:-1] == 1) & (same[1:] == same[:-1])
    return bool(np.count_nonzero(followed) >= max(_FEWEST_FOLLOWED, len(heads) // 20))


def _periods(octets: NDArray[np.uint8]) -> list[int]:
    """Distances at which octets are equal more often than by chance, the most significant first."""
    longest = min(_LONGEST, len(octets) // _FEWEST_RECORDS)
    if longest < _SHORTEST:
        return []
    lags = np.arange(_SHORTEST, longest + 1)
    alike = np.array([np.count_nonzero(octets[:-lag] == octets[lag:]) / (len(octets) - lag) for lag in lags])
    excess = alike - np.median(alike)
    noise = 1.5 * np.median(np.abs(excess)) + 1e-3
    striking = lags[excess > 5 * noise]
    order = np.argsort(-excess[striking - _SHORTEST], kind="stable")
    best = [int(lag) for lag in striking[order][:_LAGS_TRIED]]
    # A multiple of the period is as significant as the period itself.
    small = [int(lag) for lag in striking[:_LAGS_TRIED]]
    return list(dict.fromkeys([*best, *small]))
