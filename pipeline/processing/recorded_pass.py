"""A recorded pass in Python: its report, frames, packets, columns and products, for notebooks and scripts."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..archive.datasets import dataset, stored_dataset
from ..archive.product_datasets import ProductCollections
from ..archive.row_columns import ROW_FIELDS, Known
from ..dictionary.decoder import Decoder
from ..mission.loading import Mission
from ..model.batches import (
    ColumnBatch,
    Event,
    FrameBatch,
    PacketBatch,
    Product,
)
from ..model.errors import ConfigError
from ..recordings.reader import size_of_pass
from ..system.available import available_bytes
from .bounded import BoundedColumns
from .chain import DecodesRecords, Outcome, ProcessingChain
from .gathered import GatheredColumns
from .growing import UNKNOWN_GROWTH
from .origin import origin_of, source_of, stream_of
from .passes import named_outcomes, outcomes, station_names, with_origin
from .placed_columns import PlacedColumns, names_of

if TYPE_CHECKING:
    import xarray

    from ..archive.column_store import ColumnStore


_log = logging.getLogger(__name__.partition(".")[0])
IN_MEMORY_CHUNK_BYTES, MOST_CHUNK_BYTES, IN_MEMORY_PACKETS = 4 << 20, 16 << 20, 8192
"""What is decoded at once where all columns go to memory: the least and the most, and how many packets between."""


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
        chain = self._chain(until="packets")
        for _ in self._through(chain):
            pass
        return chain.report()

    def frames(self) -> Iterator[FrameBatch]:
        """Give the transfer frames of the wanted channels, batch by batch, in order of count within each channel.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> sum(len(batch.data) for batch in found.frames()) == found.report()["frames"]["clean"]
        True
        """
        for outcome in self._through(self._chain(until="packets")):
            if outcome.frames is not None:
                yield outcome.frames

    def packets(self) -> Iterator[PacketBatch]:
        """Give the whole space packets, batch by batch; idle ones are left out."""
        for outcome in self._through(self._chain(until="packets")):
            yield outcome.packets

    def columns(self, *, raw: bool = False) -> Iterator[ColumnBatch]:
        """Give the decoded packets, batch by batch: a ColumnBatch for each container in it.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> {batch.container for batch in found.columns()} >= {"NAVIGATION", "GPR_HF"}
        True
        """
        for outcome in self._through(self._chain(until="columns", raw=raw)):
            yield from outcome.columns

    def containers(self) -> dict[str, int]:
        """Give the containers that the pass has, by name, with the number of packets of each.

        >>> from downlink_pipeline import open_bundled
        >>> open_bundled().containers()["NAVIGATION"]
        203
        """
        counts: Counter[str] = Counter()
        for batch in self.columns():
            counts[batch.container] += len(batch)
        return dict(sorted(counts.items()))

    def to_columns(self, container: str, *, raw: bool = False, drop: Collection[str] = ()) -> ColumnBatch:
        """Give all decoded packets of one container as one batch: an array for each parameter, `raw`: of counts.

        `drop`: parameters that are left out. Each value is copied once, to where it stays: beside the result, memory
        holds the packets of a few MB at a time.
        Raises ConfigError where the pass has no such packets, and names those it has.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> found.to_columns("NAVIGATION").columns["POSITION_NORTH"].shape
        (203,)
        """
        read = _Read(self.paths, self._chunk_bytes(container))
        placed = self._placing(container, read, raw=raw, drop=drop)
        gathered = GatheredColumns(raw=raw, drop=drop, placed=placed(None))
        self._gather(container, gathered, read, raw=raw)
        found = gathered.batch()
        assert found is not None
        return found

    def _gather(
        self, container: str, gathered: GatheredColumns | BoundedColumns, read: _Read, *, raw: bool
    ) -> Counter[str]:
        """Decode, and gather the batches of a container. Gives rows by pass; ConfigError where there is none."""
        plan, decoder = self.mission.plan, None
        if plan is not None:
            decoder = Decoder(
                plan,
                self.mission.time_terms,
                raw=raw,
                places=lambda node: gathered.placed if node.key == container else None,
            )
        chain = self._chain(until="columns", decoder=decoder)
        rows, others = Counter[str](), set[str]()
        for name, outcome in named_outcomes(chain, self.paths, read.add, read.chunk_bytes):
            for batch in outcome.columns:
                if batch.container == container:
                    gathered.add(batch, read.growth)
                    rows[name] += len(batch)
                else:
                    others.add(batch.container)
        if not rows:
            raise _no_such(container, others)
        return rows

    def _placing(
        self, container: str, read: _Read, *, raw: bool, drop: Collection[str]
    ) -> Callable[..., PlacedColumns | None]:
        """What makes memory for columns of a container: takes the most bytes, None without bound, and `reused`."""
        nodes = self.mission.plan.walk() if self.mission.plan else ()
        node = next((one for one in nodes if one.key == container), None)
        if node is None:
            return lambda *_, **__: None
        names = names_of(node, drop)
        return partial(PlacedColumns, names, lambda: read.growth, raw)

    def to_xarray(
        self,
        container: str,
        *,
        raw: bool = False,
        drop: Collection[str] = (),
        memory_bytes: int | None = None,
        store: str | Path | None = None,
    ) -> xarray.Dataset:
        """Give the decoded packets of one container as a Dataset: a variable for each parameter, with its unit.

        `drop`: parameters that are left out. Its dimension is `time` where every packet has one, else `received`, else
        `packet`; rows are in order of it. Coordinates are the columns of rows that `decode` writes too: UTC, reception,
        sol and local solar times where the mission has a site, the pass where there are several, what is known of each
        packet. Values of differing length are rows of one width, padded behind `NAME.length`.

        Columns beyond `memory_bytes` (half of the memory that is available) go to a Parquet file as they are decoded,
        and are read from there when they are looked at; a line of the log says so. `store`: that file, which must not
        be there yet; without it the file is a temporary one, and gone with the Dataset. This needs pyarrow. In memory
        stay the times of the rows.

        Raises ConfigError where the pass has no such packets, and names those it has; RunError where the file cannot be
        written. `xarray.open_dataset(path, engine="downlink", mission=..., container=...)` gives the same.
        """
        known = self._known(container, raw=raw)
        bound = available_bytes() // 2 if memory_bytes is None else memory_bytes

        def open_store(first: ColumnBatch) -> ColumnStore:
            from ..archive.column_store import ColumnStore  # noqa: PLC0415 - xarray is an optional extra

            found = ColumnStore(
                container, replace(known, units=first.units), None if store is None else Path(store)
            )
            _log.warning(
                "%s: more than %s MB of columns: they go to %s, and are read from there when they are looked at",
                container,
                f"{bound / 1e6:,.0f}",
                found.path,
            )
            return found

        read = _Read(self.paths, self._chunk_bytes(container))
        placing = self._placing(container, read, raw=raw, drop=drop)
        gathered = BoundedColumns(bound, open_store, placing, raw=raw, drop=drop)
        counts = self._gather(container, gathered, read, raw=raw)
        gathered.end()
        if gathered.store is not None:
            return stored_dataset(gathered.store, container, replace(gathered.store.known, passes=counts))
        batch = gathered.batch()
        assert batch is not None
        rows = {name: getattr(batch, name) for name in ROW_FIELDS}
        of_pass = replace(known, units=batch.units, passes=counts)
        return dataset(batch.raw if raw else batch.columns, rows, container, of_pass)

    def open_xarray(
        self, container: str, *, raw: bool = False, drop: Collection[str] = (), memory_bytes: int | None = None
    ) -> xarray.Dataset:
        """Give the Dataset of `to_xarray` without decoding its variables: each is decoded where it is looked at.

        The recording is read once, to find the packets, their times, and how wide columns of varying size are. A slice
        of a variable then decodes its rows and that parameter alone. In memory stay the packets, as bytes, and 60
        bytes for each that are known of it; packets beyond `memory_bytes` (half of the memory that is available) are in
        a temporary file, gone with the Dataset. Who wants all variables is faster with `to_xarray`.

        Containers that take values from other packets are decoded at once, as by `to_xarray`. Raises as `to_xarray`.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled().open_xarray("NAVIGATION")
        >>> found["POSITION_NORTH"].isel(time=slice(3)).shape
        (3,)
        """
        plan = self.mission.plan
        node = next((one for one in plan.walk() if one.key == container), None) if plan else None
        if plan is None or node is None or plan.asked()[container]:
            return self.to_xarray(container, raw=raw, drop=drop, memory_bytes=memory_bytes)
        from .row_finder import RowFinder  # noqa: PLC0415 - xarray is an optional extra

        bound = available_bytes() // 2 if memory_bytes is None else memory_bytes
        chunk_bytes = self._chunk_bytes(container)
        read, rows = _Read(self.paths, chunk_bytes), Counter[str]()
        finder = RowFinder(
            plan, node, self.mission.time_terms, lambda: read.growth, raw=raw, drop=drop, bound_bytes=bound
        )
        chain = self._chain(until="columns", decoder=finder)
        for name, outcome in named_outcomes(chain, self.paths, read.add, chunk_bytes):
            for batch in outcome.columns:
                rows[name] += len(batch)
        if not rows:
            raise _no_such(container, finder.others)
        known = replace(self._known(container, raw=raw), units=finder.units, passes=rows)
        return stored_dataset(finder.columns(known), container, known)

    def _known(self, container: str, *, raw: bool) -> Known:
        """What is known of a container beside its packets."""
        mission = with_origin(self.mission, self.paths)
        has_clock = bool(mission.time_terms)
        return Known(
            descriptions=mission.described(container),
            origin=source_of(self.paths, mission, raw=raw).words(),
            utc_of=mission.utc_ns if has_clock else None,
            local_of=mission.local_times if has_clock else None,
        )

    def products(self) -> Iterator[Product]:
        """Give the science products, in order."""
        for outcome in self._through(self._chain(stream_of(self.paths))):
            yield from outcome.products

    def product(self, name: str) -> xarray.Dataset:
        """Give the products of a kind, `<instrument>/<product>`, as one Dataset: what `downlink products` writes of it.

        Dimensions, coordinates, variables and attributes are those of its NetCDF file (docs/products.md). Rows lie
        along `time`, or `row` where several have the same time; `sel(time=slice(...))` and `resample(time="1min")`
        work with both. (Where some have no time, or an earlier one than the row before, they lie along `row` too.)
        Coordinates: `time`, where the mission has a site `sol`, `lmst`, `ltst`, `ls`, and of several passes `pass`, the
        recording of each row. Attributes: lineage and calibration.

        Where arrays differ in form, as images of several sizes do, those of the commonest form, with a UserWarning that
        says how many are left out; `product_forms` gives them all.
        Raises ConfigError where the pass has no such products, and names those it has.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> weather = found.product("weather/meteorology")
        >>> weather["pressure_pa"].where(weather["usable"]).attrs["units"], weather.attrs["level"]
        ('Pa', '2B')
        >>> weather[["pressure_pa"]].resample(time="1min").mean().sizes["time"]
        6
        """
        first, *others = self.product_forms(name)
        if others:
            n_left = sum(int(one.attrs["n_products"]) for one in others)
            n_all = n_left + int(first.attrs["n_products"])
            warnings.warn(
                f"{name}: {n_left} of {n_all} products are left out, their arrays have other forms; "
                f"product_forms({name!r}) gives all",
                stacklevel=2,
            )
        return first

    def product_forms(self, name: str) -> list[xarray.Dataset]:
        """Give all products of a kind: a Dataset for each form of their arrays, the commonest first.

        Each as from `product`; the attribute `n_products` says how many are in it. Raises ConfigError as `product`.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> [int(one.attrs["n_products"]) for one in found.product_forms("natecam/image")]
        [8, 7]
        """
        stream = stream_of(self.paths)
        chain, found = self._chain(stream), ProductCollections(name)
        for pass_name, outcome in named_outcomes(chain, self.paths, lambda _: None):
            found.add(outcome.products, pass_name)
        origin = origin_of(self.paths, chain.mission, stream)
        return found.datasets(replace(origin, frames=chain.report()["frames"]))

    def events(self) -> Iterator[Event]:
        """Give what an operator wants to hear of: gaps, limits, what instruments found."""
        for outcome in self._through(self._chain(stream_of(self.paths))):
            yield from outcome.events

    def _chunk_bytes(self, container: str) -> int:
        """Bytes that are decoded at once: more of long packets, so that a column has some thousand values each time."""
        nodes = self.mission.plan.walk() if self.mission.plan else ()
        fixed_bits = next((node.program.fixed_bits for node in nodes if node.key == container), None) or 0
        return min(max(IN_MEMORY_PACKETS * fixed_bits // 8, IN_MEMORY_CHUNK_BYTES), MOST_CHUNK_BYTES)

    def _through(self, chain: ProcessingChain) -> Iterator[Outcome]:
        return outcomes(chain, self.paths, lambda _: None)

    def _chain(
        self,
        stream: str = "live",
        *,
        until: str = "products",
        raw: bool = False,
        decoder: DecodesRecords | None = None,
    ) -> ProcessingChain:
        stations = station_names(self.mission, self.paths, merge=self.merge)
        mission = with_origin(self.mission, self.paths)
        return ProcessingChain(mission, stream, until=until, raw=raw, stations=stations, decoder=decoder)


def _no_such(container: str, others: Collection[str]) -> ConfigError:
    known = ", ".join(sorted(others)) or "nothing that is decoded"
    return ConfigError(f"the pass has no {container}: it has {known}")


class _Read:
    """How much of recordings has been read, and so how much of them is still to come."""

    def __init__(self, paths: Sequence[Path], chunk_bytes: int) -> None:
        self.chunk_bytes = chunk_bytes
        sizes = [size_of_pass(path) for path in paths]
        known = [size for size in sizes if size is not None]
        self._n_bytes = sum(known) if len(known) == len(sizes) else None
        self._n_read = 0

    def add(self, n_bytes: int) -> None:
        self._n_read += n_bytes

    @property
    def growth(self) -> float:
        """Bytes in all for each byte read, with the batch that is being worked on."""
        if self._n_bytes is None:
            return UNKNOWN_GROWTH
        return max(self._n_bytes / (self._n_read + self.chunk_bytes), 1.0)
