"""The share of the disk that each station may take, so that one station cannot fill it for all.

A part of the disk stays free (the reserve), and no station takes more than its share: a fixed number of bytes, or an
equal part of what recordings may take in all.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

CHECK_BYTES = 1 << 20
"""The free space of the disk is read again after a station wrote so many bytes."""
RESERVE_FRACTION, MAX_RESERVE_BYTES = 0.02, 1 << 30
"""Default reserve: this fraction of the disk, at most MAX_RESERVE_BYTES."""


def free_and_total(folder: Path) -> tuple[int, int]:
    """Return the free bytes (for this user) and the total bytes of the disk that holds `folder`."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


class DiskShare:
    """Quotas of all stations below `folder`.

    `share_bytes`: quota of each station; 0: equal shares. `reserve_bytes`: None: the default reserve. `disk` returns
    the free and total bytes.
    """

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
        self._allowance = dict.fromkeys(stations, 0)
        """Bytes that each station may write before the disk is checked again."""

    def check(self, station: str, n_bytes: int) -> None:
        """Raise OSError (ENOSPC) if a station may not write `n_bytes` more. 0 checks the disk in any case."""
        if self._allowance[station] < n_bytes or not n_bytes:
            self._check_disk(station, n_bytes)

    def add(self, station: str, n_bytes: int) -> None:
        """Count bytes that a station has written; negative: deleted."""
        self._allowance[station] -= n_bytes
        self._used[station] += n_bytes

    def _check_disk(self, station: str, n_bytes: int) -> None:
        free, total = self._disk(self._folder)
        default_reserve = min(int(total * RESERVE_FRACTION), MAX_RESERVE_BYTES)
        above_reserve = free - (default_reserve if self._reserve_bytes is None else self._reserve_bytes)
        equal = (above_reserve + sum(self._used.values())) // len(self._used)
        share = self._share_bytes or equal
        if above_reserve < n_bytes:
            raise OSError(errno.ENOSPC, "only the reserve of the disk is left")
        if self._used[station] + n_bytes > share:
            raise OSError(errno.ENOSPC, "the share of the disk that this station may take is used up")
        self._allowance[station] = min(CHECK_BYTES, above_reserve, share - self._used[station])


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
