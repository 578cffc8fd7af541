"""Atomic writes of files and folders, locks of folders, and nameless files."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..model.errors import DownlinkError, RunError, StoppedError

PACKED = frozenset({".bz2", ".gz", ".zst"})
"""Suffixes of compressed recordings."""
_PROBE_BYTES = 1 << 20
_PART = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.part(?P<suffix>\.(?!old$)[^.]+)?(?P<old>\.old)?")


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file to write, which gets the name `path` when the block ends without an exception.

    Until then it has a temporary name in the same folder, which is created if it is missing, and an existing file
    stays. If the block raises, the temporary file is removed. OSError becomes a RunError of one line. Devices and pipes
    are written to, not replaced. `mode`: of the file from its creation on, less the umask.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _errors(path), path.open("wb") as special:
            yield special
        return
    if not path.name:
        raise RunError(f"cannot write {path}: it is a folder")
    with _errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_stale(path.parent)
        part, file = _new_part(path, mode)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink()


@contextmanager
def _errors(path: Path, part: Path | None = None) -> Iterator[None]:
    """Convert OSError, and with `part` also RuntimeError (netCDF4 and cdflib), to a RunError of one line.

    `part`: a temporary file or folder that a library writes; its file system is asked for the reason.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)) if part is None else _reason(error, part)
        raise RunError(f"cannot write {path}: {reason}") from error
    except RuntimeError as error:
        if part is None:
            raise
        raise RunError(f"cannot write {path}: {_reason(error, part)}") from error


def _new_part(path: Path, mode: int) -> tuple[Path, IO[bytes]]:
    """A temporary file beside `path`, open and locked."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        file = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w+b")
        if _claim(part, file.fileno()):
            return part, file
        file.close()


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder, for libraries that write by name; else as `whole_file`."""
    if path.exists() and not path.is_file():
        raise RunError(f"cannot write {path}: it is no regular file")
    with _errors(path), part_folder(path) as folder:
        part = folder / path.name
        with _errors(path, part):
            yield part
            _sync(part)
        part.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As `whole_path`, for a folder that readers open as one file (Zarr). An existing one is replaced."""
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write {path}: a file of that name is there")
    with _errors(path), part_folder(path) as part:
        with _errors(path, part):
            yield part
            os.sync()  # fsync of hundreds of small files would take seconds
        _replace_folder(part, path)


def _replace_folder(part: Path, path: Path) -> None:
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
    """The reason of an error by the system; for an error of a library, the file system is tested."""
    if isinstance(error, OSError) and error.errno and error.errno > 0 and error.strerror:
        return error.strerror
    return _refusal(part) or str(error)


def _refusal(part: Path) -> str:
    """The error of a test write in the file system; empty if it succeeds."""
    try:
        folder = part if part.is_dir() else part.parent
        with part.open("ab", 0) if part.is_file() else tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            n_left = _PROBE_BYTES
            while n_left:
                n_left -= file.write(bytes(n_left)) or 0
    except OSError as error:
        return error.strerror or ""
    return ""


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def part_folder(path: Path) -> Iterator[Path]:
    """Make a folder with a temporary name beside `path`, locked while the block runs, and removed after it.

    Other writers remove such folders without a lock, which killed processes left (`clear_stale`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_stale(path.parent)
    part, number = _new_folder(path)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)
        os.close(number)


def _new_folder(path: Path) -> tuple[Path, int]:
    """A temporary folder beside `path`, and the descriptor of its lock."""
    while True:
        part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
        part.mkdir()
        with suppress(FileNotFoundError):
            number = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if _claim(part, number):
                return part, number
            os.close(number)


def _claim(part: Path, number: int) -> bool:
    """Lock a new temporary file or folder; False if another process removed it meanwhile."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(number), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # a file system without locks: nothing is removed there
        return True


def clear_stale(folder: Path) -> None:
    """Remove temporary files and folders of killed processes; those of running ones are locked.

    A replaced folder (`.old`) without a successor gets its name back.
    """
    for part in sorted(folder.glob(".*.part*")):
        known = _PART.fullmatch(part.name)
        if not known:
            continue
        with suppress(OSError):
            if known["old"]:
                _put_back(part, folder / f"{known['stem']}{known['suffix'] or ''}")
            else:
                _remove_unlocked(part)


def _put_back(old: Path, path: Path) -> None:
    part = old.with_name(old.name.removesuffix(".old"))
    if part.exists():  # in use: unlocked ones were removed before, in name order
        return
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.rename(path)


def _remove_unlocked(part: Path) -> None:
    number = os.open(part, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink()
    finally:
        os.close(number)


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for this process while the block runs. RunError if another process has the lock."""
    in_use = RunError(f"{folder} is in use by another process: each service needs a folder of its own")
    with folder_lock(folder, in_use, ".lock", os.O_RDWR | os.O_CREAT):
        yield


@contextmanager
def folder_lock(folder: Path, in_use: DownlinkError, name: str, flags: int) -> Iterator[None]:
    """Create a folder, and lock its file `name` (empty: itself) while the block runs.

    `flags`: to open it. Raises `in_use` if another process has the lock, RunError if it cannot be opened.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / name, flags | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use from None
        yield
    finally:
        os.close(number)


def scratch_file(folder: Path) -> IO[bytes]:
    """Open a nameless file in `folder`, which is removed when it is closed. RunError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror}") from error


def interrupted(n_finished: int, folder: Path) -> StoppedError:
    """The error of a Ctrl-C between the files of a folder."""
    finished = f"{n_finished} file{'s' * (n_finished != 1)} finished" if n_finished else "nothing is finished"
    return StoppedError(f"interrupted; {finished} in {folder}, and nothing half-written is left")


def receive_times_path(recording: Path) -> Path:
    """Path of the receive times of a recording: NAME.times; for a compressed NAME.gz also that of NAME."""
    own = recording.with_name(f"{recording.name}.times")
    if recording.suffix.lower() not in PACKED or own.exists():
        return own
    unpacked = recording.with_name(f"{recording.stem}.times")
    return unpacked if unpacked.exists() else own


def printable_name(path: Path) -> str:
    r"""The name of a file as valid UTF-8 text: other bytes as `\udcNN`."""
    return path.name.encode("utf-8", "backslashreplace").decode("utf-8")
