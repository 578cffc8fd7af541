"""Deletes recorded passes beyond the limits: the oldest first, and only those that are closed.

The age of a pass is computed from the receive times in the recordings. The clock of this machine is used only if it is
near the newest of them and did not jump since the start: a clock that jumps by a year deletes nothing. Recordings with
at most GAP_S between them form one era; passes of earlier eras are deleted only when the present era has lasted
`keep_s`. A pass whose begin time is unknown is kept.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from .odd_datagrams import ODD_DATAGRAMS
from .pass_folder import PassFolder

GAP_S = 30 * 86_400.0
JUMP_S = 60.0
DELETED = ".deleted"
_log = structlog.get_logger("recording")


def uptime_s() -> float:
    """Seconds since boot, including sleep; not changed by setting the clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Retention:
    """Retention limits of one station (None: no limit), and the jumps of the clock seen so far."""

    def __init__(
        self, keep_bytes: int | None, keep_s: float | None, uptime: Callable[[], float] = uptime_s
    ) -> None:
        self._keep_bytes = keep_bytes
        self._keep_s = keep_s
        self._uptime = uptime
        self._logged: set[str] = set()
        self._began: dict[str, tuple[int, int]] = {}
        self._clock: tuple[int, float] | None = None
        self._jumped_at: float | None = None

    def delete_expired(self, passes: Sequence[PassFolder], now_ns: int) -> list[tuple[str, int]]:
        """Delete closed passes beyond the limits, the oldest first. Returns their names and sizes in bytes."""
        if self._keep_bytes is None and self._keep_s is None:
            return []
        began = {folder.name: self._begin_of(folder) for folder in passes}
        dated = sorted(
            (folder for folder in passes if began[folder.name][0]),
            key=lambda folder: (began[folder.name], folder.name),
        )
        expiry_ns = self._expiry_ns([began[folder.name][0] for folder in dated], now_ns)
        sizes = {folder.name: _size(folder) for folder in passes}
        total = sum(sizes.values())
        deleted: list[tuple[str, int]] = []
        for folder in dated:
            is_too_large = self._keep_bytes is not None and total > self._keep_bytes
            if not (is_too_large or began[folder.name][0] < expiry_ns) or not folder.committed.closed:
                continue
            delete(folder.path)
            total -= sizes[folder.name]
            deleted.append((folder.name, sizes[folder.name]))
        return deleted

    def _begin_of(self, folder: PassFolder) -> tuple[int, int]:
        """Receive time of the first byte, and begin time, in ns since 1970 UTC; read from disk once."""
        if not self._began.get(folder.name, (0, 0))[0]:
            self._began[folder.name] = max(folder.first_ns(), 0), folder.begun.begun_ns
            if not self._began[folder.name][0]:
                self._log_once(f"{folder.path}: it is not known when it began")
        return self._began[folder.name]

    def _expiry_ns(self, began: Sequence[int], now_ns: int) -> int:
        """Time before which passes are too old, in ns since 1970 UTC; 0: none is."""
        if self._keep_s is None or not began or not self._is_steady(now_ns):
            return 0
        newest = began[-1]
        if 0 <= now_ns - newest <= GAP_S * 1e9:
            newest = now_ns
        else:
            self._log_once("the clock is far from the newest recording: their age is not reckoned by it")
        era = newest
        for when_ns in reversed(began):
            if era - when_ns > GAP_S * 1e9:
                self._log_once("there is a long time without recordings: those before it are kept for now")
                break
            era = when_ns
        keep_ns = int(self._keep_s * 1e9)
        return newest - keep_ns if newest - era >= keep_ns else 0

    def _is_steady(self, now_ns: int) -> bool:
        """Whether the clock did not jump since the start, or more than `keep_s` ago."""
        uptime, before = self._uptime(), self._clock
        self._clock = now_ns, uptime
        if before and abs((now_ns - before[0]) / 1e9 - (uptime - before[1])) > JUMP_S:
            self._jumped_at = uptime
            self._log_once(f"the clock jumped by {(now_ns - before[0]) / 1e9 - (uptime - before[1]):.0f} s")
        return self._jumped_at is None or uptime - self._jumped_at > (self._keep_s or 0.0)

    def _log_once(self, reason: str) -> None:
        if reason not in self._logged:
            self._logged.add(reason)
            _log.warning("passes are not deleted for their age", reason=reason)


def delete(folder: Path) -> None:
    """Delete a pass: rename its folder, then delete its files. Raises OSError if it cannot be renamed.

    Without the rename, an interrupted deletion would leave a pass that looks damaged.
    """
    deleted = folder.with_name(f".{folder.name}{DELETED}")
    folder.rename(deleted)
    shutil.rmtree(deleted, ignore_errors=True)


def finish_deletions(station: Path) -> None:
    """Finish deletions that were interrupted."""
    for deleted in station.glob(f".*{DELETED}"):
        shutil.rmtree(deleted, ignore_errors=True)


def _size(folder: PassFolder) -> int:
    return sum(file.stat().st_size for pattern in ("*.raw*", ODD_DATAGRAMS) for file in folder.path.glob(pattern))
