"""Containers that no instrument claims: every parameter, calibrated as the dictionary says, becomes an array.

In: column batches of any container. Out: product `telemetry/<container>`, level 01, one array for
each parameter; a ragged one becomes NAME (flat), NAME.start and NAME.length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from ..model.batches import GENERIC_INSTRUMENT, Column, ColumnBatch, Ragged
from ..model.layouts import MAX_FORMS, Array, Arrays, Form, form_of
from ..model.quantities import MAX_KNOWN, ArrayMetadata, Quantities, Said, legend_of
from .context import Descriptions
from .draft import Draft
from .kinds import ProductKind
from .rows import compact

INSTRUMENT = GENERIC_INSTRUMENT
UNDESCRIBED = Descriptions()
LINEAGE = {"uncertainty": "values as the dictionary calibrates them; it has no noise model"}
MAX_ROWS, MAX_BYTES = 4096, 4 << 20  # of one product
_OBJECT = np.dtype(object)


@lru_cache(MAX_KNOWN)
def product_name(container: str) -> str:
    """The container's name as one of a product, spelled as the dictionary does: path parts joined by points."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", container.strip("/").replace("/", ".")) or "unnamed"


def max_rows(rows: ColumnBatch) -> int:
    """How many rows a product of this container may have: what has a fixed size must not exceed MAX_BYTES."""
    fixed = [column for column in rows.columns.values() if not isinstance(column, Ragged)]
    row_bytes = sum(column.dtype.itemsize * int(np.prod(column.shape[1:])) for column in fixed)
    return max(1, min(MAX_ROWS, MAX_BYTES // max(row_bytes, 1)))


def drafts(rows: ColumnBatch, descriptions: Descriptions = UNDESCRIBED) -> Iterator[Draft]:
    """One product with all columns of the rows."""
    arrays, ragged = _flat(rows.columns)
    legend, latest, portable = _told(form_of(arrays), ragged, tuple(rows.units.items()), descriptions)
    told = Quantities(arrays if portable else _portable(arrays), legend)
    yield Draft(_kind(rows.container, latest), rows, rows.time_ns, told, rows.quality.copy())


@lru_cache(MAX_KNOWN)
def _kind(container: str, latest: tuple[str, ...]) -> ProductKind:
    """The kind of a container's products: the dictionary declares its arrays."""
    return ProductKind(INSTRUMENT, product_name(container), "01", {}, latest)


def _flat(columns: Mapping[str, Column]) -> tuple[Mapping[str, Array], tuple[str, ...]]:
    """The columns as arrays, of codes as texts; a ragged one as three: its values without gaps, where each row begins,
    its length; and the names of those that were ragged.
    """
    if isinstance(columns, Arrays):
        return columns, ()
    ragged = tuple(name for name, column in columns.items() if isinstance(column, Ragged))
    flat: dict[str, Array] = {}
    for name, column in columns.items():
        if isinstance(column, Ragged):
            whole = compact(column)
            flat |= {name: np.asarray(whole.values), f"{name}.start": whole.start, f"{name}.length": whole.length}
        else:
            flat[name] = np.asarray(column)
    return flat, ragged


@lru_cache(MAX_FORMS)
def _told(
    form: Form, ragged: tuple[str, ...], units: tuple[tuple[str, str], ...], descriptions: Descriptions
) -> tuple[ArrayMetadata, tuple[str, ...], bool]:
    """What is said of arrays that were columns, which have one value a row, and whether others read all types."""
    legend, latest = _said(form.names, tuple(map(len, form.shapes)), ragged, units, descriptions)
    return legend, latest, _OBJECT not in form.dtypes


@lru_cache(MAX_KNOWN)
def _said(
    names: tuple[str, ...],
    n_axes: tuple[int, ...],
    ragged: tuple[str, ...],
    units: tuple[tuple[str, str], ...],
    descriptions: Descriptions,
) -> tuple[ArrayMetadata, tuple[str, ...]]:
    unit_of, words_of = dict(units).get, descriptions.of.get
    said: dict[str, Said] = {}
    for name, n in zip(names, n_axes, strict=True):
        said[name] = (
            unit_of(name, ""),
            words_of(name, ""),
            ("row", *(f"{name}_axis_{axis}" for axis in range(1, n))),
        )
    for name in ragged:
        dims = f"{name}_value", *said[name][2][1:]
        words = "; ".join(filter(None, (words_of(name), "values of all rows, one after another")))
        said[name] = unit_of(name, ""), words, dims
        said[f"{name}.start"] = "", f"where each row begins in {name}", ("row",)
        said[f"{name}.length"] = "", f"values of each row in {name}", ("row",)
    parts = {*ragged, *(f"{name}.{part}" for name in ragged for part in ("start", "length"))}
    latest = tuple(name for name in names if name not in parts and len(said[name][2]) == 1)
    return legend_of(tuple(said.items())), latest


def _portable(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Objects, which have no form that other languages read, as text."""
    return {name: values.astype(np.str_) if values.dtype == _OBJECT else values for name, values in arrays.items()}
