"""All instruments of one stream: columns in, products out, the same products whatever the batches were.

In: column batches, in order of arrival. Out: products, as soon as a row of the next group has arrived, and events
that instruments found. Held: of each container and APID, for each instrument that reads it, the group of rows that is
still open and those that wait for auxiliary rows, and the last auxiliary rows. Dropped: what an instrument drops, and
events of one group beyond MAX_EVENTS.
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
from ..model.reductions import anywhere, most
from . import telemetry
from .calibration import lineage
from .context import Context, FrameWords
from .draft import Draft, Made, distinct, finish, flag, split
from .instrument import Auxiliary, Instrument, family, load_libraries
from .rows import RowCutter, join, take, window_keys

MAX_EVENTS = 16
"""Of one group of rows: noise in place of an instrument's values tells no more."""
_NEVER = np.iinfo(np.int64).max
_JUMP = np.uint32(Quality.CLOCK_JUMP)
_NONE = np.empty(0, np.int64)


@dataclass(slots=True)
class _Reading:
    """One who reads a container of one APID (None: no instrument does): its open group, its waiting rows."""

    reader: str | None
    cutter: RowCutter
    number: int
    waiting: ColumnBatch | None = None


@dataclass(slots=True)
class _Stream:
    """One container of one APID: all who read it, in the order of the mission's instruments, and its last time."""

    readings: list[_Reading]
    last_ns: int = NO_TIME


