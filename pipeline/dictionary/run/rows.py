"""Equal pieces of many packets as the rows of one matrix, a cache-sized block at a time.

Packets back to back need no copy: their rows are a view of constant stride. Others are gathered, through a
sliding window over the flat bytes. A row that does not begin with a byte is moved up to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 512 << 10
"""What a block of rows may take: it should stay in the second-level cache while every field is read from it."""
MAX_BLOCK_ROWS = 16384
WIDE_ROW_BYTES, WIDE_BLOCK_ROWS = 512, 480
"""Of wider rows each field is in a cache line of its own: of so many rows these lines stay in the first-level cache, of
32 to 48 kB, until the next field is read from them. Fewer rows cost more calls.
"""
MIN_ROW_BYTES = 8
"""Rows are at least as wide as the widest window through which a field is read."""


class Chunk(NamedTuple):
    """Rows `low` to `high`: row i begins at `buffer[offset + i * stride_bytes]`. `windows`: numbers read already, by
    first byte and width.
    """

    low: int
    high: int
    buffer: NDArray[np.uint8]
    offset: int
    stride_bytes: int
    windows: dict[tuple[int, int], NDArray[Any]]

    def window(self, byte: int, stored: np.dtype[Any]) -> NDArray[Any]:
        """The number at the byte of each row, in native order; fields that share it read it once."""
        key = byte, stored.itemsize
        found = self.windows.get(key)
        if found is None:
            shape = (self.high - self.low,)
            view: NDArray[Any] = np.ndarray(shape, stored, self.buffer, self.offset + byte, (self.stride_bytes,))
            found = self.windows[key] = view.astype(stored.newbyteorder("="))
        return found


def chunks(data: NDArray[np.uint8], start: NDArray[np.int64], width_bytes: int) -> Iterator[Chunk]:
    """`width_bytes` of `data` from each `start` (bytes) on; all must lie inside."""
    n = len(start)
    step = _block_rows(width_bytes)
    stride = even_stride(start) if width_bytes >= MIN_ROW_BYTES else 0
    if stride:
        first = int(start[0])
        for low in range(0, n, step):
            yield Chunk(low, min(low + step, n), data, first + low * stride, stride, {})
        return
    for low in range(0, n, step):
        high = min(low + step, n)
        block = gather(data, start[low:high], max(width_bytes, MIN_ROW_BYTES))
        yield Chunk(low, high, block, 0, block.shape[1], {})


def _block_rows(width_bytes: int) -> int:
    """Rows of a block."""
    if width_bytes >= WIDE_ROW_BYTES:
        return WIDE_BLOCK_ROWS
    return min(BLOCK_BYTES // max(width_bytes, 1), MAX_BLOCK_ROWS)


def matrix_chunks(rows: NDArray[np.uint8]) -> Iterator[Chunk]:
    """Rows that stand together already: uint8[n, width], contiguous."""
    n, width_bytes = rows.shape
    for low in range(0, n, MAX_BLOCK_ROWS):
        yield Chunk(low, min(low + MAX_BLOCK_ROWS, n), rows, low * width_bytes, width_bytes, {})


def bit_chunks(data: NDArray[np.uint8], start_bits: NDArray[np.int64], width_bits: int) -> Iterator[Chunk]:
    """The same for rows that may begin within a byte."""
    if not len(start_bits):
        return
    width_bytes = (width_bits + 7) // 8
    if not int(np.bitwise_or.reduce(start_bits)) & 7:
        yield from chunks(data, start_bits >> 3, width_bytes)
        return
    phase = (start_bits & 7).astype(np.uint8)
    n, step = len(phase), _block_rows(2 * width_bytes + 1)
    for low in range(0, n, step):
        high = min(low + step, n)
        block = gather(data, start_bits[low:high] >> 3, max(width_bytes, MIN_ROW_BYTES) + 1)
        shift = phase[low:high, None]
        # A shift of 8 gives 0 in uint8 arithmetic, which is what a row without phase wants.
        block = (block[:, :-1] << shift) | (block[:, 1:] >> (np.uint8(8) - shift))
        yield Chunk(low, high, block, 0, block.shape[1], {})


def gather(data: NDArray[np.uint8], start: NDArray[np.int64], width_bytes: int) -> NDArray[np.uint8]:
    """uint8[n, width_bytes], a copy. Rows may end behind the data: they are then filled with zeros."""
    n_windows = len(data) - width_bytes + 1
    if not width_bytes or not len(start):
        return np.empty((len(start), width_bytes), np.uint8)
    if int(start.max()) >= n_windows:
        return _gather_at_end(data, start, width_bytes)
    # Items of so many bytes, one at every byte: rows are copied whole.
    items: NDArray[Any] = np.ndarray((n_windows,), f"V{width_bytes}", data, 0, (1,))
    return items[start].view(np.uint8).reshape(len(start), width_bytes)


def _gather_at_end(data: NDArray[np.uint8], start: NDArray[np.int64], width_bytes: int) -> NDArray[np.uint8]:
    """The rows that end behind the data, from its last bytes with zeros behind; the others as ever."""
    last = len(data) - width_bytes
    first = max(last, 0)
    tail = np.zeros(len(data) - first + width_bytes, np.uint8)
    tail[: len(data) - first] = data[first:]
    if last < 0:
        return gather(tail, start, width_bytes)
    rows = gather(data, np.minimum(start, last), width_bytes)
    over = np.flatnonzero(start > last)
    rows[over] = gather(tail, start[over] - first, width_bytes)
    return rows


def even_stride(start: NDArray[np.int64]) -> int:
    """The distance between neighbours where it is always the same and positive, else 0."""
    n = len(start)
    if n == 1:
        return 1
    stride = int(start[1]) - int(start[0])
    if stride <= 0 or int(start[-1]) - int(start[0]) != stride * (n - 1):
        return 0
    for low in range(0, n - 1, MAX_BLOCK_ROWS):
        part = start[low : low + MAX_BLOCK_ROWS + 1]
        if not bool((part[1:] - part[:-1] == stride).all()):
            return 0
    return stride
