"""Product files for scientists: one file for each product kind and format of a pass, and an index.

In: products, in order; their arrays are spilled to a temporary file. Out, at the end: the files of the formats in
`kinds.py`. If one file cannot be written, the others still are.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..model.batches import NO_TIME, Product
from ..model.errors import RunError
from ..system.files import interrupted
from ..system.outputs import check_folder, check_replace
from .collection import Collection, Origin, collection_key
from .jobs import Job, Planner
from .kinds import KINDS, kinds_of
from .netcdf_attributes import iso
from .pds4_observation import pds4_rules
from .product_index import Entry, indexed_files, write_index
from .spill import Spill
from .track import track_of


@contextmanager
def product_files(
    folder: Path,
    origin: Origin,
    file_format: str = "archive",
    *,
    inputs: Sequence[Path] = (),
    overwrite: bool = True,
) -> Iterator[ProductFiles]:
    """Open a folder of product files; they are written at the end of the block, unless it raises.

    `file_format`: "archive": the formats that kinds declare; or one format for all products. Raises ConfigError at once
    if a library is missing, the folder is not a folder, or the mission has no PDS4 archive; before anything is written
    if a file would replace one of `inputs` or, without `overwrite`, one that is not of the same pass by the index.
    Raises RunError with a line for each file that could not be written, after all others are written and in the index;
    StoppedError after Ctrl-C, with the number of finished files.
    """
    for name, kind_ in KINDS.items():
        if file_format in {"archive", name}:
            kind_.needs()
    if file_format == "pds4":
        pds4_rules(origin)
    check_folder(folder, inputs)

    def check(paths: Sequence[Path]) -> None:
        own = indexed_files(folder, origin.mission, origin.stream, origin.recordings, origin.content)
        check_replace(paths, inputs, overwrite=overwrite, is_own=lambda path: path.name in own)

    try:
        with ExitStack() as stack:
            files = ProductFiles(folder, origin, file_format, Spill(folder, stack), check)
            try:
                yield files
                files.write()
            except KeyboardInterrupt:
                files.index()
                raise interrupted(files.n_finished, folder) from None
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror or error}") from error


class ProductFiles:
    """Collects products by kind, and writes their files. `entries`: index entries of the files written."""

    def __init__(
        self,
        folder: Path,
        origin: Origin,
        file_format: str,
        spill: Spill,
        check: Callable[[Sequence[Path]], None] = lambda _: None,
    ) -> None:
        self._folder = folder
        self._origin = origin
        self._format = file_format
        self._spill = spill
        self._check = check
        self._collections: dict[tuple[Any, ...], Collection] = {}
        self._names: Counter[str] = Counter()
        self._begun: list[tuple[Path, int]] = []
        self.entries: dict[Path, Entry] = {}

    @property
    def n_finished(self) -> int:
        """Number of files that this run has written or replaced."""
        return sum(_inode(path) not in {0, before} for path, before in self._begun)

    def add(self, products: Iterable[Product], pass_name: str = "") -> None:
        """Append products of the pass of this name."""
        for product in products:
            key = collection_key(product)
            if key not in self._collections:
                self._collections[key] = Collection(product, self._spill)
            self._collections[key].add(product, pass_name)

    def received(self, frames: Mapping[str, Any]) -> None:
        """Set the frame counts of the pass report, for the lineage of files. Must be called before `write`."""
        self._origin = replace(self._origin, frames=frames)

    def write(self) -> None:
        """Write all files, then the index. Raises RunError as `product_files`."""
        jobs: list[Job] = []
        collections = list(self._collections.values())
        if self._format in {"archive", "pds4"}:
            self._origin = replace(self._origin, track=track_of(collections))
        problems = [problem for name in KINDS for problem in self._plan(name, collections, jobs)]
        places = [self._places(job) for job in jobs]
        self._check([path for paths in places for path in paths])
        problems += [
            problem for job, paths in zip(jobs, places, strict=True) for problem in self._write(job, paths)
        ]
        problems += self.index()
        if problems:
            raise RunError("\n".join(problems))

    def index(self) -> list[str]:
        """Write the index of the files written. Returns problems, one line each."""
        return _problem(lambda: write_index(self._folder, self.entries)) if self.entries else []

    def _plan(self, name: str, collections: Sequence[Collection], jobs: list[Job]) -> list[str]:
        """Add the jobs of one format. Returns problems, one line each."""
        if (
            name == "pds4" and self._origin.rules.pds4 is None
        ):  # product kinds of another mission's package may have it
            return []
        wanted = [
            one
            for one in collections
            if name in kinds_of(self._origin.declared(one.instrument, one.product), self._format)
        ]
        return [problem for plan in KINDS[name].plans for problem in self._plan_by(plan, wanted, jobs)]

    def _plan_by(self, plan: Planner, wanted: Sequence[Collection], jobs: list[Job]) -> list[str]:
        """Add the jobs of one planner; if it fails, plan each collection separately, so that others get their files."""
        planned: list[Job] = []
        if not _problem(lambda: planned.extend(plan(wanted, self._origin))):
            jobs.extend(planned)
            return []
        problems: list[str] = []
        for one in wanted:
            own_jobs: list[Job] = []
            found = _problem(partial(_extend, own_jobs, plan, one, self._origin), f"{one.instrument}/{one.product}")
            jobs.extend(own_jobs if not found else [])
            problems += found
        return problems

    def _places(self, job: Job) -> list[Path]:
        """Paths of the files of a job."""
        stem = self._free(job)
        return [self._folder / f"{stem}{ending}" for _, ending in job.files]

    def _write(self, job: Job, paths: list[Path]) -> list[str]:
        """Write the files of a job. Returns problems, one line each."""
        self._begun += [(path, _inode(path)) for path in paths]
        found = _problem(partial(job.write, paths), str(paths[0]))
        if not found:
            self.entries |= {path: self._entry(name, job) for path, (name, _) in zip(paths, job.files, strict=True)}
        return found

    def _free(self, job: Job) -> str:
        """A name that no other file of this run has: collections of one kind may differ in array shapes."""
        key = job.stem + job.files[0][1]
        self._names[key] += 1
        n_same = self._names[key]
        return job.stem if n_same == 1 else f"{job.stem}.{n_same}"

    def _entry(self, name: str, job: Job) -> Entry:
        start, stop = ("" if ns == NO_TIME else iso(ns) for ns in job.utc_ns)
        first = job.sources[0]
        return {
            "kind": name,
            "mission": self._origin.mission,
            "stream": self._origin.stream,
            "pass": ", ".join(self._origin.recordings),
            "instrument": first.instrument,
            "product": first.product,
            "level": first.level,
            "start_utc": start,
            "stop_utc": stop,
            "sol": int(first.start_local["sol"]) if "sol" in first.start_local else None,
            "rows": job.n_rows,
            "product_ids": json.dumps(job.ids),
            "clock_correlation": str(first.common.get("clock_correlation", "")),
            "content": self._origin.content or None,
        }


def _extend(jobs: list[Job], plan: Planner, collection: Collection, origin: Origin) -> None:
    jobs.extend(plan([collection], origin))


def _inode(path: Path) -> int:
    """Inode number of a file; 0 if there is none."""
    return path.stat().st_ino if path.exists() else 0


def _problem(act: Callable[[], object], what: str = "files") -> list[str]:
    """Call `act`. Returns the problem in one line, or an empty list."""
    try:
        act()
    except RunError as error:
        return [str(error)]
    except Exception as error:  # noqa: BLE001 -- a library that fails on one file must not prevent the others
        return [f"cannot write {what}: {error!r}"]
    return []
