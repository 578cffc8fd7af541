"""All instruments of one stream: columns in, products out; the products do not depend on how batches are split.

In: column batches, in order of arrival. Out: products of a group of rows, when the first row of the next group has
arrived, and events of instruments. State: for each container, APID and instrument that reads it, the rows of the open
group and those that wait for auxiliary rows; the last auxiliary rows. Dropped: events of one group beyond MAX_EVENTS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, ColumnBatch, Event, Product, Quality
from ..model.reductions import any_true, largest
from . import telemetry
from .calibration import lineage
from .context import Context, FrameWords
from .draft import Draft, Made, distinct, finish, flag, split
from .instrument import Auxiliary, Instrument, family, load_libraries
from .rows import RowCutter, join, take, window_keys

MAX_EVENTS = 16
"""Most events of one group of rows: more are a sign of noise."""
_NEVER = np.iinfo(np.int64).max
_JUMP = np.uint32(Quality.CLOCK_JUMP)
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class _Reader:
    """Reads the rows of one container and APID for an instrument (None: for generic products): groups, waiting rows."""

    instrument: str | None
    cutter: RowCutter
    number: int
    waiting: ColumnBatch | None = None


@dataclass(slots=True)
class _Stream:
    """One container and APID: its readers, in the order of the mission's instruments, and its last onboard time."""

    readers: list[_Reader]
    last_ns: int = NO_TIME


