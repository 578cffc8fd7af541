"""Headers of frames at any byte: two of one name, of which the second counts one more than the first.

Any byte may be the first one of a header. In noise two headers of a name of 16 bits and a count of 8 bits follow each
other by chance once in 2^24.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..settings import FrameType

HEAD_BYTES = 14
"""Of the longest header: USLP with a count of seven bytes."""
_PLACE_BITS = np.uint64(24)
_COUNT_BITS = np.uint64(24)
_ONE = np.uint64(1)
Octets = Callable[[int], NDArray[np.uint64]]
"""The byte that stands so many bytes behind each one."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """`place: int64[n]` of the first header, `distance: int64[n]` to the nearest that follows it (bytes).

    `frame_length: int64[n]`: that the first header states (USLP); 0 for types whose headers state none.
    """

    place: NDArray[np.int64]
    distance: NDArray[np.int64]
    frame_length: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Heads:
    """What would stand in a header at each byte: all [n]; `count` is taken modulo `modulus`."""

    valid: NDArray[np.bool_]
    name: NDArray[np.uint64]
    count: NDArray[np.uint64]
    modulus: int
    frame_length: NDArray[np.uint64]


def header_pairs(
    octets: NDArray[np.uint8], kind: FrameType, over: NDArray[np.uint8], *, nearest: int, farthest: int
) -> Pairs:
    """The pairs in `octets: uint8[n]` (n < 2^24) of headers of one type, `nearest` to `farthest` bytes apart.

    `over: uint8[HEAD_BYTES]`: what a randomiser has put over each header.
    """
    n = max(len(octets) - HEAD_BYTES + 1, 0)
    heads = _READERS[kind](lambda k: (octets[k : k + n] ^ over[k]).astype(np.uint64))
    place = np.flatnonzero(heads.valid)
    names, index = np.unique(heads.name[place], return_inverse=True)
    several = np.bincount(index, minlength=len(names))[index] > 1
    place, number = place[several], index[several].astype(np.uint64) << _COUNT_BITS
    count = heads.count[place]
    own = (number | count) << _PLACE_BITS | place.astype(np.uint64)
    sought = (number | (count + _ONE) % np.uint64(heads.modulus)) << _PLACE_BITS
    sought |= place.astype(np.uint64) + np.uint64(nearest)
    own.sort()
    own = np.append(own, np.uint64(2**64 - 1))
    found = own[np.searchsorted(own, sought)]
    distance = (found & ((_ONE << _PLACE_BITS) - _ONE)).astype(np.int64) - place
    right = (found >> _PLACE_BITS == sought >> _PLACE_BITS) & (distance <= farthest)
    return Pairs(place[right], distance[right], heads.frame_length[place[right]].astype(np.int64))


def _aos(octet: Octets) -> _Heads:
    """732.0-B 4.1.2: version 01, spacecraft and channel, a count of 24 bits."""
    first = octet(0)
    count = octet(2) << np.uint64(16) | octet(3) << np.uint64(8) | octet(4)
    return _Heads(first >> np.uint64(6) == 1, _word(octet, 0), count, 1 << 24, np.zeros_like(first))


def _tm(octet: Octets) -> _Heads:
    """132.0-B 4.1.2: version 00, spacecraft and channel (without the flag behind it), the channel's count."""
    first = octet(0)
    return _Heads(first >> np.uint64(6) == 0, _word(octet, 0) >> _ONE, octet(3), 1 << 8, np.zeros_like(first))


def _uslp(octet: Octets) -> _Heads:
    """732.1-B 4.1.2: version 1100, not truncated, frame length, and the last byte of a count of up to seven bytes."""
    name, length, flags = _word(octet, 0) << np.uint64(16) | _word(octet, 2), _word(octet, 4), octet(6)
    n_count = flags & np.uint64(7)
    count = np.select([n_count == k for k in range(1, 8)], [octet(6 + k) for k in range(1, 8)], np.uint64(0))
    valid = (name >> np.uint64(28) == 12) & (name & _ONE == 0) & (n_count > 0)
    # The MAP (4 bits before the last) changes from frame to frame of one channel.
    name = (name >> np.uint64(5)) << np.uint64(16) | length
    return _Heads(valid, name, count, 1 << 8, length + _ONE)


def _word(octet: Octets, k: int) -> NDArray[np.uint64]:
    """The two bytes from the k-th on."""
    return octet(k) << np.uint64(8) | octet(k + 1)


_READERS: dict[FrameType, Callable[[Octets], _Heads]] = {"aos": _aos, "tm": _tm, "uslp": _uslp}
