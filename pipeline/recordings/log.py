"""The durable log: bytes of a station are written to disk, with their receive times, before anything reads them.

In: pieces of a pass with their receive times. Out: for each pass a folder of files that `downlink replay` reads
(`pass_folder`). Its checkpoint, the file `committed`, is the number of published bytes; a pass is deleted only when all
of it is published. Nothing is dropped: pieces that the disk does not take stay with the caller. After a loss of power,
bytes at the end that are not a whole record are cut off.
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
from .interrupted import begun_of, resume_point, save_torn_end, time_name
from .odd_datagrams import Datagram, append_odd_datagrams
from .pass_folder import (
    DATAGRAMS,
    Begun,
    Committed,
    Newest,
    PassFolder,
    Tail,
    encode_begun,
    file_at,
    has_records,
    tail_of,
)
from .receive_times import times_path
from .records import DATA, END, NEXT, UNKNOWN, Damage, encode, encode_gap
from .retention import finish_deletions

__all__ = ["Committed", "PassFolder", "Policy", "Recorder"]
INTERRUPTED = "the recording was interrupted here"
_log = structlog.get_logger("recording")


@dataclass(frozen=True, slots=True)
class Policy:
    """When to rotate, sync and delete.

    `file_bytes`: size at which the next file begins. `fsync_s`: 0: sync after each append; None: never; else: sync at
    most so many seconds after an append. `keep_bytes`, `keep_s`: limits beyond which the oldest closed passes are
    deleted; None: no limit.
    """

    file_bytes: int = 64 << 20
    fsync_s: float | None = 1.0
    keep_bytes: int | None = None
    keep_s: float | None = None


class Recorder:
    """Writes the passes of one station. At most one pass is open, also after a restart.

    `share`: disk quota. `keeps_times`: pieces may have the same receive time as the piece before; otherwise times are
    made strictly ascending. `datagrams`: the bytes are received as datagrams, so that frames may be out of order; each
    pass folder gets a marker file for its replay.

    Raises RunError if the folder cannot be used.
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
        """Number of bytes of the open pass."""
        self.broken = ""
        """Why recording has stopped until a restart; empty while it works."""
        self.reason = ""
        """Why the last append failed; empty if it succeeded."""
        self.newest: Newest | None = None
        """The last piece, if it was given as `bytes` (datagrams are): its reader need not go to the disk."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._resume_unfinished()
        except OSError as error:
            self._close()
            where = error.filename or folder
            raise RunError(f"cannot record in {folder}: {where}: {error.strerror or error}") from error

    @property
    def n_durable(self) -> int:
        """Bytes of the open pass that survive a loss of power; all written bytes if `fsync_s` is None."""
        return self.n_bytes if self._policy.fsync_s is None else self._n_synced

    def passes(self) -> list[PassFolder]:
        """All passes of the station, in order of their beginning."""
        paths = [path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return sorted(map(PassFolder, paths), key=lambda folder: (folder.begun.begun_ns, folder.name))

    def begin(self, now_ns: int, name: str = "") -> PassFolder:
        """Begin a new pass, named by its begin time if `name` is empty. Raises OSError if the disk does not take it.

        A pass with a name is resumable: its sender asks how much is recorded, and sends the rest again.
        """
        self._check_room()
        begun = Begun(now_ns, secrets.randbits(62), resumable=bool(name))
        name = name or time_name(now_ns)
        path = self._folder / name
        path.mkdir()
        try:
            self._disk.write(path / "begun", encode_begun(begun))
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
        """Open an ended pass to append to it; its checkpoint is no longer closed. Raises OSError as `begin`."""
        committed = folder.committed
        if committed.closed:
            try:
                folder.commit(Committed(committed.n_bytes))
            except RunError as error:
                raise OSError(errno.EIO, str(error)) from error
        (folder.path / "ended").unlink(missing_ok=True)
        folder.forget_end()
        self._resume(folder, past_end=True)

    def append_odd_datagrams(self, datagrams: Sequence[Datagram]) -> None:
        """Record datagrams beside the open pass (`odd_datagrams`). Raises OSError if the disk does not take them."""
        assert self.open is not None
        n_bytes = sum(len(octets) for octets, _ in datagrams)
        self._check_room(n_bytes)
        append_odd_datagrams(self.open.path, datagrams, sync=self._policy.fsync_s == 0)
        if self._share:
            self._share.add(self._station, n_bytes)

    def append(self, pieces: Sequence[bytes | memoryview], received_ns: Sequence[int]) -> int:
        """Append pieces to the open pass. Returns how many were written; fewer than all if the disk fails or is full.

        A piece is written whole or not at all.
        """
        for n_done, (piece, when_ns) in enumerate(zip(pieces, received_ns, strict=True)):
            try:
                self._check_room(len(piece))
                if self._file is None or self.n_bytes - self._file_begin >= self._policy.file_bytes:
                    self._rotate()
                self._append_piece(piece, when_ns)
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
        """Record a gap of `n_missing` bytes (UNKNOWN: some) in the open pass. Raises OSError if that fails."""
        assert self._begun.pass_id is not None
        self._append_records(encode_gap(self.n_bytes, n_missing, why, self._last_mark_ns, self._begun.pass_id))
        self.n_bytes += max(n_missing, 0)

    def end(self) -> None:
        """End the open pass. Raises OSError if the disk does not take its end record."""
        if self.open is None:
            return
        if self._file is None:
            self._open_file(self.open.path, self.n_bytes)
        self._append_marker(END)
        self.sync()
        self._disk.write(self.open.path / "ended", str(self.n_bytes).encode())
        self._close()
        self.open, self.n_bytes, self._n_synced = None, 0, 0

    def sync(self) -> None:
        """Sync the appended bytes to disk. Raises OSError if that fails: then recording stops until a restart."""
        if self._file is None or not self._unsynced:
            return
        try:
            self._file.sync()
        except OSError as error:
            self._break(error)
            raise
        self._n_synced, self._unsynced = self.n_bytes, False

    def sync_copy(self) -> Callable[[], None]:
        """Return `sync` as a function for another thread; this recorder may close the file meanwhile."""
        if self._file is None or not self._unsynced:
            return lambda: None
        sync_file, folder, n_bytes = self._file.sync_copy(), self.open, self.n_bytes
        self._unsynced = False

        def sync() -> None:
            try:
                sync_file()
            except OSError as error:
                self._break(error)
                raise
            if self.open is folder:
                self._n_synced = max(self._n_synced, n_bytes)

        return sync

    def deleted(self, n_bytes: int) -> None:
        """Give `n_bytes` of deleted passes back to the disk quota."""
        if self._share:
            self._share.add(self._station, -n_bytes)

    def close(self) -> None:
        """Stop, leaving the pass open for the next start."""
        with suppress(OSError):  # it is logged, and the next start reads what was written
            self.sync()
        self._close()

    def _break(self, error: OSError) -> None:
        """Stop recording: after a failed fsync the kernel drops what it could not write, so nothing later is safe."""
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
        """Resume the newest pass that was open when the process ended, and end the others.

        Before that, interrupted deletions are finished.
        """
        finish_deletions(self._folder)
        unfinished = [folder for folder in self.passes() if not folder.ended]
        for folder in unfinished[:-1]:
            self._resume(folder)
            self.end()
        if unfinished:
            self._resume(unfinished[-1])

    def _resume(self, folder: PassFolder, *, past_end: bool = False) -> None:
        """Open a pass to append to it. `past_end`: append also behind its end record, without recording a gap.

        Raises OSError if the disk does not allow it; then no pass is open.
        """
        try:
            self._reopen_file(folder, past_end=past_end)
        except OSError:
            self._close()
            self.open, self.n_bytes, self._n_synced = None, 0, 0
            raise

    def _reopen_file(self, folder: PassFolder, *, past_end: bool) -> None:
        self.open, self._begun = folder, begun_of(folder)
        files = folder.files()
        offset, path = files[-1] if files else (0, file_at(folder.path, 0))
        if files and not has_records(path):
            self._resume_plain(offset, path)
        else:
            self._resume_records(offset, path, past_end=past_end)
        self._n_synced = self.n_bytes
        self._interrupted = "" if self._begun.resumable or past_end else INTERRUPTED * bool(self.n_bytes)
        _log.info("the recording continues", recording=str(folder.path), bytes=self.n_bytes)

    def _resume_plain(self, offset: int, path: Path) -> None:
        """Resume a pass of an earlier version (plain bytes): a new file of records begins behind it."""
        self.n_bytes = offset + path.stat().st_size
        if self.n_bytes == offset:
            times_path(path).unlink(missing_ok=True)
        self._open_file(path.parent, self.n_bytes)

    def _resume_records(self, offset: int, path: Path, *, past_end: bool) -> None:
        """Resume a file of records at its `resume_point`, and truncate the rest."""
        tail, damages = tail_of(offset, path) if path.exists() else (Tail(offset), [])
        stop, n_bytes = resume_point(tail, damages, resumable=self._begun.resumable)
        self._begun = replace(self._begun, pass_id=tail.pass_id or self._begun.pass_id)
        self.n_bytes, self._last_mark_ns = n_bytes, tail.last_ns
        self._open_file(path.parent, offset)
        assert self._file is not None
        if self._file.size > stop:
            self._cut(path, stop, self._file.size, damages)
        if self._policy.fsync_s is not None:
            try:
                self._file.sync()
            except OSError as error:
                self._break(error)
                raise
        if tail.closed == END and stop == tail.stop and self.open and not past_end:
            self._disk.write(self.open.path / "ended", str(self.n_bytes).encode())
            self._close()
            self.open, self.n_bytes = None, 0

    def _cut(self, path: Path, stop: int, size: int, damages: Sequence[tuple[int, Damage]]) -> None:
        """Truncate the file to `stop` bytes, and save the bytes behind that in a file of their own."""
        assert self._file is not None
        why = next((damage.why for _, damage in damages if damage.stop > stop), "")
        _log.warning("the end of the recording was torn", file=str(path), at=stop, bytes=size - stop, why=why)
        with suppress(OSError):
            save_torn_end(path, stop)
        self._file.truncate(stop)

    def _open_file(self, folder: Path, at: int) -> None:
        """Open the file of a pass that begins with byte `at`. Raises OSError if that fails; then no file is open."""
        file = self._disk.open(file_at(folder, at))
        try:
            if self._policy.fsync_s is not None:
                for parent in (folder, self._folder):  # else the names may be lost with the power
                    self._disk.sync_folder(parent)
        except OSError as error:
            file.close()
            if error.errno not in LATER:
                self._break(error)
            raise
        self._file, self._file_begin = file, at

    def _rotate(self) -> None:
        if self._file is not None:
            self._append_marker(NEXT)
            self.sync()
            self._close()
        assert self.open is not None
        self._open_file(self.open.path, self.n_bytes)

    def _append_marker(self, kind: bytes) -> None:
        """Append a record without payload: END of the pass, or NEXT file follows."""
        assert self._file is not None
        self._append_records(self._encode(kind, b"", self._last_mark_ns))

    def _encode(self, kind: bytes, piece: bytes | memoryview, when_ns: int) -> list[bytes | memoryview]:
        assert self._begun.pass_id is not None
        return encode(kind, piece, self.n_bytes, self.n_durable, when_ns, self._begun.pass_id)

    def _append_piece(self, piece: bytes | memoryview, when_ns: int) -> None:
        """Append one piece, with a receive time later than that of the piece before: products are grouped by it."""
        assert self._file is not None
        if not piece:
            return
        if self._interrupted:
            self.gap(UNKNOWN, self._interrupted)
            self._interrupted = ""
        when_ns, at = max(when_ns, self._last_mark_ns + self._least_step_ns), self._file.size
        self._append_records(self._encode(DATA, piece, when_ns))
        self._last_mark_ns, offset = when_ns, self.n_bytes
        self.n_bytes += len(piece)
        if self.open and isinstance(piece, bytes):
            self.newest = Newest(self.open, offset, piece, when_ns, self._file_begin, at, self._file.size)

    def _append_records(self, parts: Sequence[bytes | memoryview]) -> None:
        assert self._file is not None
        self._file.append(parts)
        self._unsynced = self._policy.fsync_s is not None

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
