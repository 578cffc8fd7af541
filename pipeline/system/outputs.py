"""Checks of output files: no output is an input, and only files of the same command are replaced.

Each check raises a ConfigError of one line. They run before the work if the names are known, and again before each file
is written.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..model.errors import ConfigError
from .files import PACKED, folder_lock

SIDE_ENDINGS = (".times", ".truth.json", ".truth.npz")
"""Suffixes of files that belong to a recording: `<recording>.times` and so on."""
_STANDARD = "-"
IsOwn = Callable[[Path], bool]
"""Tests whether an existing file was made by the same command from the same input, so that it may be replaced."""


def base_name(recording: Path) -> str:
    """The name of a recording without the suffix of its compression: the prefix of the names of its side files."""
    return recording.stem if recording.suffix in PACKED else recording.name


def is_simulated(recording: Path) -> bool:
    """Whether a recording has a file with the truth of a simulated pass beside it."""
    return recording.with_name(f"{base_name(recording)}.truth.json").is_file()


def never_own(_path: Path) -> bool:
    """For files without a mark of their origin."""
    return False


def begins_with(*heads: bytes) -> IsOwn:
    """For files whose first bytes identify them: the test whether a file begins with one of these."""

    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            return file.read(max(map(len, heads))).startswith(heads)

    return is_own


def check_file(
    path: Path, inputs: Sequence[Path] = (), *, overwrite: bool = False, is_own: IsOwn = never_own
) -> None:
    """Check that a command may write the file that `--out` names."""
    check_name(path)
    check_replace([path], inputs, overwrite=overwrite, is_own=is_own)


def check_name(path: Path) -> None:
    """Check that `--out` names a file: neither standard output nor a folder."""
    if str(path) == _STANDARD:
        raise ConfigError("--out -: this command writes a file: name one")
    if path.is_dir():
        raise ConfigError(f"--out {path}: it is a folder: name a file")


def check_folder(folder: Path, inputs: Sequence[Path] = (), *, option: str = "--out") -> None:
    """Check that a command may write files in the folder that `option` names."""
    if str(folder) == _STANDARD:
        raise ConfigError(f"{option} -: this command fills a folder: name one")
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigError(f"{option} {folder}: it is no folder, and is left as it is")
    if one := next((one for one in inputs if one.is_dir() and _is_inside(folder, one)), None):
        raise ConfigError(
            f"{option} {folder}: it is the recording or dictionary {one}, or inside it: name another folder"
        )


def check_replace(
    paths: Sequence[Path], inputs: Sequence[Path] = (), *, overwrite: bool = False, is_own: IsOwn = never_own
) -> None:
    """Check that files may be written: none is an input, and existing ones were made by the same command.

    With `overwrite`, other files may be replaced, too, but not inputs. Empty files, devices and pipes always may.
    """
    for path in paths:
        if found := next((one for one in inputs if _is_of(path, one)), None):
            raise ConfigError(f"{path}: it is or belongs to the input {found}, and is left as it is")
        if not overwrite and _holds_something(path) and not is_own(path):
            why = " already" if is_own is never_own else ", and was not made by this command from this input"
            raise ConfigError(f"{path} exists{why}: --overwrite replaces it")


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Create a folder, and lock it while the block runs. ConfigError if another process has the lock."""
    in_use = ConfigError(f"--out {folder}: another process is filling it: name another folder")
    with folder_lock(folder, in_use, "", os.O_RDONLY | os.O_DIRECTORY):
        yield


def _is_of(path: Path, recording: Path) -> bool:
    """Whether a file to write is a recording, belongs to it, lies in it, or is a folder that it lies in."""
    if str(recording) == _STANDARD:
        return _is_standard_input(path)
    names = [recording, recording.with_suffix("")] if recording.suffix in PACKED else [recording]
    own = [recording, *(name.with_name(name.name + ending) for name in names for ending in SIDE_ENDINGS)]
    if any(_is_same(path, one) for one in own):
        return True
    return (recording.is_dir() and _is_inside(path, recording)) or (path.is_dir() and _is_inside(recording, path))


def _is_standard_input(path: Path) -> bool:
    """Whether the file is the standard input of this process: `< FILE` in a shell."""
    try:
        state = os.fstat(0)
        return stat.S_ISREG(state.st_mode) and os.path.samestat(state, path.stat())
    except OSError:
        return False


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths are the same file, also by symbolic and hard links."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def _is_inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _holds_something(path: Path) -> bool:
    try:
        state = path.stat()
    except OSError:
        return path.is_symlink()
    return stat.S_ISDIR(state.st_mode) or (stat.S_ISREG(state.st_mode) and state.st_size > 0)
