"""Merge small files of rows, which a service that commits each second and short passes leave, into large ones.

Files of one kind, date and schema are merged when COMPACT_AT of them have about the same size, so that each row is
rewritten only a few times. One commit adds the new file and removes the old ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pyarrow import ArrowException

from .names import ROWS, Part, partition
from .rows import read_part_table
from .storage import Commit, Storage
from .tables import merged
from .writer import stage_table

COMPACT_AT = 8
"""Number of files of one size that are merged into one."""
MAX_ROWS = 8_000_000
"""Files with more rows are not merged with others."""


def compact(storage: Storage, folder: str, date: str, *, root: str = ROWS, every: bool = False) -> int:
    """Merge files of a kind and date, and return how many were merged. `every`: all files of one schema.

    Only the commit holds the lock; it is skipped if a writer replaced one of the files meanwhile.
    """
    by_schema: dict[str, list[Part]] = defaultdict(list)
    for part in storage.parts(partition(root, folder, date))[0]:
        if part.n_rows <= MAX_ROWS:
            by_schema[part.schema].append(part)
    return sum(_merge(storage, root, folder, _due(parts, every=every)) for parts in by_schema.values())


def _due(parts: Sequence[Part], *, every: bool) -> list[Part]:
    """Files to merge now: all up to the largest size of which there are COMPACT_AT files."""
    if every:
        return list(parts) if len(parts) > 1 else []
    sizes: dict[int, int] = defaultdict(int)
    for part in parts:
        sizes[_size(part)] += 1
    full = [size for size, n in sizes.items() if n >= COMPACT_AT]
    return [part for part in parts if full and _size(part) <= max(full)]


def _size(part: Part) -> int:
    """The number of rows as a power of COMPACT_AT, rounded down."""
    return (max(part.n_rows, 1).bit_length() - 1) // (COMPACT_AT.bit_length() - 1)


def _merge(storage: Storage, root: str, folder: str, parts: Sequence[Part]) -> int:
    tables, merged_parts = [], []
    for part in parts:
        try:
            tables.append(read_part_table(storage, part))
            merged_parts.append(part)
        except (ArrowException, OSError):  # a damaged file stays; queries report it
            continue
    if len(tables) < 2:
        return 0
    moves = stage_table(storage, root, folder, merged(tables))
    with storage.locked():
        if not all(storage.exists(part.path) for part in merged_parts):
            for hidden, _ in moves:
                storage.remove(hidden)
            return 0
        storage.commit(Commit(moves, [part.path for part in merged_parts]))
    return len(merged_parts)
