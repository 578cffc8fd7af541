"""Columns of few different texts: small integer codes, and the table of the texts that they stand for.

An enumeration of one bit takes a byte a value this way, where its labels would take four bytes a character. NumPy makes
texts of such a column wherever it is handed to it (`numpy.asarray(column)`), comparisons with a text look at the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]


class Categorical:
    """`codes: unsigned integers [n, ...]`, places in `categories: unicode[k]`. Neither is changed after it was made.

    Shape and dtype are those of the array of texts; `nbytes` is what the codes take. Categories may hold texts that no
    code stands for, and one text twice.
    """

    __slots__ = ("categories", "codes")
    __hash__ = None  # type: ignore[assignment]  # as an array

    def __init__(self, codes: Array, categories: Array) -> None:
        self.codes = codes
        self.categories = categories

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the texts."""
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
        """Bytes of the codes; those of the table are shared with other columns."""
        return self.codes.nbytes

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Categorical({np.asarray(self)!r})"

    def text(self) -> Array:
        """The array of texts, in memory of its own."""
        return self.categories.take(self.codes, mode="clip")

    def __array__(self, dtype: np.dtype[Any] | None = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("texts of a categorical column are made when they are asked for: they are a copy")
        return self.text() if dtype is None else self.text().astype(dtype, copy=False)

    def __getitem__(self, index: Any) -> Any:
        """Some of the values, as a column of this kind; of a single place the text."""
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
        """Python texts, in lists of lists where there are several axes."""
        return cast("list[Any]", self.categories.astype(object)[self.codes].tolist())

    def astype(self, dtype: Any, *, copy: bool = True) -> Array:
        """The texts in another type, as those of an array."""
        return self.text().astype(dtype, copy=copy)

    def reshape(self, *shape: Any) -> Categorical:
        return Categorical(self.codes.reshape(*shape), self.categories)

    def ravel(self) -> Categorical:
        return self.reshape(-1)

    def copy(self) -> Categorical:
        return Categorical(self.codes.copy(), self.categories)

    def item(self, *place: int) -> str:
        """A single text, as `numpy.ndarray.item`."""
        return str(self.categories[self.codes.item(*place)])

    def used(self) -> NDArray[np.intp]:
        """Places in the table that codes stand for, in ascending order."""
        return np.flatnonzero(np.bincount(self.codes.reshape(-1), minlength=len(self.categories)))

    def compact(self) -> Categorical:
        """The same values with a table that has each text once, and none that no code stands for."""
        used = self.used()
        categories, place = np.unique(self.categories[used], return_inverse=True)
        codes = np.zeros(len(self.categories), np.min_scalar_type(max(len(categories) - 1, 0)))
        codes[used] = place
        return Categorical(codes[self.codes], categories)


class CategoryTable:
    """One table for columns that have tables of their own, as batches of one recording may: it grows by what is new."""

    def __init__(self) -> None:
        self._tables: list[Array] = []
        self._places: dict[str, int] = {}
        """Of each text, once there is a second table."""

    def codes(self, column: Categorical) -> Array:
        """The codes of a column in the common table."""
        if not self._tables:
            self._tables.append(column.categories)
        return column.codes if column.categories is self._tables[0] else self._translated(column)

    def categories(self) -> Array:
        """The common table, in the common type."""
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
    """Columns one behind the other; as texts where only some of them are columns of codes."""
    coded = [column for column in columns if isinstance(column, Categorical)]
    if not coded or len(coded) < len(columns):
        return np.concatenate([np.asarray(column) for column in columns])
    table = CategoryTable()
    codes = np.concatenate([table.codes(column) for column in coded])
    return Categorical(codes, table.categories())


def stacked(columns: Sequence[Array | Categorical], axis: int) -> Array | Categorical:
    """Columns of one shape side by side along a new axis; as `concatenated`."""
    shape = columns[0].shape
    flat = concatenated(columns).reshape(len(columns), *shape)
    if isinstance(flat, Categorical):
        return Categorical(np.moveaxis(flat.codes, 0, axis), flat.categories)
    return np.moveaxis(flat, 0, axis)
