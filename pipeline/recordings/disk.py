"""Writes of the recorder: files that grow at their end, and fsync, which makes them survive a loss of power.

All in one place, so that a test can put a disk there that loses what was not synced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

LATER = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Error numbers of limits: no more open files for now. Nothing is wrong with the file."""
OF_THE_DISK = (*LATER, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE)
"""Error numbers of the machine or the disk: the bytes that were worked on are not the cause."""
_MAX_PARTS = 512
"""Of one call to the system, which takes 1024 at most (IOV_MAX)."""


class DiskFile:
    """An open file that is appended to. `size`: of all whole appends, in bytes."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.size = os.fstat(self._number).st_size
        self._torn = False
        """Whether bytes of a failed append may stand behind `size`."""

    def append(self, parts: Sequence[bytes | memoryview]) -> None:
        """Write all parts. OSError where the disk does not take them; a part that was written is truncated."""
        n_bytes = sum(map(len, parts))
        if self._torn:
            self.truncate(self.size)
        try:
            for first in range(0, len(parts), _MAX_PARTS):
                self._write(parts[first : first + _MAX_PARTS])
        except OSError:
            self._torn = True
            with suppress(OSError):  # else it is done before the next bytes are written
                self.truncate(self.size)
            raise
        self.size += n_bytes

    def truncate(self, size: int) -> None:
        os.ftruncate(self._number, size)
        self.size, self._torn = size, False

    def sync(self) -> None:
        """Return when what was appended survives a loss of power."""
        os.fsync(self._number)

    def sync_copy(self) -> Callable[[], None]:
        """The same as a function for another thread; the file may be closed meanwhile."""
        number = os.dup(self._number)

        def sync() -> None:
            try:
                os.fsync(number)
            finally:
                os.close(number)

        return sync

    def close(self) -> None:
        os.close(self._number)

    def _write(self, parts: Sequence[bytes | memoryview]) -> None:
        n_written = os.writev(self._number, parts)
        if n_written == sum(map(len, parts)):
            return
        rest = memoryview(b"".join(parts))[n_written:]
        while rest:
            n_written = os.write(self._number, rest)
            if not n_written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[n_written:]


class Disk:
    """The file system, as far as a recorder writes to it."""

    def open(self, path: Path) -> DiskFile:
        return DiskFile(path)

    def write(self, path: Path, octets: bytes) -> None:
        """Write a small file, which may be lost with the power. OSError where the disk does not take it whole."""
        try:
            path.write_bytes(octets)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder survive a loss of power."""
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)
