"""Reads a recorded pass in order from its beginning, also while it is being written.

In: the files of a pass. Out: batches of bytes with receive times. A batch ends where bytes are missing or damaged; the
next one has the number of missing bytes before it (`ByteBatch.missing`) and the reason (`damage`). A pass whose last
file has no end record is damaged, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from ..model.batches import ByteBatch
from .pass_files import OpenFile, PlainFile, RecordFile, open_file
from .pass_folder import Newest, PassFolder, file_at
from .receive_times import Marks
from .records import END, GAP, NEXT, UNKNOWN, Block, Damage, Parsed, Record

_LEAST_BYTES, _MOST_BYTES = 1 << 16, 1 << 20
"""Bounds of one read from the disk, in bytes."""


_MOST_FAULTS = 10_000
_AT_ONCE = np.zeros(1, np.int64)
_NO_MARKS = np.empty(0, np.int64), np.empty(0, np.int64)


@dataclass(slots=True)
class _Piece:
    """Bytes of the pass from `place` on, queued for the next batch.

    `marks`: starts and receive times; `missing`, `damage`: the gap just before the bytes; all as in ByteBatch.
    """

    octets: memoryview
    place: int
    marks: Marks
    missing: int = 0
    damage: str = ""


class PassReader:
    """Reads one pass. `position`: offset in the pass of the next byte. One file is open; a few of its pieces are
    queued.

    `newest` returns the piece that was recorded last, so that it need not be read from the disk. `final`: no more bytes
    will be recorded, even if the pass has no end. `start`: offset at which reading begins; missing bytes are counted
    from there.
    """

    def __init__(
        self,
        folder: PassFolder,
        newest: Callable[[], Newest | None] = lambda: None,
        *,
        final: bool = False,
        start: int = 0,
    ) -> None:
        self._folder = folder
        self._newest = newest
        self._unordered = folder.has_datagrams
        self._final = final
        self._file: OpenFile | None = None
        self._path = Path()
        self._begin = 0
        """Offset in the pass at which the open file begins."""
        self._is_last_known = False
        """Whether the folder was searched for a file after the open one."""
        self._pieces: deque[_Piece] = deque()
        self._n_queued = 0
        self._n_read = start
        """Offset in the pass up to which the files were read."""
        self._missing = 0
        self._damage: list[str] = []
        self.faults: list[str] = []
        """One line for each damaged range: file, bytes, reason. Recorded gaps are not damage."""
        self._last_ns = 0
        self._closed = b""
        self._finished = False
        self.position = start
        self.n_missing = 0
        """Number of missing bytes so far, as far as it is known."""
        self.n_damaged = 0
        """Number of gaps so far that no gap record announces."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def read(self, n_bytes: int) -> ByteBatch | None:
        """Read at most `n_bytes` from `position` on; None while there are no more.

        The batch ends before a gap, and preferably where a received piece ends (if at least `n_bytes // 2` are read).
        """
        newest = self._newest()
        if newest and len(newest.piece) < n_bytes and self._is_newest_next(newest):
            return self._read_newest(newest)
        while self._n_queued < n_bytes and self._read_more(n_bytes):
            pass
        return self._batch(n_bytes) if self._pieces else None

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    # -- the newest piece ---------------------------------------------------------------------------------------

    def _is_newest_next(self, newest: Newest) -> bool:
        """Whether the newest piece is the next one to read: in the open file, with all before it read."""
        file = self._file
        in_file = newest.folder is self._folder and newest.file_begin == self._begin
        here = newest.place == self.position == self._n_read
        return in_file and here and isinstance(file, RecordFile) and file.is_at(newest.at) and not self._pieces

    def _read_newest(self, newest: Newest) -> ByteBatch:
        assert isinstance(self._file, RecordFile)
        self._file.skip_to(newest.stop)
        self.position = self._n_read = newest.place + len(newest.piece)
        self._last_ns = newest.mark_ns
        octets = np.frombuffer(newest.piece, np.uint8)
        return ByteBatch(octets, _AT_ONCE, np.array([newest.mark_ns], np.int64), unordered=self._unordered)

    # -- batches ---------------------------------------------------------------------------------------------------

    def _batch(self, n_bytes: int) -> ByteBatch:
        first = self._pieces[0]
        missing, damage = first.missing, first.damage
        parts: list[_Piece] = []
        n_here = 0
        while self._pieces and (not parts or n_here < n_bytes):
            if parts and (self._pieces[0].missing or self._pieces[0].damage):
                break
            part = self._next_part(n_bytes - n_here, n_least=n_bytes // 2 - n_here)
            if part is None:
                break
            parts.append(part)
            n_here += len(part.octets)
        self._n_queued -= n_here
        octets = parts[0].octets if len(parts) == 1 else b"".join([part.octets for part in parts])
        marks = self._marks(parts)
        return ByteBatch(
            np.frombuffer(octets, np.uint8), *marks, damage=damage, missing=missing, unordered=self._unordered
        )

    def _next_part(self, n_most: int, n_least: int) -> _Piece | None:
        """Take the first queued piece; of a longer one at most `n_most` bytes, up to a mark beyond `n_least` if any.

        None if the piece would have to be cut and the batch is long enough without it (`n_least < 0`).
        """
        piece = self._pieces[0]
        starts, times = piece.marks
        n_bytes, stop = len(piece.octets), len(starts)
        if n_bytes > n_most:
            stop = int(np.searchsorted(starts, n_most, side="right"))
            at = int(starts[stop - 1]) if stop else 0
            if at > max(n_least, 0):
                n_bytes, stop = at, stop - 1
            elif n_least < 0:
                return None
            else:
                n_bytes, stop = n_most, int(np.searchsorted(starts, n_most))
            rest = starts[stop:] - n_bytes, times[stop:]
            self._pieces[0] = _Piece(piece.octets[n_bytes:], piece.place + n_bytes, rest)
        else:
            self._pieces.popleft()
        self.position = piece.place + n_bytes
        return _Piece(piece.octets[:n_bytes], piece.place, (starts[:stop], times[:stop]))

    def _marks(self, parts: list[_Piece]) -> Marks:
        """Join the marks of all parts, leaving out those that repeat the receive time before."""
        sizes = np.cumsum([0, *(len(part.octets) for part in parts[:-1])])
        starts = np.concatenate([part.marks[0] + size for part, size in zip(parts, sizes, strict=True)])
        times = np.concatenate([part.marks[1] for part in parts])
        if not len(times):
            return starts, times
        is_new = np.diff(times, prepend=self._last_ns) != 0
        self._last_ns = int(times[-1])
        return starts[is_new], times[is_new]

    # -- files -----------------------------------------------------------------------------------------------------

    def _read_more(self, n_bytes: int) -> bool:
        """Queue more pieces; False if there are none for now."""
        if self._finished:
            return False
        if self._file is None:
            return self._open_after(None)
        parsed = self._file.read(min(max(n_bytes, _LEAST_BYTES), _MOST_BYTES))
        for record in parsed or ():
            self._accept(record)
        if parsed is None:
            return not self._pieces and self._end_of_file()  # a batch is of one file
        return True

    def _end_of_file(self) -> bool:
        """Open the next file, or finish the pass, when the open file has no more bytes for now."""
        complete = self._final or self._folder.ended
        if complete or not self._is_last_known or self._closed or self._has_successor():
            self._is_last_known = True
            if self._open_after(self._path):
                return True
        return complete and self._finish()

    def _has_successor(self) -> bool:
        return self._n_read > self._begin and file_at(self._folder.path, self._n_read).exists()

    def _open_after(self, path: Path | None) -> bool:
        """Open the file that follows `path` (None: the first one); False if there is none."""
        later = [entry for entry in self._folder.files() if path is None or entry[1].name > path.name]
        if not later:
            return path is None and (self._final or self._folder.ended) and self._finish()
        opened = open_file(*later[0])  # before any state changes: the caller retries after an OSError
        for parsed in iter(lambda: self._file.read(_MOST_BYTES) if self._file else None, None):
            for record in parsed:  # written before the next file was begun
                self._accept(record)
        for record in self._file.flush() if self._file else ():
            self._accept(record)
        self.close()
        self._begin, self._path = later[0]
        if self._begin > self._n_read:
            self._skip_to(self._begin)
        self._file, self._is_last_known, self._closed = opened, False, b""
        return True

    def _finish(self) -> bool:
        """Close the pass at its end. Returns whether a last piece (a gap or damage) was queued."""
        self._finished = True
        for record in self._file.flush() if self._file else ():
            self._accept(record)
        if self._folder.ended and not isinstance(self._file, PlainFile) and self._closed != END:
            n_bytes = self._folder.n_bytes_at_end
            if n_bytes != self._n_read:
                self._skip_to(n_bytes)
        elif self._closed == NEXT and self._folder.has_all_files:  # the announced next file does not exist
            self._skip_to(UNKNOWN)
        self.close()
        if self._missing or self._damage:
            self._queue(memoryview(b""), _NO_MARKS)
            return True
        return False

    def _accept(self, parsed: Parsed) -> None:
        if isinstance(parsed, Damage):
            self._add_damage(f"{self._path.name}: bytes {parsed.at} to {parsed.stop}: {parsed.why}")
            return
        self._skip_to(parsed.offset)
        if isinstance(parsed, Block):
            self._accept_bytes(parsed.offset, parsed.octets, (parsed.mark_start, parsed.mark_ns))
        elif parsed.kind == GAP:
            self._accept_gap(parsed)
        elif parsed.kind in {NEXT, END}:
            self._closed = parsed.kind
            return
        else:
            self._accept_bytes(parsed.offset, parsed.payload, (_AT_ONCE, np.array([parsed.received_ns], np.int64)))
        self._closed = b""

    def _accept_gap(self, gap: Record) -> None:
        self._damage.append(f"{self._folder.name}/{self._path.name}: at byte {gap.at}: {gap.why}")
        self._n_read += max(gap.n_missing, 0)
        self.n_missing += max(gap.n_missing, 0)
        self._missing = UNKNOWN if gap.n_missing < 0 or self._missing < 0 else self._missing + gap.n_missing

    def _accept_bytes(self, offset: int, octets: memoryview, marks: Marks) -> None:
        n_repeated = min(self._n_read - offset, len(octets))
        if n_repeated:
            self._add_damage(f"{self._path.name}: {n_repeated} bytes from byte {offset} of the pass on come again")
            first = max(int(np.searchsorted(marks[0], n_repeated, side="right")) - 1, 0)
            octets, marks = octets[n_repeated:], (np.maximum(marks[0][first:] - n_repeated, 0), marks[1][first:])
        self._queue(octets, marks)

    def _skip_to(self, place: int) -> None:
        """Count the bytes between those read and `place` as missing (UNKNOWN: an unknown number)."""
        if place > self._n_read or place == UNKNOWN:
            self._add_damage(f"{self._path.name}: {_bytes_of_pass(self._n_read, place)} missing")
            known = place != UNKNOWN and self._missing >= 0
            self.n_missing += max(place - self._n_read, 0)
            self._missing = self._missing + place - self._n_read if known else UNKNOWN
            self._n_read = max(place, self._n_read)
            self.n_damaged += 1

    def _add_damage(self, text: str) -> None:
        self._damage.append(f"{self._folder.name}/{text}")
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(self._damage[-1])

    def _queue(self, octets: memoryview, marks: Marks) -> None:
        if octets or self._missing or self._damage:
            damage = "; ".join(self._damage)
            self._pieces.append(_Piece(octets, self._n_read, marks if octets else _NO_MARKS, self._missing, damage))
            self._n_queued += len(octets)
            self._n_read += len(octets)
            self._missing, self._damage = 0, []


def _bytes_of_pass(start: int, stop: int) -> str:
    """Name a missing range in words; `stop` is UNKNOWN if its end is not known."""
    if stop == UNKNOWN:
        return f"what follows byte {start} of the pass is"
    return f"bytes {start} to {stop} of the pass are"
