"""Files that libraries write by name: whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..model.errors import RunError
from ..system.files import part_folder

_PROBE_BYTES = 1 << 20


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give a file of the same name in a temporary folder, that becomes `path` when the block ends well.

    If the block raises, nothing is left behind. What the file system or a library cannot do is a RunError in one
    line; netCDF4 and cdflib say it with RuntimeError too.
    """
    if path.exists() and not path.is_file():
        raise RunError(f"cannot write {path}: it is no regular file")
    try:
        with part_folder(path) as folder:
            part = folder / path.name
            try:
                yield part
                _to_disk(part)
            except (OSError, RuntimeError) as error:
                raise RunError(f"cannot write {path}: {_reason(error, part)}") from error
            part.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole_path`, for a folder that is a file to those who open it. One that stood there before is replaced."""
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write {path}: a file of that name is there")
    try:
        with part_folder(path) as part:
            try:
                yield part
                os.sync()  # hundreds of small files, one by one, would take seconds
            except (OSError, RuntimeError) as error:
                raise RunError(f"cannot write {path}: {_reason(error, part)}") from error
            _replace(part, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


def _replace(part: Path, path: Path) -> None:
    old = part.with_name(f"{part.name}.old")
    if path.exists():
        path.replace(old)
    try:
        part.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def _reason(error: OSError | RuntimeError, part: Path) -> str:
    """What the system says; where a library says something of its own, the file system is asked whether it is full."""
    if isinstance(error, OSError) and error.errno and error.errno > 0 and error.strerror:
        return error.strerror
    return _refusal(part) or str(error)


def _refusal(part: Path) -> str:
    """Why the file system takes no more; empty where it does."""
    try:
        folder = part if part.is_dir() else part.parent
        with part.open("ab", 0) if part.is_file() else tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            n_left = _PROBE_BYTES
            while n_left:
                n_left -= file.write(bytes(n_left)) or 0
    except OSError as error:
        return error.strerror or ""
    return ""


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
