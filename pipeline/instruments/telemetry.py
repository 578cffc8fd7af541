"""Containers that no instrument claims: every parameter, calibrated as the dictionary says, becomes an array.

In: column batches of any container. Out: product `telemetry/<container>`, level 01, one array for
each parameter; a ragged one becomes NAME (flat), NAME.start and NAME.length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Column, ColumnBatch, Ragged
from pipeline.instruments.products import Draft
from pipeline.instruments.rows import compact
from pipeline.quantities import MAX_KNOWN, Legend, Quantities, Said, legend_of

INSTRUMENT = "telemetry"
MAX_ROWS, MAX_BYTES = 4096, 4 << 20  # of one product
_OBJECT = np.dtype(object)
_N_AXES, _DTYPE = attrgetter("ndim"), attrgetter("dtype")


@lru_cache(MAX_KNOWN)
def product_name(container: str) -> str:
    """The container's name as one of a product, spelled as the dictionary does: path parts joined by points."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", container.strip("/").replace("/", ".")) or "unnamed"


def max_rows(rows: ColumnBatch) -> int:
    """How many rows a product of this container may have: what has a fixed size must not exceed MAX_BYTES."""
    fixed = [column for column in rows.columns.values() if isinstance(column, np.ndarray)]
    row_bytes = sum(column.dtype.itemsize * int(np.prod(column.shape[1:])) for column in fixed)
    return max(1, min(MAX_ROWS, MAX_BYTES // max(row_bytes, 1)))


def drafts(rows: ColumnBatch) -> Iterator[Draft]:
    """One product with all columns of the rows."""
    columns = rows.columns
    kinds = tuple(map(type, columns.values()))
    flat = _flat(columns) if Ragged in kinds else cast("Mapping[str, NDArray[Any]]", columns)
    n_axes = tuple(map(_N_AXES, map(flat.__getitem__, columns)))
    legend, latest = _told(tuple(columns), kinds, n_axes, tuple(rows.units.items()))
    arrays = _portable(flat) if _OBJECT in map(_DTYPE, flat.values()) else flat
    name = product_name(rows.container)
    yield Draft(name, "01", rows, rows.time_ns, Quantities(arrays, legend), rows.quality.copy(), latest)


def _flat(columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """The columns, a ragged one as three arrays: its values without gaps, where each row begins, its length."""
    flat: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, Ragged):
            whole = compact(column)
            flat |= {name: whole.values, f"{name}.start": whole.start, f"{name}.length": whole.length}
        else:
            flat[name] = column
    return flat


@lru_cache(MAX_KNOWN)
def _told(
    names: tuple[str, ...], kinds: tuple[type, ...], n_axes: tuple[int, ...], units: tuple[tuple[str, str], ...]
) -> tuple[Legend, tuple[str, ...]]:
    """What is said of columns and of their arrays' axes, and which have one value a row."""
    said: dict[str, Said] = {}
    latest: list[str] = []
    unit_of = dict(units).get
    for name, kind, n in zip(names, kinds, n_axes, strict=True):
        unit, inner = unit_of(name, ""), tuple(f"{name}_axis_{axis}" for axis in range(1, n))
        if kind is Ragged:
            said[name] = unit, "values of all rows, one after another", (f"{name}_value", *inner)
            said[f"{name}.start"] = "", f"where each row begins in {name}", ("row",)
            said[f"{name}.length"] = "", f"values of each row in {name}", ("row",)
        else:
            said[name] = unit, "", ("row", *inner)
            latest += [name] if not inner else []
    return legend_of(tuple(said.items())), tuple(latest)


def _portable(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Objects, which have no form that other languages read, as text."""
    return {name: values.astype(np.str_) if values.dtype == _OBJECT else values for name, values in arrays.items()}
