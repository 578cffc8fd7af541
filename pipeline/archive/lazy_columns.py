"""Columns as variables of xarray that are read, or decoded, where they are looked at.

In: a source that gives a column at some rows, and the form of each column over all rows. Out: data of variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from ..model.batches import Ragged
from .lazy_rows import indexes, lazy, padded, squeezed, width_of

Array = NDArray[Any]
Rows = NDArray[np.int64]
Piece = tuple[NDArray[np.intp] | slice, Any, Rows]
"""Places among the rows that were asked for, a column of more or fewer rows, and the rows in it that belong there."""


class ColumnSource(Protocol):
    """Where columns come from."""

    def pieces(self, name: str, rows: Rows) -> Iterator[Piece]:
        """A column at some rows, in pieces that fit into memory."""
        ...


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """Of one column over all rows. `longest`: values of a row, where rows differ; else None."""

    dtype: np.dtype[Any]
    inner: tuple[int, ...]
    longest: int | None = None


def layout_of(values: Any, before: ColumnLayout | None = None) -> ColumnLayout:
    """The form of more rows: texts may be longer there."""
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
    """The columns; with values of differing length those of `NAME.length` behind them."""
    found: dict[str, Any] = {}
    for name in names:
        form = layouts[name]
        if form.longest is None:
            found[name] = lazy_values(source, name, (n_rows, *form.inner), form.dtype)
            continue
        shape = (n_rows, width_of(form.longest), *form.inner)
        found[name] = lazy(_Column(source, name, shape, form.dtype, _rows_of))
        found[f"{name}.length"] = lazy(_Column(source, name, (n_rows,), np.dtype(np.int64), _lengths_of))
    return found


def lazy_values(source: ColumnSource, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Any:
    """A column with the same number of values in each row."""
    return lazy(_Column(source, name, shape, dtype, _values_of))


Pick = Callable[[Any, Rows, list[Rows], np.dtype[Any]], Array]


def _values_of(values: Array, rows: Rows, inner: list[Rows], dtype: np.dtype[Any]) -> Array:
    found = values[rows].astype(dtype, copy=False)
    for axis, one in enumerate(inner, 1):
        found = np.take(found, one, axis)
    return found


def _rows_of(values: Ragged, rows: Rows, inner: list[Rows], dtype: np.dtype[Any]) -> Array:
    return padded(values, rows, inner, dtype)


def _lengths_of(values: Ragged, rows: Rows, _: list[Rows], __: np.dtype[Any]) -> Array:
    return values.length[rows]


class _Column(BackendArray):
    """What xarray asks of an array that is not in memory."""

    def __init__(
        self, source: ColumnSource, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], pick: Pick
    ) -> None:
        self._source, self._name, self._pick = source, name, pick
        self.shape, self.dtype = shape, dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._at)

    def _at(self, key: tuple[Any, ...]) -> Any:
        rows, *inner = indexes(key, self.shape)
        found = np.empty((len(rows), *map(len, inner)), self.dtype)
        for mine, values, places in self._source.pieces(self._name, rows):
            found[mine] = self._pick(values, places, inner, self.dtype)
        return squeezed(found, key)