class Suite:
    """All instruments of one stream; containers that no instrument reads become generic products.

    `instruments`: classes by name; `calibrations`: contents of calibration files by family. Raises pydantic's
    ValidationError for a calibration that does not fit its model (the mission loader checks this before).
    """

    def __init__(
        self,
        instruments: Mapping[str, type[Instrument]],
        calibrations: Mapping[str, Mapping[str, Any]],
        context: Context,
    ) -> None:
        load_libraries(instruments.values())
        self._context = context
        self._families = {name: family(name, one) for name, one in instruments.items()}
        self._contexts = _contexts(instruments, context)
        self._instruments = {
            name: one(calibrations[self._families[name]], self._contexts[name]) for name, one in instruments.items()
        }
        self._lineage = {
            name: {"calibration": lineage(one.calibration), "uncertainty": one.no_uncertainty}
            for name, one in self._instruments.items()
        }
        kinds = dict.fromkeys(one.auxiliary for one in instruments.values() if one.auxiliary is not None)
        self._auxiliaries: dict[type[Auxiliary], Auxiliary] = {kind: kind() for kind in kinds}
        self._quiet = partial(np.errstate, all="ignore") if instruments or context.site else nullcontext
        """Suppresses NumPy's warnings: values out of range are flagged. Nothing is computed of generic products."""
        self._keep_rows = [
            one for one in self._instruments.values() if type(one).copy_views is not Instrument.copy_views
        ]
        self._may_wait = any(one.wait_rows for one in self._instruments.values())
        self._generic_products = telemetry.GenericProducts(context.descriptions, raw=context.raw)
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._readers: list[_Reader] = []
        """All, in the order in which their streams began."""
        self._updated: list[_Reader] = []
        """Those whose open group may have views of the last batch."""
        self._open_by_receipt: dict[int, _Reader] = {}
        """By number, those whose open group may have rows of one receive time."""
        self._events: list[Event] = []

    def make_products(self, batches: Sequence[ColumnBatch], *, complete: bool = False) -> list[Product]:
        """Make the products of the groups that end with these rows.

        `complete`: these rows are all that was received so far (a live link). Then open groups of one receive time end
        too. In a recording the next rows end the same groups.
        """
        with self._quiet():
            made = self._draft(batches)
            return finish(made + self._end_received() if complete else made)

    def flush(self) -> list[Product]:
        """End the stream: products of the open groups, and of rows that instruments kept."""
        with self._quiet():
            made = [one for reader in self._readers for one in self._end(reader)]
            ends = [self._with_origin(name, instrument.end()) for name, instrument in self._instruments.items()]
            return finish([*made, *(one for end in ends for one in end)])

    def drain_events(self) -> tuple[Event, ...]:
        """Return the events since the last call, in order within a container."""
        drained, self._events = tuple(self._events), []
        return drained

    def _draft(self, batches: Sequence[ColumnBatch]) -> list[Made]:
        self._copy_views()
        parts = self._parts(batches)
        if self._auxiliaries:
            self._inform_auxiliaries(parts)
        made: list[Made] = []
        updated: list[_Reader] = []
        for stream, part in parts:
            updated += stream.readers
            for reader in stream.readers:
                made += self._advance(reader, part)
        for reader in self._readers if self._may_wait else ():
            if reader.waiting is not None:
                made += self._advance(reader, None)
                updated.append(reader)
        for auxiliary in self._auxiliaries.values():
            auxiliary.forget()
        self._updated = [reader for reader in updated if reader.cutter.n_open]
        for reader in self._updated:
            if reader.cutter.is_open_by_receipt:
                self._open_by_receipt[reader.number] = reader
        return made

    def _copy_views(self) -> None:
        """Keep no more of the last batch than the rows that are still needed."""
        for reader in self._updated:
            reader.cutter.copy_views()
        for instrument in self._keep_rows:
            instrument.copy_views()

    def _inform_auxiliaries(self, parts: Sequence[tuple[_Stream, ColumnBatch]]) -> None:
        """Pass the rows to the auxiliaries, with the packet orders at which the clock jumped."""
        doubtful = [(part.order, part.quality & _JUMP) for _, part in parts if np.count_nonzero(part.quality)]
        jumps = [order[jumped != 0] for order, jumped in doubtful if jumped.any()]
        for auxiliary in self._auxiliaries.values():
            auxiliary.add_rows([part for _, part in parts], np.sort(np.concatenate(jumps)) if jumps else _NONE)

    def _end_received(self) -> list[Made]:
        """Make the drafts of open groups whose rows have one receive time."""
        waiting, self._open_by_receipt = self._open_by_receipt, {}
        made: list[Made] = []
        for _, reader in sorted(waiting.items()):
            if reader.cutter.is_open_by_receipt and (groups := reader.cutter.flush()):
                made += self._made(reader.instrument, groups, groups)
        return made

    def _parts(self, batches: Sequence[ColumnBatch]) -> list[tuple[_Stream, ColumnBatch]]:
        """Split the batches by APID, and flag the rows whose onboard time went back."""
        parts: list[tuple[_Stream, ColumnBatch]] = []
        for batch in batches:
            apids = distinct(batch.apid)
            for apid in apids:
                part = batch if len(apids) == 1 else take(batch, batch.apid == apid)
                stream = self._stream(part, apid)
                jumped, stream.last_ns = _went_back(part.time_ns, stream.last_ns)
                if jumped is not None:
                    part = replace(part, quality=part.quality | flag(jumped, Quality.CLOCK_JUMP))
                parts.append((stream, part))
        return parts

    def _stream(self, rows: ColumnBatch, apid: int) -> _Stream:
        key = (rows.container, apid)
        if key not in self._streams:
            names: list[str | None] = [*self._names_of(rows)]
            readers = [
                _Reader(name, self._cutter(name, rows), number)
                for number, name in enumerate(names or [None], len(self._readers))
            ]
            self._readers += readers
            self._streams[key] = _Stream(readers)
        return self._streams[key]

    def _names_of(self, rows: ColumnBatch) -> Iterator[str]:
        """Names of the instruments that read this container, if it has all columns that they need."""
        for name, instrument in self._instruments.items():
            needed = instrument.containers.get(rows.container)
            if needed is not None and needed <= rows.columns.keys():
                yield name

    def _cutter(self, name: str | None, rows: ColumnBatch) -> RowCutter:
        if name is None:
            return RowCutter(telemetry.max_rows(rows))
        instrument = self._instruments[name]
        single, bare = instrument.singles, instrument.row_by_row | instrument.any_groups
        return RowCutter(instrument.max_rows, single=rows.container in single, bare=rows.container in bare)

    def _advance(self, reader: _Reader, rows: ColumnBatch | None) -> Iterable[Made]:
        """Make the drafts of groups that end with new rows, or with rows that need not wait any longer."""
        if reader.instrument is None:
            return self._cut(reader, rows, window_keys(rows, self._context.window_s)) if rows is not None else ()
        pieces = [piece for piece in (reader.waiting, rows) if piece is not None]
        rows = pieces[0] if len(pieces) == 1 else join(pieces)
        instrument = self._instruments[reader.instrument]
        auxiliary = self._auxiliary(instrument)
        n_wait, complete_to = instrument.wait_rows, auxiliary.complete_to(instrument.waits_for) if auxiliary else -1
        n_ready = max(len(rows) - n_wait, int(np.searchsorted(rows.order, complete_to)))
        reader.waiting = join([take(rows, slice(n_ready, None))]) if n_ready < len(rows) else None
        until = np.append(rows.order[n_wait:], np.full(n_wait, _NEVER))[: len(rows)]
        return self._attach(reader, instrument, take(rows, slice(n_ready)), until[:n_ready])

    def _auxiliary(self, instrument: Instrument) -> Auxiliary | None:
        return self._auxiliaries[instrument.auxiliary] if instrument.auxiliary else None

    def _attach(
        self, reader: _Reader, instrument: Instrument, rows: ColumnBatch, until: NDArray[np.int64]
    ) -> Iterable[Made]:
        if not len(rows):
            return ()
        rows = instrument.attach(rows, self._auxiliary(instrument), until)
        return self._cut(reader, rows, instrument.keys(rows))

    def _cut(self, reader: _Reader, rows: ColumnBatch, keys: NDArray[np.int64]) -> Iterable[Made]:
        groups = reader.cutter.cut(rows, keys)
        if not groups:
            return ()
        if len(groups) > 1 and reader.cutter.bare:  # all but the first are of these rows, before the open group
            stop = len(rows) - reader.cutter.n_open
            later = take(rows, slice(stop - sum(map(len, groups[1:])), stop))
            return self._made(reader.instrument, groups, [groups[0], later])
        return self._made(reader.instrument, groups, groups)

    def _end(self, reader: _Reader) -> Iterator[Made]:
        if reader.instrument is not None and reader.waiting is not None:
            rows, reader.waiting = reader.waiting, None
            instrument = self._instruments[reader.instrument]
            yield from self._attach(reader, instrument, rows, np.full(len(rows), _NEVER))
        if groups := reader.cutter.flush():
            yield from self._made(reader.instrument, groups, groups)

    def _made(
        self, name: str | None, groups: Sequence[ColumnBatch], pieces: Sequence[ColumnBatch]
    ) -> Iterable[Made]:
        """Make the drafts of ended groups, in order. `pieces`: the same rows, in as few batches as possible.

        For a container in `row_by_row` or `any_groups`, the groups between the first and the last have no columns.
        """
        if name is None:
            draft = self._generic_products.draft
            return [Made(draft(group), telemetry.INSTRUMENT, self._context, telemetry.LINEAGE) for group in groups]
        return self._drafts(name, groups, pieces)

    def _drafts(self, name: str, groups: Sequence[ColumnBatch], pieces: Sequence[ColumnBatch]) -> Iterator[Made]:
        instrument = self._instruments[name]
        if len(groups) == 1 or groups[0].container not in instrument.row_by_row:
            for piece in pieces:
                most_events = MAX_EVENTS * (1 + len(groups) - len(pieces))
                yield from self._with_origin(name, instrument.drafts(piece), most_events)
            return
        yield from self._drafts_of_adjacent(name, join(pieces), groups)

    def _drafts_of_adjacent(self, name: str, rows: ColumnBatch, groups: Sequence[ColumnBatch]) -> Iterator[Made]:
        """Make the drafts of adjacent groups with one call where `alike` allows it. `rows`: theirs, all columns."""
        instrument = self._instruments[name]
        if len(groups) == 1:
            yield from self._with_origin(name, instrument.drafts(rows))
        elif instrument.alike(rows):
            drafts = [one.draft for one in self._with_origin(name, instrument.drafts(rows))]
            origin = self._families[name], self._contexts[name], self._lineage[name]
            for of_group in zip(*(split(draft, groups) for draft in drafts), strict=True):
                yield from (Made(draft, *origin) for draft in of_group)
        else:  # bisect: perhaps only one group differs
            half = len(groups) // 2
            n_rows = sum(map(len, groups[:half]))
            yield from self._drafts_of_adjacent(name, take(rows, slice(n_rows)), groups[:half])
            yield from self._drafts_of_adjacent(name, take(rows, slice(n_rows, None)), groups[half:])

    def _with_origin(
        self, name: str, found: Iterable[Draft | Event], most_events: int = MAX_EVENTS
    ) -> Iterator[Made]:
        """Yield the drafts with their origin; events are kept for `drain_events`, `most_events` of them at most."""
        n_events = 0
        for one in found:
            if isinstance(one, Draft):
                yield Made(one, self._families[name], self._contexts[name], self._lineage[name])
            elif n_events < most_events:
                n_events += 1
                self._events.append(replace(one, details={"instrument": self._families[name], **one.details}))


def _went_back(time_ns: NDArray[np.int64], last_ns: int) -> tuple[NDArray[np.bool_] | None, int]:
    """Rows whose onboard time is before that of the row before, bool[n] (None: no such row); the last known time."""
    if largest(time_ns) == NO_TIME:
        return None, last_ns
    known = time_ns != NO_TIME
    times = time_ns[known]
    back = np.empty(len(times), np.bool_)
    back[0], back[1:] = times[0] < last_ns, times[1:] < times[:-1]
    if not any_true(back):
        return None, int(times[-1])
    jumped = np.zeros(len(time_ns), np.bool_)
    jumped[known] = back
    return jumped, int(times[-1])


def _contexts(instruments: Mapping[str, type[Instrument]], context: Context) -> dict[str, Context]:
    """The context of each instrument; one object for equal contexts, so that their times are computed together."""
    known: dict[tuple[bool, tuple[tuple[str, str], ...]], Context] = {}
    found = {}
    for name, one in instruments.items():
        key = one.landed, tuple(one.frames.items())
        if key not in known:
            place = context if one.landed else context.away()
            known[key] = replace(place, frames=FrameWords(one.frames)) if one.frames else place
        found[name] = known[key]
    return found
