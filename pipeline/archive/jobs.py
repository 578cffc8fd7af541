"""The interface of a file format: a planner makes jobs of collections, and each job writes one or more files.

A new format is one module with a `Planner` and a line in `pipeline/archive/kinds.py`. Planning writes nothing; if a job
fails, the others are still executed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .collection import Collection, Origin
from .product_names import file_stem


@dataclass(frozen=True, slots=True)
class Job:
    """Files that are written together, all or none.

    `stem`: file name without extension; `files`: (format in the index, extension) of each. `write`: called with their
    paths, in that order; must write with whole_path or whole_file, and raise RunError if it fails. `sources`: the
    collections in them; the first one gives instrument, product and level. `utc_ns`: first and last time (`NO_TIME`:
    none). `ids`: of the products in them.
    """

    stem: str
    files: tuple[tuple[str, str], ...]
    write: Callable[[Sequence[Path]], None]
    sources: tuple[Collection, ...]
    utc_ns: tuple[int, int]
    n_rows: int
    ids: tuple[str, ...]


Planner = Callable[[Sequence[Collection], Origin], Iterator[Job]]


def plan_tables(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan the tables with layouts of the mission, by the planners of its package."""
    for plan in origin.tables:
        yield from plan(collections, origin)


def per_collection(kind: str, ending: str, write: Callable[[Path, Collection, Origin], None]) -> Planner:
    """Make the planner of a format with one file for each collection."""

    def plan(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
        def job(one: Collection) -> Job:
            def write_to(paths: Sequence[Path]) -> None:
                write(paths[0], one, origin)

            ends = one.start_ns, one.stop_ns
            return Job(
                file_stem(one, origin), ((kind, ending),), write_to, (one,), ends, sum(one.n_rows), tuple(one.ids)
            )

        return map(job, collections)

    return plan
