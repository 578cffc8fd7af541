"""Reads recorded passes as batches of bytes: at once, or paced by their receive times.

A pass is a file of raw link bytes, packed or not (`compression`), standard input as `-`, or a folder of `ingest`.
Beside a file `<pass>.times` (beside a packed `<pass>.gz` too) may have receive times: records of 16 bytes, a
little-endian uint64 byte offset (of the unpacked bytes) and an int64 of nanoseconds since 1970 UTC, in ascending
order. Nothing is dropped; memory holds one chunk.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

from ..model.batches import ByteBatch
from ..model.errors import ConfigError, RunError
from ..system.files import printable_name, receive_times_path
from .compression import STANDARD_INPUT, compression, read_pieces
from .log_reader import PassReader
from .pass_folder import DATAGRAMS, OFFSET_NAME, PassFolder, begins_with_record, end_of_file, walk
from .receive_times import Marks, marks_between, read_times
from .records import Record

PACE_STEP_S = 0.05
"""Paced batches are at most this late, and at least this far apart."""


def received_span(path: Path) -> tuple[int, int] | None:
    """Give the first and last receive time of a pass (Unix ns); None if it has none."""
    if path == STANDARD_INPUT:
        return None
    if path.is_dir() or (path.is_file() and begins_with_record(path)):
        folder = PassFolder(path) if path.is_dir() else SingleFile(path)
        span = folder.first_ns(), folder.last_ns()
        return span if all(span) else None
    _, received_ns = read_times(receive_times_path(path))
    return (int(received_ns[0]), int(received_ns[-1])) if len(received_ns) else None


def read_pass(path: Path, chunk_bytes: int = 1 << 20) -> Iterator[ByteBatch]:
    """Yield a pass in batches of at most `chunk_bytes`; each begins with the receive time of its first byte.

    `path`: a file of link bytes, `-`, a pass folder of `ingest`, or one of its files. An empty file yields nothing.
    Raises RunError at once if the path does not exist, cannot be read, or is a folder without recorded files;
    ConfigError for receive times that are not in order.
    """
    try:
        if path.is_dir():
            return _recorded(_readable_folder(path), chunk_bytes)
        if path != STANDARD_INPUT and not os.access(path, os.R_OK):
            path.open("rb").close()  # for the reason
        if path != STANDARD_INPUT and path.is_file() and begins_with_record(path):
            return _recorded(SingleFile(path), chunk_bytes)
    except OSError as error:
        raise _cannot_read(path, error) from error
    return _chunks(path, chunk_bytes, read_times(receive_times_path(path)))


def size_of_pass(path: Path) -> int | None:
    """Size of a pass in bytes; None for pipes and compressed files, whose size is known only after reading."""
    if path.is_dir():
        return PassFolder(path).n_bytes()
    if not path.is_file() or compression(path):
        return None
    return SingleFile(path).n_bytes() if begins_with_record(path) else path.stat().st_size


class SingleFile(PassFolder):
    """One file of a recorded pass, read as if it were the whole pass."""

    ended = False
    has_all_files = False

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent)
        self._file = path

    @property
    def begin(self) -> int:
        """Offset in the pass of its first byte."""
        if OFFSET_NAME.fullmatch(self._file.stem):
            return int(self._file.stem)
        return next(one.offset for one in walk(self._file) if isinstance(one, Record))

    def files(self) -> list[tuple[int, Path]]:
        return [(self.begin, self._file)]

    def n_bytes(self) -> int:
        return end_of_file(self.begin, self._file) - self.begin


def at_rate(batch: ByteBatch, position: int, bits_per_s: float) -> ByteBatch:
    """Give a batch that begins at byte `position` marks as if it were received at a constant rate."""
    start = np.arange(0, len(batch.data), max(1, int(bits_per_s / 8 * PACE_STEP_S)))
    return replace(batch, mark_start=start, mark_ns=((position + start) * (8e9 / bits_per_s)).astype(np.int64))


def all_at_rate(batches: Iterable[ByteBatch], bits_per_s: float) -> Iterator[ByteBatch]:
    """Give batches that follow each other marks as if they were received at a constant rate."""
    position = 0
    for batch in batches:
        yield at_rate(batch, position, bits_per_s)
        position += len(batch.data)


async def paced(
    batches: Iterable[ByteBatch],
    speed: float | None,
    *,
    clock: Callable[[], float] = monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[ByteBatch]:
    """Yield the bytes of one pass when they are due: `speed` times as fast as they were received.

    The first mark is due at once. Batches are cut at marks; a late consumer gets all that is due in one batch. Without
    receive times, and with a speed of None or infinity, batches are yielded as fast as they are read. Reading runs in a
    thread. Pace each of several passes by itself, or the time between them is waited for. Raises ConfigError for a
    speed that is not positive.
    """
    if speed is not None and not speed > 0:
        raise ConfigError(f"a speed of {speed:g} is not possible: give a number above 0, or max")
    iterator = iter(batches)
    origin: tuple[int, float] | None = None
    while (batch := await asyncio.to_thread(next, iterator, None)) is not None:
        if speed is None or math.isinf(speed) or not len(batch.mark_ns):
            yield batch
            continue
        origin = origin or (int(batch.mark_ns[0]), clock())
        due_s = (batch.mark_ns - origin[0]) / (1e9 * speed) + origin[1]
        start = 0
        while start < len(due_s):
            stop = int(np.searchsorted(due_s, clock(), side="right"))
            if stop > start:
                yield _between_marks(batch, start, stop)
                start = stop
            else:
                await sleep(max(float(due_s[start]) - clock(), PACE_STEP_S))


def _chunks(path: Path, chunk_bytes: int, marks: Marks) -> Iterator[ByteBatch]:
    position = 0
    unordered = path.suffix == ".raw" and (path.parent / DATAGRAMS).exists()
    try:
        for piece, damage in read_pieces(path, chunk_bytes):
            damage_text = f"{printable_name(path)}: {damage}" if damage else ""
            here = marks_between(marks, position, position + len(piece.array))
            yield ByteBatch(piece.array, *here, damage=damage_text, unordered=unordered, around=piece)
            position += len(piece.array)
    except OSError as error:
        raise _cannot_read(path, error) from error


def _between_marks(batch: ByteBatch, start: int, stop: int) -> ByteBatch:
    """Cut out the bytes from mark `start` to mark `stop`; bytes before the first mark are part of it."""
    first = int(batch.mark_start[start]) if start else 0
    last = int(batch.mark_start[stop]) if stop < len(batch.mark_start) else len(batch.data)
    marks = batch.mark_start[start:stop] - first, batch.mark_ns[start:stop]
    missing, damage = (0, "") if start else (batch.missing, batch.damage)
    octets = batch.data[first:last]
    return replace(batch, data=octets, mark_start=marks[0], mark_ns=marks[1], damage=damage, missing=missing)


def _readable_folder(path: Path) -> PassFolder:
    folder = PassFolder(path)
    if not folder.files():
        raise IsADirectoryError(0, "it is a folder")
    for _, file in folder.files():
        file.open("rb").close()
    return folder


def _recorded(folder: PassFolder, chunk_bytes: int) -> Iterator[ByteBatch]:
    """Yield a pass folder from `ingest`, up to what is recorded now; each batch begins with a receive time."""
    start = folder.begin if isinstance(folder, SingleFile) else 0
    last_ns = np.empty(0, np.int64)
    with PassReader(folder, final=True, start=start) as reader:
        while (batch := reader.read(chunk_bytes)) is not None:
            begins = len(batch.mark_start) > 0 and batch.mark_start[0] == 0
            if len(last_ns) and len(batch.data) and not begins:
                start_at, times = np.zeros(1, np.int64), last_ns
                batch = replace(
                    batch,
                    mark_start=np.concatenate((start_at, batch.mark_start)),
                    mark_ns=np.concatenate((times, batch.mark_ns)),
                )
            last_ns = batch.mark_ns[-1:] if len(batch.mark_ns) else last_ns
            yield batch


def _cannot_read(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot read {path}: {error.strerror or error}")
