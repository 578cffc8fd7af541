"""Queries of a history for the live page: streams, rows of a kind reduced for plots, coverage, passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..dashboard.binned import Binned
from ..dashboard.history_source import LoadedKind, StoredPass, StoredStream
from ..history.kind_rows import is_list
from ..history.names import DAY_NS, decoded
from ..history.opening import opened
from ..history.parameter import Parameter
from ..history.passes import PassRecord
from ..messages.time_texts import clock_text, iso_utc
from ..messages.topics import level, slug
from ..mission.loading import Mission
from ..model.batches import GENERIC_INSTRUMENT
from ..model.errors import ConfigError, RunError
from .history_kind import KindQuery, column_of, extremes, times_of, values_of

MAX_LIST_VALUES = 4_000_000
"""Most values of arrays that are read for one kind, about 32 MB."""
MAX_SCANNED_ROWS = 20_000_000
"""Most rows of a kind that are read to be reduced for one of several streams, which summaries do not separate."""
MAX_UNTIMED = 500
"""Most rows of a kind without onboard time, which are drawn at their receive time."""
MAX_VALUES = 12_000_000
"""Most values of all parameters of a kind that are read to select rows."""
MAX_IMAGES = 200
KNOWN_S = 60.0
Array = NDArray[Any]


_P = ParamSpec("_P")
_T = TypeVar("_T")


def _readable(ask: Callable[_P, _T]) -> Callable[_P, _T]:
    """Convert errors of Arrow and the disk to RunError."""

    @wraps(ask)
    def asked(*arguments: _P.args, **options: _P.kwargs) -> _T:
        try:
            return ask(*arguments, **options)
        except (pa.ArrowException, OSError) as error:
            raise RunError(f"the history cannot be read: {str(error).splitlines()[0]}") from error

    return asked


class DashboardHistory:
    """A `HistorySource`. `missions`: their sites give local times."""

    def __init__(self, url: str, missions: Sequence[Mission] = ()) -> None:
        """ConfigError if there is no history."""
        self.history = opened(url)
        self.url = url
        self._missions = {one.name: one for one in missions}
        self._names: dict[str, str] = {}
        """Kinds of the history, by the kind as topics have it."""
        self._n_streams = 0
        self._known: dict[str, tuple[float, list[Parameter]]] = {}

    def http(self, hosts: Sequence[str]) -> Any:
        """The HTTP interface of the history, read-only, as an ASGI application."""
        from ..history.web import application  # noqa: PLC0415 - Starlette, which nothing else here needs

        return application(self.history, hosts=hosts)

    @_readable
    def streams(self) -> list[StoredStream]:
        """Each stream with its kinds and the times of their rows."""
        kinds = self._kinds()
        ends = self.history.spans()
        spans = {kind: ends.get(name) for kind, name in kinds.items()}
        found: dict[tuple[str, str], set[str]] = {}
        for record in self.history.passes(brief=True):
            own = {topic_kind(kind) for kind in _kinds_of(record)} & kinds.keys()
            found.setdefault((record.mission, record.stream), set()).update(own)
        self._n_streams = len({stream for _, stream in found})
        return [
            StoredStream(mission, name, tuple(sorted(own)), *_ends(spans[kind] for kind in own))
            for (mission, name), own in sorted(found.items())
            if own
        ]

    def _kinds(self) -> dict[str, str]:
        self._names = {topic_kind(name): name for name in self.history.kinds()}
        return self._names

    @_readable
    def parameters(self, stream: StoredStream) -> list[tuple[str, str, str, str]]:
        """Kind, name, unit and description of every parameter of a stream."""
        return [
            (kind, one.parameter, one.unit, one.description)
            for kind in stream.kinds
            for one in self._parameters(kind)
        ]

    def _parameters(self, kind: str) -> list[Parameter]:
        """The parameters of a kind, cached for KNOWN_S."""
        now_s = time.monotonic()
        at_s, found = self._known.get(kind, (0.0, []))
        if not found or now_s - at_s > KNOWN_S:
            name = self._names.get(kind) or self._kinds().get(kind)
            found = self.history.parameters(name) if name else []
            self._known[kind] = now_s, found
        return found

    @_readable
    def load(
        self, stream: StoredStream, kind: str, start: int, end: int, max_rows: int, *, whole: bool = False
    ) -> LoadedKind:
        """Rows of a kind; more than `max_rows` are reduced to the minimum and maximum of bins, or with `whole` to the
        rows that have these.
        """
        try:
            return self._load(stream, kind, start, end, max_rows, whole=whole)
        except ConfigError as error:
            return LoadedKind((), note=f"{kind}: {error}")

    def _load(
        self, stream: StoredStream, kind: str, start: int, end: int, max_rows: int, *, whole: bool
    ) -> LoadedKind:
        known = self._parameters(kind)
        if not known:
            return LoadedKind(())
        query = KindQuery(self.history, known, stream.name if self._n_streams > 1 else "", start, end)
        n = query.extent.n_rows
        if not n:
            return LoadedKind(())
        if n > MAX_SCANNED_ROWS and query.stream:
            return LoadedKind((), n, note=f"{kind}: {n:,} rows are too many to be thinned: choose a shorter range")
        local = self._missions.get(stream.mission)
        if query.extent.is_untimed:
            return _untimed(query, kind, n, min(max_rows, MAX_UNTIMED))
        if n <= max_rows:
            return _all_rows(query, kind, local)
        thin = _extreme_rows if whole and query.n_values <= MAX_VALUES else _thinned
        return thin(query, kind, n, max_rows, local)

    @_readable
    def coverage(self, stream: StoredStream, kind: str, start: int, end: int, n: int) -> list[tuple[int, int]]:
        """Ranges with rows: those of `n` bins that have rows, adjacent ones joined."""
        known = self._parameters(kind)
        query = KindQuery(self.history, known, stream.name if self._n_streams > 1 else "", start, end, lists=False)
        scalars = [one for one in known if not is_list(one)]
        if not query.extent.n_rows:
            return []
        if not scalars or (query.stream and query.extent.n_rows > MAX_SCANNED_ROWS):
            return list(query.extent.files)
        times = times_of(query.samples(n, "first"))
        return joined(times, max((end - start) // n, 1), end)

    @_readable
    def passes(self, stream: StoredStream) -> list[StoredPass]:
        """The passes of a stream, in order of their receive time."""
        found = [
            _stored_pass(record)
            for record in self.history.passes()
            if (record.mission, record.stream) == (stream.mission, stream.name)
        ]
        return sorted(found, key=lambda one: (one.received, one.name))


def _stored_pass(record: PassRecord) -> StoredPass:
    first, last = (text or "" for text in [*record.received, None, None][:2])
    dates = sorted(date for _, date in record.dates if date[:1].isdigit()) or record.dates_received
    days = [int(np.datetime64(date, "ns").astype(np.int64)) for date in (dates[0], dates[-1])] if dates else [0, 0]
    return StoredPass(
        record.name,
        (first, last),
        record.state,
        days[0],
        days[1] + DAY_NS if dates else 0,
        {topic_kind(decoded(kind)): sum(by_date.values()) for kind, by_date in record.rows.items()},
        record.report,
        record.events,
    )


def topic_kind(name: str) -> str:
    """The name of a kind in topics."""
    instrument, slash, product = name.partition("/")
    return f"{slug(instrument)}/{level(product)}" if slash else f"{GENERIC_INSTRUMENT}/{level(name)}"


def _kinds_of(record: PassRecord) -> list[str]:
    return [decoded(folder) for folder in record.rows]


def _ends(spans: Any) -> tuple[int, int]:
    known = [one for one in spans if one]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else (0, 0)


def joined(times: Array, width: int, end: int) -> list[tuple[int, int]]:
    """Bins of `width` that begin at these times, as ranges up to `end`; adjacent ones are joined. All in ns."""
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > width + width // 2)
    firsts = times[np.concatenate([[0], breaks + 1])]
    lasts = times[np.concatenate([breaks, [len(times) - 1]])] + width
    return [(int(first), int(min(last, end))) for first, last in zip(firsts, lasts, strict=True)]


def _has_images(known: Sequence[Parameter]) -> bool:
    """Whether rows are images, which differ in size: each row becomes a product."""
    return any(one.parameter == "image" and one.type.count("list") > 1 for one in known)


def _all_rows(query: KindQuery, kind: str, local: Mission | None) -> LoadedKind:
    """All rows; without arrays if they have too many values."""
    lists = [one for one in query.known if is_list(one)]
    has_room = not lists or query.extent.n_list_values <= MAX_LIST_VALUES
    drawn = query.known if has_room else [one for one in query.known if not is_list(one)]
    table = query.rows("all" if has_room else "numbers")
    rows = [table.slice(k, 1) for k in range(len(table))][-MAX_IMAGES:] if _has_images(drawn) else [table]
    made = [found for one in rows if (found := _product(kind, one, drawn, local))]
    note = "" if has_room else f"{kind}: its arrays are too many to be read: choose a shorter range"
    return LoadedKind(made, len(table), len(table) if len(rows) == 1 else len(rows), note=note)


def _extreme_rows(query: KindQuery, kind: str, n: int, max_rows: int, mission: Mission | None) -> LoadedKind:
    """The rows that have the minimum and maximum values of bins."""
    table = query.rows()
    columns = [column_of(table, one.name) for one in query.known if one.name in table.schema.names]
    chosen = extremes([one for one in columns if one.ndim and len(one) == len(table)], max_rows)
    found = _product(kind, table.take(pa.array(chosen)), query.known, mission)
    width = (query.end - query.start) // max(len(chosen) // 2, 1)
    return LoadedKind((found,) if found else (), n, len(chosen), width)


def _thinned(query: KindQuery, kind: str, n: int, max_rows: int, mission: Mission | None) -> LoadedKind:
    """Bins of scalars, two rows each; of arrays evenly spaced rows, unless they have too many values."""
    lists = [one for one in query.known if is_list(one)]
    scalars = [one for one in query.known if not is_list(one)]
    products: list[Mapping[str, Any]] = []
    note, step = "", 1
    if lists:
        if query.extent.n_list_values <= MAX_LIST_VALUES:
            table = query.rows("lists")
            step = -(-len(table) // max_rows)
            rows = table.take(pa.array(np.arange(0, len(table), step)))
            products += [found for found in (_product(kind, rows, lists, mission),) if found]
        else:
            note = f"{kind}: its arrays are too many to be read: choose a shorter range"
    if not scalars:
        return LoadedKind(products, n, len(products[0]["quality"]) if products else 0, note=note, step=step)
    table = query.samples(max_rows // 2)
    products += [_of_bins(query, kind, table, scalars, mission)] if len(table) else []
    times = times_of(table)
    width = int(np.diff(times).min()) if len(times) > 1 else query.end - query.start
    return LoadedKind(products, n, 2 * len(times), width, note, _binned(table, scalars, width), step)


def _binned(table: pa.Table, scalars: Sequence[Parameter], width: int) -> dict[str, Binned]:
    times = times_of(table)
    return {
        one.parameter: Binned(
            times,
            np.nan_to_num(values_of(table[f"{one.name}.n"])).astype(np.int64),
            values_of(table[one.name]).astype(np.float64),
            int(times[-1]) + width,
        )
        for one in scalars
        if len(times) and f"{one.name}.min" in table.schema.names
    }


def _of_bins(
    query: KindQuery, kind: str, table: pa.Table, scalars: Sequence[Parameter], mission: Mission | None
) -> Mapping[str, Any]:
    """Two rows for each bin: minima, then maxima; of texts the last one of the bin."""
    times = times_of(table)
    quarter = int(np.diff(times).min()) // 4 if len(times) > 1 else 1
    utc = np.clip(
        np.stack([times + quarter, times + 3 * quarter], axis=1).ravel(), query.extent.first, query.extent.last
    )
    arrays: dict[str, Any] = {}
    for one in scalars:
        if f"{one.name}.min" in table.schema.names:
            pair = [values_of(table[f"{one.name}.{end}"]) for end in ("min", "max")]
        elif one.name in table.schema.names:
            pair = [values_of(table[one.name])] * 2
        else:
            continue
        arrays[one.parameter] = _entry(np.stack(pair, axis=1).ravel(), one)
    quality = np.repeat(values_of(table["quality"]).astype(np.uint32), 2)
    return _as_product(kind, arrays, utc, quality, mission)


def _product(
    kind: str, table: pa.Table, known: Sequence[Parameter], mission: Mission | None
) -> Mapping[str, Any] | None:
    """Rows with a time as one product; None without rows."""
    if not table.num_columns or not len(table):
        return None
    timed = pc.is_valid(table["time"])
    table = table.filter(timed) if not pc.all(timed).as_py() else table
    arrays = {
        one.parameter: _entry(column_of(table, one.name), one) for one in known if one.name in table.schema.names
    }
    quality = values_of(table["quality"]).astype(np.uint32)
    received = values_of(table["received"].cast(pa.int64())) if "received" in table.schema.names else np.zeros(0)
    return _as_product(kind, arrays, times_of(table), quality, mission, received) if len(table) else None


def _untimed(query: KindQuery, kind: str, n: int, max_rows: int) -> LoadedKind:
    """Rows without onboard time, a product for each receive time; at most `max_rows` evenly spaced rows."""
    table = query.rows()
    step = max(-(-len(table) // max_rows), 1)
    table = table.take(pa.array(np.arange(0, len(table), step)))
    received = pc.fill_null(table["received"].cast(pa.int64()), 0).to_numpy()
    products = []
    for received_ns in np.unique(received).tolist():
        some = table.filter(pa.array(received == received_ns))
        arrays = {one.parameter: _entry(column_of(some, one.name), one) for one in query.known}
        quality = values_of(some["quality"]).astype(np.uint32)
        one = dict(_as_product(kind, arrays, None, quality, None, np.array([received_ns] * 2)))
        products.append(one)
    return LoadedKind(products, n, len(table), step=step)


def _entry(values: Array, one: Parameter) -> dict[str, Any]:
    return {"values": values, "unit": one.unit, "description": one.description}


def _as_product(
    kind: str,
    arrays: dict[str, Any],
    utc_ns: Array | None,
    quality: Array,
    mission: Mission | None,
    received: Array | None = None,
) -> Mapping[str, Any]:
    if utc_ns is not None:
        arrays = arrays | {"time_utc_ns": {"values": utc_ns}}
    known = received[received > 0] if received is not None and len(received) else np.zeros(0, np.int64)
    lineage = {"received_ns": [int(known[0]), int(known[-1])]} if len(known) else {}
    time = _local(mission, arrays, utc_ns) if utc_ns is not None and len(utc_ns) else {}
    first = int(utc_ns[0]) if utc_ns is not None and len(utc_ns) else (lineage.get("received_ns") or [0])[0]
    return {
        "id": f"history/{kind}/{first}/{len(quality)}/{len(arrays)}",
        "arrays": arrays,
        "quality": quality,
        "time": time,
        "lineage": lineage,
    }


def _local(mission: Mission | None, arrays: Mapping[str, Any], utc_ns: Array) -> dict[str, Any]:
    """UTC and local times of the first and last row, as in product messages."""
    ends = utc_ns[[0, -1]].astype(np.int64)
    found: dict[str, Any] = {"utc": [iso_utc(int(one)) for one in ends]}
    local = mission.local_times(arrays, ends) if mission else {}
    if local:
        found |= {name: [clock_text(hours) for hours in local[name].tolist()] for name in ("lmst", "ltst")}
        found["sol"] = [int(sol) for sol in local["sol"].tolist()]
    return found
