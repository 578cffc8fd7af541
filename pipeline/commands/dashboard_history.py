"""The history as the live page asks it: streams, rows of a kind thinned to what a plot can show, coverage, events."""

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
from ..dashboard.past import LoadedKind, StoredStream
from ..history.history import History, Parameter
from ..history.names import decoded
from ..history.passes import PassRecord
from ..history.result_tables import renamed, share
from ..history.rows import Choice, Span
from ..history.samples import flattened, samples
from ..messages.topics import iso_utc, level, slug
from ..mission.loading import Mission
from ..model.batches import GENERIC_INSTRUMENT, NO_TIME
from ..model.errors import ConfigError, RunError

MAX_LIST_VALUES = 4_000_000
"""Of arrays with several values a row that are read for one kind: some 32 MB."""
MAX_SCANNED_ROWS = 20_000_000
"""Rows of a kind that are read to be thinned: summaries are of all streams together."""
MAX_UNTIMED = 500
"""Rows of a kind without onboard time: each is drawn at its own time of reception."""
MAX_WIDTH = 16_384
MAX_EVENTS = 500
KNOWN_S = 60.0
Array = NDArray[Any]


_P = ParamSpec("_P")
_T = TypeVar("_T")


def _readable(ask: Callable[_P, _T]) -> Callable[_P, _T]:
    """A RunError in place of what Arrow and the disk raise."""

    @wraps(ask)
    def asked(*arguments: _P.args, **options: _P.kwargs) -> _T:
        try:
            return ask(*arguments, **options)
        except (pa.ArrowException, OSError) as error:
            raise RunError(f"the history cannot be read: {str(error).splitlines()[0]}") from error

    return asked


