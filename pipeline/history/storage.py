"""The folder of a history, on a disk or an object store: atomic files, a lock for writers, commits of several files.

A commit of several files is written to `journal/` first: after a crash the next writer completes it, and readers see
all of it or nothing. Paths are relative to the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import ArrowException
from pyarrow import fs as arrow_fs

from ..model.errors import ConfigError, RunError
from .names import JOURNAL, Part, read_part

MARK = "history.json"
FORM = 1
_STALE_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Commit:
    """Files to move, as (source, target), and files to remove. Sources are hidden new files, or existing ones."""

    moves: Sequence[tuple[str, str]] = ()
    removes: Sequence[str] = ()


class Storage:
    """`url`: a folder, `s3://bucket/prefix`, or another URL that pyarrow opens. ConfigError if it is no history.

    `create`: make the history if there is none. RunError if the folder cannot be read or written.
    """

    def __init__(self, url: str | Path, *, create: bool = False) -> None:
        self.url = str(url)
        self.is_local = "://" not in self.url or self.url.startswith("file://")
        try:
            if self.is_local:
                self.root = str(Path(self.url.removeprefix("file://")).absolute())
                self.filesystem = arrow_fs.LocalFileSystem()
            else:
                self.filesystem, self.root = arrow_fs.FileSystem.from_uri(self.url)
        except (ArrowException, OSError, ValueError) as error:
            raise ConfigError(f"{self.url}: {_reason(error)}") from error
        self._hidden: set[str] = set()
        """New files that are not committed yet."""
        self._check(create=create)

    def _check(self, *, create: bool) -> None:
        try:
            if self.exists(MARK):
                form = json.loads(self.read(MARK)).get("form")
                if form != FORM:
                    raise ConfigError(f"{self.url}: a history of form {form}, and this version reads {FORM}")
                return
            if not create:
                raise ConfigError(f"{self.url}: there is no history: downlink history import makes one")
            if self._holds_something():
                raise ConfigError(f"{self.url}: a folder that holds other files: name another one")
            self.write(MARK, json.dumps({"form": FORM, "what": "downlink history: docs/history.md"}).encode())
        except (ArrowException, OSError, ValueError) as error:
            raise RunError(f"cannot open the history {self.url}: {_reason(error)}") from error

    def _holds_something(self) -> bool:
        found = self.filesystem.get_file_info(arrow_fs.FileSelector(self.root, allow_not_found=True))
        return any(not one.base_name.startswith(".") for one in found)

    def full(self, path: str) -> str:
        return f"{self.root}/{path}" if path else self.root

    def exists(self, path: str) -> bool:
        return bool(self.filesystem.get_file_info(self.full(path)).type != arrow_fs.FileType.NotFound)

    def read(self, path: str) -> bytes:
        with self.filesystem.open_input_stream(self.full(path)) as file:
            return bytes(file.read())

    def write(self, path: str, content: bytes) -> None:
        """Write a file atomically."""
        self.write_with(path, lambda file: file.write(content))

    def write_with(self, path: str, fill: Callable[[Any], Any]) -> None:
        """Write a file atomically, with the content that `fill` writes to the open file."""
        self.move(self.write_hidden(path, fill), path)

    def write_hidden(self, path: str, fill: Callable[[Any], Any]) -> str:
        """Write and sync a file under a hidden name beside `path`; returns that name, for a commit.

        RunError if the disk is full. An object store has no renames: there the file gets its name at once.
        """
        folder, _, name = path.rpartition("/")
        part = f"{folder}/.{name}.{secrets.token_hex(4)}.part".lstrip("/") if self.is_local else path
        try:
            if self.is_local:
                _fill_local(Path(self.full(part)), fill)
            else:
                with self.filesystem.open_output_stream(self.full(part)) as file:
                    fill(file)
        except (ArrowException, OSError) as error:
            with suppress(OSError):
                Path(self.full(part)).unlink(missing_ok=True) if self.is_local else None
            raise RunError(f"cannot write {self.full(path)}: {_reason(error)}") from error
        self._hidden.add(part)
        return part

    def discard(self) -> None:
        """Remove the new files that are not committed, after a failure."""
        for part in self._hidden:
            with suppress(OSError):
                self.remove(part)
        self._hidden.clear()

    def move(self, source: str, target: str) -> None:
        """Rename a file; it is committed then."""
        self._hidden.discard(source)
        if source == target:
            return
        if self.is_local:
            Path(self.full(target)).parent.mkdir(parents=True, exist_ok=True)
            Path(self.full(source)).replace(self.full(target))
        else:
            self.filesystem.move(self.full(source), self.full(target))

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self.filesystem.delete_file(self.full(path))

    def files(self, folder: str) -> list[tuple[str, int]]:
        """Paths and sizes of the files below a folder, without hidden ones."""
        selector = arrow_fs.FileSelector(self.full(folder), recursive=True, allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        n = len(self.root) + 1
        return [
            (one.path[n:], one.size)
            for one in found
            if one.type == arrow_fs.FileType.File and not one.base_name.startswith(".")
        ]

    def folders(self, folder: str) -> list[str]:
        """Names of the folders in a folder."""
        found = self.filesystem.get_file_info(arrow_fs.FileSelector(self.full(folder), allow_not_found=True))
        return sorted(one.base_name for one in found if one.type == arrow_fs.FileType.Directory)

    def parts(self, folder: str) -> tuple[list[Part], list[str]]:
        """Files of rows below a folder, as after pending commits, and the names of foreign files."""
        before = list(self._journals())  # one may end while files are listed
        files = {path for path, _ in self.files(folder)}
        for commit in [*before, *self._journals()]:
            files -= {*commit.removes, *(source for source, _ in commit.moves)}
            for source, target in commit.moves:
                if target.startswith(f"{folder}/") and target not in files:
                    files.add(target if self.exists(target) else source)
        parts, foreign = [], []
        for path in sorted(files):
            part = read_part(_committed_name(path))
            if part:
                parts.append(Part(path, part.first, part.last, part.n_rows, part.times, part.schema))
            else:
                foreign.append(path)
        return parts, foreign

    def commit(self, commit: Commit) -> None:
        """Apply a commit; after a crash the next writer completes it. The caller has the lock."""
        if len(commit.moves) + len(commit.removes) == 1:
            self._apply(commit)
            return
        path = f"{JOURNAL}/{secrets.token_hex(8)}.json"
        self.write(path, json.dumps({"moves": list(commit.moves), "removes": list(commit.removes)}).encode())
        self._apply(commit)
        self.remove(path)

    def recover(self) -> None:
        """Complete the commits of killed processes. The caller has the lock."""
        for path, _ in self.files(JOURNAL):
            with suppress(ValueError, KeyError):
                self._apply(_read_commit(self.read(path)))
            self.remove(path)

    def clear(self) -> None:
        """Remove hidden files that are older than a day: killed processes left them."""
        if not self.is_local:
            return
        old = time.time() - _STALE_S
        for part in Path(self.root).rglob(".*.part"):
            with suppress(OSError):
                if part.stat().st_mtime < old:
                    part.unlink()

    def _apply(self, commit: Commit) -> None:
        try:
            for source, target in commit.moves:
                if self.exists(source):
                    self.move(source, target)
            for path in commit.removes:
                self.remove(path)
        except (ArrowException, OSError) as error:
            raise RunError(f"cannot write in {self.url}: {_reason(error)}") from error

    def _journals(self) -> Iterator[Commit]:
        for path, _ in self.files(JOURNAL):
            with suppress(FileNotFoundError, ValueError, KeyError):  # finished meanwhile
                yield _read_commit(self.read(path))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of writers while the block runs. Object stores have none (`leases`)."""
        if not self.is_local:
            yield
            return
        try:
            number = os.open(self.full(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RunError(f"cannot write in {self.url}: {error.strerror}") from error
        try:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            os.close(number)


def _fill_local(part: Path, fill: Callable[[Any], Any]) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("xb") as file:
        fill(file)
        file.flush()
        os.fsync(file.fileno())


def _committed_name(path: str) -> str:
    """The name that a hidden file gets by its commit."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name[1:].rsplit('.', 2)[0]}" if name.startswith(".") else path


def _read_commit(content: bytes) -> Commit:
    entry = json.loads(content)
    return Commit([(str(a), str(b)) for a, b in entry["moves"]], [str(one) for one in entry["removes"]])


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).splitlines()[0] if text else type(error).__name__
