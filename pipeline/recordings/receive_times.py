"""Receive times beside a file of bytes: `<file>.times`, records of 16 bytes in ascending order.

Each is a little-endian uint64 byte offset (of the unpacked bytes) and an int64 of nanoseconds since 1970 UTC.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..model.errors import ConfigError, Problem

TIME_RECORD = np.dtype([("offset", "<i8"), ("received_ns", "<i8")])
"""The offset is unsigned in the file; one that looks negative here is beyond any file."""

Marks = tuple[NDArray[np.int64], NDArray[np.int64]]


def times_path(path: Path) -> Path:
    """Path of the receive times of a file; it need not exist."""
    return path.with_name(f"{path.name}.times")


def read_times(path: Path) -> Marks:
    """Map offsets and receive times from disk, int64[n] each; empty if the file does not exist.

    Raises ConfigError if it cannot be read, is not whole records, or is not in ascending order.
    """
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


def read_valid_times(path: Path, n_bytes: int) -> tuple[Marks, int]:
    """Read the leading records that are in order and within the first `n_bytes` of the file, and count the others.

    For recordings of earlier versions, whose last records may be damaged by a loss of power.
    """
    octets = path.read_bytes() if path.is_file() else b""
    records = np.frombuffer(octets, TIME_RECORD, len(octets) // TIME_RECORD.itemsize)
    offset, received_ns = records["offset"].astype(np.int64), records["received_ns"].astype(np.int64)
    is_valid = (offset >= 0) & (offset < n_bytes) & (received_ns > 0)
    is_valid[1:] &= (offset[1:] > offset[:-1]) & (received_ns[1:] >= received_ns[:-1])
    n_valid = len(is_valid) if is_valid.all() else int(np.argmin(is_valid))
    return (offset[:n_valid], received_ns[:n_valid]), len(is_valid) - n_valid


def marks_between(marks: Marks, start: int, stop: int) -> Marks:
    """Cut out the marks of bytes `start` to `stop`, offsets relative to `start`; the first byte gets the mark before
    it.
    """
    offset, received_ns = marks
    first = max(bisect_right(offset, start) - 1, 0)  # searchsorted would copy the mapped file
    last = bisect_left(offset, stop)
    return np.maximum(offset[first:last].astype(np.int64) - start, 0), received_ns[first:last].astype(np.int64)


def _check_order(path: Path, values: NDArray[np.int64], what: str, *, strictly: bool) -> None:
    wrong = values[1:] <= values[:-1] if strictly else values[1:] < values[:-1]
    if wrong.any() or values[0] < 0:
        number = int(wrong.argmax()) + 1 if wrong.any() else 0
        raise ConfigError([Problem(f"the {what} of record {number} ({values[number]}) goes back", str(path))])
