"""A recorded pass in Python: its report, packets, columns and products, for notebooks and scripts.

>>> from pipeline import open_pass
>>> found = open_pass("replay_data/clean.cadu", mission="zhurong")
>>> found.report()["frames"]["uncorrectable"]
0
>>> navigation = found.to_xarray("NAVIGATION")
>>> navigation["POSITION_NORTH"].attrs["units"], navigation.sizes["packet"]
('m', 203)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.archive.columns import ColumnFiles
from pipeline.archive.datasets import dataset
from pipeline.archive.spill import Spill
from pipeline.batches import PacketBatch, Product
from pipeline.errors import ConfigError
from pipeline.mission import Mission, load_mission
from pipeline.stages.line import Line, Outcome
from pipeline.stages.passes import outcomes, station_names

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, slots=True)
class RecordedPass:
    """Recordings of one stream. Each method reads them anew; nothing is kept."""

    paths: tuple[Path, ...]
    mission: Mission

    def report(self) -> dict[str, Any]:
        """Give the pass report: bytes, frames, channels, packets."""
        line = self._line(until="packets")
        for _ in self._through(line):
            pass
        return line.report()

    def packets(self) -> Iterator[PacketBatch]:
        """Give the whole space packets, batch by batch; idle ones are left out."""
        for outcome in self._through(self._line(until="packets")):
            yield outcome.packets

    def to_xarray(self, container: str, *, raw: bool = False) -> xarray.Dataset:
        """Give the decoded packets of one container as a Dataset: a variable for each parameter, with its unit.

        Raises ConfigError where the pass has no such packets, and names those it has.
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
            utc_of = self.mission.utc_ns if self.mission.time_terms else None
            return dataset(table.columns(), fields, units, container, utc_of)

    def products(self) -> Iterator[Product]:
        """Give the science products, in order."""
        for outcome in self._through(self._line(self.paths[0].stem)):
            yield from outcome.products

    def _through(self, line: Line) -> Iterator[Outcome]:
        return outcomes(line, self.paths, lambda _: None)

    def _line(self, stream: str = "live", *, until: str = "products", raw: bool = False) -> Line:
        stations = station_names(self.mission, self.paths)
        return Line(self.mission, stream, until=until, raw=raw, stations=stations)


def open_pass(*paths: str | Path, mission: str) -> RecordedPass:
    """Open recordings of one pass; `mission` is a folder, or the name of one under configs/."""
    if not paths:
        raise ConfigError("name at least one recording")
    return RecordedPass(tuple(Path(path) for path in paths), load_mission(mission))
