"""Verifies and repairs recordings: lists damaged byte ranges, and writes a recording of the undamaged ones.

In: folders. Out: a line for each damaged range, with file, bytes and reason. Repair rewrites the pass, with a gap
record where bytes are missing, and keeps the original in a hidden folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from ..model.batches import ByteBatch
from ..model.errors import ConfigError, RunError
from ..system.files import own_folder, part_folder
from .log import Policy, Recorder
from .log_reader import PassReader
from .pass_folder import PassFolder, is_pass_folder

_POLICY = Policy(file_bytes=1 << 30)


def pass_folders(folders: list[Path]) -> list[Path]:
    """Find the recorded passes in folders and their subfolders. Raises ConfigError if there is none."""
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder")
        below = sorted(path for path in folder.rglob("*") if path.is_dir() and not _is_hidden(path, folder))
        found += [path for path in [folder, *below] if _is_pass(path)]
    if not found:
        raise ConfigError(f"{', '.join(map(str, folders))}: there is no recorded pass")
    return found


def _is_pass(path: Path) -> bool:
    """Whether a folder is a recorded pass, even one whose files were lost."""
    return is_pass_folder(path) or any((path / name).is_file() for name in ("begun", "ended"))


def verify(path: Path) -> list[str]:
    """Return a line for each damaged range of a recorded pass. Raises OSError if it cannot be read."""
    with PassReader(PassFolder(path), final=True) as reader:
        while reader.read(1 << 20):
            pass
    return reader.faults


def repair(path: Path, out: Path | None = None) -> tuple[Path, Path] | None:
    """Rewrite a damaged pass without its damaged bytes. Returns the folders of the new pass and of the original.

    Returns None and changes nothing if nothing is damaged. Without `out` the new pass replaces the original, which is
    renamed to a hidden folder. Raises RunError if that fails, or if a running service holds the lock of the folder.
    """
    path = path.resolve()
    if not verify(path):
        return None
    with ExitStack() as stack:
        if (path.parent.parent / ".lock").exists():
            stack.enter_context(own_folder(path.parent.parent))
        try:
            part = stack.enter_context(part_folder((out or path.parent) / path.name))
            _copy(PassFolder(path), part)
            if out is not None:
                (part / path.name).rename(out / path.name)
                return out / path.name, path
            kept = _free_name(path)
            path.rename(kept)
            try:
                (part / path.name).rename(path)
            except OSError:
                kept.rename(path)
                raise
        except OSError as error:
            raise RunError(f"cannot repair {path}: {error.strerror or error}") from error
    return path, kept


def _copy(folder: PassFolder, part: Path) -> None:
    """Record the readable bytes of a pass again, in a folder of its name in `part`."""
    recorder = Recorder(part, _POLICY, keeps_times=True, datagrams=folder.has_datagrams)
    begun = folder.begun
    recorder.begin(begun.begun_ns or folder.first_ns(), folder.name)
    with PassReader(folder, final=True) as reader:
        last_ns = 0
        while (batch := reader.read(1 << 20)) is not None:
            if batch.missing or batch.damage:
                recorder.gap(batch.missing, batch.damage)
            pieces, times = _pieces(batch, last_ns)
            last_ns = times[-1] if times else last_ns
            if recorder.append(pieces, times) < len(pieces):
                raise RunError(f"cannot write in {part}: {recorder.reason}")
    if folder.ended:
        recorder.end()
    recorder.close()
    if (folder.path / "committed").is_file():
        shutil.copy(folder.path / "committed", part / folder.name / "committed")


def _pieces(batch: ByteBatch, last_ns: int) -> tuple[list[memoryview], list[int]]:
    """Split a batch by receive time. Bytes before the first mark have the receive time `last_ns`."""
    view = np.ascontiguousarray(batch.data).data
    starts, times = batch.mark_start.tolist(), batch.mark_ns.tolist()
    if not view:
        return [], []
    if not starts or starts[0]:
        starts, times = [0, *starts], [last_ns, *times]
    bounds = zip(starts, [*starts[1:], len(view)], strict=True)
    return [view[start:stop] for start, stop in bounds], times


def _free_name(path: Path) -> Path:
    kept, number = path.with_name(f".{path.name}.damaged"), 1
    while kept.exists():
        number += 1
        kept = path.with_name(f".{path.name}.damaged-{number}")
    return kept


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def damaged(folders: list[Path]) -> Iterator[tuple[Path, list[str]]]:
    """Yield each pass with the lines of its damaged ranges."""
    for path in pass_folders(folders):
        yield path, verify(path)
