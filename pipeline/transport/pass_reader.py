"""A recorded pass read in order from its beginning while it is still being written."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Self

import numpy as np

from pipeline.batches import ByteBatch
from pipeline.transport.recording import Newest, PassFolder, file_at
from pipeline.transport.source import DATAGRAMS, TIME_RECORD, times_path

_MARKS_BYTES = 1 << 14


class PassReader:
    """`position` is the place in the pass of the next byte. Holds two open files and the marks still to come.

    `newest` tells what was recorded last, which need not be read from the disk again.
    """

    def __init__(self, folder: PassFolder, newest: Callable[[], Newest | None] = lambda: None) -> None:
        self._folder = folder
        self._newest = newest
        self._unordered = (folder.path / DATAGRAMS).exists()
        self._raw = self._times = -1
        self._begin = 0
        self._n_marks = 0
        self._marks = np.empty(0, TIME_RECORD)
        self.position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def read(self, n_bytes: int) -> ByteBatch | None:
        """At most `n_bytes` from `position` on, with the marks that begin there; None while there is no more.

        Ends where a piece ends that was received as one, if that is not much less.
        """
        newest = self._newest()
        if newest and newest.place == self.position and len(newest.piece) < n_bytes and self._is_next(newest):
            self.position += len(newest.piece)
            self._n_marks += 1
            return replace(ByteBatch.of(newest.piece, newest.mark_ns), unordered=self._unordered)
        while True:
            if self._raw < 0 and not self._open():
                return None
            data = os.pread(self._raw, n_bytes, self.position - self._begin)
            if data:
                return self._batch(data, more=len(data) == n_bytes)
            if self.position == self._begin or not file_at(self._folder.path, self.position).exists():
                return None
            self.close()

    def close(self) -> None:
        for number in (self._raw, self._times):
            if number >= 0:
                os.close(number)
        self._raw = self._times = -1

    def _is_next(self, newest: Newest) -> bool:
        """Whether it stands in the file that is open, and all before it was read."""
        in_file = newest.folder is self._folder and newest.file_begin == self._begin and self._raw >= 0
        return in_file and not len(self._marks)

    def _open(self) -> bool:
        path = file_at(self._folder.path, self.position)
        try:
            self._raw = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self._times = os.open(times_path(path), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC)
        self._begin, self._n_marks, self._marks = self.position, 0, np.empty(0, TIME_RECORD)
        return True

    def _batch(self, data: bytes, *, more: bool) -> ByteBatch:
        start = self.position - self._begin
        self._read_marks(start + len(data))
        n_here = int(np.searchsorted(self._marks["offset"], start + len(data)))
        if more and n_here and (n_whole := int(self._marks["offset"][n_here - 1]) - start) > len(data) // 2:
            data, n_here = data[:n_whole], n_here - 1
        self.position += len(data)
        here, self._marks = self._marks[:n_here], self._marks[n_here:]
        offsets = here["offset"].astype(np.int64) - start
        times = here["received_ns"].astype(np.int64)
        return ByteBatch(np.frombuffer(data, np.uint8), offsets, times, unordered=self._unordered)

    def _read_marks(self, until: int) -> None:
        """Those written since, as far as bytes before `until` need them: a bounded number of them in memory."""
        while not len(self._marks) or self._marks["offset"][-1] < until:
            octets = os.pread(self._times, _MARKS_BYTES, self._n_marks * TIME_RECORD.itemsize)
            fresh = np.frombuffer(octets, TIME_RECORD, len(octets) // TIME_RECORD.itemsize)
            self._n_marks += len(fresh)
            self._marks = np.concatenate([self._marks, fresh]) if len(self._marks) else fresh
            if len(octets) < _MARKS_BYTES:
                return
