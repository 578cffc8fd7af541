"""Maintenance of a whole history: merge files, update summaries."""

from __future__ import annotations

from .compaction import compact
from .names import RAW, ROWS
from .storage import Storage
from .summary_files import update_summaries


def compact_all(storage: Storage) -> int:
    """Merge all files of each kind, date and schema, and update summaries; returns the number of files merged."""
    n = 0
    with storage.locked():
        storage.recover()
    for root in (ROWS, RAW):
        for name in storage.folders(root):
            folder = name.removeprefix("kind=")
            dates = [one.removeprefix("date=") for one in storage.folders(f"{root}/{name}")]
            n += sum(compact(storage, folder, date, root=root, every=True) for date in dates)
            if root == ROWS:
                update_summaries(storage, folder, dates)
    storage.clear()
    return n
