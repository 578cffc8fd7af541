"""Reads one file of a recorded pass from its beginning: records, or plain bytes with receive times beside."""

from __future__ import annotations

import os
from pathlib import Path

from .disk import LATER
from .pass_folder import has_records
from .receive_times import marks_between, read_what_holds, times_path
from .records import Block, Damage, Found, RecordParser


class RecordFile:
    """A file of records; it may grow."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._parser = RecordParser()
        self._at = 0
        self._failed = False

    def read(self, n_bytes: int) -> list[Found] | None:
        """What the next `n_bytes` of the file bring; None at its end. What cannot be read is damage, to its end."""
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

    def flush(self) -> list[Found]:
        """The file ends here."""
        return self._parser.flush()

    def is_at(self, place: int) -> bool:
        """Whether the records before `place`, and nothing else, were read."""
        return self._at == place and self._parser.is_between_records

    def skip_to(self, place: int) -> None:
        """What is before `place` is known."""
        self._at = place
        self._parser.skip_to(place)

    def close(self) -> None:
        os.close(self._number)


class PlainFile:
    """A file of an earlier version: bytes `begin` and so on of the pass. It grows no more."""

    def __init__(self, begin: int, path: Path) -> None:
        self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._begin = begin
        self._at = 0
        size = os.fstat(self._number).st_size
        self._marks, self._n_torn = read_what_holds(times_path(path), size)

    def read(self, n_bytes: int) -> list[Found] | None:
        """As RecordFile: a block."""
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

    def flush(self) -> list[Found]:
        """No-op: no bytes are left between calls."""
        return []

    def close(self) -> None:
        os.close(self._number)


class UnreadableFile:
    """A file that cannot be opened: damage and nothing else."""

    def __init__(self, error: OSError) -> None:
        self._damage: list[Found] | None = [Damage(0, 0, f"it cannot be read: {error.strerror}")]

    def read(self, n_bytes: int) -> list[Found] | None:  # noqa: ARG002 - as the others
        damage, self._damage = self._damage, None
        return damage

    def flush(self) -> list[Found]:
        """No-op: no bytes are left between calls."""
        return []

    def close(self) -> None:
        """Nothing is open."""


OpenFile = RecordFile | PlainFile | UnreadableFile


def open_file(begin: int, path: Path) -> OpenFile:
    """The file that begins at byte `begin` of the pass. OSError where it can be opened later (LATER)."""
    try:
        return RecordFile(path) if has_records(path) else PlainFile(begin, path)
    except OSError as error:
        if error.errno in LATER:
            raise
        return UnreadableFile(error)
