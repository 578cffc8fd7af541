"""Products as files that scientists open: one file for each kind of product of a pass, and an index beside them.

In: products, in order, spilled to a nameless file as they come. Out, when all are there: the files that the table of
`kinds.py` names. A file that cannot be written does not keep the others from it.
"""

from __future__ import annotations

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
from .collection import Collection, Origin, kind
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
    """Open a folder of product files, written when the block ends well.

    `file_format`: "archive" as in the table of `kinds.py`, or one kind: every product as that alone. Raises RunError
    with a line for each file that could not be written, after all others are there and in the index; ConfigError at
    once where a library is missing, the folder is none or the mission declares no PDS4 archive, and before anything is
    written where a file would replace one of `inputs` or, without `overwrite`, one that the index does not have of the
    same pass; StoppedError where Ctrl-C comes, with the number of files that are finished.
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
    """Products by kind, as they come; `entries`: the files written."""

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
        self.entries: list[Entry] = []

    @property
    def n_finished(self) -> int:
        """Files of this run that are there: they have taken the place of what stood there before."""
        return sum(_inode(path) not in {0, before} for path, before in self._begun)

    def add(self, products: Iterable[Product], pass_name: str = "") -> None:
        """Append products of the pass of this name."""
        for product in products:
            key = kind(product)
            if key not in self._collections:
                self._collections[key] = Collection(product, self._spill)
            self._collections[key].add(product, pass_name)

    def received(self, frames: Mapping[str, Any]) -> None:
        """What the link counted, for the lineage of files; told before they are written."""
        self._origin = replace(self._origin, frames=frames)

    def write(self) -> None:
        """Write all files, then the index."""
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
        """Write the index of the files that are there; what went wrong, in a line."""
        return _problem(lambda: write_index(self._folder, self.entries)) if self.entries else []

    def _plan(self, name: str, collections: Sequence[Collection], jobs: list[Job]) -> list[str]:
        """Add the jobs of one kind of file; what went wrong, a line for each."""
        if name == "pds4" and self._origin.rules.pds4 is None:  # kinds of another mission's package may name it
            return []
        wanted = [
            one
            for one in collections
            if name in kinds_of(self._origin.declared(one.instrument, one.product), self._format)
        ]
        return [problem for plan in KINDS[name].plans for problem in self._plan_by(plan, wanted, jobs)]

    def _plan_by(self, plan: Planner, wanted: Sequence[Collection], jobs: list[Job]) -> list[str]:
        """The jobs of one planner; where it fails, those of each collection alone: one costs only its own files."""
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
        """Where the files of a job go."""
        stem = self._free(job)
        return [self._folder / f"{stem}{ending}" for _, ending in job.files]

    def _write(self, job: Job, paths: list[Path]) -> list[str]:
        """Write the files of a job; what went wrong, a line for each."""
        self._begun += [(path, _inode(path)) for path in paths]
        found = _problem(partial(job.write, paths), str(paths[0]))
        if not found:
            self.entries += [self._entry(path, name, job) for path, (name, _) in zip(paths, job.files, strict=True)]
        return found

    def _free(self, job: Job) -> str:
        """A name that no file of this run has: products of one name may have arrays of different forms."""
        key = job.stem + job.files[0][1]
        self._names[key] += 1
        n_same = self._names[key]
        return job.stem if n_same == 1 else f"{job.stem}.{n_same}"

    def _entry(self, path: Path, name: str, job: Job) -> Entry:
        start, stop = ("" if ns == NO_TIME else iso(ns) for ns in job.utc_ns)
        first = job.sources[0]
        return Entry(
            path,
            name,
            self._origin.mission,
            self._origin.stream,
            self._origin.recordings,
            first.instrument,
            first.product,
            first.level,
            start,
            stop,
            int(first.start_local["sol"]) if "sol" in first.start_local else None,
            job.n_rows,
            job.ids,
            str(first.common.get("clock_correlation", "")),
            self._origin.content,
        )


def _extend(jobs: list[Job], plan: Planner, collection: Collection, origin: Origin) -> None:
    jobs.extend(plan([collection], origin))


def _inode(path: Path) -> int:
    """The number of a file; 0 where there is none."""
    return path.stat().st_ino if path.exists() else 0


def _problem(act: Callable[[], object], what: str = "files") -> list[str]:
    """What went wrong, in a line; nothing where all is well."""
    try:
        act()
    except RunError as error:
        return [str(error)]
    except Exception as error:  # noqa: BLE001 -- a library that breaks on one file must not cost the others theirs
        return [f"cannot write {what}: {error!r}"]
    return []
