"""Disk writes of the recorder: append-only files, and fsync, so that they survive a loss of power.

They are in one class, so that a test can replace it by a disk that loses what was not synced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

LATER = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""Error numbers of temporary limits, such as open files: a retry may succeed."""
OF_THE_DISK = (*LATER, errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE)
"""Error numbers caused by the machine or the disk, and not by the bytes that were processed."""
_MAX_PARTS = 512
"""Buffers in one call of writev, which takes 1024 at most (IOV_MAX)."""


class DiskFile:
    """An open append-only file. `size`: bytes of all successful appends."""

    def __init__(self, path: Path) -> None:
        self._number = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.size = os.fstat(self._number).st_size
        self._torn = False
        """Whether bytes of a failed append may follow behind `size`."""

    def append(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append all parts or none. Raises OSError if the disk does not take them."""
        n_bytes = sum(map(len, parts))
        if self._torn:
            self.truncate(self.size)
        try:
            for first in range(0, len(parts), _MAX_PARTS):
                self._write(parts[first : first + _MAX_PARTS])
        except OSError:
            self._torn = True
            with suppress(OSError):  # then the next append truncates
                self.truncate(self.size)
            raise
        self.size += n_bytes

    def truncate(self, size: int) -> None:
        os.ftruncate(self._number, size)
        self.size, self._torn = size, False

    def sync(self) -> None:
        """Sync the file: appended bytes then survive a loss of power."""
        os.fsync(self._number)

    def sync_copy(self) -> Callable[[], None]:
        """Return `sync` as a function for another thread; the file may be closed meanwhile."""
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
    """The file system operations that a recorder uses to write."""

    def open(self, path: Path) -> DiskFile:
        return DiskFile(path)

    def write(self, path: Path, octets: bytes) -> None:
        """Write a small file without fsync. Raises OSError, and removes the file, if it was not written whole."""
        try:
            path.write_bytes(octets)
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise

    def sync_folder(self, path: Path) -> None:
        """Sync the names of files in a folder, so that they survive a loss of power."""
        number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)
