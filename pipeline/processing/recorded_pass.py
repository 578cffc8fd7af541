"""A recorded pass for notebooks and scripts: its report, frames, packets, columns and products."""

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
from ..archive.row_columns import ROW_FIELDS, Metadata
from ..dictionary.compile.plan_nodes import Node
from ..dictionary.decoder import Decoder
from ..mission.loading import Mission
from ..model.batches import ColumnBatch, Event, FrameBatch, PacketBatch, Product
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
"""Size of the pieces that are decoded if all columns go to memory: least and most; number of packets between them."""


@dataclass(frozen=True, slots=True, repr=False)
class RecordedPass:
    """Recordings of one stream. Each method reads the recordings again; nothing is cached."""

    paths: tuple[Path, ...]
    mission: Mission
    merge: bool = False

    def __repr__(self) -> str:
        paths = ", ".join(repr(str(path)) for path in self.paths)
        return f"open_pass({paths}, mission={self.mission.name!r}{', merge=True' if self.merge else ''})"

    def report(self) -> dict[str, Any]:
        """Return the pass report: bytes, frames, channels, packets."""
        chain = self._chain(until="packets")
        for _ in self._through(chain):
            pass
        return chain.report()

    def frames(self) -> Iterator[FrameBatch]:
        """Yield the transfer frames of the mission's channels in batches, in order of count within each channel.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> sum(len(batch.data) for batch in found.frames()) == found.report()["frames"]["clean"]
        True
        """
        for outcome in self._through(self._chain(until="packets")):
            if outcome.frames is not None:
                yield outcome.frames

    def packets(self) -> Iterator[PacketBatch]:
        """Yield the complete space packets in batches; idle packets are left out."""
        for outcome in self._through(self._chain(until="packets")):
            yield outcome.packets

    def columns(self, *, raw: bool = False) -> Iterator[ColumnBatch]:
        """Yield the decoded packets: a ColumnBatch for each container in each batch.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> {batch.container for batch in found.columns()} >= {"NAVIGATION", "GPR_HF"}
        True
        """
        for outcome in self._through(self._chain(until="columns", raw=raw)):
            yield from outcome.columns

    def containers(self) -> dict[str, int]:
        """Return the number of packets of each container in the pass, by name.

        >>> from downlink_pipeline import open_bundled
        >>> open_bundled().containers()["NAVIGATION"]
        203
        """
        counts: Counter[str] = Counter()
        for batch in self.columns():
            counts[batch.container] += len(batch)
        return dict(sorted(counts.items()))

    def to_columns(self, container: str, *, raw: bool = False, drop: Collection[str] = ()) -> ColumnBatch:
        """Return all decoded packets of one container as one batch: an array for each parameter.

        `raw`: raw counts; `drop`: parameters to leave out. Memory: the result, and a few MB of packets. Raises
        ConfigError, with the containers of the pass, if it has no such packets.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled()
        >>> found.to_columns("NAVIGATION").columns["POSITION_NORTH"].shape
        (203,)
        """
        read = _ReadProgress(self.paths, self._chunk_bytes(container))
        placed = self._placing(container, read, raw=raw, drop=drop)
        gathered = GatheredColumns(raw=raw, drop=drop, placed=placed(None))
        self._gather(container, gathered, read, raw=raw)
        found = gathered.batch()
        assert found is not None
        return found

    def _gather(
        self, container: str, gathered: GatheredColumns | BoundedColumns, read: _ReadProgress, *, raw: bool
    ) -> Counter[str]:
        """Decode, and collect the batches of a container. Returns the rows by pass; raises as `to_columns`."""
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
        self, container: str, read: _ReadProgress, *, raw: bool, drop: Collection[str]
    ) -> Callable[..., PlacedColumns | None]:
        """Return the function that makes memory for columns of a container (`bound_bytes`, `reused`)."""
        node = self._node(container)
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
        """Return the decoded packets of one container as a Dataset: a variable for each parameter, with its unit.

        `raw`: raw counts; `drop`: parameters to leave out. Its dimension is `time` if every packet has one, else
        `received`, else `packet`; rows are sorted by it. Coordinates are the row columns of `decode`: UTC, receive
        time, sol and local solar times if the mission has a site, the pass if there are several, properties of the
        packet. Rows of varying length are padded to one width; `NAME.length` has their lengths.

        If columns exceed `memory_bytes` (default: half of the available memory), they are written to a Parquet file
        while they are decoded, and read from it on access; this is logged. `store`: that file, which must not exist;
        default: a temporary file, deleted with the Dataset. This needs pyarrow.

        Raises ConfigError, with the containers of the pass, if it has no such packets; RunError if the file cannot be
        written. `xarray.open_dataset(path, engine="downlink", mission=..., container=...)` returns the same.
        """
        known = self._known(container, raw=raw)
        bound = available_bytes() // 2 if memory_bytes is None else memory_bytes

        def open_store(first: ColumnBatch) -> ColumnStore:
            from ..archive.column_store import ColumnStore  # noqa: PLC0415 - xarray is an optional extra

            found = ColumnStore(
                container, replace(known, units=first.units), None if store is None else Path(store)
            )
            _log.warning(
                "%s: more than %s MB of columns: they are written to %s, and read from it on access",
                container,
                f"{bound / 1e6:,.0f}",
                found.path,
            )
            return found

        read = _ReadProgress(self.paths, self._chunk_bytes(container))
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
        """Return the Dataset of `to_xarray`, with variables that are decoded on access.

        The recording is read once, to find the packets, their times, and the widths of columns of varying length. A
        slice of a variable then decodes only its rows, and only that parameter. Memory: the bytes of the packets, and
        60 bytes for each; if packets exceed `memory_bytes` (default: half of the available memory), they are in a
        temporary file, deleted with the Dataset. To use all variables, `to_xarray` is faster.

        Containers that need values of other packets are decoded at once, as by `to_xarray`. Raises as `to_xarray`.

        >>> from downlink_pipeline import open_bundled
        >>> found = open_bundled().open_xarray("NAVIGATION")
        >>> found["POSITION_NORTH"].isel(time=slice(3)).shape
        (3,)
        """
        plan, node = self.mission.plan, self._node(container)
        if plan is None or node is None or plan.asked()[container]:
            return self.to_xarray(container, raw=raw, drop=drop, memory_bytes=memory_bytes)
        from .row_finder import RowFinder  # noqa: PLC0415 - xarray is an optional extra

        bound = available_bytes() // 2 if memory_bytes is None else memory_bytes
        chunk_bytes = self._chunk_bytes(container)
        read, rows = _ReadProgress(self.paths, chunk_bytes), Counter[str]()
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

    def _known(self, container: str, *, raw: bool) -> Metadata:
        mission = with_origin(self.mission, self.paths)
        has_clock = bool(mission.time_terms)
        return Metadata(
            descriptions=mission.described(container),
            origin=source_of(self.paths, mission, raw=raw).attributes(),
            utc_of=mission.utc_ns if has_clock else None,
            local_of=mission.local_times if has_clock else None,
        )

    def products(self) -> Iterator[Product]:
        """Yield the science products, in order."""
        for outcome in self._through(self._chain(stream_of(self.paths))):
            yield from outcome.products

    def product(self, name: str) -> xarray.Dataset:
        """Return the products of a kind, `<instrument>/<product>`, as one Dataset, as `downlink products` writes it.

        Dimensions, coordinates, variables and attributes are those of its NetCDF file (docs/products.md). Rows are
        along `time`, or along `row` if times are equal, missing or not ascending; `sel(time=slice(...))` and
        `resample(time="1min")` also work with equal times. Coordinates: `time`; `sol`, `lmst`, `ltst`, `ls` if the
        mission has a site; `pass`, the recording of each row, if there are several. Attributes: lineage, calibration.

        If arrays differ in shape, as images of several sizes, the Dataset has the products of the most frequent shape,
        and a UserWarning says how many are left out; `product_forms` returns all. Raises ConfigError, with the kinds of
        the pass, if it has no such products.

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
        """Return all products of a kind: a Dataset for each shape of their arrays, the most frequent first.

        Each is as from `product`; its attribute `n_products` is the number of products. Raises ConfigError as
        `product`.

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
        """Yield the events for the operator: gaps, limit violations, findings of instruments."""
        for outcome in self._through(self._chain(stream_of(self.paths))):
            yield from outcome.events

    def _chunk_bytes(self, container: str) -> int:
        """Bytes to decode at once: more for long packets, so that each piece has some thousand values of a column."""
        node = self._node(container)
        fixed_bits = (node.program.fixed_bits if node else None) or 0
        return min(max(IN_MEMORY_PACKETS * fixed_bits // 8, IN_MEMORY_CHUNK_BYTES), MOST_CHUNK_BYTES)

    def _node(self, container: str) -> Node | None:
        nodes = self.mission.plan.walk() if self.mission.plan else ()
        return next((node for node in nodes if node.key == container), None)

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


class _ReadProgress:
    """Counts the bytes read, to forecast the size of the whole input."""

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
        """Bytes in total for each byte read, including the current batch."""
        if self._n_bytes is None:
            return UNKNOWN_GROWTH
        return max(self._n_bytes / (self._n_read + self.chunk_bytes), 1.0)
