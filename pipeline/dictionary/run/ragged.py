"""Bytes of differing length from many packets, one behind the other, without a loop over packets.

Each row is cut into pieces of 128 bytes, the last of which ends with the row and may overlap the one before; a shorter
row is two pieces of half its size or more, which may overlap too. All pieces of one size are copied at once, as items
of a view with one item at every byte.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Ragged
from ...model.categorical import Categorical
from ...model.reused_memory import Empty
from .rows import gather

Positions = NDArray[np.int64]
PIECE_BYTES = 128
ITEMS: dict[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8")}
ITEMS |= {16: np.dtype("c16"), 32: np.dtype("V32"), 64: np.dtype("V64"), PIECE_BYTES: np.dtype("V128")}
"""What stands for so many bytes when they are copied."""


def flat_starts(length: Positions) -> Positions:
    """Where each row of a flat array begins."""
    start = np.zeros(len(length), np.int64)
    np.cumsum(length[:-1], out=start[1:])
    return start


def flat_index(start: Positions, length: Positions) -> Positions:
    """Where the values of every row are, row by row."""
    index = np.repeat(start - flat_starts(length), length)
    index += np.arange(len(index))
    return index


def any_in_rows(holds: NDArray[np.bool_], start: Positions, length: Positions) -> NDArray[np.bool_]:
    """bool[n]: whether it holds for any of the values `start : start + length` of each row."""
    ahead = np.concatenate([[0], np.cumsum(holds)])
    return np.asarray(ahead[start + length] > ahead[start])


def packed_values(column: Ragged, empty: Empty = np.empty) -> Any:
    """The values of all rows, row by row, without what lies between or around them; `empty`: gives memory for them."""
    start, length, values = column.start, column.length, column.values
    if isinstance(values, Categorical):
        return Categorical(packed_values(Ragged(values.codes, start, length), empty), values.categories)
    if not len(length):
        return values[:0]
    first, total = int(start[0]), int(length.sum())
    if bool((start == flat_starts(length) + first).all()):
        return values[first : first + total]
    item_bytes = values.dtype.itemsize * prod(values.shape[1:])
    if not item_bytes or values.dtype.hasobject:
        return values[flat_index(start, length)]
    octets = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    out = empty((total, *values.shape[1:]), values.dtype)
    ragged_gather(octets, start * item_bytes, length * item_bytes, out.reshape(-1).view(np.uint8))
    return out


def byte_matrix(column: Ragged) -> NDArray[np.uint8]:
    """uint8[n, longest]: the bytes of every row, with zeros behind."""
    width = int(column.length.max(initial=0))
    return padded_rows(column.values, column.start, column.length, width)


def padded_rows(data: NDArray[np.uint8], begin: Positions, length: Positions, width: int) -> NDArray[np.uint8]:
    """uint8[n, width]: `length` bytes from each position on, no more than `width`, with zeros behind."""
    rows = gather(np.ascontiguousarray(data), begin, width)
    small: np.dtype[Any] = np.dtype(np.uint16 if width < 1 << 16 else np.int64)
    rows *= np.arange(width, dtype=small) < length.astype(small)[:, None]
    return rows


def ragged_gather(
    data: NDArray[np.uint8], begin: Positions, length: Positions, out: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The bytes `data[begin : begin + length]` of every row; all must lie inside. `out`: where they are to be put,
    contiguous and just of that size.
    """
    out = np.empty(int(length.sum()), np.uint8) if out is None else out
    if not len(out):
        return out
    data, place = np.ascontiguousarray(data), flat_starts(length)
    width = int(length[0])
    if width == int(length.min()) == int(length.max()):
        out[:] = gather(data, begin, width).reshape(-1)
        return out
    long = np.flatnonzero(length >= PIECE_BYTES)
    _copy_long(data, begin[long], out, place[long], length[long])
    rest, width = np.flatnonzero(length < PIECE_BYTES), PIECE_BYTES // 2
    while width and len(rest):
        is_wide = length[rest] >= width
        rows, rest = rest[is_wide], rest[~is_wide]
        last = length[rows] - width
        _copy(data, begin[rows], out, place[rows], width)
        _copy(data, begin[rows] + last, out, place[rows] + last, width)
        width //= 2
    return out


def _copy_long(
    data: NDArray[np.uint8], begin: Positions, out: NDArray[np.uint8], place: Positions, length: Positions
) -> None:
    """Rows of a whole piece or more."""
    whole = (length - 1) // PIECE_BYTES
    ahead = np.arange(int(whole.sum())) * PIECE_BYTES
    back = flat_starts(whole) * PIECE_BYTES
    _copy(data, np.repeat(begin - back, whole) + ahead, out, np.repeat(place - back, whole) + ahead, PIECE_BYTES)
    last = length - PIECE_BYTES
    _copy(data, begin + last, out, place + last, PIECE_BYTES)


def _copy(data: NDArray[np.uint8], begin: Positions, out: NDArray[np.uint8], place: Positions, width: int) -> None:
    """Pieces of one width, from `begin` in the data to `place` in the result."""
    if not len(begin):
        return
    source = np.ndarray((len(data) - width + 1,), ITEMS[width], data, 0, (1,))
    target = np.ndarray((len(out) - width + 1,), ITEMS[width], out, 0, (1,))
    target[place] = source[begin]
