"""Files that libraries write by name: whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import RunError


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its ending, that becomes `path` when the block ends well.

    If the block raises, nothing is left behind. What the file system or a library cannot do is a RunError in one
    line; netCDF4 and cdflib say it with RuntimeError too.
    """
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    if path.exists() and not path.is_file():
        raise RunError(f"cannot write {path}: it is no regular file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise RunError(f"cannot write {path}: {reason or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole_path`, for a folder that is a file to those who open it. One that stood there before is replaced."""
    part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    old = part.with_name(f"{part.name}.old")
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write {path}: a file of that name is there")
    try:
        part.mkdir(parents=True)
        yield part
        os.sync()  # hundreds of small files, one by one, would take seconds
        if path.exists():
            path.replace(old)
        part.replace(path)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise RunError(f"cannot write {path}: {reason or error}") from error
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
