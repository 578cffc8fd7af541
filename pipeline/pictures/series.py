"""Products of a pass, gathered by kind for drawing: all rows of each array, thinned where a pass is very long.

In: products, in order. Out: a `Series` for each kind. Dropped: where a kind grows beyond MAX_BYTES, every second
product of it, again and again; `thinned` says how many products stand for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, Product, Quantity, usable
from ..model.gaps import gap_starts

MAX_BYTES = 128 << 20  # of a kind, before it is thinned


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of product over the whole pass. Arrays have all rows first; those without rows are the last product's.

    `utc_ns int64[n]`, `quality uint32[n]`, `latest` as in `Product`, `thinned`: products that stand for one.
    """

    instrument: str
    product: str
    level: str
    arrays: Mapping[str, Quantity]
    utc_ns: NDArray[np.int64]
    quality: NDArray[np.uint32]
    latest: tuple[str, ...]
    n_products: int
    thinned: int

    def values(self, name: str) -> NDArray[np.float64]:
        """An array as floats; NaN where the kind has no such array."""
        if name not in self.arrays:
            return np.full(len(self.utc_ns), np.nan)
        return np.asarray(self.arrays[name].values, np.float64)

    def unit(self, name: str) -> str:
        return self.arrays[name].unit if name in self.arrays else ""

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Rows that are doubtful; that a symbol was corrected, or that rows before it are missing, is no doubt."""
        return ~usable(self.quality)

    @property
    def time(self) -> NDArray[np.datetime64]:
        """UTC of each row; NaT where it is not known."""
        known: NDArray[np.datetime64] = self.utc_ns.astype("datetime64[ns]")
        return known

    @property
    def is_timed(self) -> bool:
        """Whether any row has a time: without a clock none has."""
        return bool((self.utc_ns != NO_TIME).any())

    @property
    def place(self) -> NDArray[np.datetime64] | NDArray[np.int64]:
        """Where rows stand on the axis: at their time, or by their number where no row has one."""
        return self.time if self.is_timed else np.arange(len(self.utc_ns))

    @property
    def gaps(self) -> NDArray[np.int64]:
        """Rows before which others are missing, by their times."""
        return gap_starts(self.utc_ns)


class _Kind:
    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes
        self.products: list[Product] = []
        self.n_products = 0
        self.step = 1
        self._n_bytes = 0

    def add(self, product: Product) -> None:
        if self.n_products % self.step == 0:
            self.products.append(product)
            self._n_bytes += sum(one.values.nbytes for one in product.arrays.values())
        self.n_products += 1
        if self._max_bytes is not None and self._n_bytes > self._max_bytes and len(self.products) > 1:
            self.products = self.products[::2]
            self.step *= 2
            self._n_bytes //= 2

    def series(self) -> Series:
        """Of the products whose arrays have the form that most of them have: others cannot stand in one array."""
        return replace(self.forms()[0], n_products=self.n_products)

    def forms(self) -> list[Series]:
        """The products by the form of their arrays, the commonest first."""
        forms: dict[tuple[object, ...], list[Product]] = {}
        for product in self.products:
            forms.setdefault(_form(product), []).append(product)
        return [self._series(same) for same in sorted(forms.values(), key=len, reverse=True)]

    def _series(self, same: list[Product]) -> Series:
        first, last = same[0], same[-1]
        return Series(
            first.instrument,
            first.product,
            first.level,
            {name: _joined([one.arrays[name] for one in same]) for name in last.arrays},
            np.concatenate([np.asarray(one.arrays["time_utc_ns"].values) for one in same]),
            np.concatenate([one.quality for one in same]),
            last.latest,
            len(same),
            self.step,
        )


class Gathering:
    """Takes products as they come; `series` when all are there. `max_bytes` of a kind, None: nothing is thinned."""

    def __init__(self, max_bytes: int | None = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, products: Iterable[Product]) -> None:
        for product in products:
            self._kinds.setdefault((product.instrument, product.product), _Kind(self._max_bytes)).add(product)

    def series(self) -> list[Series]:
        """Every kind, by instrument and product."""
        return [self._kinds[name].series() for name in sorted(self._kinds)]

    def forms(self, instrument: str, product: str) -> list[Series]:
        """A series for each form that the arrays of one kind have, the commonest first; empty without such a kind."""
        kind = self._kinds.get((instrument, product))
        return kind.forms() if kind else []


def _form(product: Product) -> tuple[object, ...]:
    return tuple(
        (name, one.dims, one.values.shape[1:] if one.dims[:1] == ("row",) else None)
        for name, one in product.arrays.items()
    )


def _joined(pieces: list[Quantity]) -> Quantity:
    last = pieces[-1]
    if last.dims[:1] != ("row",) or len(pieces) == 1:
        return last
    return Quantity(np.concatenate([one.values for one in pieces]), last.unit, last.description, last.dims)
