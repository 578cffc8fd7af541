"""Columns as variables of xarray whose values are read, decoded, padded or looked up on access.

Rows of varying length become rows of one width, padded with NaN, NaT, empty texts, False or 0. They are padded on
access; in memory they stay one flat array with starts and lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..model.batches import Ragged
from ..model.categorical import Categorical

Array = NDArray[Any]
Rows = NDArray[np.int64]
Piece = tuple[NDArray[np.intp] | slice, Any, Rows]
"""Positions among the requested rows, a column of some rows, and the indices of the requested ones in it."""
_BLOCK_VALUES = 1 << 20


class ColumnSource(Protocol):
    """Provides columns."""

    def pieces(self, name: str, rows: Rows) -> Iterator[Piece]:
        """Yield a column at some rows, in pieces that fit into memory."""
        ...


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """Layout of one column over all rows. `inner`: shape of a row; `longest`: most values of a row, None if fixed."""

    dtype: np.dtype[Any]
    inner: tuple[int, ...]
    longest: int | None = None


def layout_of(values: Any, before: ColumnLayout | None = None) -> ColumnLayout:
    """The common layout of `values` and of the rows before them (texts may be longer)."""
    if isinstance(values, Ragged):
        longest = int(np.max(values.length, initial=0 if before is None else before.longest or 0))
        values = values.values
    else:
        longest = None
    dtype = values.dtype if before is None else np.result_type(before.dtype, values.dtype)
    return ColumnLayout(dtype, values.shape[1:] if before is None else before.inner, longest)


def lazy_columns(
    source: ColumnSource, names: Iterable[str], layouts: Mapping[str, ColumnLayout], n_rows: int
) -> dict[str, Any]:
    """Columns that are read on access; for a column of varying length also `NAME.length`."""
    found: dict[str, Any] = {}
    for name in names:
        form = layouts[name]
        if form.longest is None:
            found[name] = lazy_values(source, name, (n_rows, *form.inner), form.dtype)
            continue
        shape = (n_rows, _width_of(form.longest), *form.inner)
        found[name] = _lazy_column(source, name, shape, form.dtype, _padded)
        found[f"{name}.length"] = _lazy_column(source, name, (n_rows,), np.dtype(np.int64), _lengths_of)
    return found


def lazy_values(source: ColumnSource, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """A column of fixed length that is read on access."""
    return _lazy_column(source, name, shape, dtype, _values_of)


def lazy_texts(column: Categorical) -> Any:
    """A categorical column as texts, which are looked up on access and not kept."""
    return _lazy(column.shape, column.dtype, partial(_texts_at, column), indexing.IndexingSupport.OUTER_1VECTOR)


def padded_rows(column: Ragged) -> Any:
    """A column of varying length as padded rows, which are made on access."""
    shape = (len(column), _width_of(int(np.max(column.length, initial=0))), *column.values.shape[1:])
    return _lazy(shape, column.values.dtype, partial(_padded_at, column, shape))


class _LazyArray(BackendArray):
    """The interface of xarray for arrays that are not in memory. `select`: called with the key of an access."""

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        select: Callable[[tuple[Any, ...]], Any],
        support: indexing.IndexingSupport,
    ) -> None:
        self.shape, self.dtype, self._select, self._support = shape, dtype, select, support

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, self._support, self._select)


def _lazy(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    select: Callable[[tuple[Any, ...]], Any],
    support: indexing.IndexingSupport = indexing.IndexingSupport.OUTER,
) -> Any:
    """Data of a variable: values are selected on access, and copied before they are changed."""
    found: Any = indexing.LazilyIndexedArray(_LazyArray(shape, dtype, select, support))
    return indexing.CopyOnWriteArray(found)


Pick = Callable[[Any, Rows, list[Rows], np.dtype[Any]], Array]
"""Selects rows of a column, and indices on the inner axes."""


def _lazy_column(source: ColumnSource, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], pick: Pick) -> Any:
    return _lazy(shape, dtype, partial(_column_at, source, name, shape, dtype, pick))


def _column_at(
    source: ColumnSource, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], pick: Pick, key: tuple[Any, ...]
) -> Any:
    rows, *inner = _indices(key, shape)
    found = np.empty((len(rows), *map(len, inner)), dtype)
    for mine, values, places in source.pieces(name, rows):
        found[mine] = pick(values, places, inner, dtype)
    return _squeezed(found, key)


def _padded_at(column: Ragged, shape: tuple[int, ...], key: tuple[Any, ...]) -> Any:
    rows, *inner = _indices(key, shape)
    return _squeezed(_padded(column, rows, inner, column.values.dtype), key)


def _texts_at(column: Categorical, key: tuple[Any, ...]) -> Any:
    return np.asarray(column[key])


def _values_of(values: Array, rows: Rows, inner: list[Rows], dtype: np.dtype[Any]) -> Array:
    found = values[rows].astype(dtype, copy=False)
    for axis, one in enumerate(inner, 1):
        found = np.take(found, one, axis)
    return found


def _lengths_of(values: Ragged, rows: Rows, _: list[Rows], __: np.dtype[Any]) -> Array:
    return values.length[rows]


def _padded(column: Ragged, rows: Rows, inner: list[Rows], dtype: np.dtype[Any]) -> Array:
    """Padded values. In blocks, since indices take more memory than values."""
    places, *others = inner
    found = np.full((len(rows), len(places), *column.values.shape[1:]), _fill_of(dtype), dtype)
    step = max(1, _BLOCK_VALUES // max(len(places), 1))
    for first in range(0, len(rows), step):
        some = rows[first : first + step]
        inside = places < column.length[some][:, None]
        index = (column.start[some][:, None] + places)[inside]
        if len(index):
            found[first : first + step][inside] = np.asarray(column.values[index])
    for axis, one in enumerate(others, 2):
        found = np.take(found, one, axis)
    return found


def _indices(key: tuple[Any, ...], shape: tuple[int, ...]) -> list[Rows]:
    """Key of an outer selection as indices on each axis."""
    return [np.atleast_1d(np.arange(n)[one]) for n, one in zip(shape, key, strict=True)]


def _squeezed(found: Array, key: tuple[Any, ...]) -> Any:
    """Remove the axes on which a single index was requested."""
    return found[tuple(0 if isinstance(one, int | np.integer) else slice(None) for one in key)]


def _fill_of(dtype: np.dtype[Any]) -> Any:
    return {"f": np.nan, "c": np.nan, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}.get(
        dtype.kind, dtype.type()
    )


def _width_of(longest: int) -> int:
    """Width of padded rows: the next power of two, so that it is the same in most passes."""
    return 1 << (longest - 1).bit_length() if longest else 0
