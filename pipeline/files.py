"""Files that are written whole or not at all, and files without a name."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pipeline.errors import RunError, StoppedError

PACKED = frozenset({".bz2", ".gz", ".zst"})
"""What the names of packed recordings end with."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, which takes the name `path` when the block ends well.

    Until then it has a temporary name in the same folder, made where it is missing, and a file that stood there
    before stays. If the block raises, nothing is left behind. A full disk and the like are a RunError in one line.
    A device or a pipe is not replaced: it is written to.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _special_file(path) as special:
            yield special
        return
    if not path.name:
        raise RunError(f"cannot write {path}: it is a folder")
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


@contextmanager
def _special_file(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have a folder for this process alone, for as long as it lives. RunError where another has it, or in no way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"{folder} is in use by another process: each service needs a folder of its own"
            ) from None
        yield
    finally:
        os.close(number)


def scratch_file(folder: Path) -> IO[bytes]:
    """Open a nameless file in `folder`, gone when it is closed. Raises RunError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror}") from error


def interrupted(n_finished: int, folder: Path) -> StoppedError:
    """What to say where Ctrl-C comes between the files of a folder."""
    told = f"{n_finished} file{'s' * (n_finished != 1)} finished" if n_finished else "nothing is finished"
    return StoppedError(f"interrupted; {told} in {folder}, and nothing half-written is left")


def receive_times_path(recording: Path) -> Path:
    """Where the receive times of a recording are looked for: NAME.times, for a packed NAME.gz beside NAME too."""
    own = recording.with_name(f"{recording.name}.times")
    if recording.suffix.lower() not in PACKED or own.exists():
        return own
    unpacked = recording.with_name(f"{recording.stem}.times")
    return unpacked if unpacked.exists() else own


def printable_name(path: Path) -> str:
    r"""Give the name of a file as text that every file and message takes: bytes that are no UTF-8 as `\udcNN`."""
    return path.name.encode("utf-8", "backslashreplace").decode("utf-8")
