"""Categorical columns: small integer codes, and a table of texts.

An enumeration of one bit takes one byte for each value, where its labels would take four bytes a character. NumPy
functions convert a column to texts (`numpy.asarray(column)`); comparison with a text uses the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]


class Categorical:
    """`codes`: unsigned integers [n, ...], indices into `categories: unicode[k]`; neither may be changed.

    Shape and dtype are those of the array of texts; `nbytes` is that of the codes. `categories` may have unused texts,
    and a text more than once.
    """

    __slots__ = ("categories", "codes")
    __hash__ = None  # type: ignore[assignment]  # as an array

    def __init__(self, codes: Array, categories: Array) -> None:
        self.codes = codes
        self.categories = categories

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the texts."""
        return self.categories.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def ndim(self) -> int:
        return self.codes.ndim

    @property
    def size(self) -> int:
        return self.codes.size

    @property
    def nbytes(self) -> int:
        """Bytes of the codes. The table may be shared with other columns."""
        return self.codes.nbytes

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Categorical({np.asarray(self)!r})"

    def text(self) -> Array:
        """Array of texts, a copy."""
        return self.categories.take(self.codes, mode="clip")

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("the texts of a categorical column are always a copy")
        return self.text() if dtype is None else self.text().astype(dtype, copy=False)

    def __getitem__(self, index: Any) -> Any:
        """Select values: a Categorical, or the text of a single element."""
        codes = self.codes[index]
        return Categorical(codes, self.categories) if isinstance(codes, np.ndarray) else self.categories[codes]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.text())

    def __eq__(self, other: object) -> Mask:  # type: ignore[override]  # as an array: element by element
        if isinstance(other, str):
            return cast("Mask", (self.categories == other).take(self.codes, mode="clip"))
        return np.asarray(self.text() == np.asarray(other))

    def __ne__(self, other: object) -> Mask:  # type: ignore[override]  # as an array: element by element
        return ~(self == other)

    def tolist(self) -> list[Any]:
        """As numpy.ndarray.tolist, of the texts."""
        return cast("list[Any]", self.categories.astype(object)[self.codes].tolist())

    def astype(self, dtype: Any, *, copy: bool = True) -> Array:
        """As numpy.ndarray.astype, of the texts."""
        return self.text().astype(dtype, copy=copy)

    def reshape(self, *shape: Any) -> Categorical:
        return Categorical(self.codes.reshape(*shape), self.categories)

    def ravel(self) -> Categorical:
        return self.reshape(-1)

    def copy(self) -> Categorical:
        return Categorical(self.codes.copy(), self.categories)

    def item(self, *place: int) -> str:
        """As numpy.ndarray.item, of the texts."""
        return str(self.categories[self.codes.item(*place)])

    def used(self) -> NDArray[np.intp]:
        """Indices of the categories that occur, ascending."""
        return np.flatnonzero(np.bincount(self.codes.reshape(-1), minlength=len(self.categories)))

    def compact(self) -> Categorical:
        """The same values with a sorted table of distinct texts, without unused ones."""
        used = self.used()
        categories, place = np.unique(self.categories[used], return_inverse=True)
        codes = np.zeros(len(self.categories), np.min_scalar_type(max(len(categories) - 1, 0)))
        codes[used] = place
        return Categorical(codes[self.codes], categories)


class CategoryTable:
    """A common table for columns with different tables, such as batches of one recording; it grows with new texts."""

    def __init__(self) -> None:
        self._tables: list[Array] = []
        self._places: dict[str, int] = {}
        """Index of each text; filled when there is a second table."""

    def codes(self, column: Categorical) -> Array:
        """Return the codes of a column in the common table, [n, ...]."""
        if not self._tables:
            self._tables.append(column.categories)
        return column.codes if column.categories is self._tables[0] else self._translated(column)

    def categories(self) -> Array:
        """Return the common table, unicode[k]."""
        return self._tables[0] if len(self._tables) == 1 else np.concatenate(self._tables)

    def _translated(self, column: Categorical) -> Array:
        n_known = sum(map(len, self._tables))
        if not self._places:
            self._places = {text: place for place, text in enumerate(self._tables[0].tolist())}
        used = column.used()
        texts = column.categories[used]
        new = np.array([text not in self._places for text in texts.tolist()], np.bool_)
        self._places.update((text, n_known + i) for i, text in enumerate(texts[new].tolist()))
        self._tables.append(texts[new])  # even if it is empty: its type may be wider
        translation = np.zeros(len(column.categories), np.min_scalar_type(max(n_known + len(texts) - 1, 0)))
        translation[used] = [self._places[text] for text in texts.tolist()]
        return translation[column.codes]


def concatenated(columns: Sequence[Array | Categorical]) -> Array | Categorical:
    """Concatenate columns along rows; the result is a Categorical only if all are."""
    coded = [column for column in columns if isinstance(column, Categorical)]
    if not coded or len(coded) < len(columns):
        return np.concatenate([np.asarray(column) for column in columns])
    table = CategoryTable()
    codes = np.concatenate([table.codes(column) for column in coded])
    return Categorical(codes, table.categories())


def stacked(columns: Sequence[Array | Categorical], axis: int) -> Array | Categorical:
    """Stack columns of one shape along a new axis; the result is a Categorical only if all are."""
    shape = columns[0].shape
    flat = concatenated(columns).reshape(len(columns), *shape)
    if isinstance(flat, Categorical):
        return Categorical(np.moveaxis(flat.codes, 0, axis), flat.categories)
    return np.moveaxis(flat, 0, axis)
