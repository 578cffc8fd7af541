"""A recorded pass in Python: its report, frames, packets, columns and products, for notebooks and scripts.

>>> from pipeline import open_pass
>>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
>>> found.report()["frames"]["uncorrectable"]
0
>>> navigation = found.to_xarray("NAVIGATION")
>>> navigation["POSITION_NORTH"].attrs["units"], navigation.sizes["time"]
('m', 203)

A radargram in five lines: behind these two, `radar["quicklook"].T.plot(x="distance_m", y="depth_m", yincrease=False)`.

>>> radar = found.product("gpr/radargram_high").set_coords(["distance_m", "depth_m"])
>>> radar["quicklook"].dims, radar["depth_m"].attrs["units"]
(('row', 'sample'), 'm')
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.archive.column_listing import Source
from pipeline.archive.columns import ColumnFiles
from pipeline.archive.datasets import dataset, product_dataset
from pipeline.archive.row_columns import Known
from pipeline.archive.spill import Spill
from pipeline.batches import ColumnBatch, Event, FrameBatch, PacketBatch, Product
from pipeline.errors import ConfigError
from pipeline.mission import Mission, load_mission
from pipeline.pictures.series import Gathering
from pipeline.stages.line import Line, Outcome
from pipeline.stages.passes import outcomes, station_names

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, slots=True, repr=False)
class RecordedPass:
    """Recordings of one stream. Each method reads them anew; nothing is kept."""

    paths: tuple[Path, ...]
    mission: Mission
    merge: bool = False

    def __repr__(self) -> str:
        paths = ", ".join(repr(str(path)) for path in self.paths)
        return f"open_pass({paths}, mission={self.mission.name!r}{', merge=True' if self.merge else ''})"

    def report(self) -> dict[str, Any]:
        """Give the pass report: bytes, frames, channels, packets."""
        line = self._line(until="packets")
        for _ in self._through(line):
            pass
        return line.report()

    def frames(self) -> Iterator[FrameBatch]:
        """Give the transfer frames of the wanted channels, batch by batch, in order of count within each channel.

        >>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
        >>> sum(len(batch.data) for batch in found.frames()) == found.report()["frames"]["clean"]
        True
        """
        for outcome in self._through(self._line(until="packets")):
            if outcome.frames is not None:
                yield outcome.frames

    def packets(self) -> Iterator[PacketBatch]:
        """Give the whole space packets, batch by batch; idle ones are left out."""
        for outcome in self._through(self._line(until="packets")):
            yield outcome.packets

    def columns(self, *, raw: bool = False) -> Iterator[ColumnBatch]:
        """Give the decoded packets, batch by batch: a ColumnBatch for each container in it.

        >>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
        >>> {batch.container for batch in found.columns()} >= {"NAVIGATION", "GPR_HF"}
        True
        """
        for outcome in self._through(self._line(until="columns", raw=raw)):
            yield from outcome.columns

    def containers(self) -> dict[str, int]:
        """Give the containers that the pass has, by name, with the number of packets of each.

        >>> open_pass("replay_data/clean.cadu", mission="zhurong").containers()["NAVIGATION"]
        203
        """
        counts: Counter[str] = Counter()
        for batch in self.columns():
            counts[batch.container] += len(batch)
        return dict(sorted(counts.items()))

    def to_xarray(self, container: str, *, raw: bool = False) -> xarray.Dataset:
        """Give the decoded packets of one container as a Dataset: a variable for each parameter, with its unit.

        Its dimension is `time` where the mission has a clock, else `received`, else `packet`. Coordinates are the
        columns of rows that `decode` writes too (`archive/row_columns.py`). Raises ConfigError where the pass has no
        such packets, and names those it has.
        """
        with TemporaryDirectory() as folder, ExitStack() as stack:
            tables = ColumnFiles(Spill(Path(folder), stack), raw=raw)
            for outcome in self._through(self._line(until="columns", raw=raw)):
                tables.add(outcome.columns)
            if container not in tables.tables:
                known = ", ".join(sorted(tables.tables)) or "nothing that is decoded"
                raise ConfigError(f"the pass has no {container}: it has {known}")
            table, rows, units = tables.tables[container]
            fields = {name: array.whole() for name, array in rows.arrays.items()}
            source = Source(self.mission.name, self.paths, raw)
            utc_of = self.mission.utc_ns if self.mission.time_terms else None
            of_pass = Known(units, self.mission.described(container), source.words(), utc_of)
            return dataset(table.columns(), fields, container, of_pass)

    def products(self) -> Iterator[Product]:
        """Give the science products, in order."""
        for outcome in self._through(self._line(self.paths[0].stem)):
            yield from outcome.products

    def product(self, name: str) -> xarray.Dataset:
        """Give the products of a kind, `<instrument>/<product>`, as one Dataset along `row`, with units and quality.

        Where their arrays differ in form, as images of several sizes do, those of the commonest form, with a
        UserWarning that says how many are left out; `product_forms` gives them all.
        Raises ConfigError where the pass has no such products, and names those it has.

        >>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
        >>> weather = found.product("weather/meteorology")
        >>> weather["pressure_pa"].where(weather["usable"]).attrs["units"], weather.attrs["level"]
        ('Pa', '2B')
        """
        first, *others = self.product_forms(name)
        if others:
            n_left = sum(one.attrs["n_products"] for one in others)
            n_all = n_left + first.attrs["n_products"]
            warnings.warn(
                f"{name}: {n_left} of {n_all} products are left out, their arrays have other forms; "
                f"product_forms({name!r}) gives all",
                stacklevel=2,
            )
        return first

    def product_forms(self, name: str) -> list[xarray.Dataset]:
        """Give all products of a kind: a Dataset for each form of their arrays, the commonest first.

        Each as from `product`; the attribute `n_products` says how many are in it. Raises ConfigError as `product`.

        >>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
        >>> [one.attrs["n_products"] for one in found.product_forms("natecam/image")]
        [8, 7]
        """
        gathered, kinds = Gathering(max_bytes=None), set()
        for product in self.products():
            kinds.add(kind := f"{product.instrument}/{product.product}")
            if kind == name:
                gathered.add([product])
        if name not in kinds:
            raise ConfigError(f"the pass has no {name}: it has {', '.join(sorted(kinds)) or 'no products'}")
        instrument, _, product_name = name.partition("/")
        return [
            product_dataset(
                one.arrays,
                one.utc_ns,
                one.quality,
                {"product": name, "level": one.level, "n_products": one.n_products},
            )
            for one in gathered.forms(instrument, product_name)
        ]

    def events(self) -> Iterator[Event]:
        """Give what an operator wants to hear of: gaps, limits, what instruments found."""
        for outcome in self._through(self._line(self.paths[0].stem)):
            yield from outcome.events

    def _through(self, line: Line) -> Iterator[Outcome]:
        return outcomes(line, self.paths, lambda _: None)

    def _line(self, stream: str = "live", *, until: str = "products", raw: bool = False) -> Line:
        stations = station_names(self.mission, self.paths, merge=self.merge)
        return Line(self.mission, stream, until=until, raw=raw, stations=stations)


def open_pass(*paths: str | Path, mission: str, merge: bool = False) -> RecordedPass:
    """Open recordings; `mission` is a folder, or the name of one under configs/.

    Several are read one after the other: pieces of one recording give what the whole gives, different passes what each
    gives alone. `merge`: they are of several stations that received one pass, and are merged frame by frame.

    >>> found = open_pass("replay_data/clean.cadu", "replay_data/night.cadu", mission="zhurong")
    >>> found.report()["passes"]
    2
    """
    if not paths:
        raise ConfigError("name at least one recording")
    return RecordedPass(tuple(Path(path) for path in paths), load_mission(mission), merge)
