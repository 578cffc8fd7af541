"""Remove old data from a history: rows by age and size, replaced rows, and summaries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .names import NO_DATE, RAW, REPLACED, ROWS, SUMMARIES, SUMMARY_PERIODS
from .storage import Commit, Storage

_LONGEST_DAYS = 500_000
"""More days than there are between now and the first time of 64 bits."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """Number and size of the files removed."""

    n_files: int = 0
    n_bytes: int = 0


def prune(
    storage: Storage,
    *,
    today: str,
    days: float | None = None,
    max_bytes: int | None = None,
    replaced: bool = False,
    summary_days: float | None = None,
    dry_run: bool = False,
) -> Pruned:
    """Remove rows of dates older than `days`, then the oldest dates until rows have at most `max_bytes`.

    Replaced rows are removed by `days`, too; `replaced`: all of them. `summary_days`: summaries older than that; None:
    none. Dates are removed whole; for size never `today` (YYYY-MM-DD) or later. `dry_run`: only count.
    """
    with storage.locked():
        storage.recover()
        rows, old = [*storage.files(ROWS), *storage.files(RAW)], storage.files(REPLACED)
        wanted = {path for path, _ in old} if replaced else set()
        if days is not None:
            wanted |= {path for path, _ in [*rows, *old] if _date(path) < _before(today, days)}
        if max_bytes is not None:
            wanted |= _beyond(rows, wanted, max_bytes, today)
        if summary_days is not None:
            wanted |= _old_summaries(storage, _before(today, summary_days))
        sizes = dict([*rows, *old, *(one for level in SUMMARIES for one in storage.files(level))])
        if wanted and not dry_run:
            storage.commit(Commit([], sorted(wanted)))
    return Pruned(len(wanted), sum(sizes[path] for path in wanted))


def _date(path: str) -> str:
    """The date of a file; rows without one count as the newest."""
    folder = path.split("/")[-2]
    date = folder.removeprefix("date=")
    return "9999-99-99" if date == NO_DATE else date


def _before(today: str, days: float) -> str:
    """The first date that is kept: rows of the last `days` days are, at any time of day."""
    if days > _LONGEST_DAYS:
        return ""
    return str(np.datetime64(today, "D") - np.timedelta64(math.ceil(days), "D"))


def _beyond(rows: list[tuple[str, int]], gone: set[str], max_bytes: int, today: str) -> set[str]:
    """The oldest files beyond a total size."""
    left = sorted(((_date(path), path, size) for path, size in rows if path not in gone), reverse=True)
    total, found, full = 0, set[str](), ""
    for date, path, size in left:
        total += size
        if (total > max_bytes or date == full) and date < today:
            found.add(path)
            full = date
    return found


def _old_summaries(storage: Storage, before: str) -> set[str]:
    return {
        path
        for level, (_, n) in SUMMARY_PERIODS.items()
        for path, _ in storage.files(level)
        if path.split("/")[-2].partition("=")[2] < before[:n]
    }
