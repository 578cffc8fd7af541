"""The durable log: bytes of a station are on disk, with their receive times, before anything reads them.

In: pieces of a pass with their receive times. Out: for each pass a folder of files that `downlink replay` reads
(`pass_folder`). Its checkpoint, the file `committed`, says how far the pass is published; a pass is deleted only once
that is all of it. Nothing is dropped: pieces that the disk does not take stay with the caller. After a loss of power,
bytes at the end that are no whole record are cut off.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from ..model.errors import RunError
from .disk import LATER, Disk, DiskFile
from .disk_share import DiskShare
from .interrupted import begun_of, keep_aside, resume_point, time_name
from .odd_datagrams import Datagram, append_aside
from .pass_folder import (
    DATAGRAMS,
    Begun,
    Committed,
    Newest,
    PassFolder,
    Tail,
    begun_file,
    file_at,
    has_records,
    tail_of,
)
from .receive_times import times_path
from .records import DATA, END, NEXT, UNKNOWN, Damage, encode, encode_gap
from .retention import delete_rest

__all__ = ["Committed", "PassFolder", "Policy", "Recorder"]
INTERRUPTED = "the recording was interrupted here"
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


class Recorder:
    """Writes the passes of one station. At most one pass is open, also after a restart.

    `share`: how much of the disk it may use. `keeps_times`: pieces may have the time of the one before, being part of
    what was received with it. `datagrams`: the bytes come as such, so that frames may overtake each other; each pass
    says so for its replay.
    """

    def __init__(
        self,
        folder: Path,
        policy: Policy,
        disk: Disk | None = None,
        share: DiskShare | None = None,
        *,
        keeps_times: bool = False,
        datagrams: bool = False,
    ) -> None:
        self._folder = folder
        self._station = folder.name
        self._policy = policy
        self._disk = disk or Disk()
        self._share = share
        self._datagrams = datagrams
        self._least_step_ns = 0 if keeps_times else 1
        self._file: DiskFile | None = None
        self._file_begin = 0
        self._begun = Begun()
        self._last_mark_ns = 0
        self._n_synced = 0
        self._unsynced = False
        self._interrupted = ""
        self.open: PassFolder | None = None
        self.n_bytes = 0
        """Of the open pass."""
        self.broken = ""
        """Why nothing is recorded any more until a restart; empty while all is well."""
        self.reason = ""
        """Why the last bytes were not written; empty where they were."""
        self.newest: Newest | None = None
        """Where it came as bytes of its own, as datagrams do."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._resume_unfinished()
        except OSError as error:
            self._close()
            where = error.filename or folder
            raise RunError(f"cannot record in {folder}: {where}: {error.strerror or error}") from error

    @property
    def n_durable(self) -> int:
        """Bytes of the open pass that survive a loss of power; all that are written, where nothing is synced."""
        return self.n_bytes if self._policy.fsync_s is None else self._n_synced

    def passes(self) -> list[PassFolder]:
        """All passes of the station, in order of their beginning."""
        found = [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(map(PassFolder, found), key=lambda one: (one.begun.begun_ns, one.name))

    def begin(self, now_ns: int, name: str = "") -> PassFolder:
        """A new pass, named by its time where it has no name. OSError where the disk does not take it.

        A pass with a name is one whose sender asks how much is recorded, and sends the rest again.
        """
        self._check_room()
        begun = Begun(now_ns, secrets.randbits(62), resumable=bool(name))
        name = name or time_name(now_ns)
        path = self._folder / name
        path.mkdir()
        try:
            self._disk.write(path / "begun", begun_file(begun))
            if self._datagrams:
                self._disk.write(path / DATAGRAMS, b"")
            self._open_file(path, 0)
        except OSError:
            shutil.rmtree(path, ignore_errors=True)  # else each try would leave a pass without bytes
            raise
        self.open, self.n_bytes, self._n_synced, self._last_mark_ns = PassFolder(path), 0, 0, 0
        self._begun, self._interrupted = begun, ""
        return self.open

    def reopen(self, folder: PassFolder) -> None:
        """Open an ended pass again, to append to it; it is closed no longer. OSError as `begin`."""
        committed = folder.committed
        if committed.closed:
            try:
                folder.commit(Committed(committed.n_bytes))
            except RunError as error:
                raise OSError(errno.EIO, str(error)) from error
        (folder.path / "ended").unlink(missing_ok=True)
        folder.forget_end()
        self._resume(folder, goes_on=True)

    def append_aside(self, datagrams: Sequence[Datagram]) -> None:
        """Record datagrams whole beside the open pass (`odd_datagrams`). OSError where the disk does not take them."""
        assert self.open is not None
        n_bytes = sum(len(octets) for octets, _ in datagrams)
        self._check_room(n_bytes)
        append_aside(self.open.path, datagrams, sync=self._policy.fsync_s == 0)
        if self._share:
            self._share.add(self._station, n_bytes)

    def append(self, pieces: Sequence[bytes | memoryview], received_ns: Sequence[int]) -> int:
        """Append pieces to the open pass; gives how many of them are written whole, fewer where the disk is full.

        A piece that is written in part is taken back.
        """
        for n_done, (piece, when_ns) in enumerate(zip(pieces, received_ns, strict=True)):
            try:
                self._check_room(len(piece))
                if self._file is None or self.n_bytes - self._file_begin >= self._policy.file_bytes:
                    self._rotate()
                self._append_one(piece, when_ns)
            except OSError as error:
                self._log_once(error.strerror or str(error))
                return n_done
            if self._share:
                self._share.add(self._station, len(piece))
        self.reason = ""
        if self._policy.fsync_s == 0:
            try:
                self.sync()
            except OSError:
                return 0
        return len(pieces)

    def gap(self, n_missing: int, why: str) -> None:
        """Say in the open pass that bytes are missing here (UNKNOWN: some). OSError where the disk does not take it."""
        assert self._begun.pass_id is not None
        self._append_records(encode_gap(self.n_bytes, n_missing, why, self._last_mark_ns, self._begun.pass_id))
        self.n_bytes += max(n_missing, 0)

    def end(self) -> None:
        """Nothing follows in the open pass. OSError where the disk does not take it."""
        if self.open is None:
            return
        if self._file is None:
            self._open_file(self.open.path, self.n_bytes)
        self._mark(END)
        self.sync()
        self._disk.write(self.open.path / "ended", str(self.n_bytes).encode())
        self._close()
        self.open, self.n_bytes, self._n_synced = None, 0, 0

    def sync(self) -> None:
        """Make what is appended survive a loss of power. OSError where that fails: then nothing more is recorded."""
        if self._file is None or not self._unsynced:
            return
        try:
            self._file.sync()
        except OSError as error:
            self._break(error)
            raise
        self._n_synced, self._unsynced = self.n_bytes, False

    def sync_copy(self) -> Callable[[], None]:
        """The same as something to do in a thread, whatever becomes of the file meanwhile."""
        if self._file is None or not self._unsynced:
            return lambda: None
        sync_file, one, n_bytes = self._file.sync_copy(), self.open, self.n_bytes
        self._unsynced = False

        def sync() -> None:
            try:
                sync_file()
            except OSError as error:
                self._break(error)
                raise
            if self.open is one:
                self._n_synced = max(self._n_synced, n_bytes)

        return sync

    def forgotten(self, n_bytes: int) -> None:
        """So many bytes of old passes were deleted."""
        if self._share:
            self._share.add(self._station, -n_bytes)

    def close(self) -> None:
        """Stop, leaving the pass open for the next start."""
        with suppress(OSError):  # it is told, and the next start looks at what is there
            self.sync()
        self._close()

    def _break(self, error: OSError) -> None:
        """After a failed fsync the system forgets what it could not write: nobody may rely on what follows."""
        self.broken = self.reason = f"fsync: {error.strerror or error}; nothing more is recorded until a restart"
        _log.error("the disk fails", folder=str(self._folder), reason=self.broken)

    def _log_once(self, reason: str) -> None:
        if reason != self.reason:
            _log.error("the recording cannot be written", folder=str(self._folder), reason=reason)
        self.reason = reason

    def _check_room(self, n_bytes: int = 0) -> None:
        if self.broken:
            raise OSError(5, self.broken)
        if self._share:
            self._share.check(self._station, n_bytes)

    def _resume_unfinished(self) -> None:
        """End the passes that were open when the process ended, but for the newest, which goes on.

        What is left of deleted ones goes first.
        """
        delete_rest(self._folder)
        unfinished = [one for one in self.passes() if not one.ended]
        for one in unfinished[:-1]:
            self._resume(one)
            self.end()
        if unfinished:
            self._resume(unfinished[-1])

    def _resume(self, one: PassFolder, *, goes_on: bool = False) -> None:
        """Open a pass to append to it. `goes_on`: also behind its end, and with nothing missing between.

        OSError where the disk does not allow it; then no pass is open.
        """
        try:
            self._open_again(one, goes_on=goes_on)
        except OSError:
            self._close()
            self.open, self.n_bytes, self._n_synced = None, 0, 0
            raise

    def _open_again(self, one: PassFolder, *, goes_on: bool) -> None:
        self.open, self._begun = one, begun_of(one)
        files = one.files()
        place, path = files[-1] if files else (0, file_at(one.path, 0))
        if files and not has_records(path):
            self._resume_plain(place, path)
        else:
            self._resume_records(place, path, goes_on=goes_on)
        self._n_synced = self.n_bytes
        self._interrupted = "" if self._begun.resumable or goes_on else INTERRUPTED * bool(self.n_bytes)
        _log.info("the pass goes on", recording=str(one.path), bytes=self.n_bytes)

    def _resume_plain(self, place: int, path: Path) -> None:
        """Of an earlier version: what follows goes into a file of its own."""
        self.n_bytes = place + path.stat().st_size
        if self.n_bytes == place:
            times_path(path).unlink(missing_ok=True)
        self._open_file(path.parent, self.n_bytes)

    def _resume_records(self, place: int, path: Path, *, goes_on: bool) -> None:
        """Behind the last whole record, or the last before a torn one, where the sender sends the rest again."""
        tail, damages = tail_of(place, path) if path.exists() else (Tail(place), [])
        stop, n_bytes = resume_point(tail, damages, resumable=self._begun.resumable)
        self._begun = replace(self._begun, pass_id=tail.pass_id or self._begun.pass_id)
        self.n_bytes, self._last_mark_ns = n_bytes, tail.last_ns
        self._open_file(path.parent, place)
        assert self._file is not None
        if self._file.size > stop:
            self._cut(path, stop, self._file.size, damages)
        if self._policy.fsync_s is not None:
            try:
                self._file.sync()
            except OSError as error:
                self._break(error)
                raise
        if tail.closed == END and stop == tail.stop and self.open and not goes_on:
            self._disk.write(self.open.path / "ended", str(self.n_bytes).encode())
            self._close()
            self.open, self.n_bytes = None, 0

    def _cut(self, path: Path, stop: int, size: int, damages: Sequence[tuple[int, Damage]]) -> None:
        """Take off what is no whole record, and keep it aside, where it is anything."""
        assert self._file is not None
        why = next((damage.why for _, damage in damages if damage.stop > stop), "")
        _log.warning("the end of the recording was torn", file=str(path), at=stop, bytes=size - stop, why=why)
        with suppress(OSError):
            keep_aside(path, stop)
        self._file.truncate(stop)

    def _open_file(self, folder: Path, at: int) -> None:
        """Open the file of a pass that begins with byte `at`. OSError where that fails; then no file is open."""
        file = self._disk.open(file_at(folder, at))
        try:
            if self._policy.fsync_s is not None:
                for one in (folder, self._folder):  # else the names may be lost with the power
                    self._disk.sync_folder(one)
        except OSError as error:
            file.close()
            if error.errno not in LATER:
                self._break(error)
            raise
        self._file, self._file_begin = file, at

    def _rotate(self) -> None:
        if self._file is not None:
            self._mark(NEXT)
            self.sync()
            self._close()
        assert self.open is not None
        self._open_file(self.open.path, self.n_bytes)

    def _mark(self, kind: bytes) -> None:
        """Say in the file that it ends here."""
        assert self._file is not None
        self._append_records(self._encode(kind, b"", self._last_mark_ns))

    def _encode(self, kind: bytes, piece: bytes | memoryview, when_ns: int) -> list[bytes | memoryview]:
        assert self._begun.pass_id is not None
        return encode(kind, piece, self.n_bytes, self.n_durable, when_ns, self._begun.pass_id)

    def _append_one(self, piece: bytes | memoryview, when_ns: int) -> None:
        """Each piece has a time of its own, later than the one before: products may be grouped by it."""
        assert self._file is not None
        if not piece:
            return
        if self._interrupted:
            self.gap(UNKNOWN, self._interrupted)
            self._interrupted = ""
        when_ns, at = max(when_ns, self._last_mark_ns + self._least_step_ns), self._file.size
        self._append_records(self._encode(DATA, piece, when_ns))
        self._last_mark_ns, place = when_ns, self.n_bytes
        self.n_bytes += len(piece)
        if self.open and isinstance(piece, bytes):
            self.newest = Newest(self.open, place, piece, when_ns, self._file_begin, at, self._file.size)

    def _append_records(self, parts: Sequence[bytes | memoryview]) -> None:
        assert self._file is not None
        self._file.append(parts)
        self._unsynced = self._policy.fsync_s is not None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
