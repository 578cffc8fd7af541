"""A collection: all products of one kind with the same array layout, which become one file.

In: products, in order. Out: the concatenated arrays, in parts, from a temporary file, so that memory stays bounded.
Arrays without rows (a dark, a wavelength scale) get the axis `product`, unless they are the same in all products. Local
times of rows are interpolated linearly between the ends of their product.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, Product, Quantity
from ..products.archive_rules import ArchiveRules, InstrumentArchive, Platform
from ..products.kinds import ProductKind
from .spill import Spill, SpilledArray

if TYPE_CHECKING:
    from .jobs import Planner
    from .track import Track

ROW, PRODUCT = "row", "product"
NO_SOL = -99999
_UNKNOWN = InstrumentArchive()
SIGMA = "_sigma"
"""Ending of the name of an array with one sigma of the array with the name before it."""
SIGMAS = (SIGMA, f"{SIGMA}_random", f"{SIGMA}_systematic")
"""The same, and the endings for its random and systematic parts."""


def is_sigma(name: str) -> bool:
    """Whether an array with this name is an uncertainty."""
    return name.endswith(SIGMAS)


def base_name(name: str) -> str:
    """Name of the array that an uncertainty belongs to; other names are returned as they are."""
    return next((name.removesuffix(ending) for ending in SIGMAS if name.endswith(ending)), name)


@dataclass(frozen=True, slots=True)
class Origin:
    """Provenance of products: mission, recordings, archive rules.

    `recordings`: file names. `site`: name, frame and coordinates, or None; `body`: its planet. `frames`: frame counts
    of the pass report, known after reading. `simulated`: whether the recordings are simulated. `archive_table`: table
    `[archive]` of the mission file (people, licence, keywords, dates). `track`: positions of the vehicle. `content`:
    digest of the recordings, or empty. `kinds`: product kinds of the mission, by `instrument/product`. `rules`: of the
    mission's archive; `instruments`: its entries by topic level; `tables`: planners of PDS4 tables with layouts of the
    mission.
    """

    mission: str
    stream: str
    recordings: tuple[str, ...]
    site: Mapping[str, Any] | None = None
    frames: Mapping[str, Any] = field(default_factory=dict)
    simulated: bool = False
    archive_table: Mapping[str, Any] = field(default_factory=dict)
    track: Track | None = None
    content: str = ""
    kinds: Mapping[str, ProductKind] = field(default_factory=dict)
    body: str = ""
    rules: ArchiveRules = field(default_factory=ArchiveRules)
    instruments: Mapping[str, InstrumentArchive] = field(default_factory=dict)
    tables: tuple[Planner, ...] = ()

    def instrument(self, name: str) -> InstrumentArchive:
        """Archive entry of an instrument, by topic level."""
        return self.instruments.get(name, _UNKNOWN)

    def platform(self, instrument: str) -> Platform | None:
        """The spacecraft that carries an instrument; None if the mission declares none."""
        return self.rules.platform(self.instrument(instrument).platform)

    def declared(self, instrument: str, product: str) -> ProductKind | None:
        """The kind of a product; None if the mission does not declare it."""
        return self.kinds.get(f"{instrument}/{product}")


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a collection."""

    array: SpilledArray
    dims: tuple[str, ...]
    unit: str
    description: str


def collection_key(product: Product) -> tuple[Any, ...]:
    """Key of the collection of a product: instrument, name, level, and name, axes and shape of each array."""
    flat = _ragged(product.arrays)
    form = tuple(
        (name, one.dims, _own_shape(one, name in flat), one.values.dtype.kind in "US")
        for name, one in product.arrays.items()
    )
    return product.instrument, product.product, product.level, form


