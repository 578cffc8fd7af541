"""`downlink reprocess`: make the product files of an archive of passes, each pass in a task.

recordings -> tasks -> local processes, or a Dask cluster -> a folder for each pass, and one index of all

A pass whose files were made from the same bytes, with the same software, dictionary, calibration and clock correlation,
is skipped, so a run that was stopped can be resumed. The folder of a pass is replaced atomically. Two concurrent runs
make the same files.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from ..archive.passes import find_passes, is_made, recording_sha256, write_made
from ..archive.product_index import NAME as INDEX
from ..archive.product_index import merge_index
from ..link.verdict import nothing_right
from ..mission.loading import Mission, load_mission
from ..model.errors import DownlinkError, RunError
from ..model.printable import printable
from ..system.files import clear_stale, whole_folder
from ..system.interrupt import ignore_ctrl_c
from ..system.outputs import check_folder
from ..system.software import optional_module, software
from .recordings import write_products
from .report import warnings

State = Literal["made", "left alone", "failed"]
CONNECT_S = 10
_ONE_AT_A_TIME = Lock()
"""For the threads of a Dask worker: HDF5, which NetCDF uses, is not thread-safe."""


@dataclass(frozen=True, slots=True)
class Task:
    """One pass: its recording, its name (the path below the archive), and the folder of its files."""

    recording: Path
    name: str
    out: Path
    mission: str
    made_with: str
    file_format: str
    stream: str | None
    again: bool
    history: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a task; `text`: the error, if it failed."""

    name: str
    state: State
    n_files: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The request. `scheduler`: a Dask address; None: `workers` local processes."""

    folder: Path
    mission: str
    out: Path
    file_format: str = "archive"
    pattern: str | None = None
    stream: str | None = None
    scheduler: str | None = None
    workers: int = 1
    again: bool = False
    history: str | None = None
    """History for the rows of the products."""


def tasks_of(wanted: Wanted) -> list[Task]:
    """A task for each pass. ConfigError if mission or folder cannot be used."""
    mission = load_mission(wanted.mission)
    mission.check_dictionary()
    made_with = fingerprint(mission, wanted.file_format, wanted.stream)
    out = wanted.out.resolve()
    passes = [path for path in find_passes(wanted.folder, wanted.pattern) if out not in path.resolve().parents]
    place = str(mission.folder.resolve()) + (f":{mission.profile}" if mission.profile else "")
    same = place, made_with, wanted.file_format, wanted.stream, wanted.again, wanted.history
    names = [_archive_name(path.relative_to(wanted.folder)) for path in passes]
    return [Task(path.resolve(), name, out / name, *same) for path, name in zip(passes, names, strict=True)]


def _archive_name(recording: Path) -> str:
    """The path of a recording in UTF-8 without control characters, as libraries of file formats need it."""
    name = recording.as_posix()
    return name if printable(name) == name else printable(name).replace("\\", "~")


def fingerprint(mission: Mission, file_format: str, stream: str | None) -> str:
    """SHA-256 of all inputs besides the recording: software, mission, dictionary, calibrations, correlation."""
    made_from = {
        "software": software(),
        "mission_sha256": hashlib.sha256((mission.folder / "mission.toml").read_bytes()).hexdigest(),
        "profile": mission.profile,
        "lineage": dict(mission.lineage),
        "clock_correlation": mission.clock.correlation_id,
        "format": file_format,
        "stream": stream,
    }
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def make(task: Task) -> Done:
    """Make the files of one pass, unless they are up to date; runs in a worker."""
    try:
        made_from = {"recording_sha256": recording_sha256(task.recording), "made_with": task.made_with}
        if not task.again and is_made(task.out, made_from):
            was_there = _keep_history(task) if task.history else True
            return Done(task.name, "left alone" if was_there else "made")
        mission = load_mission(task.mission)
        if fingerprint(mission, task.file_format, task.stream) != task.made_with:
            raise RunError("the worker has another mission or version than the client")
        with _ONE_AT_A_TIME, whole_folder(task.out) as part:
            report = write_products(
                [task.recording], mission, part, lambda _: None, file_format=task.file_format, stream=task.stream
            )
            if nothing_right(report):
                raise RunError("\n".join(warnings(report, mission.name)))
            write_made(part, made_from, [part / name for name in report["files"]])
        if task.history:
            _keep_history(task)
        return Done(task.name, "made", len(report["files"]))
    except (DownlinkError, OSError) as error:
        return Done(task.name, "failed", text=str(error))


def _keep_history(task: Task) -> bool:
    """Put the rows of a pass into the history; returns whether they were there."""
    from .history import import_passes  # noqa: PLC0415 - an optional extra

    assert task.history is not None
    mission = load_mission(task.mission)
    [made] = import_passes(
        [task.recording], mission, task.history, lambda _: None, stream=task.stream, again=task.again
    )
    return made.was_there


def reprocess(wanted: Wanted, tasks: list[Task], notify: Callable[[Done], None]) -> dict[State, int]:
    """Run the tasks, call `notify` with each result, and count the states.

    KeyboardInterrupt stops the workers; finished passes are kept. RunError if the scheduler does not answer.
    """
    counts: dict[State, int] = {"made": 0, "left alone": 0, "failed": 0}
    check_folder(wanted.out)
    wanted.out.mkdir(parents=True, exist_ok=True)
    for done in _made(wanted, tasks):
        indexed = _indexed(wanted.out, done)
        counts[indexed.state] += 1
        notify(indexed)
    return counts


def _made(wanted: Wanted, tasks: list[Task]) -> Iterator[Done]:
    """Yield the result of each task. If a process dies and breaks its pool, tasks of the pool are run one by one."""
    broken: list[Task] = []
    with _workers(wanted) as executor:
        futures: dict[Future[Done], Task] = {}
        for task in tasks:
            try:
                futures[executor.submit(make, task)] = task
            except BrokenProcessPool:
                broken.append(task)
        for future in as_completed(futures):
            if isinstance(future.exception(), BrokenProcessPool):
                broken.append(futures[future])
            else:
                yield _result(future, futures[future])
    for task in broken:
        with _processes(1, wanted.out) as executor:
            future = executor.submit(make, task)
            yield _result(next(as_completed([future])), task)


def _result(future: Future[Done], task: Task) -> Done:
    """The result of a worker, or its error."""
    error = future.exception()
    return future.result() if error is None else Done(task.name, "failed", text=f"the worker failed: {error}")


def _indexed(out: Path, done: Done) -> Done:
    """Add the files of a pass to the index of all."""
    try:
        if done.state != "failed" and (out / done.name / INDEX).is_file():
            merge_index(out, done.name)
    except RunError as error:
        return Done(done.name, "failed", done.n_files, str(error))
    return done


def _workers(wanted: Wanted) -> AbstractContextManager[Executor]:
    return _cluster(wanted.scheduler) if wanted.scheduler else _processes(wanted.workers, wanted.out)


@contextmanager
def _processes(n: int, out: Path) -> Iterator[Executor]:
    """A pool of local processes; on an exception they are ended, and their partial files removed."""
    executor = ProcessPoolExecutor(n, multiprocessing.get_context("spawn"), ignore_ctrl_c)
    try:
        yield executor
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        executor.shutdown(cancel_futures=True)  # waits: its thread would report closed pipes as errors
        for folder in {left.parent for left in out.rglob(".*.part*")}:
            clear_stale(folder)
        raise
    executor.shutdown()


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    distributed = optional_module("distributed", "--scheduler needs Dask", "reprocess")
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        executor = client.get_executor(pure=False)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
