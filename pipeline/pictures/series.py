"""Series: the products of a pass, concatenated by kind for drawing; long passes are thinned.

In: products, in order. Out: a `Series` for each kind. Dropped: if a kind has more than MAX_BYTES, every second product,
repeatedly; of `thinned` products one is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, Product, Quality, Quantity, usable
from ..model.gaps import gap_spans, gap_starts

MAX_BYTES = 128 << 20  # of a kind, before it is thinned
_HEADER_FIELDS = 8  # of a primary header, at most, up to the packet length
_SEQUENCE_MASK = 0x3FFF


@dataclass(frozen=True, slots=True)
class Series:
    """All rows of a product kind in a pass. Arrays without rows are those of the last product.

    `utc_ns int64[n]`, `quality uint32[n]`; `latest`: as in `Product`; `thinned`: one of so many products is kept;
    `received_ns int64[n]`: receive time, 0 if it is not known for the row; `header`: arrays that are fields of the
    packet's primary header.
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
    received_ns: NDArray[np.int64]
    header: frozenset[str]

    def values(self, name: str) -> NDArray[np.float64]:
        """An array as float64; NaN if there is no such array."""
        if name not in self.arrays:
            return np.full(len(self.utc_ns), np.nan)
        return np.asarray(self.arrays[name].values, np.float64)

    def is_whole(self, name: str) -> bool:
        """Whether an array has integers."""
        return name in self.arrays and self.arrays[name].values.dtype.kind in "iu"

    def unit(self, name: str) -> str:
        return self.arrays[name].unit if name in self.arrays else ""

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Whether each row is doubtful."""
        return ~usable(self.quality)

    @property
    def time(self) -> NDArray[np.datetime64]:
        """UTC of each row; NaT if unknown."""
        known: NDArray[np.datetime64] = self.utc_ns.astype("datetime64[ns]")
        return known

    @property
    def is_timed(self) -> bool:
        """Whether any row has an onboard time."""
        return bool((self.utc_ns != NO_TIME).any())

    @property
    def is_received(self) -> bool:
        """Whether all receive times are known, and not all equal."""
        received_ns = self.received_ns
        return bool(len(received_ns) and received_ns.all() and (received_ns != received_ns[0]).any())

    @property
    def place(self) -> NDArray[np.datetime64] | NDArray[np.int64]:
        """Abscissa of rows: onboard time, else receive time, else row number."""
        if self.is_timed:
            return self.time
        if self.is_received:
            known: NDArray[np.datetime64] = self.received_ns.astype("datetime64[ns]")
            return known
        return np.arange(len(self.utc_ns))

    @property
    def gaps(self) -> NDArray[np.int64]:
        """Indices of rows after a gap, by times; without onboard times, also by sequence counts."""
        if self.is_timed:
            return gap_starts(self.utc_ns)
        missing = np.flatnonzero(self.quality & np.uint32(Quality.AFTER_GAP))
        by_time = gap_starts(self.received_ns) if self.is_received else missing
        return np.union1d(missing[missing > 0], by_time[by_time > 0])

    @property
    def spans(self) -> NDArray[np.int64]:
        """Begin and end of each gap in time, int64[k, 2]; none if the abscissa is the row number."""
        if self.is_timed or self.is_received:
            return gap_spans(self.utc_ns if self.is_timed else self.received_ns)
        return np.empty((0, 2), np.int64)


class _Kind:
    def __init__(self, max_bytes: int) -> None:
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
        if self._n_bytes > self._max_bytes and len(self.products) > 1:
            self.products = self.products[::2]
            self.step *= 2
            self._n_bytes //= 2

    def series(self) -> Series:
        """Concatenate the products with the most frequent array shapes; others are left out."""
        forms: dict[tuple[object, ...], list[Product]] = {}
        for product in self.products:
            forms.setdefault(_form(product), []).append(product)
        same = max(forms.values(), key=len)
        first, last = same[0], same[-1]
        return Series(
            first.instrument,
            first.product,
            first.level,
            {name: _joined([one.arrays[name] for one in same]) for name in last.arrays},
            np.concatenate([np.asarray(one.arrays["time_utc_ns"].values) for one in same]),
            np.concatenate([one.quality for one in same]),
            last.latest,
            self.n_products,
            self.step,
            np.concatenate([_received(one) for one in same]),
            _header(same),
        )


class Gathering:
    """Collects products; `series` when all are there. `max_bytes`: of a kind."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def add(self, products: Iterable[Product]) -> None:
        for product in products:
            self._kinds.setdefault((product.instrument, product.product), _Kind(self._max_bytes)).add(product)

    def series(self) -> list[Series]:
        """Return a series for each kind, sorted by instrument and product."""
        return [self._kinds[name].series() for name in sorted(self._kinds)]


def _received(product: Product) -> NDArray[np.int64]:
    """Receive time of each row, int64[n]: that of the product if all its packets have the same one, else 0."""
    first_ns, last_ns = product.lineage.get("received_ns") or (0, 0)
    return np.full(len(product.quality), first_ns if first_ns == last_ns else 0, np.int64)


def _header(products: Sequence[Product]) -> frozenset[str]:
    """Arrays that are fields of the primary header (CCSDS 133.0-B 4.1.3).

    They are found by the sequence count, which is compared with that of the link: the packet length follows it, the
    other fields are before. Empty if no array is the sequence count.
    """
    names = [name for name in products[0].arrays if not name.startswith("time_")][:_HEADER_FIELDS]
    place = next((i for i, name in enumerate(names) if _counts_packets(name, products)), None)
    return frozenset() if place is None else frozenset(names[: place + 2])


def _counts_packets(name: str, products: Sequence[Product]) -> bool:
    """Whether an array is the sequence count, by its first and last value; sequence flags may be in its upper bits."""
    for product in products:
        values, ends = product.arrays[name].values, product.lineage.get("seq_count")
        if not ends or values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
            return False
        if [int(values[end]) & _SEQUENCE_MASK for end in (0, -1)] != ends:
            return False
    return True


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