class Collection:
    """Products with the same `collection_key`. `ids`, `n_rows`, `lineages` and `passes` (names): one for each."""

    def __init__(self, first: Product, spill: Spill) -> None:
        self.instrument, self.product, self.level = first.instrument, first.product, first.level
        self.ids: list[str] = []
        self.passes: list[str] = []
        self.n_rows: list[int] = []
        self.lineages: list[Mapping[str, Any]] = []
        self.start_ns = self.stop_ns = NO_TIME
        self.start_local: dict[str, float] = {}
        self.stop_local: dict[str, float] = {}
        self.quality = SpilledArray(spill)
        self.local_times: dict[str, SpilledArray] = {}
        self.spill = spill
        self._flat = _ragged(first.arrays)
        self._columns = {name: self._column(name, one) for name, one in first.arrays.items()}

    def add(self, product: Product, pass_name: str = "") -> None:
        """Append a product of the pass with this name."""
        self._extend_times(product)
        self.passes.append(pass_name)
        n_before = {name: self._columns[name].array.n_rows for name in self._flat}
        for name, quantity in product.arrays.items():
            column = self._columns[name]
            shift = n_before.get(name.removesuffix(".start"), 0) if name.endswith(".start") else 0
            values = _numbers(np.asarray(quantity.values))
            values = values + shift if shift else values
            column.array.append(values[None] if column.dims[:1] == (PRODUCT,) else values)
        self.quality.append(product.quality)
        for name, values in _local_times(product).items():
            self.local_times.setdefault(name, SpilledArray(self.spill)).append(values)
        self.ids.append(product.id)
        self.n_rows.append(len(product.quality))
        self.lineages.append(product.lineage)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The arrays, after all products were added; those that are the same in all products have no axis `product`."""
        return {name: self._once(column) for name, column in self._columns.items()}

    @cached_property
    def least_step_ns(self) -> int | None:
        """Smallest difference of the times of consecutive rows, after all products were added.

        None if a row has no time; the largest integer for fewer than two rows.
        """
        parts = self.columns["time_utc_ns"].array.parts() if "time_utc_ns" in self.columns else ()
        times = [np.empty(0, np.int64), *parts]
        if not sum(self.n_rows) or any((part == NO_TIME).any() for part in times):
            return None
        return int(np.diff(np.concatenate(times)).min(initial=np.iinfo(np.int64).max))

    @cached_property
    def common(self) -> dict[str, Any]:
        """The lineage that all products share, after all were added."""
        first = self.lineages[0]
        return {key: value for key, value in first.items() if all(one.get(key) == value for one in self.lineages)}

    def differing(self) -> dict[str, list[Any]]:
        """The lineage in which products differ: a value for each product, or None."""
        keys = dict.fromkeys(key for one in self.lineages for key in one if key not in self.common)
        return {key: [one.get(key) for one in self.lineages] for key in keys}

    def _column(self, name: str, quantity: Quantity) -> Column:
        by_row = name in self._flat or quantity.dims[:1] == (ROW,)
        dims = quantity.dims if by_row else (PRODUCT, *quantity.dims)
        kind_ = quantity.values.dtype.kind
        unit = "ns" if kind_ in "mM" else quantity.unit
        since = " since 1970-01-01 UTC" if kind_ == "M" else ""
        return Column(SpilledArray(self.spill), dims, unit, f"{quantity.description}{since}".strip())

    def _once(self, column: Column) -> Column:
        """Remove the axis `product` from a column that is the same in all products."""
        if column.dims[:1] != (PRODUCT,) or len(column.dims) < 2:
            return column
        parts = column.array.parts()
        first = next(parts)
        if any(part.tobytes() != first.tobytes() for part in parts):
            return column
        one = SpilledArray(self.spill)
        one.append(first[0])
        return replace(column, array=one, dims=column.dims[1:])

    def _extend_times(self, product: Product) -> None:
        first, last = product.time.utc_ns
        if first == NO_TIME:
            return
        start, stop = _ends(product)
        if self.start_ns == NO_TIME or first < self.start_ns:
            self.start_ns, self.start_local = first, start
        if self.stop_ns == NO_TIME or last > self.stop_ns:
            self.stop_ns, self.stop_local = last, stop


def _numbers(values: NDArray[Any]) -> NDArray[Any]:
    """Convert datetime64 and timedelta64 to int64 nanoseconds."""
    kind_ = values.dtype.kind
    return values.astype(f"{kind_}8[ns]").view(np.int64) if kind_ in "mM" else values


def _ragged(arrays: Mapping[str, Quantity]) -> set[str]:
    """Names of ragged arrays: those with starts and lengths."""
    return {name for name in arrays if f"{name}.start" in arrays and f"{name}.length" in arrays}


def _own_shape(quantity: Quantity, is_flat: bool) -> tuple[int, ...]:
    by_row = is_flat or quantity.dims[:1] == (ROW,)
    return quantity.values.shape[1:] if by_row else quantity.values.shape


def _ends(product: Product) -> tuple[dict[str, float], dict[str, float]]:
    """Local times of the first and the last instant; empty without a site."""
    time = product.time
    if time.sol is None or time.lmst_h is None or time.ltst_h is None or time.ls_deg is None:
        return {}, {}
    pairs = {"sol": time.sol, "lmst": time.lmst_h, "ltst": time.ltst_h, "ls": time.ls_deg}
    first, last = ({name: pair[end] for name, pair in pairs.items()} for end in (0, 1))
    return first, last


def _local_times(product: Product) -> dict[str, NDArray[Any]]:
    """`sol`, `lmst` and `ltst` (hours), `ls` (degrees) of each row; NO_SOL and NaN for rows without time."""
    start, stop = _ends(product)
    if not start:
        return {}
    utc_ns = product.arrays["time_utc_ns"].values
    first, last = product.time.utc_ns
    part = np.where(utc_ns == NO_TIME, np.nan, (utc_ns - first) / max(last - first, 1))
    sols = stop["sol"] - start["sol"] + (stop["lmst"] - start["lmst"]) / 24
    true_h = 24 * sols + _turned(stop["ltst"] - start["ltst"] - 24 * sols, 24)
    local = start["sol"] + start["lmst"] / 24 + part * sols
    sol = np.floor(local)
    return {
        "sol": np.where(np.isnan(sol), NO_SOL, np.nan_to_num(sol)).astype(np.int32),
        "lmst": 24 * (local - sol),
        "ltst": (start["ltst"] + part * true_h) % 24,
        "ls": (start["ls"] + part * _turned(stop["ls"] - start["ls"], 360)) % 360,
    }


def _turned(difference: float, circle: float) -> float:
    """Wrap an angle to -circle/2 ... circle/2."""
    return (difference + circle / 2) % circle - circle / 2
