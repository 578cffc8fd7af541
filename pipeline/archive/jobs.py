"""What a file kind is: collections in, jobs out, each of which writes one file, or several that belong together.

A new kind of file is one module with a `Planner` and a line in `pipeline/archive/kinds.py`. Planning names the files
and writes nothing; a job that fails does not keep the others from their files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .collection import Collection, Origin
from .product_names import file_stem


@dataclass(frozen=True, slots=True)
class Job:
    """Files to write together, all or none.

    `stem`: the name that they share; `files`: (kind in the index, ending) of each. `write` is given their paths, in
    that order: it writes to whole_path or whole_file, and raises RunError where it cannot. `sources`: the collections
    that are in them, the first of which gives instrument, product and level. `utc_ns`: first and last time, `NO_TIME`
    where there is none. `ids`: of the products inside.
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
    """Tables in layouts of the mission's own archive, which its package plans."""
    for plan in origin.tables:
        yield from plan(collections, origin)


def each(kind: str, ending: str, write: Callable[[Path, Collection, Origin], None]) -> Planner:
    """A file kind with one file for each collection."""

    def plan(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
        for one in collections:
            yield Job(
                file_stem(one, origin),
                ((kind, ending),),
                partial(_write_one, write, one, origin),
                (one,),
                (one.start_ns, one.stop_ns),
                sum(one.n_rows),
                tuple(one.ids),
            )

    return plan


def _write_one(
    write: Callable[[Path, Collection, Origin], None], collection: Collection, origin: Origin, paths: Sequence[Path]
) -> None:
    [path] = paths
    write(path, collection, origin)
