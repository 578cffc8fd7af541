"""Generic products, of containers that no instrument reads: an array for each parameter, calibrated by the dictionary.

In: column batches of any container. Out: product `telemetry/<container>`, level 01. A ragged parameter becomes three
arrays: NAME (flat), NAME.start and NAME.length.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from ..model.batches import GENERIC_INSTRUMENT, RAW_SUFFIX, RAW_WORDS, Column, ColumnBatch, Ragged
from ..model.container_names import product_name
from ..model.quantities import ArrayMetadata, Metadata, Quantities, metadata_of
from .context import Descriptions
from .draft import Draft
from .kinds import ProductKind
from .rows import calibrated, compact

INSTRUMENT = GENERIC_INSTRUMENT
UNDESCRIBED = Descriptions()
LINEAGE = {"uncertainty": "values as the dictionary calibrates them; it has no noise model"}
MAX_ROWS, MAX_BYTES = 4096, 4 << 20  # of one product
MAX_VARIANTS = 16
"""Most sets of columns of one container (parameters may be conditional) whose metadata are cached."""
Array = NDArray[Any]
_N_AXES = attrgetter("ndim")


def max_rows(rows: ColumnBatch) -> int:
    """Most rows of a product of this container, so that columns of fixed size are no more than MAX_BYTES."""
    fixed = [column for column in rows.columns.values() if not isinstance(column, Ragged)]
    row_bytes = sum(column.dtype.itemsize * int(np.prod(column.shape[1:])) for column in fixed)
    return max(1, min(MAX_ROWS, MAX_BYTES // max(row_bytes, 1)))


class GenericProducts:
    """Makes the drafts; caches the metadata of the columns of each container.

    `descriptions`: of parameters, by container. `raw`: add raw counts to the calibrated values.
    """

    def __init__(self, descriptions: Mapping[str, Descriptions], *, raw: bool = False) -> None:
        self._descriptions, self._raw = descriptions, raw
        self._known: dict[str, dict[Hashable, _Known]] = {}

    def draft(self, rows: ColumnBatch) -> Draft:
        """Make a draft with all columns of the rows."""
        arrays, ragged = _flat(_with_raw(rows) if self._raw else rows.columns)
        of_container = self._known.setdefault(rows.container, {})
        key = tuple(arrays), tuple(map(_N_AXES, arrays.values())), ragged
        known = of_container.get(key)
        if known is None or known.units is not rows.units:
            if len(of_container) >= MAX_VARIANTS:
                of_container.clear()
            known = of_container[key] = self._of(rows, *key)
        return Draft(known.kind, rows, rows.time_ns, Quantities(arrays, known.metadata), rows.quality.copy())

    def _of(
        self, rows: ColumnBatch, names: tuple[str, ...], n_axes: tuple[int, ...], ragged: tuple[str, ...]
    ) -> _Known:
        descriptions = self._descriptions.get(rows.container, UNDESCRIBED)
        counts = [name for name in names if name not in rows.columns and name.endswith(RAW_SUFFIX)]
        metadata, latest = _described(names, n_axes, ragged, counts, rows.units, descriptions)
        return _Known(metadata, ProductKind(INSTRUMENT, product_name(rows.container), "01", {}, latest), rows.units)


class _Known(NamedTuple):
    """Metadata of the columns of a container, the kind of its products, and the units that they are made from."""

    metadata: ArrayMetadata
    kind: ProductKind
    units: Mapping[str, str]


def _with_raw(rows: ColumnBatch) -> dict[str, Column]:
    """Add the raw values of calibrated columns, as NAME.raw, where no parameter has that name."""
    raw = {f"{name}{RAW_SUFFIX}": rows.raw[name] for name in calibrated(rows)}
    return {**rows.columns, **{name: column for name, column in raw.items() if name not in rows.columns}}


def _flat(columns: Mapping[str, Column]) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Convert columns to arrays: codes to texts, a ragged column to contiguous values, starts and lengths.

    Also returns the names of the ragged columns.
    """
    if set(map(type, columns.values())) == {np.ndarray}:
        return cast("dict[str, Array]", dict(columns)), ()
    ragged = tuple(name for name, column in columns.items() if isinstance(column, Ragged))
    flat: dict[str, Array] = {}
    for name, column in columns.items():
        if isinstance(column, Ragged):
            packed = compact(column)
            flat |= {
                name: np.asarray(packed.values),
                f"{name}.start": packed.start,
                f"{name}.length": packed.length,
            }
        else:
            flat[name] = np.asarray(column)
    return flat, ragged


def _described(
    names: tuple[str, ...],
    n_axes: tuple[int, ...],
    ragged: tuple[str, ...],
    counts: Collection[str],
    units: Mapping[str, str],
    descriptions: Descriptions,
) -> tuple[ArrayMetadata, tuple[str, ...]]:
    """Metadata of the arrays, and the names of those with one value for each row. `counts`: names of raw counts."""
    unit_of, words_of = units.get, descriptions.of.get
    metadata: dict[str, Metadata] = {}
    for name, n in zip(names, n_axes, strict=True):
        metadata[name] = (
            unit_of(name, ""),
            words_of(name, ""),
            ("row", *(f"{name}_axis_{axis}" for axis in range(1, n))),
        )
    for name in ragged:
        dims = f"{name}_value", *metadata[name][2][1:]
        words = "; ".join(filter(None, (words_of(name), "values of all rows, one after another")))
        metadata[name] = unit_of(name, ""), words, dims
        metadata[f"{name}.start"] = "", f"where each row begins in {name}", ("row",)
        metadata[f"{name}.length"] = "", f"values of each row in {name}", ("row",)
    for name in counts:
        metadata[name] = "", f"{RAW_WORDS}{name.removesuffix(RAW_SUFFIX)}", metadata[name][2]
    parts = {*counts, *ragged, *(f"{name}.{part}" for name in ragged for part in ("start", "length"))}
    latest = tuple(name for name in names if name not in parts and len(metadata[name][2]) == 1)
    return metadata_of(tuple(metadata.items())), latest
