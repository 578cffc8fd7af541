"""Reads one file of a recorded pass from its beginning: records, or plain bytes with a file of receive times."""

from __future__ import annotations

import os
from pathlib import Path

from .disk import LATER
from .pass_folder import has_records
from .receive_times import marks_between, read_valid_times, times_path
from .records import Block, Damage, Parsed, RecordParser


class RecordFile:
    """A file of records; it may grow."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._parser = RecordParser()
        self._at = 0
        self._failed = False

    def read(self, n_bytes: int) -> list[Parsed] | None:
        """Parse the next `n_bytes` of the file; None at its end. After a read error the rest of the file is damage."""
        if self._failed:
            return None
        try:
            octets = os.pread(self._number, n_bytes, self._at)
        except OSError as error:
            self._failed = True
            size = os.fstat(self._number).st_size
            return [Damage(self._at, size, f"it cannot be read: {error.strerror}")]
        self._at += len(octets)
        return self._parser.push(octets) if octets else None

    def flush(self) -> list[Parsed]:
        """End the file: an incomplete record at its end is damage."""
        return self._parser.flush()

    def is_at(self, place: int) -> bool:
        """Whether exactly the records before byte `place` of the file were read."""
        return self._at == place and self._parser.is_between_records

    def skip_to(self, place: int) -> None:
        """Continue at byte `place` of the file, which begins a record."""
        self._at = place
        self._parser.skip_to(place)

    def close(self) -> None:
        os.close(self._number)


class PlainFile:
    """A file of an earlier version: plain bytes of the pass from offset `begin` on. It no longer grows."""

    def __init__(self, begin: int, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._begin = begin
        self._at = 0
        size = os.fstat(self._number).st_size
        self._marks, self._n_torn = read_valid_times(times_path(path), size)

    def read(self, n_bytes: int) -> list[Parsed] | None:
        """Return the next `n_bytes` as one block; None at the end."""
        if self._n_torn:
            text = f"{self._n_torn} receive times do not fit and are not used"
            self._n_torn = 0
            return [Damage(self._at, self._at, text)]
        octets = os.pread(self._number, n_bytes, self._at)
        if not octets:
            return None
        marks = marks_between(self._marks, self._at, self._at + len(octets))
        first, self._at = self._begin + self._at, self._at + len(octets)
        return [Block(first, memoryview(octets), *marks, 0, self._at)]

    def flush(self) -> list[Parsed]:
        """No-op: no bytes are left between calls."""
        return []

    def close(self) -> None:
        os.close(self._number)


class UnreadableFile:
    """A file that cannot be opened: it consists of damage only."""

    def __init__(self, error: OSError) -> None:
        self._damage: list[Parsed] | None = [Damage(0, 0, f"it cannot be read: {error.strerror}")]

    def read(self, n_bytes: int) -> list[Parsed] | None:  # noqa: ARG002 - as the others
        damage, self._damage = self._damage, None
        return damage

    def flush(self) -> list[Parsed]:
        """No-op: no bytes are left between calls."""
        return []

    def close(self) -> None:
        """No-op: no file is open."""


OpenFile = RecordFile | PlainFile | UnreadableFile


def open_file(begin: int, path: Path) -> OpenFile:
    """Open the file that begins at byte `begin` of the pass. Raises OSError if a retry may succeed (LATER)."""
    try:
        return RecordFile(path) if has_records(path) else PlainFile(begin, path)
    except OSError as error:
        if error.errno in LATER:
            raise
        return UnreadableFile(error)
