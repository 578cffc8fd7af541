"""Files and folders that are written whole or not at all, folders for one process alone, and files without a name."""

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

from ..model.errors import RunError, StoppedError

PACKED = frozenset({".bz2", ".gz", ".zst"})
"""What the names of packed recordings end with."""


_PROBE_BYTES = 1 << 20
_PART = re.compile(r"\.(?P<stem>.+)\.[0-9a-f]{8}\.part(?P<suffix>\.(?!old$)[^.]+)?(?P<old>\.old)?")


@contextmanager
def whole_file(path: Path, mode: int = 0o666) -> Iterator[IO[bytes]]:
    """Open a file to write, which takes the name `path` when the block ends well.

    Until then it has a temporary name in the same folder, made where it is missing, and a file that stood there
    before stays. If the block raises, nothing is left behind. A full disk and the like are a RunError in one line.
    A device or a pipe is not replaced: it is written to. `mode`: of the file from its first moment on, less the umask.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with _special_file(path) as special:
            yield special
        return
    if not path.name:
        raise RunError(f"cannot write {path}: it is a folder")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_stale(path.parent)
        part, file = _new_part(path, mode)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            part.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()


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
    """Give a file of the same name in a temporary folder, for libraries that write by name; as `whole_file` otherwise.

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
    """As `whole_path`, for a folder that readers open as one file (Zarr). An earlier one is replaced."""
    if path.exists() and not path.is_dir():
        raise RunError(f"cannot write {path}: a file of that name is there")
    try:
        with part_folder(path) as part:
            try:
                yield part
                os.sync()  # hundreds of small files, one by one, would take seconds
            except (OSError, RuntimeError) as error:
                raise RunError(f"cannot write {path}: {_reason(error, part)}") from error
            _replace_folder(part, path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


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


@contextmanager
def part_folder(path: Path) -> Iterator[Path]:
    """Make a folder with a temporary name beside `path`, locked while the block runs, and gone after it.

    Whoever else writes there removes such folders that nobody locks: a process that was killed left them.
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
    """A temporary folder beside `path`, and the descriptor that locks it."""
    while True:
        part = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
        part.mkdir()
        with suppress(FileNotFoundError):
            number = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            if _claim(part, number):
                return part, number
            os.close(number)


def _claim(part: Path, number: int) -> bool:
    """Lock a temporary file or folder just made; False where another process removed it in between."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(number), part.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:  # a file system without locks: there nobody removes what others left
        return True


def clear_stale(folder: Path) -> None:
    """Remove the temporary files and folders of processes that were killed; those of living ones are locked.

    A folder that was moved aside (`.old`) and has no successor gets its name again.
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
    if part.exists():  # in use: those that are not were removed before, in order of their names
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
def _special_file(path: Path) -> Iterator[IO[bytes]]:
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Lock a folder for this process while the block runs. RunError where another process has it."""
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
    finished = f"{n_finished} file{'s' * (n_finished != 1)} finished" if n_finished else "nothing is finished"
    return StoppedError(f"interrupted; {finished} in {folder}, and nothing half-written is left")


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
