"""Plans the CDF files of a pass: one for each product kind and UTC day, as is usual in ISTP archives.

In: collections. Out: a job for each day with rows, named by its first and last row. Rows without a time are at the end
of the last file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..model.time_scales import DAY_NS
from .cdf import write_cdf
from .collection import NO_SOL, Collection, Origin
from .jobs import Job
from .product_names import file_stem

_LAST_NS = np.iinfo(np.int64).max


def plan_cdf(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan the files of each collection."""
    for one in collections:
        utc_ns = one.columns["time_utc_ns"].array.whole()
        key = np.where(utc_ns == NO_TIME, _LAST_NS, utc_ns)
        order = np.argsort(key, kind="stable")
        days = key[order] // DAY_NS
        timed = days[key[order] != _LAST_NS]
        cuts = np.flatnonzero(np.diff(timed)) + 1
        for rows in np.split(order, cuts):
            yield _job(one, origin, utc_ns, rows)


def _job(collection: Collection, origin: Origin, utc_ns: NDArray[np.int64], rows: NDArray[np.int64]) -> Job:
    known = utc_ns[rows][utc_ns[rows] != NO_TIME]
    ends = (int(known[0]), int(known[-1])) if len(known) else (NO_TIME, NO_TIME)
    row = None if len(rows) == len(utc_ns) else (*ends, _sol(collection, int(rows[0])))
    stem = file_stem(collection, origin, row=row)
    product = np.repeat(np.arange(len(collection.ids)), collection.n_rows)
    ids = tuple(collection.ids[number] for number in np.unique(product[rows]).tolist())
    return Job(
        stem,
        (("cdf", ".cdf"),),
        lambda paths: write_cdf(paths[0], collection, origin, rows),
        (collection,),
        ends,
        len(rows),
        ids,
    )


def _sol(collection: Collection, row: int) -> int:
    if "sol" not in collection.local_times:
        return 0
    sol = int(collection.local_times["sol"].whole()[row])
    return 0 if sol == NO_SOL else sol
