"""Where frames begin in a stream without sync markers, also behind bytes that were inserted, lost or foreign.

The frames are bare, or coded blocks; a recorder may have put a prefix and a suffix around each.

In: bytes in pieces of any size. Out: blocks of one frame each, with the byte of the stream in which each ends. Dropped
and counted: bytes between frames.

Frames follow each other as long as each begins with the header of a known channel: a wanted one, or one whose frames
passed their check here. A block that does not is looked at: with an FECF or a code by its check. If it is no frame
either, frames are looked for from the block before on, at every byte: a known header and a right check; without a check
a known header with another one a record length behind it. A block in which no frame begins is handed on as it stands,
for the count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import fastcrc
import numpy as np
from numpy.typing import NDArray

from ..settings import ChannelSettings, LinkSettings, block_bytes, record_bytes
from .blocks import Blocks
from .codewords import FrameDecoder
from .randomizer import randomizer_sequence
from .records import Record

_NAME_BYTES = 4
_COUNTED_BYTES = 5
"""Of a header, up to its count."""
_MASKS = {"aos": 0xFFFF0000, "tm": 0xFFFE0000, "uslp": 0xFFFFF7E0}
_COUNTS = {"aos": slice(2, 5), "tm": slice(3, 4), "uslp": None}
_NAMES_KEPT = 64


class BareFrames:
    """Cuts a stream into frames of one length. Holds less than three of them."""

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings]) -> None:
        self.skipped_bytes = 0
        self.place = 0
        """Byte of the stream from which on blocks are still to come."""
        self._record = Record.of(settings)
        self._block_length = block_bytes(settings)
        self._length = record_bytes(replace(settings, symbols="packed"))
        self._decoder = FrameDecoder(settings) if settings.framing == "codeblocks" else None
        code = settings.reed_solomon if self._decoder else None
        self._checked = settings.fecf or (code is not None and code.check)
        # A header with an error control of its own is corrected later: it need not look like one here.
        self._searches = self._checked or not settings.header_error_control
        mask = _MASKS[settings.frame_type]
        self._mask = _as_in_stream(mask)
        over = _randomizer_word(settings) if self._decoder else 0
        names = {(_name(settings, one) ^ over) & mask for one in channels}
        self._names = [_as_in_stream(name) for name in sorted(names)]
        self._buffer = np.empty(0, np.uint8)
        self._at = 0  # of the next block in the buffer; before it, the last one
        self._look: int | None = None  # next byte to look at while searching
        self._n_to_skip = 0  # bytes that are left of a frame whose beginning is missing
        self._doubt_at = 0  # byte of the stream at which the search began
        self.n_found = 0
        """How often frames were found again where none was expected."""
        self._count_at = _COUNTS[settings.frame_type]
        self.lost_at: int | None = None
        """Byte of the stream from which on no frame was found, when it has ended."""
        self._out: list[Blocks] = []

    def find_blocks(self, octets: NDArray[np.uint8]) -> Blocks:
        """The frames that are whole and decided with `octets: uint8[n]`."""
        if self._n_to_skip:
            octets = self._skip(octets)
        self._buffer = np.concatenate((self._buffer, octets)) if len(self._buffer) else np.ascontiguousarray(octets)
        return self._advance(final=False)

    def flush(self) -> Blocks:
        """The stream ends: what is left is no frame."""
        self._n_to_skip = 0
        return self._advance(final=True)

    def break_off(self, missing: int) -> Blocks:
        """So many bytes are missing here: what is whole before that. UNKNOWN (-1): a block begins with what follows."""
        into = len(self._buffer) - self._at + missing if missing > 0 and self._look is None else 0
        blocks, self.lost_at = self._advance(final=True), None
        self._n_to_skip = -into % self._length
        return blocks

    def _skip(self, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
        n_bytes = min(self._n_to_skip, len(octets))
        self._n_to_skip -= n_bytes
        self.skipped_bytes += n_bytes
        self.place += n_bytes
        return octets[n_bytes:]

    def report(self) -> dict[str, Any]:
        """The key synchronizer of the pass report."""
        return {"found_again": self.n_found}

    def _advance(self, *, final: bool) -> Blocks:
        going = True
        while going:
            going = self._follow() if self._look is None else self._search(final=final)
        if final:
            if self._look is not None and self.place + self._look - self._doubt_at >= self._length:
                self.lost_at = self._doubt_at
            self._emit((len(self._buffer) - self._at) // self._length)
            self.skipped_bytes += len(self._buffer) - self._at
            self._look, self._at = None, len(self._buffer)
            self._forget(len(self._buffer))
        else:
            self._forget(max(self._at - self._length, 0))
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else Blocks.join(out, self._block_length)

    def _emit(self, n: int) -> None:
        """Hand on the next n blocks."""
        if n <= 0:
            return
        stop = self._at + n * self._length
        first = self.place + self._at - 1 + self._length
        last = np.arange(first, first + n * self._length, self._length, dtype=np.int64)
        records, prefix = self._buffer[self._at : stop].reshape(n, self._length), self._record.prefix
        times = self._record.received_ns(records[:, :prefix]) if self._record.times else None
        self._out.append(Blocks(records[:, prefix : prefix + self._block_length], last, times))
        self._at = stop

    def _forget(self, n: int) -> None:
        """Let the first n bytes of the buffer go."""
        self._buffer = self._buffer[n:].copy()
        self.place += n
        self._at -= n
        if self._look is not None:
            self._look -= n

    # -- frames that follow each other -------------------------------------------------------------------------------

    def _follow(self) -> bool:
        """Hand on the blocks that begin as expected; True where one does not."""
        n_left = len(self._buffer) - self._at
        n_whole = n_left // self._length
        n_named = n_left - self._record.prefix - _NAME_BYTES
        n_seen = n_named // self._length + 1 if n_named >= 0 else 0
        known = self._known(self._at, n_seen, self._length)
        n_known = n_seen if len(known.nonzero()[0]) == n_seen else int(np.argmin(known))
        self._emit(min(n_known, n_whole))
        if self._searches or n_known >= n_whole:
            return n_known < n_whole and self._doubt()
        self._emit(n_whole - n_known)
        return False

    def _doubt(self) -> bool:
        """Take a block that passes its check for a frame of another channel; else begin to search."""
        block = self._block(self._at)
        if self._checked and self._passes(self._at):
            if len(self._names) < _NAMES_KEPT:
                self._names.append(np.asarray(block[:_NAME_BYTES].view(np.uint32)[0] & self._mask))
            self._emit(1)
            return True
        self._doubt_at = self.place + self._at
        before = self._at - self._length
        good = before < 0 or (self._checked and self._passes(before))
        self._look = self._at if good else before + 1
        return True

    # -- searching ---------------------------------------------------------------------------------------------------

    def _search(self, *, final: bool) -> bool:
        """Look for the next frame; True where one was found."""
        assert self._look is not None
        needed = self._length + (0 if self._checked or final else self._record.prefix + _COUNTED_BYTES)
        stop = max(len(self._buffer) - needed + 1, self._look)
        hits = np.nonzero(self._known(self._look, stop - self._look, 1))[0] + self._look
        found = next((at for at in hits.tolist() if self._passes(at)), None)
        if found is not None:
            self._take_up(found)
            return True
        self._look = stop
        if not final:
            self._pass_over(stop)
        return False

    def _pass_over(self, stop: int) -> None:
        """Hand on the blocks far before `stop`, in which no frame begins, to be counted."""
        n_without = (stop - self._at) // self._length - 1
        self._emit(n_without)

    def _take_up(self, found: int) -> None:
        """Go on with the frame at `found`."""
        self._pass_over(found)
        ahead = found - self._at
        self.n_found += ahead % self._length != 0
        self._emit(ahead // self._length)
        self.skipped_bytes += max(found - self._at, 0)
        self._at, self._look = found, None

    def _known(self, start: int, n: int, step: int) -> NDArray[np.bool_]:
        """Whether the header of a known channel stands at `start` and every `step` bytes behind it: bool[n]."""
        if n <= 0:
            return np.zeros(0, bool)
        start += self._record.prefix
        words = np.ndarray((n,), np.uint32, self._buffer, start, (step,)) & self._mask
        found = np.zeros(n, bool) if not self._names else words == self._names[0]
        for name in self._names[1:]:
            found |= words == name
        return found

    def _passes(self, at: int) -> bool:
        """Whether a frame is believed to stand here: by its code or FECF, else by the header behind it."""
        stop = at + self._length
        if self._checked:
            if self._decoder is not None:
                return len(self._decoder.decode(self._block(at)[None]).frames) > 0
            return bool(fastcrc.crc16.ibm_3740(self._block(at).tobytes()) == 0)
        if len(self._buffer) == stop:
            return True
        here, behind = self._block(at), self._block(stop)
        if len(behind) < _NAME_BYTES or not self._known(stop, 1, 1)[0]:
            return False
        if self._count_at is None or len(behind) < _COUNTED_BYTES or not np.array_equal(here[:2], behind[:2]):
            return True
        counts = [int.from_bytes(frame[self._count_at].tobytes(), "big") for frame in (here, behind)]
        return (counts[1] - counts[0]) % (1 << 8 * (self._count_at.stop - self._count_at.start)) == 1

    def _block(self, at: int) -> NDArray[np.uint8]:
        """The block of the record that begins at byte `at` of the buffer; shorter where the buffer ends in it."""
        start = at + self._record.prefix
        return self._buffer[start : start + self._block_length]


def _randomizer_word(settings: LinkSettings) -> int:
    """What the randomiser adds to the first four bytes of a block."""
    if not settings.randomizer:
        return 0
    return int.from_bytes(randomizer_sequence(_NAME_BYTES, long=settings.long_randomizer).tobytes(), "big")


def _as_in_stream(number: int) -> NDArray[np.uint32]:
    """The number whose bytes in memory are those of a big-endian one in a stream, as an array without axes."""
    return np.frombuffer(number.to_bytes(_NAME_BYTES, "big"), np.uint32).reshape(())


def _name(settings: LinkSettings, channel: ChannelSettings) -> int:
    """The first four bytes of the channel's frames, without the bits that differ between them."""
    scid, vcid = channel.spacecraft_id, channel.virtual_channel
    match settings.frame_type:
        case "aos":
            return (1 << 14 | (scid & 0xFF) << 6 | vcid) << 16
        case "tm":
            return (scid << 4 | vcid << 1) << 16
        case _:
            return 12 << 28 | scid << 12 | vcid << 5