class Suite:
    """Instruments by name with the calibrations of their families; generic products of all other containers."""

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
        """Values out of range are flagged, so NumPy need not warn of them. Of generic products nothing is computed."""
        self._may_wait = any(one.wait_rows for one in self._instruments.values())
        self._generic_products = telemetry.GenericProducts(context.descriptions, raw=context.raw)
        self._streams: dict[tuple[str, int], _Stream] = {}
        self._readings: list[_Reading] = []
        """All of them, in the order in which their streams came."""
        self._updated: list[_Reading] = []
        """Readings with open groups that took rows of the last batch: their rows may be views of it."""
        self._open_by_receipt: dict[int, _Reading] = {}
        """Those, by number, that may hold a group of rows received at one time."""
        self._events: list[Event] = []

    def make_products(self, batches: Sequence[ColumnBatch], *, complete: bool = False) -> list[Product]:
        """Products of the groups that these rows close.

        `complete`: these rows are all that was received so far (a live link). The open groups of rows that share a
        receive time are then closed too. In a recording the next rows close the same groups.
        """
        with self._quiet():
            made = self._draft(batches)
            return finish(made + self._close_received() if complete else made)

    def flush(self) -> list[Product]:
        """End of the stream: products of the groups still open, and of what instruments hold."""
        with self._quiet():
            made = [one for reading in self._readings for one in self._end(reading)]
            ends = [self._kept(name, instrument.end()) for name, instrument in self._instruments.items()]
            return finish([*made, *(one for end in ends for one in end)])

    def drain_events(self) -> tuple[Event, ...]:
        """What instruments found since the last call, oldest first within a container."""
        drained, self._events = tuple(self._events), []
        return drained

    def _draft(self, batches: Sequence[ColumnBatch]) -> list[Made]:
        """Drafts of the groups that these rows close."""
        for reading in self._updated:
            reading.cutter.own()
        parts = self._parts(batches)
        if self._auxiliaries:
            self._inform_auxiliaries(parts)
        made: list[Made] = []
        updated: list[_Reading] = []
        for stream, part in parts:
            updated += stream.readings
            for reading in stream.readings:
                made += self._advance(reading, part)
        for reading in self._readings if self._may_wait else ():
            if reading.waiting is not None:
                made += self._advance(reading, None)
                updated.append(reading)
        for auxiliary in self._auxiliaries.values():
            auxiliary.forget()
        self._updated = [reading for reading in updated if reading.cutter.n_open]
        for reading in self._updated:
            if reading.cutter.is_open_by_receipt:
                self._open_by_receipt[reading.number] = reading
        return made

    def _inform_auxiliaries(self, parts: Sequence[tuple[_Stream, ColumnBatch]]) -> None:
        """Give the rows to the auxiliaries, and the numbers of the packets at which the clock jumped."""
        doubtful = [(part.order, part.quality & _JUMP) for _, part in parts if np.count_nonzero(part.quality)]
        jumps = [order[jumped != 0] for order, jumped in doubtful if jumped.any()]
        for auxiliary in self._auxiliaries.values():
            auxiliary.add_rows([part for _, part in parts], np.sort(np.concatenate(jumps)) if jumps else _NONE)

    def _close_received(self) -> list[Made]:
        """Drafts of the open groups of rows that were received at one time."""
        waiting, self._open_by_receipt = self._open_by_receipt, {}
        made: list[Made] = []
        for number in sorted(waiting):
            reading = waiting[number]
            if groups := reading.cutter.close_received():
                made += self._made(reading.reader, groups, groups)
        return made

    def _parts(self, batches: Sequence[ColumnBatch]) -> list[tuple[_Stream, ColumnBatch]]:
        """The batches by APID, with rows flagged whose onboard time went back."""
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
            readers: list[str | None] = [*self._readers(rows)]
            readings = [
                _Reading(reader, self._cutter(reader, rows), len(self._readings) + i)
                for i, reader in enumerate(readers or [None])
            ]
            self._readings += readings
            self._streams[key] = _Stream(readings)
        return self._streams[key]

    def _readers(self, rows: ColumnBatch) -> Iterator[str]:
        for name, instrument in self._instruments.items():
            needed = instrument.containers.get(rows.container)
            if needed is not None and needed <= rows.columns.keys():
                yield name

    def _cutter(self, reader: str | None, rows: ColumnBatch) -> RowCutter:
        if reader is None:
            return RowCutter(telemetry.max_rows(rows))
        instrument = self._instruments[reader]
        single, bare = rows.container in instrument.singles, rows.container in instrument.row_by_row
        return RowCutter(instrument.max_rows, single=single, bare=bare)

    def _advance(self, reading: _Reading, rows: ColumnBatch | None) -> Iterable[Made]:
        """Drafts of the groups that are closed by new rows, or by rows that need wait no longer."""
        if reading.reader is None:
            return self._cut(reading, rows, window_keys(rows, self._context.window_s)) if rows is not None else ()
        pieces = [piece for piece in (reading.waiting, rows) if piece is not None]
        rows = pieces[0] if len(pieces) == 1 else join(pieces)
        instrument = self._instruments[reading.reader]
        auxiliary = self._auxiliary(instrument)
        n_wait, complete_to = instrument.wait_rows, auxiliary.complete_to(instrument.waits_for) if auxiliary else -1
        n_ready = max(len(rows) - n_wait, int(np.searchsorted(rows.order, complete_to)))
        reading.waiting = join([take(rows, slice(n_ready, None))]) if n_ready < len(rows) else None
        until = np.append(rows.order[n_wait:], np.full(n_wait, _NEVER))[: len(rows)]
        return self._attach(reading, reading.reader, take(rows, slice(n_ready)), until[:n_ready])

    def _auxiliary(self, instrument: Instrument) -> Auxiliary | None:
        return self._auxiliaries[instrument.auxiliary] if instrument.auxiliary else None

    def _attach(
        self, reading: _Reading, reader: str, rows: ColumnBatch, until: NDArray[np.int64]
    ) -> Iterable[Made]:
        if not len(rows):
            return ()
        instrument = self._instruments[reader]
        rows = instrument.attach(rows, self._auxiliary(instrument), until)
        return self._cut(reading, rows, instrument.keys(rows))

    def _cut(self, reading: _Reading, rows: ColumnBatch, keys: NDArray[np.int64]) -> Iterable[Made]:
        groups = reading.cutter.cut(rows, keys)
        if not groups:
            return ()
        if len(groups) > 1 and reading.cutter.bare:  # all but the first are of these rows, before what is held now
            stop = len(rows) - reading.cutter.n_open
            later = take(rows, slice(stop - sum(map(len, groups[1:])), stop))
            return self._made(reading.reader, groups, [groups[0], later])
        return self._made(reading.reader, groups, groups)

    def _end(self, reading: _Reading) -> Iterator[Made]:
        if reading.reader is not None and reading.waiting is not None:
            rows, reading.waiting = reading.waiting, None
            yield from self._attach(reading, reading.reader, rows, np.full(len(rows), _NEVER))
        if groups := reading.cutter.flush():
            yield from self._made(reading.reader, groups, groups)

    def _made(
        self, reader: str | None, groups: Sequence[ColumnBatch], pieces: Sequence[ColumnBatch]
    ) -> Iterable[Made]:
        """Drafts of closed groups, group by group. `pieces`: the same rows, in as few pieces as there are.

        Of an instrument's groups in `row_by_row` those between the first and the last have no columns.
        """
        if reader is None:
            draft = self._generic_products.draft
            return [Made(draft(group), telemetry.INSTRUMENT, self._context, telemetry.LINEAGE) for group in groups]
        return self._made_by(reader, groups, pieces)

    def _made_by(self, reader: str, groups: Sequence[ColumnBatch], pieces: Sequence[ColumnBatch]) -> Iterator[Made]:
        instrument = self._instruments[reader]
        if len(groups) == 1 or groups[0].container not in instrument.row_by_row:
            for group in groups:
                yield from self._kept(reader, instrument.drafts(group))
            return
        yield from self._together(reader, join(pieces), groups)

    def _together(self, reader: str, rows: ColumnBatch, groups: Sequence[ColumnBatch]) -> Iterator[Made]:
        """Drafts of adjacent groups, whose rows with all columns are `rows`: of all at once where they are alike."""
        instrument = self._instruments[reader]
        if len(groups) == 1:
            yield from self._kept(reader, instrument.drafts(rows))
        elif instrument.alike(rows):
            drafts = [one.draft for one in self._kept(reader, instrument.drafts(rows))]
            for of_group in zip(*(split(draft, groups) for draft in drafts), strict=True):
                yield from self._kept(reader, of_group)
        else:  # one group may be unlike the others
            half = len(groups) // 2
            n_rows = sum(map(len, groups[:half]))
            yield from self._together(reader, take(rows, slice(n_rows)), groups[:half])
            yield from self._together(reader, take(rows, slice(n_rows, None)), groups[half:])

    def _kept(self, reader: str, found: Iterable[Draft | Event]) -> Iterator[Made]:
        """The drafts, with their origin; events are kept for `drain_events`."""
        n_events = 0
        for one in found:
            if isinstance(one, Draft):
                yield Made(one, self._families[reader], self._contexts[reader], self._lineage[reader])
            elif n_events < MAX_EVENTS:
                n_events += 1
                self._events.append(replace(one, details={"instrument": self._families[reader], **one.details}))


def _went_back(time_ns: NDArray[np.int64], last_ns: int) -> tuple[NDArray[np.bool_] | None, int]:
    """Which rows have an onboard time before the row that came before, None where none has; the last time there was."""
    if most(time_ns) == NO_TIME:
        return None, last_ns
    known = time_ns != NO_TIME
    times = time_ns[known]
    back = np.empty(len(times), np.bool_)
    back[0], back[1:] = times[0] < last_ns, times[1:] < times[:-1]
    if not anywhere(back):
        return None, int(times[-1])
    jumped = np.zeros(len(time_ns), np.bool_)
    jumped[known] = back
    return jumped, int(times[-1])


def _contexts(instruments: Mapping[str, type[Instrument]], context: Context) -> dict[str, Context]:
    """The context of each instrument: one object for those that have the same, so that times are computed together."""
    known: dict[tuple[bool, tuple[tuple[str, str], ...]], Context] = {}
    found = {}
    for name, one in instruments.items():
        key = one.landed, tuple(one.frames.items())
        if key not in known:
            place = context if one.landed else context.away()
            known[key] = replace(place, frames=FrameWords(one.frames)) if one.frames else place
        found[name] = known[key]
    return found
