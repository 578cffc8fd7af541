"""The share of the disk that each station may take, so that one station cannot fill it for all.

A part of the disk stays free (the reserve), and no station takes more than its share: a fixed number of bytes, or an
equal part of what recordings may take in all.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

LOOK_BYTES = 1 << 20
"""The disk is asked again after so much of a station was written."""
RESERVE_PART, RESERVE_MOST_BYTES = 0.02, 1 << 30
"""What stays free where no reserve is given."""


def free_and_total(folder: Path) -> tuple[int, int]:
    """Bytes of a disk that are free for us, and in all."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


class DiskShare:
    """The disk of all stations of a folder. `share_bytes` of each; 0: equal parts. `reserve_bytes`: None for a part."""

    def __init__(
        self,
        folder: Path,
        stations: list[str],
        *,
        share_bytes: int = 0,
        reserve_bytes: int | None = None,
        disk: Callable[[Path], tuple[int, int]] = free_and_total,
    ) -> None:
        self._folder = folder
        self._share_bytes = share_bytes
        self._reserve_bytes = reserve_bytes
        self._disk = disk
        self._used = {station: _bytes_in(folder / station) for station in stations}
        self._room = dict.fromkeys(stations, 0)
        """What each may take before the disk is asked again."""

    def check(self, station: str, n_bytes: int) -> None:
        """Raise OSError (ENOSPC) where a station may not write so many bytes more."""
        if self._room[station] < n_bytes or not n_bytes:
            self._look(station, n_bytes)

    def add(self, station: str, n_bytes: int) -> None:
        """Count bytes that a station has written; deleted bytes are negative."""
        self._room[station] -= n_bytes
        self._used[station] += n_bytes

    def _look(self, station: str, n_bytes: int) -> None:
        free, total = self._disk(self._folder)
        least = min(int(total * RESERVE_PART), RESERVE_MOST_BYTES)
        above_reserve = free - (least if self._reserve_bytes is None else self._reserve_bytes)
        equal = (above_reserve + sum(self._used.values())) // len(self._used)
        share = self._share_bytes or equal
        if above_reserve < n_bytes:
            raise OSError(errno.ENOSPC, "only the reserve of the disk is left")
        if self._used[station] + n_bytes > share:
            raise OSError(errno.ENOSPC, "the share of the disk that this station may take is used up")
        self._room[station] = min(LOOK_BYTES, above_reserve, share - self._used[station])


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
