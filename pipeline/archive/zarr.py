"""Writes all products of a pass to one Zarr (version 3) store, with a group `<instrument>/<product>` for each kind.

The groups have the variables and attributes of the NetCDF files (CF-1.11, ACDD-1.3), from which they are converted.
`xarray.open_zarr(store, group="weather/meteorology")` opens one, `xarray.open_datatree(store)` all.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..model.batches import NO_TIME
from ..system.files import whole_folder
from .collection import Collection, Origin
from .jobs import Job
from .libraries import science
from .netcdf import fill_netcdf
from .product_names import pass_stem


def plan_zarr(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan one job for all collections of a pass."""
    if not collections:
        return
    known = [one for one in collections if one.start_ns != NO_TIME]
    ends = (min(one.start_ns for one in known), max(one.stop_ns for one in known)) if known else (NO_TIME, NO_TIME)
    yield Job(
        pass_stem(collections, origin),
        (("zarr", ".zarr"),),
        partial(_write, collections, origin),
        tuple(collections),
        ends,
        sum(sum(one.n_rows) for one in collections),
        tuple(product for one in collections for product in one.ids),
    )


def _write(collections: Sequence[Collection], origin: Origin, paths: Sequence[Path]) -> None:
    """Write the store, atomically. Raises RunError if it cannot be written."""
    xarray, taken = science("xarray"), Counter[str]()
    [path] = paths
    with whole_folder(path) as part:
        for one in collections:
            name = f"{one.instrument}/{one.product}"
            taken[name] += 1
            group = name if taken[name] == 1 else f"{name}.{taken[name]}"
            between = part / "between.nc"
            fill_netcdf(between, one, origin, f"{path.stem}/{group}")
            with xarray.open_dataset(between, decode_cf=False) as dataset:
                _put(_plain(dataset.load()), part, group)
            between.unlink()


def _put(dataset: Any, store: Path, group: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*(Zarr V3 specification|Zarr format 3).*"
        )  # text has no spec yet
        dataset.to_zarr(store, group=group, mode="w", zarr_format=3, consolidated=False)


def _plain(dataset: Any) -> Any:
    """Remove chunks and compression of NetCDF."""
    for variable in dataset.variables.values():
        variable.encoding = {}
    return dataset
