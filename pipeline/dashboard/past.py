"""Ranges of time of a history store, as `Stream`s: looks draw them like a stream that is received.

In: a `HistorySource` and the range that a viewer asks for. Out: a `PastStream`, filled kind by kind by worker threads
through the same intake as messages, thinned to what a plot can show. Where the range reaches to the present, rows that
are received are appended (`append_live`). Bounds: MAX_RANGES ranges are kept for all pages, and the one that was asked
for longest ago is dropped; AT_ONCE kinds are loaded at a time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import structlog

from ..messages.time_texts import iso_utc
from ..messages.topics import level
from ..model.batches import GENERIC_INSTRUMENT
from ..model.errors import DownlinkError
from .history_source import HistorySource, LoadedKind, Ns, Range, StoredPass, StoredStream
from .intake import TAKE, UNREADABLE, Came
from .parameters import NUMBER, ONBOARD, RECEIVED, VALUES, Container, Parameters
from .ring import Mark
from .rows import QUALITY, TIME
from .stream import MAX_EVENTS, NOTHING, Stream
from .tabs import Shown

MAX_ROWS = 4000
"""Of one kind in a range, unless a look wants more; of more rows, bins with least and greatest values are drawn."""
MAX_RANGES = 6
AT_ONCE = 2
UNUSED_S = 30.0
"""A range that no page asked for that long may be dropped for another one."""
MAX_KINDS = 2048
"""Of one stream in a range: of those beyond it is said that they are not loaded."""
COVERED_S, COVERED_BINS = 30.0, 400
"""Seconds between two queries for when there are rows, and the number of bins of the whole time."""
MAX_COVERED = 256
"""Kinds of a stream of which is kept when there are rows."""
_log = structlog.get_logger("dashboard")


@dataclass(slots=True)
class PastStream:
    """What the history has of a stream between two instants, as far as it is loaded."""

    stored: StoredStream
    start: Ns
    end: Ns
    stream: Stream
    n_kinds: int = 0
    n_loaded: int = 0
    loaded: dict[str, LoadedKind] = field(default_factory=dict)
    trouble: str = ""
    asked_s: float = 0.0
    marks: dict[str, tuple[int, Mark]] = field(default_factory=dict)
    """By container, the identity of the live ring and how far it was read."""
    wanted: frozenset[str] = frozenset()
    """Kinds that are loaded first."""

    @property
    def is_complete(self) -> bool:
        return self.n_loaded >= self.n_kinds


@dataclass(slots=True)
class Covered:
    """When a stream has rows: ranges by kind, of the kinds that were queried so far, and its passes."""

    passes: Sequence[StoredPass] = ()
    ranges: dict[str, Sequence[Range]] = field(default_factory=dict)
    of: Ns | None = None
    """Time of the last row at the last query."""
    looked_s: float = 0.0
    wanted: Sequence[str] = ()
    """Kinds that were asked for last."""
    current: set[str] = field(default_factory=set)
    """Kinds that were queried since the last row is `of`."""
    is_looking: bool = False
    n_changes: int = 0

    def put(self, kind: str, found: Sequence[Range]) -> None:
        """Keep the ranges of a kind, in place of one that nobody asks for where there is no room."""
        if kind not in self.ranges and len(self.ranges) >= MAX_COVERED:
            unused = next((one for one in self.ranges if one not in self.wanted), next(iter(self.ranges)))
            del self.ranges[unused]
            self.current.discard(unused)
        self.ranges[kind] = found
        self.current.add(kind)
        self.n_changes += 1


class Past:
    """All ranges that are kept of one history, for all pages."""

    def __init__(
        self, source: HistorySource, shown: Shown = NOTHING, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`shown`: kinds of product whose rows looks draw."""
        self.source, self._shown, self._clock = source, shown, clock
        self.streams: dict[str, StoredStream] = {}
        self.trouble = ""
        self._ranges: dict[tuple[str, Ns, Ns], PastStream] = {}
        self._covered: dict[str, Covered] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._limit = asyncio.Semaphore(AT_ONCE)

    @property
    def n_ranges(self) -> int:
        return len(self._ranges)

    async def find_streams(self) -> None:
        """Find which streams the history has."""
        try:
            found = await asyncio.to_thread(self.source.streams)
        except DownlinkError as error:
            self.trouble = str(error)
            return
        self.trouble = ""
        self.streams.clear()
        self.streams.update((one.key, one) for one in found)

    def range_of(
        self, stream: Stream | None, name: str, wanted: Range, kinds: frozenset[str] = frozenset()
    ) -> PastStream | None:
        """The range that holds `wanted`, loaded or being loaded; None where the history has no such stream, or other
        ranges are all in use. `stream`: the live one. `kinds`: those to be loaded first.
        """
        stored = self.streams.get(name)
        if stored is None:
            return None
        start, end = enclosing(wanted)
        found = self._ranges.get((name, start, end))
        if found is None:
            if not self._has_room():
                return None
            found = self._begin(stored, start, end, stream)
        found.asked_s, found.wanted = self._clock(), kinds
        return found

    def covered(self, name: str, kinds: Sequence[str]) -> Covered | None:
        """When there are rows of kinds of a stream, at most MAX_COVERED; queried again where rows came, COVERED_S after
        the last query. None if the history has no such stream.
        """
        stored = self.streams.get(name)
        if stored is None:
            return None
        if name not in self._covered and len(self._covered) > MAX_RANGES:
            self._covered.clear()
        found = self._covered.setdefault(name, Covered())
        found.wanted = kinds[:MAX_COVERED]
        now_s = self._clock()
        is_new = found.of is None or (found.of != stored.last_ns and now_s - found.looked_s > COVERED_S)
        if not found.is_looking and (is_new or not found.current.issuperset(found.wanted)):
            if is_new:
                found.of, found.looked_s, found.current = stored.last_ns, now_s, set()
            found.is_looking = True
            self._spawn(self._cover(stored, found, passes=is_new))
        return found

    async def _cover(self, stored: StoredStream, into: Covered, *, passes: bool) -> None:
        try:
            if passes:
                into.passes = await asyncio.to_thread(self.source.passes, stored)
                into.n_changes += 1
            while kind := next((one for one in into.wanted if one not in into.current), None):
                async with self._limit:
                    found = await asyncio.to_thread(
                        self.source.coverage, stored, kind, stored.first_ns, stored.last_ns + 1, COVERED_BINS
                    )
                into.put(kind, found)
        except DownlinkError as error:
            self.trouble = str(error)
            into.current.update(into.wanted)  # until rows came again
        finally:
            into.is_looking = False

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="history")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _has_room(self) -> bool:
        while len(self._ranges) >= MAX_RANGES:
            oldest = min(self._ranges, key=lambda key: self._ranges[key].asked_s)
            if self._clock() - self._ranges[oldest].asked_s < UNUSED_S:
                return False
            del self._ranges[oldest]
        return True

    def _begin(self, stored: StoredStream, start: Ns, end: Ns, live: Stream | None) -> PastStream:
        stream = Stream(stored.key, self._shown, live.mission if live else None)
        stream.parameters.unheard, stream.parameters.is_loading = "history", True
        found = PastStream(stored, start, end, stream, n_kinds=min(len(stored.kinds), MAX_KINDS))
        self._ranges[stored.key, start, end] = found
        self._spawn(self._load(found))
        return found

    async def _load(self, past: PastStream) -> None:
        """Load the kinds of a range one after the other, as long as it is kept."""
        try:
            known = await asyncio.to_thread(self.source.parameters, past.stored)
            describe(past.stream.parameters, known)
            passes = await asyncio.to_thread(self.source.passes, past.stored)
            past.stream.passes = [one for one in passes if one.is_in(past.start, past.end)]
            for event in events_between(passes, past.start, past.end):
                take(past.stream, "event", json.dumps(event).encode())
            wanted_first = sorted(past.stored.kinds, key=lambda kind: kind not in past.wanted)
            missing = wanted_first[:MAX_KINDS]
            while missing:
                if self._ranges.get((past.stored.key, past.start, past.end)) is not past:
                    return
                kind = next((one for one in missing if one in past.wanted), missing[0])
                missing.remove(kind)
                await self._load_kind(past, kind)
        except (DownlinkError, OSError, *UNREADABLE) as error:
            _log.warning("a range of the history cannot be shown", stream=past.stored.key, why=repr(error)[:200])
            past.trouble = str(error) or repr(error)
            past.n_loaded = past.n_kinds
        past.stream.parameters.is_loading = False
        past.stream.parameters.n_changes += 1
        past.stream.n_changes += 1

    async def _load_kind(self, past: PastStream, kind: str) -> None:
        wanted = past.stream.shown.rows.get(kind)
        max_rows = max(MAX_ROWS, wanted.capacity if wanted else 0)
        async with self._limit:
            found = await asyncio.to_thread(
                partial(self.source.load, past.stored, kind, past.start, past.end, max_rows, whole=bool(wanted))
            )
        past.loaded[kind] = replace(found, products=(), binned={})  # the rows themselves are kept by the stream
        for product in found.products:
            if not take(past.stream, "product", b"", kind, product):  # no rows for the look, but for Parameters
                past.stream.parameters.take(kind, product, 0.0)
        container = kind.removeprefix(f"{GENERIC_INSTRUMENT}/")
        past.stream.parameters.binned |= {f"{container}/{level(key)}": one for key, one in found.binned.items()}
        past.n_loaded += 1
        past.stream.n_changes += 1

    async def close(self) -> None:
        """Stop loading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def enclosing(wanted: Range) -> Range:
    """A range on a grid that holds `wanted` and no more than four times as much: neighbours ask for the same one."""
    start, end = wanted
    step = 1 << max((end - start - 1).bit_length(), 1)  # at least as long, and shorter than twice that
    low = start // (step // 2) * (step // 2)
    return low, low + 2 * step


def events_between(passes: Sequence[StoredPass], start: Ns, end: Ns) -> list[Mapping[str, Any]]:
    """The last MAX_EVENTS events of passes whose time is in a range, oldest first."""
    low, high = iso_utc(start) or "", iso_utc(end) or ""
    found = [event for one in passes for event in one.events if low <= str(event.get("time") or "") < high]
    return sorted(found, key=lambda event: str(event["time"]))[-MAX_EVENTS:]


def describe(parameters: Parameters, known: Sequence[tuple[str, str, str, str]]) -> None:
    """Make the parameters known, before their rows are."""
    for kind, name, unit, about in known:
        parameters.declare(kind.removeprefix(f"{GENERIC_INSTRUMENT}/"), name, unit, about)


def take(
    stream: Stream, topic: str, payload: bytes, kind: str = "", product: Mapping[str, Any] | None = None
) -> bool:
    """Take rows, a report or an event of the history like a retained message; False for what cannot be parsed."""
    unpack: Callable[[bytes], Mapping[str, Any]] = json.loads if product is None else lambda _: product
    try:
        TAKE[topic](stream, unpack, kind.split("/"), payload, Came(0.0, 0, retained=True))
    except UNREADABLE:
        return False
    stream.n_changes += 1
    return True


def append_live(past: PastStream, live: Stream | None) -> None:
    """Append live rows that lie in the range and are later than the last one loaded."""
    if live is None or not past.is_complete:
        return
    for name, container in live.parameters.containers.items():
        ring = container.ring
        if not len(ring) or container.axis == NUMBER:
            continue
        known = past.marks.get(name)
        if known and known[0] == id(ring) and known[1] == ring.mark:
            continue
        past.marks[name] = id(ring), ring.mark
        _append(past, name, container, live.parameters)
    for kind, live_ring in live.products.items():
        _append_rows(past, kind, live_ring)


def _append(past: PastStream, name: str, container: Container, live: Parameters) -> None:
    rows = container.ring.rows()
    mine = past.stream.parameters.containers.get(name)
    last = int(mine.ring.rows()[TIME][-1]) if mine is not None and len(mine.ring) else past.start - 1
    new = (rows[TIME] > last) & (rows[TIME] < past.end)
    if not new.any():
        return
    arrays: dict[str, Any] = {}
    for column, key in enumerate(container.names):
        values = rows[VALUES][new, column]
        parameter = live.known.get(f"{name}/{key}")
        arrays[key] = {"values": parameter.labelled(values) if parameter else values}
    product = {"arrays": arrays, "quality": rows[QUALITY][new], "lineage": {}}
    if container.axis == ONBOARD:
        arrays["time_utc_ns"] = {"values": rows[TIME][new]}
        past.stream.parameters.take(name, product, 0.0)
    elif container.axis == RECEIVED:
        for k, received_ns in enumerate(rows[TIME][new].tolist()):
            one = {key: {"values": entry["values"][k : k + 1]} for key, entry in arrays.items()}
            lineage = {"received_ns": [received_ns, received_ns]}
            past.stream.parameters.take(
                name, {"arrays": one, "quality": rows[QUALITY][new][k : k + 1], "lineage": lineage}, 0.0
            )
    past.stream.n_changes += 1


def _append_rows(past: PastStream, kind: str, live: Any) -> None:
    """Rows of a look's kind: those later than the last one of the past."""
    mine = past.stream.products.get(kind)
    if not len(live):
        return
    rows = live.rows()
    last = int(mine.rows()[TIME][-1]) if mine is not None and len(mine) else past.start - 1
    new = (rows[TIME] > last) & (rows[TIME] < past.end)
    if not new.any():
        return
    if mine is None:
        mine = past.stream.products[kind] = type(live)(live.capacity)
        mine.common = live.common
    mine.append({name: column[new] for name, column in rows.items()}, 0.0)
    past.stream.n_changes += 1
