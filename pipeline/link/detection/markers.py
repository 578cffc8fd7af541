"""Detects sync markers: which one, at which distance, bit phase and polarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..coding.marker import Marker

KNOWN = ("1ACFFC1D", "034776C7272895B0", "352EF853", "FAF320")
"""Of 131.0-B-5 9.3 (Reed-Solomon and uncoded; rate 1/2 LDPC), of data inside frames (9.5), and of Proximity-1."""
_PROXIMITY, _PROXIMITY_VERSION = bytes.fromhex("FAF320"), 2
_PROXIMITY_BYTES, _PROXIMITY_MARKER_AND_CRC = 8, 7
"""From the marker to the sequence count of the frame behind it; of the marker and of the CRC-32 behind a frame."""
_SAMPLE_BYTES = 1 << 19
_WORDS_AT_ONCE = 1 << 16
_FEWEST_IN_PLACE = {3: 3}
"""Markers by their bytes: of three bytes two stand in noise at some distance. Of longer ones two are enough."""


@dataclass(frozen=True, slots=True)
class Markers:
    """Markers at a constant distance of `pitch` bytes.

    `place: int64[n]`: positions in bits; `blocks: uint8[m, pitch - marker]`: the bytes behind each; `n_there`: number
    of markers that are a pitch before or behind another one.
    """

    pattern: bytes
    pitch: int
    place: NDArray[np.int64]
    blocks: NDArray[np.uint8]
    n_inverted: int
    n_there: int


def find_markers(octets: NDArray[np.uint8], pattern: bytes) -> Markers | None:
    """Find a marker that is repeated at a constant distance of whole bytes; None if it is not."""
    place, inverted = _places(octets, pattern)
    fewest = _FEWEST_IN_PLACE.get(len(pattern), 2)
    if len(place) < fewest:
        return None
    pitch_bits = _distance(place)
    if pitch_bits is None:
        return None
    in_place = np.isin(place + pitch_bits, place) | np.isin(place - pitch_bits, place)
    place, inverted = place[in_place], inverted[in_place]
    if len(place) < fewest:
        return None
    pitch, n_bytes = pitch_bits // 8, len(pattern)
    whole = place + pitch_bits <= 8 * len(octets) + 7
    rows = _rows(octets, place[whole] + 8 * n_bytes, pitch - n_bytes)
    rows = np.where(inverted[whole][: len(rows), None], ~rows, rows)
    return Markers(pattern, pitch, place, rows, int(inverted.sum()), len(place))


def _places(octets: NDArray[np.uint8], pattern: bytes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Bit positions of the marker without bit errors: int64[n], and whether it is inverted: bool[n]."""
    marker = Marker.of(pattern, searching=0)
    places, polarity = [], []
    n_bits = 8 * (len(octets) - len(pattern) + 1)
    for start in range(0, max(n_bits, 0), 8 * _WORDS_AT_ONCE):
        place, inverted, _ = marker.candidates(octets, start, min(start + 8 * _WORDS_AT_ONCE, n_bits))
        places.append(place)
        polarity.append(inverted)
    if not places:
        return np.empty(0, np.int64), np.empty(0, bool)
    return np.concatenate(places).astype(np.int64), np.concatenate(polarity)


def _distance(place: NDArray[np.int64]) -> int | None:
    """The most frequent distance of neighbours in bits, a multiple of 8; None if there is none."""
    steps = np.diff(place)
    steps = steps[(steps % 8 == 0) & (steps > 0)]
    if not len(steps):
        return None
    values, counts = np.unique(steps, return_counts=True)
    best = int(values[np.argmax(counts)])
    return best if counts.max() >= max(1, len(place) // 20) else None


def _rows(octets: NDArray[np.uint8], begin: NDArray[np.int64], n_bytes: int) -> NDArray[np.uint8]:
    """Read `n_bytes` from each bit position on: uint8[n, n_bytes]; rows beyond the end are left out."""
    padded = np.concatenate((octets, np.zeros(1, np.uint8)))
    begin = begin[begin // 8 + n_bytes < len(padded)]
    at = (begin // 8)[:, None] + np.arange(n_bytes)
    shift = (begin % 8).astype(np.uint8)[:, None]
    words = padded[at].astype(np.uint16) << 8 | padded[at + 1]
    rows: NDArray[np.uint8] = (words >> (8 - shift).astype(np.uint16)).astype(np.uint8)
    return rows


def proximity_frames(octets: NDArray[np.uint8]) -> int:
    """Count Proximity-1 frames (211.2-B 3.1, 3.2: marker, version 3 frame, CRC-32), each of which another one follows.

    They vary in length, so their markers stand at no constant distance.
    """
    data, first = octets[:_SAMPLE_BYTES].astype(np.int64), np.frombuffer(_PROXIMITY, np.uint8)
    n = max(len(data) - _PROXIMITY_BYTES + 1, 0)
    there = np.flatnonzero((data[:n] == first[0]) & (data[1 : n + 1] == first[1]) & (data[2 : n + 2] == first[2]))
    there = there[data[there + 3] >> 6 == _PROXIMITY_VERSION]
    length = (data[there + 5] << 8 & 0x700 | data[there + 6]) + 1
    return int(np.isin(there + _PROXIMITY_MARKER_AND_CRC + length, there).sum())
