"""The durable log: what a station sends is on disk, with its receive times, before anything reads it.

In: pieces of a pass with the time each came in. Out: for each pass a folder of files that `downlink replay` takes
as they are, `<offset>.raw` (the place in the pass at which the file begins) with `<offset>.raw.times` beside.
`ended` says that nothing follows, `committed` how much of it is published. Nothing is dropped: what the disk does
not take stays with the caller, and a pass that is not wholly committed is never deleted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import structlog

from pipeline.errors import RunError
from pipeline.files import whole_file
from pipeline.transport.source import DATAGRAMS, TIME_RECORD, times_path

_RECORD = Struct("<Qq")
_log = structlog.get_logger("recording")


@dataclass(frozen=True, slots=True)
class Policy:
    """`file_bytes`: when to begin another file. `fsync_s`: 0 after each append, None never, else at most so late.

    `keep_bytes`, `keep_s`: beyond these the oldest passes go that are committed; None keeps them.
    """

    file_bytes: int = 64 << 20
    fsync_s: float | None = 1.0
    keep_bytes: int | None = None
    keep_s: float | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """What is known to be published: `n_bytes` of the pass, and whether that is all and for good."""

    n_bytes: int = 0
    settled: bool = False


def file_at(folder: Path, place: int) -> Path:
    """The file of a pass that begins with byte `place`."""
    return folder / f"{place:015d}.raw"


class PassFolder:
    """One pass on disk; knows nothing but what is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def files(self) -> list[tuple[int, Path]]:
        """Place in the pass and path of each file, in order."""
        return sorted((int(file.stem), file) for file in self.path.glob("*.raw") if file.stem.isdigit())

    def n_bytes(self) -> int:
        files = self.files()
        return files[-1][0] + files[-1][1].stat().st_size if files else 0

    @property
    def ended(self) -> bool:
        return (self.path / "ended").exists()

    @property
    def committed(self) -> Committed:
        """Nothing where there is no such file, or none that can be read: then all is published again."""
        try:
            told = json.loads((self.path / "committed").read_text("utf-8"))
            return Committed(int(told["bytes"]), bool(told["settled"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Committed()

    def commit(self, committed: Committed) -> None:
        """Write the position, whole or not at all. RunError where the disk does not take it."""
        with whole_file(self.path / "committed") as file:
            file.write(json.dumps({"bytes": committed.n_bytes, "settled": committed.settled}).encode())


class Newest(NamedTuple):
    """What was appended last: at which place of which pass, in a file that begins where; received at `mark_ns`."""

    folder: PassFolder
    place: int
    piece: bytes
    mark_ns: int
    file_begin: int


class Recorder:
    """Writes the passes of one station. At most one pass is open, also after a restart.

    `datagrams`: the bytes come as such, so that frames may overtake each other; each pass says so for its replay.
    """

    def __init__(self, folder: Path, policy: Policy, *, datagrams: bool = False) -> None:
        self._folder = folder
        self._datagrams = datagrams
        self._policy = policy
        self._raw = self._times = -1
        self._file_bytes = 0
        self._last_mark_ns = 0
        self._unsynced = False
        self.open: PassFolder | None = None
        self.n_bytes = 0
        """Of the open pass."""
        self.newest: Newest | None = None
        """Where it came as bytes of its own, as datagrams do."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot record in {folder}: {error.strerror}") from error
        unfinished = [one for one in self.passes() if not one.ended]
        for one in unfinished[:-1]:
            (one.path / "ended").touch()
        if unfinished:
            self._resume(unfinished[-1])

    def passes(self) -> list[PassFolder]:
        """All passes of the station, in order of their beginning."""
        found = [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return [PassFolder(path) for path in sorted(found, key=_begun)]

    def begin(self, now_ns: int, name: str = "") -> PassFolder:
        """A new pass, named by its time where it has no name. OSError where the disk does not take it."""
        name = name or datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        path = self._folder / name
        path.mkdir()
        (path / "begun").write_text(str(now_ns), "utf-8")
        if self._datagrams:
            (path / DATAGRAMS).touch()
        self.open, self.n_bytes, self._last_mark_ns = PassFolder(path), 0, 0
        self._open_file()
        return self.open

    def reopen(self, folder: PassFolder) -> None:
        """Open an ended pass again, to append to it; it is settled no longer. OSError or RunError as `begin`."""
        committed = folder.committed
        if committed.settled:
            folder.commit(Committed(committed.n_bytes))
        (folder.path / "ended").unlink(missing_ok=True)
        self._resume(folder)

    def append(self, pieces: Sequence[bytes | memoryview], received_ns: Sequence[int]) -> int:
        """Append pieces to the open pass; gives how many of them are written whole, fewer where the disk is full.

        A piece that is written in part is taken back.
        """
        for n_done, (piece, when_ns) in enumerate(zip(pieces, received_ns, strict=True)):
            try:
                if self._file_bytes >= self._policy.file_bytes:
                    self._rotate()
                self._append_one(piece, when_ns)
            except OSError as error:
                _log.error("the recording cannot be written", folder=str(self._folder), reason=error.strerror)
                self._take_back()
                return n_done
        if self._policy.fsync_s == 0:
            self.sync()
        return len(pieces)

    def end(self) -> None:
        """Nothing follows in the open pass."""
        if self.open is not None:
            self.sync()
            (self.open.path / "ended").touch()
            self._close()
            self.open, self.n_bytes = None, 0

    def sync(self) -> None:
        """Make what is appended survive a loss of power."""
        if self._unsynced:
            os.fsync(self._raw)
            os.fsync(self._times)
            self._unsynced = False

    def sync_copy(self) -> Callable[[], None]:
        """The same as something to do in a thread, whatever becomes of the files meanwhile."""
        numbers = [os.dup(number) for number in (self._raw, self._times) if number >= 0 and self._unsynced]
        self._unsynced = False

        def sync() -> None:
            try:
                for number in numbers:
                    os.fsync(number)
            finally:
                for number in numbers:
                    os.close(number)

        return sync

    def close(self) -> None:
        """Stop, leaving the pass open for the next start."""
        self.sync()
        self._close()

    def _resume(self, one: PassFolder) -> None:
        self.open = one
        files = one.files()
        if files:
            self._open_file(files[-1][0])
            _log.info("the pass goes on", recording=str(one.path), bytes=self.n_bytes)
        else:
            self._open_file()

    def _open_file(self, at: int = 0) -> None:
        assert self.open is not None
        raw = file_at(self.open.path, at)
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        self._raw, self._times = os.open(raw, flags, 0o644), os.open(times_path(raw), flags, 0o644)
        if self._policy.fsync_s is not None:
            for folder in (self.open.path, self._folder):  # else the names may be lost with the power
                _sync_folder(folder)
        self._file_bytes = os.fstat(self._raw).st_size
        self.n_bytes = at + self._file_bytes
        self._trim_times()

    def _rotate(self) -> None:
        self.sync()
        self._close()
        self._open_file(self.n_bytes)

    def _append_one(self, piece: bytes | memoryview, when_ns: int) -> None:
        self._unsynced = self._policy.fsync_s is not None
        n_written = 0
        view = memoryview(piece)
        while n_written < len(piece):
            n_written += os.write(self._raw, view[n_written:])
        if piece:
            self._mark(max(when_ns, self._last_mark_ns + 1))
        place, begin = self.n_bytes, self.n_bytes - self._file_bytes
        self._file_bytes += len(piece)
        self.n_bytes += len(piece)
        if self.open and isinstance(piece, bytes):
            self.newest = Newest(self.open, place, piece, self._last_mark_ns, begin)

    def _mark(self, when_ns: int) -> None:
        """Each piece has a time of its own, later than the one before: products may be grouped by it."""
        record = _RECORD.pack(self._file_bytes, when_ns)
        if os.write(self._times, record) != len(record):
            raise OSError(28, "no space left for receive times")
        self._last_mark_ns = when_ns

    def _take_back(self) -> None:
        """Cut what a failed write left behind; opening again is left to the next try where there is no file."""
        if self._raw < 0:
            self._open_file(self.n_bytes)
        os.ftruncate(self._raw, self._file_bytes)
        self._trim_times()

    def _trim_times(self) -> None:
        """Whole records, of bytes that are there."""
        size = os.fstat(self._times).st_size // TIME_RECORD.itemsize * TIME_RECORD.itemsize
        while size:
            record = os.pread(self._times, 16, size - 16)
            if int.from_bytes(record[:8], "little") < max(self._file_bytes, 1):
                self._last_mark_ns = int.from_bytes(record[8:], "little")
                break
            size -= TIME_RECORD.itemsize
        os.ftruncate(self._times, size)

    def _close(self) -> None:
        for number in (self._raw, self._times):
            if number >= 0:
                os.close(number)
        self._raw = self._times = -1


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def forget_old(recorder: Recorder, policy: Policy, now_ns: int) -> list[str]:
    """Delete the oldest passes beyond the limits, as far as they are committed for good; their names."""
    if policy.keep_bytes is None and policy.keep_s is None:
        return []
    passes = recorder.passes()
    sizes = {one.name: sum(file.stat().st_size for file in one.path.iterdir()) for one in passes}
    total, gone = sum(sizes.values()), []
    for one in passes:
        too_much = policy.keep_bytes is not None and total > policy.keep_bytes
        too_old = policy.keep_s is not None and now_ns - _begun(one.path)[0] > policy.keep_s * 1e9
        if not (too_much or too_old) or not one.committed.settled:
            continue
        shutil.rmtree(one.path)
        total -= sizes[one.name]
        gone.append(one.name)
    return gone


def _begun(path: Path) -> tuple[int, str]:
    try:
        return int((path / "begun").read_text("utf-8")), path.name
    except (OSError, ValueError):
        return 0, path.name
