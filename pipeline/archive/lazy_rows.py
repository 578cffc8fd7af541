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

from pipeline.batches import Ragged

_BLOCK_VALUES = 1 << 20


class _PaddedRows(BackendArray):
    """What xarray asks of an array that is not in memory. `values` may be any array that takes an array of indexes."""

    def __init__(self, rows: Ragged) -> None:
        self._rows = rows
        self.dtype = rows.values.dtype
        self.shape = (len(rows.start), width_of(rows), *rows.values.shape[1:])

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._at)

    def _at(self, key: tuple[Any, ...]) -> Any:
        row, place, *inner = key
        rows, places = (np.atleast_1d(np.arange(n)[one]) for n, one in zip(self.shape, (row, place), strict=False))
        found = self._padded(rows, places)
        for axis, one in enumerate(inner, 2):
            found = np.take(found, np.atleast_1d(np.arange(found.shape[axis])[one]), axis)
        return found[tuple(0 if isinstance(one, int | np.integer) else slice(None) for one in key)]

    def _padded(self, rows: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[Any]:
        """The values of rows at places, in blocks: the indexes take more memory than small values."""
        found = np.full((len(rows), len(places), *self.shape[2:]), _fill(self.dtype), self.dtype)
        if not len(places) or not len(self._rows.values):
            return found
        step = max(1, _BLOCK_VALUES // len(places))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            inside = places < self._rows.length[some][:, None]
            index = (self._rows.start[some][:, None] + places)[inside]
            if len(index):
                found[first : first + step][inside] = np.asarray(self._rows.values[index])
        return found


def _fill(dtype: np.dtype[Any]) -> Any:
    return {"f": np.nan, "c": np.nan, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}.get(
        dtype.kind, dtype.type()
    )


def width_of(rows: Ragged) -> int:
    """The width of the variable: the next power of two of the longest row, so that most passes have the same."""
    longest = int(np.max(rows.length, initial=0))
    return 1 << (longest - 1).bit_length() if longest else 0


def padded_rows(rows: Ragged) -> Any:
    """Data of a variable with a row of values for each; who changes them gets a copy of their own."""
    lazy: Any = indexing.LazilyIndexedArray(_PaddedRows(rows))
    return indexing.CopyOnWriteArray(lazy)
