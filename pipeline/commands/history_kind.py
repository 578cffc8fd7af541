"""Query the rows of one kind of a history for the live page, and convert columns to arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..history.history import History
from ..history.kind_rows import Which, is_list
from ..history.parameter import Parameter

MAX_WIDTH = 16_384
"""Most values of a row along one axis."""
MAX_VECTOR = 4
Array = NDArray[Any]


class KindQuery:
    """Query of a kind in a range. `stream`: only of this one; empty: all. `lists`: count the values of arrays, too,
    for which the footers of files are read.
    """

    def __init__(
        self, history: History, known: Sequence[Parameter], stream: str, start: int, end: int, *, lists: bool = True
    ) -> None:
        self.known, self.stream, self.start, self.end = known, stream, start, end
        self._rows = history.rows_of(known[0].kind)
        self.extent = self._rows.extent(start, end, stream, lists=lists and any(map(is_list, known)))

    def rows(self, which: Which = "all") -> pa.Table:
        """Rows with the columns `time`, `received`, `quality` and those of the parameters."""
        return self._rows.rows(self.start, self.end, self.stream, which)

    def samples(self, n: int, which: Which = "numbers") -> pa.Table:
        """At most `n` bins with `time`, `quality` and of each parameter mean, min, max, last and n."""
        return self._rows.samples(self.start, self.end, n, self.stream, which)

    @property
    def n_values(self) -> int:
        """Upper bound of the number of values of all parameters."""
        scalars = sum(not is_list(one) for one in self.known)
        return self.extent.n_rows * scalars + self.extent.n_list_values


def times_of(table: pa.Table) -> Array:
    """The column `time`, int64[n]."""
    if not table.num_columns or not len(table):
        return np.zeros(0, np.int64)
    return np.asarray(table["time"].cast(pa.int64()).to_numpy()).astype(np.int64)


def column_of(table: pa.Table, name: str) -> Array:
    """A column of a query as an array; of arrays of the whole product, not of its rows, the newest one."""
    words = table.schema.field(name).metadata or {}
    dims = words.get(b"dims", b"row").decode().split()
    column = table[name]
    if dims[:1] != ["row"] and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        present = column.drop_null()
        return values_of(present.slice(len(present) - 1))[0] if len(present) else np.zeros(0)
    return values_of(column)


def extremes(columns: Sequence[Array], max_rows: int) -> NDArray[np.int64]:
    """Indices of the rows to draw, about `max_rows`: those with the minimum and maximum of each bin, of every scalar
    and every component of a short vector; without such columns evenly spaced rows.
    """
    n = len(columns[0])
    parts = [part for one in columns if one.dtype.kind in "biuf" and one.ndim <= 2
             for part in (one.reshape(n, -1).T if one.ndim == 1 or one.shape[1] <= MAX_VECTOR else ())]  # fmt: skip
    if not parts:
        return np.arange(0, n, -(-n // max_rows))
    parts = parts[: max(max_rows // 4, 1)]
    size = -(-2 * len(parts) * n // max_rows)
    n_bins = -(-n // size)
    starts = np.arange(n_bins) * size
    found = []
    for part in parts:
        padded = np.full(n_bins * size, np.nan)
        padded[:n] = part
        bins = padded.reshape(n_bins, size)
        found += [np.where(np.isnan(bins), np.inf, bins).argmin(axis=1) + starts,
                  np.where(np.isnan(bins), -np.inf, bins).argmax(axis=1) + starts]  # fmt: skip
    return np.unique(np.minimum(np.concatenate(found), n - 1))


def values_of(column: pa.ChunkedArray) -> Array:
    """A column as an array; lists have more axes, padded with NaN; of one list for all rows only that list."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        return _of_lists(column)
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return np.array([text or "" for text in column.cast(pa.string()).to_pylist()], dtype="U")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    return np.asarray(column.to_numpy())


def _of_lists(column: pa.ChunkedArray) -> Array:
    present = column.drop_null().combine_chunks()
    if not len(present):
        return np.full((len(column), 1), np.nan)
    lengths = pc.list_value_length(present).to_numpy()
    width = min(int(lengths.max()), MAX_WIDTH)
    inner = values_of(pa.chunked_array([pc.list_flatten(present)]))
    if (lengths == lengths[0]).all():
        found = inner.reshape(len(present), int(lengths[0]), *inner.shape[1:])[:, :MAX_WIDTH]
    else:
        place = np.arange(len(inner)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        found = np.full((len(present), width, *inner.shape[1:]), np.nan)
        found[np.arange(width) < lengths[:, None]] = inner[place < width]
    return found if len(present) == len(column) else found[-1]
