"""Values of differing length as a variable of xarray: rows of one width, padded when they are looked at.

In memory they stay as they are: one flat array, a start and a length for each row. Behind the length of a row stands
NaN, NaT, an empty text, False or 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..model.batches import Ragged

_BLOCK_VALUES = 1 << 20


class _PaddedRows(BackendArray):
    """What xarray asks of an array that is not in memory."""

    def __init__(self, rows: Ragged) -> None:
        self._rows = rows
        self.dtype = rows.values.dtype
        self.shape = (len(rows.start), width_of(int(np.max(rows.length, initial=0))), *rows.values.shape[1:])

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._at)

    def _at(self, key: tuple[Any, ...]) -> Any:
        rows, *_ = chosen = indexes(key, self.shape)
        return squeezed(padded(self._rows, rows, chosen[1:], self.dtype), key)


def indexes(key: tuple[Any, ...], shape: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """The key of an outer selection as the places on each axis."""
    return [np.atleast_1d(np.arange(n)[one]) for n, one in zip(shape, key, strict=True)]


def squeezed(found: NDArray[Any], key: tuple[Any, ...]) -> Any:
    """What was selected, without the axes of which a single place was asked for."""
    return found[tuple(0 if isinstance(one, int | np.integer) else slice(None) for one in key)]


def padded(
    ragged: Ragged, rows: NDArray[np.int64], inner: list[NDArray[np.int64]], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The values of rows at places, and at places of further axes. In blocks: indexes take more memory than bytes."""
    places, *others = inner
    found = np.full((len(rows), len(places), *ragged.values.shape[1:]), fill_of(dtype), dtype)
    step = max(1, _BLOCK_VALUES // max(len(places), 1))
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        inside = places < ragged.length[some][:, None]
        index = (ragged.start[some][:, None] + places)[inside]
        if len(index):
            found[first : first + step][inside] = np.asarray(ragged.values[index])
    for axis, one in enumerate(others, 2):
        found = np.take(found, one, axis)
    return found


def fill_of(dtype: np.dtype[Any]) -> Any:
    """What stands behind the values of a row."""
    return {"f": np.nan, "c": np.nan, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}.get(
        dtype.kind, dtype.type()
    )


def width_of(longest: int) -> int:
    """The width of the variable: the next power of two of the longest row, so that most passes have the same."""
    return 1 << (longest - 1).bit_length() if longest else 0


def padded_rows(rows: Ragged) -> Any:
    """Data of a variable with a row of values for each."""
    return lazy(_PaddedRows(rows))


def lazy(array: BackendArray) -> Any:
    """Data of a variable that is read when it is looked at; who changes values gets a copy of their own."""
    found: Any = indexing.LazilyIndexedArray(array)
    return indexing.CopyOnWriteArray(found)
