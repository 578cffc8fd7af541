"""Deletes recorded passes beyond the limits: the oldest first, and only those that are closed.

The age of a pass comes from the receive times in the recordings. The clock of this machine counts only where it is
near the newest of them and did not jump since the start: a clock that jumps by a year deletes nothing. Recordings
with at most GAP_S between them are of one era; passes of earlier eras are deleted only when the present one has lasted
`keep_s`. A pass without a known beginning is kept.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from .odd_datagrams import ASIDE
from .pass_folder import PassFolder

GAP_S = 30 * 86_400.0
JUMP_S = 60.0
DELETED = ".deleted"
_log = structlog.get_logger("recording")


def uptime_s() -> float:
    """Seconds that no setting of the clock changes; they go on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Retention:
    """Limits of one station, with what was logged already and what the clock did."""

    def __init__(
        self, keep_bytes: int | None, keep_s: float | None, uptime: Callable[[], float] = uptime_s
    ) -> None:
        self._keep_bytes = keep_bytes
        self._keep_s = keep_s
        self._uptime = uptime
        self._told: set[str] = set()
        self._began: dict[str, tuple[int, int]] = {}
        self._clock: tuple[int, float] | None = None
        self._jumped_at: float | None = None

    def forget(self, passes: Sequence[PassFolder], now_ns: int) -> list[tuple[str, int]]:
        """Delete closed passes beyond the limits; gives their names and bytes."""
        if self._keep_bytes is None and self._keep_s is None:
            return []
        began = {one.name: self._begin_of(one) for one in passes}
        dated = sorted((one for one in passes if began[one.name][0]), key=lambda one: (began[one.name], one.name))
        old_before = self._old_before([began[one.name][0] for one in dated], now_ns)
        sizes = {one.name: _size(one) for one in passes}
        total = sum(sizes.values())
        gone: list[tuple[str, int]] = []
        for one in dated:
            too_much = self._keep_bytes is not None and total > self._keep_bytes
            if not (too_much or began[one.name][0] < old_before) or not one.committed.closed:
                continue
            delete(one.path)
            total -= sizes[one.name]
            gone.append((one.name, sizes[one.name]))
        return gone

    def _begin_of(self, one: PassFolder) -> tuple[int, int]:
        """When its first byte was received, and when it began; the disk is asked once."""
        if not self._began.get(one.name, (0, 0))[0]:
            self._began[one.name] = max(one.first_ns(), 0), one.begun.begun_ns
            if not self._began[one.name][0]:
                self._tell(f"{one.path}: it is not known when it began")
        return self._began[one.name]

    def _old_before(self, began: Sequence[int], now_ns: int) -> int:
        """What began before is too old; 0 where nothing is."""
        if self._keep_s is None or not began or not self._is_steady(now_ns):
            return 0
        newest = began[-1]
        if 0 <= now_ns - newest <= GAP_S * 1e9:
            newest = now_ns
        else:
            self._tell("the clock is far from the newest recording: their age is not reckoned by it")
        era = newest
        for when_ns in reversed(began):
            if era - when_ns > GAP_S * 1e9:
                self._tell("there is a long time without recordings: those before it are kept for now")
                break
            era = when_ns
        keep_ns = int(self._keep_s * 1e9)
        return newest - keep_ns if newest - era >= keep_ns else 0

    def _is_steady(self, now_ns: int) -> bool:
        """Whether the clock did not jump since the start, or long enough ago."""
        uptime, before = self._uptime(), self._clock
        self._clock = now_ns, uptime
        if before and abs((now_ns - before[0]) / 1e9 - (uptime - before[1])) > JUMP_S:
            self._jumped_at = uptime
            self._tell(f"the clock jumped by {(now_ns - before[0]) / 1e9 - (uptime - before[1]):.0f} s")
        return self._jumped_at is None or uptime - self._jumped_at > (self._keep_s or 0.0)

    def _tell(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            _log.warning("passes are not deleted for their age", reason=reason)


def delete(folder: Path) -> None:
    """Delete a pass: at once gone under its name, then its files. OSError where it keeps its name.

    A pass of which some files are deleted would be taken for a damaged one.
    """
    gone = folder.with_name(f".{folder.name}{DELETED}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def delete_rest(station: Path) -> None:
    """Delete the remains of passes whose deletion was interrupted."""
    for gone in station.glob(f".*{DELETED}"):
        shutil.rmtree(gone, ignore_errors=True)


def _size(one: PassFolder) -> int:
    return sum(file.stat().st_size for pattern in ("*.raw*", ASIDE) for file in one.path.glob(pattern))
