"""Recorded passes as batches of bytes: as fast as they can be read, or paced by when they were received.

A pass is a file of raw link bytes, packed or not (`formats.py`), or standard input as `-`. Beside it `<pass>.times`
(beside a packed `<pass>.gz` too) may say when they came in: records of 16 bytes, a little-endian uint64 byte offset (of
the unpacked bytes) and an int64 of nanoseconds since 1970 UTC, in ascending order. A pass without it has no receive
times. Nothing is dropped; no more than a chunk is in memory.
"""

from __future__ import annotations

import asyncio
import math
import os
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import ByteBatch
from pipeline.errors import ConfigError, Problem, RunError
from pipeline.files import printable_name, receive_times_path
from pipeline.transport.formats import STANDARD_INPUT, read_pieces

TIME_RECORD = np.dtype([("offset", "<i8"), ("received_ns", "<i8")])
"""The offset is unsigned in the file; one that looks negative here is beyond any file."""

DATAGRAMS = "datagrams"
"""A file of this name in the folder of a recorded pass says that its bytes came as datagrams."""

PACE_STEP_S = 0.05
"""Paced bytes come at most this late, and at most this often."""

Marks = tuple[NDArray[np.int64], NDArray[np.int64]]


def times_path(path: Path) -> Path:
    """Where the receive times of a pass are written."""
    return path.with_name(f"{path.name}.times")


def received_span(path: Path) -> tuple[int, int] | None:
    """Give the first and last receive time of a pass (Unix ns); None where it has none."""
    if path == STANDARD_INPUT:
        return None
    files = sorted(path.glob("[0-9]*.raw")) if path.is_dir() else [path]
    times = [times for file in files if len(times := _read_times(receive_times_path(file))[1])]
    return (int(times[0][0]), int(times[-1][-1])) if times else None


def read_pass(path: Path, chunk_bytes: int = 1 << 20) -> Iterator[ByteBatch]:
    """The pass in batches of at most `chunk_bytes`; each begins with the receive time of its first byte.

    A folder is a pass as `ingest` records it: its files one after another. RunError at once for what is missing, a
    folder of something else or not to be read; ConfigError for receive times that are not in order. An empty file
    gives nothing.
    """
    try:
        if path.is_dir():
            files = sorted(path.glob("[0-9]*.raw"))
            if not files:
                raise IsADirectoryError(0, "it is a folder")
            return chain.from_iterable([read_pass(file, chunk_bytes) for file in files])
        if path != STANDARD_INPUT and not os.access(path, os.R_OK):
            path.open("rb").close()  # for the reason
    except OSError as error:
        raise _cannot_read(path, error) from error
    return _chunks(path, chunk_bytes, _read_times(receive_times_path(path)))


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
    """The bytes of one pass when they are due: `speed` times as fast as they were received.

    The first mark is due at once. Batches are cut at marks; who is late gets all that is due in one. With no speed,
    or an infinite one, or no receive times, batches come as fast as they are read. Reading is in a thread. The gap
    between two passes is a gap like any other: pace each by itself.
    """
    if speed is not None and not speed > 0:
        raise ConfigError(f"a speed of {speed:g} does not go forward: give a number above 0, or max")
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
            told = f"{printable_name(path)}: {damage}" if damage else ""
            here = _marks_between(marks, position, position + len(piece))
            yield ByteBatch(piece, *here, damage=told, unordered=unordered)
            position += len(piece)
    except OSError as error:
        raise _cannot_read(path, error) from error


def _marks_between(marks: Marks, start: int, stop: int) -> Marks:
    """The marks of bytes `start` to `stop`, counted from `start`; the one before holds for the first byte."""
    offset, received_ns = marks
    first = max(bisect_right(offset, start) - 1, 0)  # not searchsorted, which would copy what is on disk
    last = bisect_left(offset, stop)
    return np.maximum(offset[first:last].astype(np.int64) - start, 0), received_ns[first:last].astype(np.int64)


def _between_marks(batch: ByteBatch, start: int, stop: int) -> ByteBatch:
    """The bytes from mark `start` up to mark `stop`; those before the first mark go with it."""
    first = int(batch.mark_start[start]) if start else 0
    last = int(batch.mark_start[stop]) if stop < len(batch.mark_start) else len(batch.data)
    marks = batch.mark_start[start:stop] - first, batch.mark_ns[start:stop]
    return replace(batch, data=batch.data[first:last], mark_start=marks[0], mark_ns=marks[1])


def _read_times(path: Path) -> Marks:
    """Offsets and receive times, left on disk until they are needed; empty where there is no such file."""
    try:
        n_bytes = path.stat().st_size
        whole = n_bytes and n_bytes % TIME_RECORD.itemsize == 0
        records = np.asarray(np.memmap(path, TIME_RECORD, "r")) if whole else None
    except FileNotFoundError:
        n_bytes, records = 0, None
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror or error}", str(path))]) from error
    if records is None:
        if n_bytes:
            raise ConfigError(
                [Problem(f"{n_bytes} bytes are not whole records of {TIME_RECORD.itemsize}", str(path))]
            )
        return np.empty(0, np.int64), np.empty(0, np.int64)
    _check_order(path, records["offset"], "offset", strictly=True)
    _check_order(path, records["received_ns"], "receive time", strictly=False)
    return records["offset"], records["received_ns"]


def _check_order(path: Path, values: NDArray[np.int64], what: str, *, strictly: bool) -> None:
    wrong = values[1:] <= values[:-1] if strictly else values[1:] < values[:-1]
    if wrong.any() or values[0] < 0:
        number = int(wrong.argmax()) + 1 if wrong.any() else 0
        raise ConfigError([Problem(f"the {what} of record {number} ({values[number]}) goes back", str(path))])


def _cannot_read(path: Path, error: OSError) -> RunError:
    return RunError(f"cannot read {path}: {error.strerror or error}")
