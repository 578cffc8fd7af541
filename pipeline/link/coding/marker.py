"""The attached sync marker: candidate positions in a stream, and the bit errors at a position.

Positions are bits from the beginning of the given bytes. The marker may begin at any bit, in either polarity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_WORD_BYTES = 8
_NONE = np.empty(0, np.intp)
_RIGHT_SHIFTS = np.arange(8, 0, -1, dtype=np.uint16)[:, None]


@dataclass(frozen=True, slots=True)
class Marker:
    """The sync marker and its allowed bit errors; `flywheel`: number of consecutive markers that may be missing."""

    pattern: NDArray[np.uint8]
    errors_searching: int
    errors_locked: int
    flywheel: int
    _word: NDArray[np.uint64] = field(init=False)
    """The pattern as the last bytes of a word; `_mask`: the bits of the word that belong to it."""
    _mask: NDArray[np.uint64] = field(init=False)

    def __post_init__(self) -> None:
        word = int.from_bytes(self.pattern.tobytes(), "big")
        for name, value in (("_word", word), ("_mask", (1 << 8 * len(self.pattern)) - 1)):
            object.__setattr__(self, name, np.array(value, np.uint64))

    @staticmethod
    def of(pattern: bytes, searching: int | None = None, locked: int | None = None, flywheel: int = 2) -> Marker:
        """Make a marker; by default 1 bit error in 32 bits is allowed while searching and 4 in 32 while locked."""
        n_bits = 8 * len(pattern)
        return Marker(
            np.frombuffer(pattern, np.uint8),
            n_bits // 32 if searching is None else searching,
            n_bits // 8 if locked is None else locked,
            flywheel,
        )

    @property
    def n_bits(self) -> int:
        """Length in bits."""
        return 8 * len(self.pattern)

    def wrong_bits_behind(
        self, octets: NDArray[np.uint8], start: int, n_markers: int, pitch_bytes: int
    ) -> NDArray[np.intp]:
        """Bit errors of each marker of a run but the first: intp[n_markers - 1].

        `octets`: the stream at the bit phase of the run; `start`: byte of the first marker; `pitch_bytes`: distance of
        the markers, at least 8.
        """
        n = n_markers - 1
        if n <= 0:
            return _NONE
        n_bytes = len(self.pattern)
        at = start + pitch_bytes + n_bytes - _WORD_BYTES  # the words that end where the markers do
        words = np.ndarray((n,), ">u8", octets, at, (pitch_bytes,))
        wrong: NDArray[np.intp] = np.bitwise_count((words ^ self._word) & self._mask).astype(np.intp)
        return wrong

    def wrong_bits(self, stream: NDArray[np.uint8], place: NDArray[np.intp]) -> NDArray[np.intp]:
        """Bit errors of the marker at each of a few bit positions: intp[k]."""
        n_bytes = len(self.pattern)
        expected = int.from_bytes(self.pattern.tobytes(), "big")
        wrong = np.zeros(len(place), np.intp)
        for k, bit in enumerate(place.tolist()):
            seen = stream[bit // 8 : bit // 8 + n_bytes + 1].tobytes().ljust(n_bytes + 1, b"\0")
            aligned = int.from_bytes(seen, "big") >> (8 - bit % 8) & ((1 << 8 * n_bytes) - 1)
            wrong[k] = (aligned ^ expected).bit_count()
        return wrong

    def candidates(
        self, stream: NDArray[np.uint8], start: int, stop: int
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.intp]]:
        """Find the bits from `start` to `stop` where the marker may begin: positions, polarity, bit errors.

        intp[k] ascending, bool[k] (True: inverted), intp[k].
        """
        n_bits, allowed = 8 * len(self.pattern), self.errors_searching
        first, last = start // 8, (stop + 7) // 8
        span = stream[first : last + len(self.pattern)]
        # Row k: the span shifted by k bits, with zeros behind its end.
        pair = span.astype(np.uint16) << 8
        pair[:-1] |= span[1:]
        aligned = (pair >> _RIGHT_SHIFTS).astype(np.uint8)
        n = min(last - first, len(span) - len(self.pattern) + 1)
        wrong = np.bitwise_count(aligned[:, :n] ^ self.pattern[0])
        for k, expected in enumerate(self.pattern[1:], 1):
            wrong += np.bitwise_count(aligned[:, k : k + n] ^ expected)
        hit = np.flatnonzero((wrong <= allowed) | (wrong >= n_bits - allowed))
        phase, byte = np.divmod(hit, max(n, 1))
        place, wrong_bits = 8 * (first + byte) + phase, wrong.reshape(-1)[hit].astype(np.intp)
        order = np.argsort(place)
        order = order[(place[order] >= start) & (place[order] < stop)]
        place, wrong_bits = place[order], wrong_bits[order]
        inverted = wrong_bits > n_bits // 2
        return place, inverted, np.where(inverted, n_bits - wrong_bits, wrong_bits)


def shifted(octets: NDArray[np.uint8], phase: int) -> NDArray[np.uint8]:
    """Shift `octets: uint8[n]` left by `phase` bits (1-7): uint8[n - 1]."""
    return (octets[:-1] << np.uint8(phase)) | (octets[1:] >> np.uint8(8 - phase))
