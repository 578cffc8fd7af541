"""Containers that no instrument claims: every parameter, calibrated as the dictionary says, becomes an array.

In: column batches of any container. Out: product `telemetry/<container>`, level 01, one array for
each parameter; a ragged one becomes NAME (flat), NAME.start and NAME.length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import ColumnBatch, Quantity, Ragged
from pipeline.instruments.products import Draft
from pipeline.instruments.rows import compact

INSTRUMENT = "telemetry"
MAX_ROWS, MAX_BYTES = 4096, 4 << 20  # of one product


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
    arrays: dict[str, Quantity] = {}
    latest: list[str] = []
    unit_of = rows.units.get
    for name, column in rows.columns.items():
        if isinstance(column, Ragged):
            arrays |= _ragged(name, column, unit_of(name, ""))
        elif column.ndim == 1:
            arrays[name] = Quantity(_portable(column), unit_of(name, ""))
            latest.append(name)
        else:
            dims = ("row", *(f"{name}_axis_{axis}" for axis in range(1, column.ndim)))
            arrays[name] = Quantity(_portable(column), unit_of(name, ""), "", dims)
    yield Draft(product_name(rows.container), "01", rows, rows.time_ns, arrays, rows.quality.copy(), tuple(latest))


def _ragged(name: str, column: Ragged, unit: str) -> dict[str, Quantity]:
    flat = compact(column)
    dims = (f"{name}_value", *(f"{name}_axis_{axis}" for axis in range(1, flat.values.ndim)))
    return {
        name: Quantity(_portable(flat.values), unit, "values of all rows, one after another", dims),
        f"{name}.start": Quantity(flat.start, "", f"where each row begins in {name}"),
        f"{name}.length": Quantity(flat.length, "", f"values of each row in {name}"),
    }


def _portable(values: NDArray[Any]) -> NDArray[Any]:
    """Objects, which have no form that other languages read, as text."""
    return values.astype(np.str_) if values.dtype.kind == "O" else values
