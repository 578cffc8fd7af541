"""KISS: frames between FEND bytes, as terminal node controllers and recorders of amateur satellites write them.

In: bytes of the recording. Out: the payloads of data frames back to back. Dropped and counted: bytes in no frame,
frames of other commands, and payloads whose length does not fit the frames of the link. A frame of 8 bytes on the time
port holds the receive time of the next ones, in big-endian milliseconds since 1970 UTC.

The first byte of a frame is port and command, 4 bits each; data is command 0. Some recorders write the number of the
time port as this byte (gr-satellites: 09), others into its port bits (90): both are accepted.
Source: M. Chepponis, P. Karn, The KISS TNC (1987); gr-satellites, KISS file sink.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from .payloads import payload_batch, times_at

FEND, _FESC, _TFEND, _TFESC = 0xC0, 0xDB, 0xDC, 0xDD
_TIME_BYTES = 8
_LONGEST = 1 << 20
"""Longest run of bytes without a FEND that is buffered."""
_NS_PER_MS = 1_000_000


class KissReader:
    """Unwraps KISS. `unit_bytes`: the length of payloads must be a multiple of it; 0: any length."""

    def __init__(self, time_port: int, unit_bytes: int) -> None:
        self._time_port, self._unit = time_port, unit_bytes
        self._left = np.empty(0, np.uint8)
        self._synchronized = False
        """Whether the buffered bytes begin behind a FEND."""
        self._received_ns = 0  # by the last mark of the recording
        self._stamp_ns = 0  # by the last frame on the time port
        self.overhead_bytes = 0
        self.dropped_bytes = 0

    def unwrap(self, batch: ByteBatch) -> ByteBatch:
        """Return the payloads of the frames completed by `batch`."""
        if batch.missing:
            self.flush()
        octets, n_left = np.concatenate((self._left, batch.data)), len(self._left)
        ends = np.flatnonzero(octets == FEND)
        n_whole = int(ends[-1]) + 1 if len(ends) else 0
        self._left = octets[n_whole:].copy()
        begin = 0 if self._synchronized or not len(ends) else int(ends[0])
        self.dropped_bytes += begin
        self._synchronized |= len(ends) > 0
        if len(self._left) > _LONGEST:
            self.flush()
        data, start, at, stamps = self._payloads(octets[begin:n_whole])
        received_ns = times_at(batch, np.maximum(at + begin - n_left, 0), self._received_ns)
        self._received_ns = int(batch.mark_ns[-1]) if len(batch.mark_ns) else self._received_ns
        return payload_batch(batch, data, start, np.where(stamps != 0, stamps, received_ns))

    def flush(self) -> None:
        """Drop an unfinished frame: the stream ends, or bytes are missing."""
        self.dropped_bytes += len(self._left)
        self._left = self._left[:0]
        self._synchronized = False

    def _payloads(
        self, octets: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Payloads of whole frames: uint8[n], start of each in them and in `octets`, time stamp or 0: int64[k]."""
        content, place, number = _unescape(octets)
        first = np.flatnonzero(np.diff(number, prepend=-1))
        size = np.diff(np.append(first, len(number))) - 1
        kind = content[first]
        is_time = ((kind == self._time_port) | (kind == self._time_port << 4)) & (size == _TIME_BYTES)
        wanted = (kind & 0x0F == 0) & ~is_time & (size > 0)
        if self._unit:
            wanted &= size % self._unit == 0
        stamps = self._stamps(content, first, is_time)
        keep = np.repeat(wanted, size + 1)
        keep[first] = False
        data = content[keep]
        dropped = int(size[~wanted & ~is_time].sum())
        self.dropped_bytes += dropped
        self.overhead_bytes += len(octets) - len(data) - dropped
        start = np.cumsum(size[wanted]) - size[wanted]
        return data, start.astype(np.int64), place[first[wanted]].astype(np.int64), stamps[wanted]

    def _stamps(
        self, content: NDArray[np.uint8], first: NDArray[np.intp], is_time: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """The last time stamp at or before each frame, ns since 1970 UTC: int64[n]."""
        octets = content[first[is_time][:, None] + 1 + np.arange(_TIME_BYTES)]
        stamped_ns = octets.reshape(-1).view(">i8").astype(np.int64) * _NS_PER_MS
        known = np.concatenate(([self._stamp_ns], stamped_ns))
        self._stamp_ns = int(known[-1])
        return known[np.cumsum(is_time)]


def _unescape(octets: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp], NDArray[np.intp]]:
    """Remove FEND and escapes: bytes of the frames, position of each in `octets`, number of its frame."""
    keep = octets != FEND
    escapes = np.flatnonzero(octets == _FESC)
    escapes = escapes[escapes + 1 < len(octets)]
    octets = octets.copy()
    following = octets[escapes + 1]
    number = np.cumsum(~keep)
    keep[escapes] = False
    octets[escapes[following == _TFEND] + 1] = FEND
    octets[escapes[following == _TFESC] + 1] = _FESC
    return octets[keep], np.flatnonzero(keep), number[keep]
