"""Helpers for the tests of mission packages: run one instrument, with its calibration, on given columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .mission.loading import Mission, load_mission
from .model.batches import Column, ColumnBatch, Product
from .processing.chain import product_context
from .products.draft import Draft
from .products.instrument import Instrument, family
from .products.kinds import ProductKind, mismatches
from .products.suite import Suite


def drafts_of(
    mission: str, instrument: str, container: str, columns: Mapping[str, Any], time_s: Sequence[float] | None = None
) -> list[Draft]:
    """Drafts of an instrument of a mission for one group of rows. `columns`: a value for each row, by parameter."""
    one = instrument_of(load_mission(mission), instrument)
    found = one.drafts(rows_of(container, columns, time_s))
    return [draft for draft in found if isinstance(draft, Draft)]


def products_of(
    mission: str, instrument: str, container: str, columns: Mapping[str, Any], time_s: Sequence[float] | None = None
) -> list[Product]:
    """All products of one instrument of a mission for a stream of these rows."""
    known = load_mission(mission)
    suite = Suite({instrument: known.instruments[instrument]}, known.calibrations, product_context(known, "test"))
    return [*suite.make_products([rows_of(container, columns, time_s)]), *suite.flush()]


def instrument_of(mission: Mission, name: str) -> Instrument:
    """Make an instrument with its calibration. Raises KeyError if the mission does not have it."""
    kind = mission.instruments[name]
    return kind(mission.calibrations[family(name, kind)], product_context(mission, "test"))


def rows_of(container: str, columns: Mapping[str, Any], time_s: Sequence[float] | None = None) -> ColumnBatch:
    """Make rows with the onboard times `time_s` (default: one a second), sequence counts from 0, and good quality."""
    arrays: dict[str, Column] = {name: np.asarray(values) for name, values in columns.items()}
    n = len(next(iter(arrays.values())))
    seconds = np.arange(n) if time_s is None else np.asarray(time_s)
    time_ns = np.rint(np.asarray(seconds, np.float64) * 1e9).astype(np.int64)
    return ColumnBatch(
        container,
        time_ns,
        arrays,
        {},
        {},
        np.full(n, 1, np.uint16),
        np.arange(n, dtype=np.uint16),
        np.zeros(n, np.int64),
        np.arange(n, dtype=np.int64),
        np.zeros(n, np.uint32),
    )


def differences(product: Product, kind: ProductKind) -> list[str]:
    """List the differences of a product from its kind: names, types, axes, units, level."""
    return mismatches(kind, product.level, product.arrays)


__all__ = ["differences", "drafts_of", "instrument_of", "products_of", "rows_of"]
