"""Products as files that scientists open: one file for each kind of product of a pass, and an index beside them.

In: products, in order, spilled to a nameless file as they come. Out, when all are there: the files that the table
names, NetCDF for what it does not name. A file that cannot be written does not keep the others from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.archive.cdf import cdflib_module, write_cdf
from pipeline.archive.collection import Collection, Origin, kind
from pipeline.archive.netcdf import netcdf4_module, write_netcdf
from pipeline.archive.netcdf_attributes import iso
from pipeline.archive.pds4 import RadarTable, radar_tables, write_radar
from pipeline.archive.product_index import Entry, write_index
from pipeline.archive.product_names import file_stem
from pipeline.archive.spill import Spill
from pipeline.batches import NO_TIME, Product
from pipeline.errors import RunError

SPECIAL: dict[tuple[str, str], tuple[str, ...]] = {
    ("magnetometer", "field"): ("cdf",),
    ("gpr", "high_frequency"): ("netcdf", "pds4"),
    ("gpr", "high_frequency_self_test"): ("netcdf", "pds4"),
    ("gpr", "low_frequency"): ("netcdf", "pds4"),
    ("gpr", "low_frequency_self_test"): ("netcdf", "pds4"),
}
"""The kinds of file of a product, where it is not NetCDF alone."""

_WRITERS = {"netcdf": (".nc", write_netcdf), "cdf": (".cdf", write_cdf)}


@contextmanager
def product_files(folder: Path, origin: Origin, file_format: str = "archive") -> Iterator[ProductFiles]:
    """Open a folder of product files, written when the block ends well.

    `file_format`: "archive" as in the table, or "netcdf": every product as NetCDF alone. Raises RunError with a line
    for each file that could not be written, after all others are there and in the index; ConfigError at once where a
    library is missing.
    """
    netcdf4_module()
    if file_format == "archive":
        cdflib_module()
    try:
        with ExitStack() as stack:
            files = ProductFiles(folder, origin, file_format, Spill(folder, stack))
            yield files
            files.write()
    except OSError as error:
        raise RunError(f"cannot write in {folder}: {error.strerror or error}") from error


class ProductFiles:
    """Products by kind, as they come; `entries`: the files written."""

    def __init__(self, folder: Path, origin: Origin, file_format: str, spill: Spill) -> None:
        self._folder = folder
        self._origin = origin
        self._format = file_format
        self._spill = spill
        self._collections: dict[tuple[Any, ...], Collection] = {}
        self._names: Counter[str] = Counter()
        self.entries: list[Entry] = []

    def add(self, products: Iterable[Product]) -> None:
        for product in products:
            key = kind(product)
            if key not in self._collections:
                self._collections[key] = Collection(product, self._spill)
            self._collections[key].add(product)

    def write(self) -> None:
        """Write all files, then the index."""
        collections = list(self._collections.values())
        problems = [problem for one in collections for problem in self._write(one)]
        problems += self._write_radar([one for one in collections if "pds4" in self._kinds(one)])
        if self.entries:
            problems += _problem(lambda: write_index(self._folder, self.entries))
        if problems:
            raise RunError("\n".join(problems))

    def _kinds(self, collection: Collection) -> tuple[str, ...]:
        if self._format == "netcdf":
            return ("netcdf",)
        return SPECIAL.get((collection.instrument, collection.product), ("netcdf",))

    def _write(self, collection: Collection) -> list[str]:
        """Write a collection's files; what went wrong, a line for each."""
        problems = []
        for one in self._kinds(collection):
            if one not in _WRITERS:
                continue
            ending, write = _WRITERS[one]
            path = self._free(file_stem(collection, self._origin), ending)
            found = _problem(partial(write, path, collection, self._origin))
            problems += found
            if not found:
                ends = collection.start_ns, collection.stop_ns
                self._list(path, one, [collection], ends, sum(collection.n_rows))
        return problems

    def _write_radar(self, collections: Sequence[Collection]) -> list[str]:
        tables: list[RadarTable] = []
        problems = _problem(lambda: tables.extend(radar_tables(collections)))
        for table in tables:
            problems += _problem(partial(self._write_table, table))
        return problems

    def _write_table(self, table: RadarTable) -> None:
        paths = write_radar(self._folder, table, self._origin)
        utc_ns = table.entries["utc_ns"]
        for path, one in zip(paths, ("pds4-table", "pds4-label"), strict=True):
            self._list(path, one, table.sources, (int(utc_ns[0]), int(utc_ns[-1])), len(utc_ns))

    def _free(self, stem: str, ending: str) -> Path:
        """A name that no file of this run has: products of one name may have arrays of different forms."""
        self._names[stem + ending] += 1
        n_same = self._names[stem + ending]
        return self._folder / (f"{stem}{ending}" if n_same == 1 else f"{stem}.{n_same}{ending}")

    def _list(
        self, path: Path, kind_: str, sources: Sequence[Collection], utc_ns: tuple[int, int], n_rows: int
    ) -> None:
        start, stop = ("" if ns == NO_TIME else iso(ns) for ns in utc_ns)
        first = sources[0]
        self.entries.append(
            Entry(
                path,
                kind_,
                self._origin.mission,
                self._origin.stream,
                self._origin.recordings,
                first.instrument,
                first.product,
                first.level,
                start,
                stop,
                n_rows,
                tuple(one for source in sources for one in source.ids),
            )
        )


def _problem(act: Callable[[], object]) -> list[str]:
    """What went wrong, in one line; nothing where all is well."""
    try:
        act()
    except RunError as error:
        return [str(error)]
    return []
