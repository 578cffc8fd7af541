"""Finds the packets of differing lengths in a long stream, by walking many pieces of it at once.

The length field of a packet leads to the next one, so a stream is a chain that can only be walked from its beginning.
Here the stream is cut into pieces. Near the beginning of each piece a packet is guessed: a header of an APID seen
before that leads to two others. The chains of all pieces are walked together, one step of all at a time. A guess is
right if the chain of the piece before arrives at it; only packets that right guesses lead to are returned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .packet_headers import PRIMARY_HEADER_BYTES

Places = NDArray[np.int64]
FEWEST_EACH, PACKETS_EACH = 12, 48
"""Bounds of the packets in a piece, which is walked in as many steps. Few packets make guessing expensive, many the
walk; the square root of the number of all packets is a good compromise.
"""
FEWEST_PACKETS = 512
"""Fewer packets are faster to walk one by one."""
FEW_CHAINS, MOST_CHAINS = 16, 1 << 12
LEAST_WINDOW_BYTES = 64
LENGTH_AT = 4
"""Byte of a header where the length field begins."""
MOST_STEPS = 4 * PACKETS_EACH
_HOPS = 2


@dataclass(slots=True)
class PacketChains:
    """Walks streams of packets with `prefix` bytes before each. The number of pieces grows while guesses are right."""

    prefix: int
    _n_chains: int = FEW_CHAINS

    def starts(
        self, octets: NDArray[np.uint8], first: int, end: int, seen: NDArray[np.bool_], length: Places
    ) -> Places:
        """Positions of the headers of consecutive whole packets from `first` on: int64[p]; empty if it is not faster.

        `octets: uint8[end + 8 or more]`; `seen: bool[4096]` by the low 12 bits of a header's first two bytes; `length`:
        of the packets found just before, with their prefix. The caller must check the version of the headers.
        """
        mean = float(length.mean())
        n_each = min(max(int(((end - first) / mean / 4) ** 0.5), FEWEST_EACH), PACKETS_EACH)
        piece = max(int(mean * n_each), 2 * LEAST_WINDOW_BYTES)
        window = max(min(int(length.max()) + PRIMARY_HEADER_BYTES, piece // 2), LEAST_WINDOW_BYTES)
        n_pieces = min((end - first - window) // piece, self._n_chains)
        if n_pieces < FEW_CHAINS or n_pieces * n_each < FEWEST_PACKETS:
            return np.empty(0, np.int64)
        guesses = self._guesses(octets, first + piece * np.arange(1, n_pieces), window, end, seen)
        stop = np.append(guesses, first + piece * n_pieces)
        places, on_way, behind = self._walk(octets, np.concatenate(([first], guesses)), stop, end)
        right = behind[:-1] == guesses
        n_right = len(behind) if right.all() else int(np.argmin(right)) + 1
        grows = n_right == len(behind) > 1
        self._n_chains = min(self._n_chains * 4, MOST_CHAINS) if grows else max(self._n_chains // 4, FEW_CHAINS)
        return places.T[:n_right][on_way.T[:n_right]]

    def _guesses(
        self, octets: NDArray[np.uint8], begin: Places, window: int, end: int, seen: NDArray[np.bool_]
    ) -> Places:
        """The first likely header within the window from each position on; pieces without one are left out."""
        words = np.ndarray((len(begin), window), ">u2", octets, int(begin[0]), (int(begin[1] - begin[0]), 1))
        row, column = np.nonzero(_is_likely(words, seen))
        place = begin[row] + column
        at, kept = place, np.ones(len(place), np.bool_)
        for _ in range(_HOPS):
            at = at + self._steps(octets, at)
            kept &= at + PRIMARY_HEADER_BYTES <= end
            at = np.where(kept, at, place)
            kept &= _is_likely(octets[at].astype(np.uint16) << np.uint16(8) | octets[at + 1], seen)
        _, firsts = np.unique(row[kept], return_index=True)
        return place[kept][firsts]

    def _walk(
        self, octets: NDArray[np.uint8], begin: Places, stop: Places, end: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], Places]:
        """Walk chains from `begin` to the first header at or behind `stop`, while packets are whole.

        Returns header positions int64[steps, chains]; which of them are packets of the chain, bool of that shape; and
        the position at which each chain ends.
        """
        place, going, latest = begin, begin < stop, end + self.prefix
        places, alive = [], []
        for _ in range(MOST_STEPS):
            following = place + self._steps(octets, place)
            going = going & (following <= latest)
            if not len(going.nonzero()[0]):
                break
            places.append(place)
            alive.append(going)
            place = np.where(going, following, place)
            going = going & (place < stop)
        if not places:
            return np.empty((0, len(begin)), np.int64), np.empty((0, len(begin)), np.bool_), place
        return np.array(places), np.array(alive), place

    def _steps(self, octets: NDArray[np.uint8], place: Places) -> Places:
        """Distance from each header to the next, from its length field; undefined behind the end of the stream."""
        lengths = np.ndarray((len(octets) - PRIMARY_HEADER_BYTES + 1,), ">u2", octets, LENGTH_AT, (1,))
        step = lengths[np.minimum(place, len(lengths) - 1)].astype(np.int64)
        step += self.prefix + 7
        return step


def _is_likely(words: NDArray[np.uint16], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the first two bytes of a header have version 0 and an APID that was seen before."""
    return seen.take(words & np.uint16(0xFFF)) & (words < np.uint16(0x2000))