class DashboardHistory:
    """A `HistorySource`. `missions`: whose sites give local times."""

    def __init__(self, url: str, missions: Sequence[Mission] = ()) -> None:
        """ConfigError where there is no history."""
        self.history = History(url)
        self.url = url
        self._missions = {one.name: one for one in missions}
        self._names: dict[str, str] = {}
        """Kinds of the history, by the kind as topics have it."""
        self._n_streams = 0
        self._known: dict[str, tuple[float, list[Parameter]]] = {}

    @_readable
    def streams(self) -> list[StoredStream]:
        """Each stream with its kinds and the times of their rows."""
        kinds = self._kinds()
        spans = {kind: self._span(name) for kind, name in kinds.items()}
        found: dict[tuple[str, str], set[str]] = {}
        for record in self.history.passes():
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

    def _span(self, name: str) -> tuple[int, int] | None:
        parts = self.history.reader().parts(self.history.kinds()[name])
        known = [one for one in parts if one.first > NO_TIME // 2]
        return (min(one.first for one in known), max(one.last for one in known)) if known else None

    @_readable
    def parameters(self, stream: StoredStream) -> list[tuple[str, str, str, str]]:
        """Kind, name, unit and description of every parameter of a stream."""
        return [
            (kind, one.parameter, one.unit, one.description)
            for kind in stream.kinds
            for one in self._parameters(kind)
        ]

    def _parameters(self, kind: str) -> list[Parameter]:
        """The parameters of a kind, looked for again after KNOWN_S."""
        now_s = time.monotonic()
        at_s, found = self._known.get(kind, (0.0, []))
        if not found or now_s - at_s > KNOWN_S:
            name = self._names.get(kind) or self._kinds().get(kind)
            found = self.history.parameters(name) if name else []
            self._known[kind] = now_s, found
        return found

    @_readable
    def load(self, stream: StoredStream, kind: str, start: int, end: int, max_rows: int) -> LoadedKind:
        """Rows of a kind: all, or where there are more than `max_rows`, the least and greatest values of even bins."""
        try:
            return self._load(stream, kind, start, end, max_rows)
        except ConfigError as error:
            return LoadedKind((), note=f"{kind}: {error}")

    def _load(self, stream: StoredStream, kind: str, start: int, end: int, max_rows: int) -> LoadedKind:
        known = self._parameters(kind)
        if not known:
            return LoadedKind(())
        query = _Query(self.history, known, stream.name if self._n_streams > 1 else "", start, end)
        n = query.n_rows()
        if not n:
            return LoadedKind(())
        if n > MAX_SCANNED_ROWS and query.stream:
            return LoadedKind((), n, note=f"{kind}: {n:,} rows are too many to be thinned: choose a shorter range")
        local = self._missions.get(stream.mission)
        if query.is_untimed():
            return _untimed(query, kind, n, min(max_rows, MAX_UNTIMED))
        if n <= max_rows:
            table = query.rows(known)
            found = _product(kind, table, known, local)
            return LoadedKind((found,) if found else (), len(table), len(table))
        return _thinned(query, kind, n, max_rows, local)

    @_readable
    def coverage(self, stream: StoredStream, kind: str, start: int, end: int, n: int) -> list[tuple[int, int]]:
        """When there are rows: of `n` even bins those with rows, neighbours joined."""
        known = self._parameters(kind)
        query = _Query(self.history, known, stream.name if self._n_streams > 1 else "", start, end)
        scalars = [one for one in known if not _is_list(one)]
        if not query.n_rows():
            return []
        if not scalars or (query.stream and query.n_rows() > MAX_SCANNED_ROWS):
            return query.files()
        times = _times(query.samples(scalars[:1], n))
        return joined(times, max((end - start) // n, 1), end)

    @_readable
    def events(self, stream: StoredStream, start: int, end: int) -> list[dict[str, Any]]:
        """The last MAX_EVENTS events of passes of a stream whose time is in the range."""
        low, high = iso_utc(start), iso_utc(end)
        found = [
            event
            for record in self.history.passes()
            if (record.mission, record.stream) == (stream.mission, stream.name)
            for event in record.events
            if low and high and low <= str(event.get("time") or "") < high
        ]
        return sorted(found, key=lambda event: str(event["time"]))[-MAX_EVENTS:]


def topic_kind(name: str) -> str:
    """A kind of the history as topics have it."""
    instrument, slash, product = name.partition("/")
    return f"{slug(instrument)}/{level(product)}" if slash else f"{GENERIC_INSTRUMENT}/{level(name)}"


def _kinds_of(record: PassRecord) -> list[str]:
    return [decoded(folder) for folder in record.rows]


def _ends(spans: Any) -> tuple[int, int]:
    known = [one for one in spans if one]
    return (min(first for first, _ in known), max(last for _, last in known)) if known else (0, 0)


def joined(times: Array, width: int, end: int) -> list[tuple[int, int]]:
    """Bins of `width` that begin at these times, as ranges; neighbours are one."""
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > width + width // 2)
    firsts = times[np.concatenate([[0], breaks + 1])]
    lasts = times[np.concatenate([breaks, [len(times) - 1]])] + width
    return [(int(first), int(min(last, end))) for first, last in zip(firsts, lasts, strict=True)]


class _Query:
    """A kind in a range; `stream`: of one stream alone, empty for all."""

    def __init__(self, history: History, known: Sequence[Parameter], stream: str, start: int, end: int) -> None:
        self._history, self.known, self.stream, self.start, self.end = history, known, stream, start, end
        self._folder = history.kinds()[known[0].kind]
        parts = history.reader().parts(self._folder, self._choice())
        self._parts = [one for one in parts if one.overlaps(start, end)]

    def n_rows(self) -> int:
        """How many rows there are about, by the names of files."""
        span = Span(self.start, self.end)
        return sum(round(one.n_rows * share(one, span)) or 1 for one in self._parts)

    def is_untimed(self) -> bool:
        return all(one.times == "n" for one in self._parts)

    def ends(self) -> tuple[int, int]:
        """The first and the last row in the range, by the names of files."""
        first, last = min(one.first for one in self._parts), max(one.last for one in self._parts)
        return max(first, self.start), min(last, self.end - 1)

    def files(self) -> list[tuple[int, int]]:
        return sorted((max(one.first, self.start), min(one.last, self.end)) for one in self._parts)

    def rows(self, of: Sequence[Parameter]) -> pa.Table:
        """Rows with the columns `time`, `received`, `quality` and those of the parameters."""
        extra = ["time", "received", "quality"]
        names = {one.column: one.name for one in of}
        reader = self._history.reader()
        found = reader.read(self._folder, [*names, *extra], Span(self.start, self.end), self._choice())
        return renamed(found, names, extra) if found.num_columns else found

    def samples(self, of: Sequence[Parameter], n: int) -> pa.Table:
        """At most `n` bins with `time`, `quality` and of each parameter mean, min, max, last and n."""
        names = {one.column: one.name for one in of}
        span = Span(self.start, self.end)
        found = samples(self._history.reader(), self._folder, list(names), span, n, self._choice())
        return flattened(found, names) if len(found) else found

    def _choice(self) -> Choice:
        return Choice([self.stream] if self.stream else ())

    def n_list_values(self, of: Sequence[Parameter]) -> int:
        columns = [one.column for one in of]
        return self._history.size(self._folder, columns, Span(self.start, self.end), self._choice(), "calibrated")


def _is_list(one: Parameter) -> bool:
    return "list" in one.type


def _thinned(query: _Query, kind: str, n: int, max_rows: int, mission: Mission | None) -> LoadedKind:
    """Bins of the numbers, two rows each; of arrays every so many rows, where they are not too many to be read."""
    lists = [one for one in query.known if _is_list(one)]
    scalars = [one for one in query.known if not _is_list(one)]
    products: list[Mapping[str, Any]] = []
    note, step = "", 1
    if lists:
        if query.n_list_values(lists) <= MAX_LIST_VALUES:
            table = query.rows(lists)
            step = -(-len(table) // max_rows)
            rows = table.take(pa.array(np.arange(0, len(table), step)))
            products += [found for found in (_product(kind, rows, lists, mission),) if found]
        else:
            note = f"{kind}: its arrays are too many to be read: choose a shorter range"
    if not scalars:
        return LoadedKind(products, n, len(products[0]["quality"]) if products else 0, note=note, step=step)
    table = query.samples(scalars, max_rows // 2)
    products += [_of_bins(query, kind, table, scalars, mission)] if len(table) else []
    times = _times(table)
    width = int(np.diff(times).min()) if len(times) > 1 else query.end - query.start
    return LoadedKind(products, n, 2 * len(times), width, note, _binned(table, scalars, width), step)


def _binned(table: pa.Table, scalars: Sequence[Parameter], width: int) -> dict[str, Binned]:
    times = _times(table)
    return {
        one.parameter: Binned(
            times,
            np.nan_to_num(_values(table[f"{one.name}.n"])).astype(np.int64),
            _values(table[one.name]).astype(np.float64),
            int(times[-1]) + width,
        )
        for one in scalars
        if len(times) and f"{one.name}.min" in table.schema.names
    }


def _of_bins(
    query: _Query, kind: str, table: pa.Table, scalars: Sequence[Parameter], mission: Mission | None
) -> Mapping[str, Any]:
    """Two rows of each bin: the least values, then the greatest ones; of texts the last one of the bin."""
    times = _times(table)
    quarter = int(np.diff(times).min()) // 4 if len(times) > 1 else 1
    utc = np.clip(np.stack([times + quarter, times + 3 * quarter], axis=1).ravel(), *query.ends())
    arrays: dict[str, Any] = {}
    for one in scalars:
        if f"{one.name}.min" in table.schema.names:
            pair = [_values(table[f"{one.name}.{end}"]) for end in ("min", "max")]
        elif one.name in table.schema.names:
            pair = [_values(table[one.name])] * 2
        else:
            continue
        arrays[one.parameter] = _entry(np.stack(pair, axis=1).ravel(), one)
    quality = np.repeat(_values(table["quality"]).astype(np.uint32), 2)
    return _as_product(kind, arrays, utc, quality, mission)


def _product(
    kind: str, table: pa.Table, known: Sequence[Parameter], mission: Mission | None
) -> Mapping[str, Any] | None:
    """Rows as one product; those without time are left out."""
    if not table.num_columns or not len(table):
        return None
    timed = pc.is_valid(table["time"])
    table = table.filter(timed) if not pc.all(timed).as_py() else table
    arrays = {
        one.parameter: _entry(_values(table[one.name]), one) for one in known if one.name in table.schema.names
    }
    quality = _values(table["quality"]).astype(np.uint32)
    received = _values(table["received"].cast(pa.int64())) if "received" in table.schema.names else np.zeros(0)
    return _as_product(kind, arrays, _times(table), quality, mission, received) if len(table) else None


def _untimed(query: _Query, kind: str, n: int, max_rows: int) -> LoadedKind:
    """Rows without onboard time, a product for each time of reception; of more than `max_rows` every so many."""
    table = query.rows(query.known)
    step = max(-(-len(table) // max_rows), 1)
    table = table.take(pa.array(np.arange(0, len(table), step)))
    received = pc.fill_null(table["received"].cast(pa.int64()), 0).to_numpy()
    products = []
    for received_ns in np.unique(received).tolist():
        some = table.filter(pa.array(received == received_ns))
        arrays = {one.parameter: _entry(_values(some[one.name]), one) for one in query.known}
        quality = _values(some["quality"]).astype(np.uint32)
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
    """UTC and local times of the first and the last row, as those of a product."""
    ends = utc_ns[[0, -1]].astype(np.int64)
    found: dict[str, Any] = {"utc": [iso_utc(int(one)) for one in ends]}
    local = mission.local_times(arrays, ends) if mission else {}
    if local:
        found |= {name: [_clock(hours) for hours in local[name].tolist()] for name in ("lmst", "ltst")}
        found["sol"] = [int(sol) for sol in local["sol"].tolist()]
    return found


def _clock(hours: float) -> str:
    ms = round(hours * 3_600_000)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms % 60_000 / 1000:06.3f}"


def _times(table: pa.Table) -> Array:
    if not table.num_columns or not len(table):
        return np.zeros(0, np.int64)
    return np.asarray(table["time"].cast(pa.int64()).to_numpy()).astype(np.int64)


def _values(column: pa.ChunkedArray) -> Array:
    """A column as an array: of lists with further axes, padded with NaN; of one list for all rows that list alone."""
    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        return _of_lists(column)
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return np.array([text or "" for text in column.cast(pa.string()).to_pylist()], dtype="U")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    return np.asarray(column.to_numpy())


def _of_lists(column: pa.ChunkedArray) -> Array:
    present = column.drop_null()
    if not len(present):
        return np.full((len(column), 1), np.nan)
    lengths = pc.list_value_length(present).to_numpy()
    width = min(int(lengths.max()), MAX_WIDTH)
    inner = _values(pa.chunked_array([pc.list_flatten(present)]))
    if (lengths == lengths[0]).all():
        found = inner.reshape(len(present), int(lengths[0]), *inner.shape[1:])[:, :MAX_WIDTH]
    else:
        starts = np.cumsum(lengths) - lengths
        found = np.full((len(present), width, *inner.shape[1:]), np.nan)
        for k, (start, length) in enumerate(zip(starts.tolist(), np.minimum(lengths, width).tolist(), strict=True)):
            found[k, :length] = inner[start : start + length]
    return found if len(present) == len(column) else found[-1]
