"""Frame sync of streams without sync markers, also behind bytes that were inserted or lost.

The frames are bare, or coded blocks; a recorder may have put a prefix and a suffix around each.

In: bytes in pieces of any size. Out: blocks of one frame each, with the byte of the stream in which each ends. Dropped
and counted: bytes between frames.

A block is accepted if it begins with the header of a known channel: a wanted one, or one whose frames passed their
check here. Any other block is checked by its FECF or code, if the link has one. Reed-Solomon codes are cyclic: a
shifted codeword passes as one with a few errors. With a code, such a block is therefore accepted only if no frame with
a known header and as few errors overlaps it. If the check fails, the search begins at the block before: at every byte,
for a known header and a valid check; without a check, for a known header with another one a record length behind it.
Blocks in which no frame begins are output unchanged, so that they are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fastcrc
import numpy as np
from numpy.typing import NDArray

from ..settings import ChannelSettings, LinkSettings, block_bytes, record_bytes
from .blocks import Blocks, Record
from .codewords import FrameDecoder
from .randomizer import randomizer_sequence

_NAME_BYTES = 4
_COUNTED_BYTES = 5
"""Length of a header up to the end of its count."""
_MASKS = {"aos": 0xFFFF0000, "tm": 0xFFFE0000, "uslp": 0xFFFFF7E0}
_COUNTS = {"aos": slice(2, 5), "tm": slice(3, 4), "uslp": None}
_MAX_NAMES = 64
_RECORDS_AHEAD, _SEARCHED_BYTES = 64, 1 << 13
"""How far is looked ahead at first, in records that follow each other and in a search: mostly that is enough, and a
stream may have many places at which no frame follows.
"""


class BareFrames:
    """Cuts a stream into frames of one length. Buffers less than three of them."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self.skipped_bytes = 0
        self.position = 0
        """Position in the stream before which all blocks are output."""
        self._record = Record.of(settings)
        self._block_length = block_bytes(settings)
        self._length = record_bytes(replace(settings, symbols="packed"))
        self._decoder = FrameDecoder(settings) if settings.framing == "codeblocks" else None
        code = settings.reed_solomon if self._decoder else None
        self._checked = settings.fecf or (code is not None and code.check)
        self._cyclic = code is not None and code.check
        self._last_count: dict[int, bytes] = {}
        """By name, of which one frame was seen."""
        # A header with error control is corrected later, so it may not be recognised here.
        self._searches = self._checked or not settings.header_error_control
        mask = _MASKS[settings.frame_type]
        self._mask = _as_in_stream(mask)
        over = _randomizer_word(settings) if self._decoder else 0
        self._over = _as_in_stream(over)
        names = {(_name(settings, channel) ^ over) & mask for channel in channels}
        self._names = [_as_in_stream(name) for name in sorted(names)]
        self._buffer = np.empty(0, np.uint8)
        self._at = 0  # of the next block in the buffer; before it, the last one
        self._search_at: int | None = None  # next byte to look at while searching
        self._n_to_skip = 0  # bytes that are left of a frame whose beginning is missing
        self._search_began_at = 0  # byte of the stream at which the search began
        self.n_found = 0
        """How often frame sync was found again at an unexpected position."""
        self._count_at = _COUNTS[settings.frame_type]
        self.lost_at: int | None = None
        """Byte of the stream from which on no frame was found; known when the stream has ended."""
        self._out: list[Blocks] = []

    def find_blocks(self, octets: NDArray[np.uint8]) -> Blocks:
        """Return the blocks completed and accepted with `octets: uint8[n]`."""
        if self._n_to_skip:
            octets = self._skip(octets)
        self._buffer = np.concatenate((self._buffer, octets)) if len(self._buffer) else np.ascontiguousarray(octets)
        return self._advance(final=False)

    def flush(self) -> Blocks:
        """End the stream: the bytes that are left are no frame."""
        self._n_to_skip = 0
        return self._advance(final=True)

    def break_off(self, missing: int) -> Blocks:
        """Return the blocks before a gap of `missing` bytes. -1 (unknown): a block begins with the next byte."""
        into = len(self._buffer) - self._at + missing if missing > 0 and self._search_at is None else 0
        blocks, self.lost_at = self._advance(final=True), None
        self._n_to_skip = -into % self._length
        return blocks

    def _skip(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        n_bytes = min(self._n_to_skip, len(octets))
        self._n_to_skip -= n_bytes
        self.skipped_bytes += n_bytes
        self.position += n_bytes
        return octets[n_bytes:]

    def report(self) -> dict[str, Any]:
        """The key synchronizer of the pass report."""
        return {"found_again": self.n_found}

    def _advance(self, *, final: bool) -> Blocks:
        is_going = True
        while is_going:
            is_going = self._read_expected(final=final) if self._search_at is None else self._search(final=final)
        if final:
            if (
                self._search_at is not None
                and self.position + self._search_at - self._search_began_at >= self._length
            ):
                self.lost_at = self._search_began_at
            self._emit((len(self._buffer) - self._at) // self._length)
            self.skipped_bytes += len(self._buffer) - self._at
            self._search_at, self._at = None, len(self._buffer)
            self._drop(len(self._buffer))
        else:
            self._drop(max(self._at - self._length, 0))
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else Blocks.join(out, self._block_length)

    def _emit(self, n: int) -> None:
        """Output the next n blocks."""
        if n <= 0:
            return
        stop = self._at + n * self._length
        first = self.position + self._at - 1 + self._length
        last = np.arange(first, first + n * self._length, self._length, dtype=np.int64)
        records, prefix = self._buffer[self._at : stop].reshape(n, self._length), self._record.prefix
        times = self._record.received_ns(records[:, :prefix]) if self._record.times else None
        self._out.append(Blocks(records[:, prefix : prefix + self._block_length], last, times))
        self._at = stop

    def _drop(self, n: int) -> None:
        """Drop the first n bytes of the buffer."""
        self._buffer = self._buffer[n:].copy()
        self.position += n
        self._at -= n
        if self._search_at is not None:
            self._search_at -= n

    # -- frames that follow each other -------------------------------------------------------------------------------

    def _read_expected(self, *, final: bool) -> bool:
        """Output the blocks with a known header; True if one without follows and the state has changed."""
        n_left = len(self._buffer) - self._at
        n_whole = n_left // self._length
        n_named = n_left - self._record.prefix - _NAME_BYTES
        n_seen = n_named // self._length + 1 if n_named >= 0 else 0
        n_known = self._n_known(n_seen)
        self._emit(min(n_known, n_whole))
        if self._searches or n_known >= n_whole:
            return n_known < n_whole and self._check_unexpected(final=final)
        self._emit(n_whole - n_known)
        return False

    def _n_known(self, n: int) -> int:
        """How many of the next n records begin with a known header, up to the first one that does not."""
        n_known, n_ahead = 0, _RECORDS_AHEAD
        while n_known < n:
            ahead = min(n_ahead, n - n_known)
            known = self._known(self._at + n_known * self._length, ahead, self._length)
            if len(known.nonzero()[0]) < ahead:
                return n_known + int(np.argmin(known))
            n_known, n_ahead = n_known + ahead, 4 * n_ahead
        return n

    def _check_unexpected(self, *, final: bool) -> bool:
        """Accept a block that passes its check as a frame of another channel, or search; False: wait for more bytes."""
        found = self._frame(self._at) if self._checked else None
        if found is not None:
            frame, n_corrected = found
            name = np.asarray((frame[:_NAME_BYTES].copy().view(np.uint32)[0] ^ self._over) & self._mask)
            if name not in self._names:
                if self._cyclic and not final and len(self._buffer) < self._at + 2 * self._length - 1:
                    return False
                near = self._overlapping(n_corrected) if self._cyclic else None
                if near is not None:
                    self._search_began_at = self.position + self._at
                    self._resume_at(near)
                    return True
                self._learn(name, frame)
            self._emit(1)
            return True
        self._search_began_at = self.position + self._at
        before = self._at - self._length
        good = before < 0 or (self._checked and self._is_frame(before))
        self._search_at = self._at if good else before + 1
        return True

    def _overlapping(self, n_corrected: int) -> int | None:
        """Find a known frame that overlaps the block here and has no more than its `n_corrected` wrong symbols."""
        first = max(self._at - self._length + 1, 0)
        last = min(self._at + self._length, len(self._buffer) - self._length + 1)
        hits = self._known_places(first, last)
        return next((at for at in hits if (found := self._frame(at)) and found[1] <= n_corrected), None)

    def _learn(self, name: NDArray[np.uint32], frame: NDArray[np.uint8]) -> None:
        """Add a name to the known ones; with a code, only once two of its frames have consecutive counts."""
        if self._cyclic and self._count_at is not None:
            count = frame[self._count_at].tobytes()
            before = self._last_count.pop(int(name), None)
            if before is None or not _follows(count, before):
                if len(self._last_count) < _MAX_NAMES:
                    self._last_count[int(name)] = count
                return
        if len(self._names) < _MAX_NAMES:
            self._names.append(name)

    # -- searching ---------------------------------------------------------------------------------------------------

    def _search(self, *, final: bool) -> bool:
        """Search for the next frame; True if one was found."""
        assert self._search_at is not None
        needed = self._length + (0 if self._checked or final else self._record.prefix + _COUNTED_BYTES)
        stop = max(len(self._buffer) - needed + 1, self._search_at)
        n_ahead = _SEARCHED_BYTES
        while self._search_at < stop:
            ahead = min(self._search_at + n_ahead, stop)
            found = next((at for at in self._known_places(self._search_at, ahead) if self._is_frame(at)), None)
            if found is not None:
                self._resume_at(found)
                return True
            self._search_at, n_ahead = ahead, 2 * n_ahead
        if not final:
            self._emit_without_frames(stop)
        return False

    def _known_places(self, start: int, stop: int) -> list[int]:
        """Find the bytes from `start` to `stop` at which the header of a known channel stands."""
        return (np.nonzero(self._known(start, stop - start, 1))[0] + start).tolist()

    def _emit_without_frames(self, stop: int) -> None:
        """Output the blocks before `stop` in which no frame begins, so that they are counted as failed."""
        n_without = (stop - self._at) // self._length - 1
        self._emit(n_without)

    def _resume_at(self, found: int) -> None:
        """Leave the search at the frame that begins at byte `found` of the buffer."""
        self._emit_without_frames(found)
        ahead = found - self._at
        self.n_found += ahead % self._length != 0
        self._emit(ahead // self._length)
        self.skipped_bytes += max(found - self._at, 0)
        self._at, self._search_at = found, None

    def _known(self, start: int, n: int, step: int) -> NDArray[np.bool_]:
        """Whether a header of a known channel is at `start` and at every `step` bytes behind it: bool[n]."""
        if n <= 0:
            return np.zeros(0, bool)
        start += self._record.prefix
        words = np.ndarray((n,), np.uint32, self._buffer, start, (step,)) & self._mask
        found = np.zeros(n, bool) if not self._names else words == self._names[0]
        for name in self._names[1:]:
            found |= words == name
        return found

    def _is_frame(self, at: int) -> bool:
        """Whether a frame begins at byte `at` of the buffer: by its code or FECF, else by the next header."""
        stop = at + self._length
        if self._checked:
            return self._frame(at) is not None
        if len(self._buffer) == stop:
            return True
        here, behind = self._block(at), self._block(stop)
        if len(behind) < _NAME_BYTES or not self._known(stop, 1, 1)[0]:
            return False
        if self._count_at is None or len(behind) < _COUNTED_BYTES or not np.array_equal(here[:2], behind[:2]):
            return True
        return _follows(behind[self._count_at].tobytes(), here[self._count_at].tobytes())

    def _frame(self, at: int) -> tuple[NDArray[np.uint8], int] | None:
        """Check the record at byte `at`: its frame and the number of corrected symbols; None if it fails."""
        block = self._block(at)
        if self._decoder is None:
            return (block, 0) if fastcrc.crc16.ibm_3740(block.tobytes()) == 0 else None
        checked = self._decoder.decode(block[None])
        if not len(checked.frames):
            return None
        return checked.frames[0], 0 if checked.n_corrected is None else int(checked.n_corrected[0])

    def _block(self, at: int) -> NDArray[np.uint8]:
        """Return the block of the record at byte `at` of the buffer; shorter if the buffer ends inside."""
        start = at + self._record.prefix
        return self._buffer[start : start + self._block_length]


def _follows(count: bytes, before: bytes) -> bool:
    """Whether a count, big-endian, is one more than another of the same size."""
    return (int.from_bytes(count, "big") - int.from_bytes(before, "big")) % (1 << 8 * len(count)) == 1


def _randomizer_word(settings: LinkSettings) -> int:
    """The first four bytes of the randomiser sequence as a number."""
    if not settings.randomizer:
        return 0
    return int.from_bytes(randomizer_sequence(_NAME_BYTES, long=settings.long_randomizer).tobytes(), "big")


def _as_in_stream(number: int) -> NDArray[np.uint32]:
    """Convert to the uint32 whose bytes in memory are those of the big-endian number, as an array of no axes."""
    return np.frombuffer(number.to_bytes(_NAME_BYTES, "big"), np.uint32).reshape(())


def _name(settings: LinkSettings, channel: ChannelSettings) -> int:
    """The first four bytes of a channel's frames as a number; bits that vary are 0."""
    scid, vcid = channel.spacecraft_id, channel.virtual_channel
    match settings.frame_type:
        case "aos":
            return (1 << 14 | (scid & 0xFF) << 6 | vcid) << 16
        case "tm":
            return (scid << 4 | vcid << 1) << 16
        case _:
            return 12 << 28 | scid << 12 | vcid << 5
