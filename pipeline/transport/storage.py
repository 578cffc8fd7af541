"""Files written whole or not at all: what stands under the name asked for is always a complete file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import RunError


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write, which takes the name `path` when the block ends well.

    Until then it has a temporary name in the same folder, and a file that stood there before stays. If the block
    raises, nothing is left behind. A full disk, a missing folder and the like are a RunError in one line.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        _remove(part)
        raise _cannot_write(path, error) from error
    except BaseException:
        _remove(part)
        raise


def make_folder(path: Path) -> Path:
    """The folder, made where it is missing; a RunError in one line where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error
    return path


def _cannot_write(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot write {path}: {error.strerror or error}")


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
