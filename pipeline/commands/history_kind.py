"""Rows of one kind of a history in a range, and its columns as arrays, for the live page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..history.history import History, Parameter
from ..history.result_tables import renamed, share
from ..history.rows import Choice, Span
from ..history.samples import flattened, samples

MAX_WIDTH = 16_384
"""Values of a row along one axis."""
MAX_VECTOR = 4
Array = NDArray[Any]


class KindQuery:
    """A kind in a range; `stream`: of one stream alone, empty for all."""

    def __init__(self, history: History, known: Sequence[Parameter], stream: str, start: int, end: int) -> None:
        self._history, self.known, self.stream, self.start, self.end = history, known, stream, start, end
        self._folder = history.kinds()[known[0].kind]
        parts = history.reader().parts(self._folder, self._choice())
        self._parts = [one for one in parts if one.overlaps(start, end)]

    def n_rows(self) -> int:
        """How many rows there are about, by the names of files."""
        span = Span(self.start, self.end)
        return sum(round(one.n_rows * share(one, span)) or 1 for one in self._parts)

    def is_untimed(self) -> bool:
        return all(one.times == "n" for one in self._parts)

    def ends(self) -> tuple[int, int]:
        """The first and the last row in the range, by the names of files."""
        first, last = min(one.first for one in self._parts), max(one.last for one in self._parts)
        return max(first, self.start), min(last, self.end - 1)

    def files(self) -> list[tuple[int, int]]:
        return sorted((max(one.first, self.start), min(one.last, self.end)) for one in self._parts)

    def rows(self, of: Sequence[Parameter]) -> pa.Table:
        """Rows with the columns `time`, `received`, `quality` and those of the parameters."""
        extra = ["time", "received", "quality"]
        names = {one.column: one.name for one in of}
        reader = self._history.reader()
        found = reader.read(self._folder, [*names, *extra], Span(self.start, self.end), self._choice())
        return renamed(found, names, extra) if found.num_columns else found

    def samples(self, of: Sequence[Parameter], n: int) -> pa.Table:
        """At most `n` bins with `time`, `quality` and of each parameter mean, min, max, last and n."""
        names = {one.column: one.name for one in of}
        span = Span(self.start, self.end)
        found = samples(self._history.reader(), self._folder, list(names), span, n, self._choice())
        return flattened(found, names) if len(found) else found

    def _choice(self) -> Choice:
        return Choice([self.stream] if self.stream else ())

    def n_values(self) -> int:
        """Values of all parameters, at most."""
        scalars = sum(not is_list(one) for one in self.known)
        return self.n_rows() * scalars + self.n_list_values([one for one in self.known if is_list(one)])

    def n_list_values(self, of: Sequence[Parameter]) -> int:
        columns = [one.column for one in of]
        return self._history.size(self._folder, columns, Span(self.start, self.end), self._choice(), "calibrated")


def is_list(one: Parameter) -> bool:
    """Whether a row has several values."""
    return "list" in one.type


def times_of(table: pa.Table) -> Array:
    """The column `time`, int64[n]."""
    if not table.num_columns or not len(table):
        return np.zeros(0, np.int64)
    return np.asarray(table["time"].cast(pa.int64()).to_numpy()).astype(np.int64)


def column_of(table: pa.Table, name: str) -> Array:
    """A column of a query as an array; of an array that is of the whole product, and not of a row, the newest one."""
    words = table.schema.field(name).metadata or {}
    dims = words.get(b"dims", b"row").decode().split()
    column = table[name]
    if dims[:1] != ["row"] and (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        present = column.drop_null()
        return values_of(present.slice(len(present) - 1))[0] if len(present) else np.zeros(0)
    return values_of(column)


def extremes(columns: Sequence[Array], max_rows: int) -> NDArray[np.int64]:
    """Which rows to draw of more than `max_rows`: those with the least and the greatest value of each even part, of
    every number of a row and every component of a short vector; of other rows every so many.
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
    """A column as an array: of lists with further axes, padded with NaN; of one list for all rows that list alone."""
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
