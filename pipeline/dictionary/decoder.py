"""Packets in, columns out: one batch of columns for each container that is present, rows in packet order.

Packets that match no container, or are too short for theirs, are set aside and counted by reason. Longer ones
are decoded and flagged. Any bytes give flags and counts, never an exception.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME, ColumnBatch, Event, PacketBatch, Quality
from ..model.constants import constants
from ..model.errors import ConfigError, Problem
from ..model.reused_memory import reused_empty
from .compile.columns import named_columns, quality_of
from .compile.limit_watch import LimitWatch
from .compile.others import OtherValues
from .compile.plan import Plan
from .compile.plan_nodes import Node
from .compile.sorting import Group, Sorter, run_program
from .run.runs import Result
from .run.values import Places, Values

Array = NDArray[Any]
Rows = NDArray[np.intp]
MAX_AGE_NS = 3600 * 10**9
"""Of a value of another packet, before the packet that takes it is flagged."""
MAX_TEXT_BYTES = 256 << 20
MAX_PASSES = 8
"""Through a batch whose packets take values of each other, before it is halved; two and the length of the chain of
containers serve, unless the values themselves hang on each other from packet to packet.
"""
WHOLE = np.dtype(np.int64)
Term = tuple[str, float, NDArray[Any] | None]
"""Parameter key; nanoseconds of a count, and the same as an integer, where it is whole."""


@dataclass(frozen=True, slots=True)
class TimeTerm:
    """One part of the onboard time: nanoseconds for each count of a parameter."""

    parameter: str
    unit_ns: float
    clock: int = 0
    """Terms of one clock belong together; a container has the time of the first clock whose terms it has all."""


class Decoder:
    """Decodes batches by one plan. `set_aside` counts packets that were not decoded, by reason; `failed_checks`
    those that were, and are not what a check word in them says.
    """

    def __init__(
        self,
        plan: Plan,
        time_terms: Sequence[TimeTerm] = (),
        *,
        raw: bool = False,
        places: Callable[[Node], Places | None] | None = None,
    ) -> None:
        """`places`: gives for a container where its values of fixed places stay; None: in memory of each batch."""
        self.set_aside: Counter[str] = Counter()
        self.failed_checks: Counter[str] = Counter()
        self._raw, self._places = raw, places
        self._n_seen = 0
        self._watch = LimitWatch()
        self._sorter = Sorter(plan, self.set_aside)
        self._plan = plan
        self._others = OtherValues(plan.origins, MAX_AGE_NS) if plan.origins else None
        self._asked = plan.asked()
        self._events: list[tuple[int, Event]] = []
        """With the number of the packet, counted over the whole stream."""
        nodes = list(plan.walk())
        self._times = {node.key: _terms_of(node, time_terms) for node in nodes}
        names = {name for node in nodes for _, name in node.columns}
        missing = [term.parameter for term in time_terms if term.parameter not in names]
        if missing:
            raise ConfigError(
                [Problem("the dictionary has no such parameter", plan.file, 0, key) for key in missing]
            )

    @property
    def n_seen(self) -> int:
        """Packets so far: the `order` of the next one."""
        return self._n_seen

    def decode(self, packets: PacketBatch) -> list[ColumnBatch]:
        """The columns of each container that the batch holds, in the order of the dictionary. Very long texts can make
        several batches of one container.
        """
        n = len(packets.start)
        if n == 0:
            return []
        first, self._n_seen = self._n_seen, self._n_seen + n
        flat = np.ascontiguousarray(packets.data)
        if self._others is not None:
            return self._decode_with_others(flat, packets, first, self._others)
        batches = []
        for group in self._sorter.groups(flat, packets):
            for part in _parts(group, packets):
                batch = self._decode_group(flat, packets, part, first)
                if batch is not None:
                    batches.append(batch)
        return batches

    def decode_as(self, node: Node, packets: PacketBatch) -> ColumnBatch | None:
        """The columns of packets that are of this container, whatever is in them; None where none is long enough."""
        flat = np.ascontiguousarray(packets.data)
        return self._decode_group(flat, packets, Group(node, np.arange(len(packets))), 0)

    def parts_as(self, node: Node, packets: PacketBatch) -> Iterator[ColumnBatch]:
        """The same in parts where texts are long, as in `decode`. `order` is the place among the packets."""
        flat = np.ascontiguousarray(packets.data)
        for part in _parts(Group(node, np.arange(len(packets))), packets):
            batch = self._decode_group(flat, packets, part, 0)
            if batch is not None:
                yield batch

    def _decode_with_others(
        self, flat: NDArray[np.uint8], packets: PacketBatch, first: int, others: OtherValues
    ) -> list[ColumnBatch]:
        """The same where packets ask for values of others: containers that hold such values are read first, or, where
        no order of them serves, again and again.
        """
        others.begin(packets.received_ns)
        if self._plan.is_mutual and not self._complete(flat, packets, others):
            half = len(packets) // 2
            parts = (_part(packets, 0, half), 0), (_part(packets, half, len(packets)), half)
            return [
                each
                for part, place in parts
                for each in self._decode_with_others(flat, part, first + place, others)
            ]
        groups = self._sorter.groups(flat, packets, others.given if self._plan.is_mutual else None)
        places = {group.node.key: i for i, group in enumerate(groups)}
        found: dict[int, list[ColumnBatch]] = {}
        for group in self._in_order(groups):
            for part in _parts(group, packets):
                batch = self._decode_group(flat, packets, part, first, others)
                if batch is not None:
                    found.setdefault(places[group.node.key], []).append(batch)
        others.end()
        return [batch for place in sorted(found) for batch in found[place]]

    def _complete(self, flat: NDArray[np.uint8], packets: PacketBatch, others: OtherValues) -> bool:
        """Find the values that packets take from each other; False: not within MAX_PASSES.

        A packet takes values of earlier ones only. So each pass has at least the values of one packet more right, and
        a pass that changes nothing has all.
        """
        known = others.draft()
        for _ in range(MAX_PASSES):
            found = others.draft()
            for group in self._sorter.groups(flat, packets, known.given, trial=True):
                rows, result = run_program(group.node.program, flat, packets, group.rows, None, known.given)
                rows, result = _sized(group.node, packets, rows, result)
                found.add(rows, result.values)
            if found.equals(known):
                others.complete(found)
                return True
            known = found
        return False

    def _in_order(self, groups: Sequence[Group]) -> list[Group]:
        place = {key: i for i, key in enumerate(self._plan.order)}
        return sorted(groups, key=lambda group: place[group.node.key])

    def _decode_group(
        self,
        flat: NDArray[np.uint8],
        packets: PacketBatch,
        group: Group,
        first: int,
        others: OtherValues | None = None,
    ) -> ColumnBatch | None:
        node = group.node
        given = others.given if others is not None else None
        stay = None if self._places is None else self._places(node)
        rows, result = run_program(node.program, flat, packets, group.rows, group.heads, given, stay)
        rows, result = _sized(node, packets, rows, result)
        if len(rows) < len(group.rows):
            self._count_short(node, len(group.rows) - len(rows) - result.n_lost)
        if result.n_lost:
            self.set_aside[f"{node.key}: goes on with what the dictionary does not describe"] += result.n_lost
        if not len(rows):
            return None
        if stay is not None:
            stay.advance(len(rows))
        every = len(rows) == len(packets.start)
        quality = packets.quality.copy() if every else packets.quality[rows]
        quality = quality_of(quality, packets.length if every else packets.length[rows], result, node)
        if others is not None:
            others.add(rows, result.values)
            quality |= others.stale(rows, self._asked[node.key]) * np.uint32(Quality.STALE)
        time_ns = self._time(node, result.values)
        received_ns = packets.received_ns if every else packets.received_ns[rows]
        self._check(node, result.values, quality, received_ns, time_ns, rows, first)
        if node.integrity:
            start, length = packets.start[rows], packets.length[rows]
            failed = self._integrity(node, result, flat, start, length, received_ns, rows, first)
            quality |= failed * np.uint32(Quality.FAILED_CHECK)
        columns = named_columns(node.wanted, result.values.calibrated, sizes=node.has_sizes)
        raw = named_columns(node.wanted, result.values.raw, sizes=node.has_sizes) if self._raw else {}
        return ColumnBatch(
            node.key,
            time_ns,
            columns,
            raw,
            node.units,
            packets.apid if every else packets.apid[rows],
            packets.seq_count if every else packets.seq_count[rows],
            received_ns,
            np.add(rows, np.array(first), out=reused_empty((len(rows),), WHOLE)),
            quality,
        )

    def drain_events(self) -> tuple[Event, ...]:
        """Limits passed and checks failed since the last call, in the order of their packets."""
        if not self._events:
            return ()
        drained, self._events = sorted(self._events, key=itemgetter(0)), []
        return tuple(event for _, event in drained)

    def _check(
        self,
        node: Node,
        values: Values,
        quality: NDArray[np.uint32],
        received_ns: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        rows: Rows,
        first: int,
    ) -> None:
        """Flag rows outside of their valid range, and note where alarm levels change."""
        for check in node.checks:
            wrong = check.out_of_range(values)
            if wrong is not None and wrong.any():
                quality |= wrong * np.uint32(Quality.OUT_OF_RANGE)
            unit = node.units.get(check.name, "")
            for row, event in self._watch.events(node.key, check, values, unit, received_ns, time_ns):
                self._events.append((int(rows[row]) + first, event))

    def _integrity(
        self,
        node: Node,
        result: Result,
        flat: NDArray[np.uint8],
        start: NDArray[np.int64],
        length: NDArray[np.int64],
        received_ns: NDArray[np.int64],
        rows: Rows,
        first: int,
    ) -> NDArray[np.bool_]:
        """bool[n]: rows whose check word is wrong. They are counted, and one event a batch reports them."""
        if node.size is not None:
            length = np.minimum(length, (node.size.of(result.values) + 7) >> 3)
        wrong = np.zeros(len(start), np.bool_)
        for each in node.integrity:
            failed = each.failed(result.values, flat, start, length)
            n = int(failed.sum())
            if n:
                self.failed_checks[each.name] += n
                details = {"container": node.key, "check": each.name, "packets": n}
                row = int(np.argmax(failed))
                text = f"{each.name}: {n} of {len(start)} packets fail"
                event = Event("warning", "checksum", text, int(received_ns[row]), details)
                self._events.append((int(rows[row]) + first, event))
            wrong |= failed
        return wrong

    def _count_short(self, node: Node, n: int) -> None:
        if n:
            self.set_aside[f"too short for {node.key}"] += n

    def _time(self, node: Node, values: Values) -> NDArray[np.int64]:
        """int64[n]: onboard time of rows, from the counts of the parameters that tell it."""
        total: NDArray[np.int64] | None = None
        for key, unit_ns, whole_ns in self._times[node.key]:
            counts = values.of(key, calibrated=False)
            if whole_ns is not None and counts.dtype.kind in "iu":
                time_ns = counts.astype(WHOLE)
                time_ns *= whole_ns
            else:
                nanoseconds = np.rint(counts.astype(np.float64) * unit_ns)
                time_ns = np.nan_to_num(np.clip(nanoseconds, -(2.0**62), 2.0**62)).astype(WHOLE)
            total = time_ns if total is None else np.add(total, time_ns, out=total)
        if total is None:
            total = reused_empty((values.n,), WHOLE)
            total.fill(NO_TIME)
        return total


def _part(packets: PacketBatch, low: int, high: int) -> PacketBatch:
    columns = (getattr(packets, each.name)[low:high] for each in fields(packets)[1:])
    return PacketBatch(packets.data, *columns)


def _parts(group: Group, packets: PacketBatch) -> Iterator[Group]:
    """The group, in parts where its texts could be so long that a column of them would not fit into memory: all texts
    of a column are as wide as the longest.
    """
    waiting = [group]
    while waiting:
        part = waiting.pop()
        rows, n = part.rows, len(part.rows)
        if n > 1 and part.node.has_texts and n * int(packets.length[rows].max()) * 4 > MAX_TEXT_BYTES:
            waiting += [part._replace(rows=rows[n // 2 :]), part._replace(rows=rows[: n // 2])]
        else:
            yield part


def _sized(node: Node, packets: PacketBatch, rows: Rows, result: Result) -> tuple[Rows, Result]:
    """Without the packets that are shorter than the container says it is; described is all that it says."""
    if node.size is None or not len(rows):
        return rows, result
    size_bits, length = node.size.of(result.values), packets.length[rows]
    kept = np.flatnonzero((size_bits >= 0) & (size_bits <= length * 8))
    if len(kept) < len(rows):
        rows, result, size_bits = rows[kept], result.subset(kept), size_bits[kept]
    return rows, replace(result, described_bits=np.maximum(result.described_bits, size_bits))


def _terms_of(node: Node, time_terms: Sequence[TimeTerm]) -> tuple[Term, ...]:
    """The terms of the first clock that is all there; nothing where the container has none."""
    if not time_terms:
        return ()
    keys = {name: key for key, name in node.columns}
    for clock in sorted({term.clock for term in time_terms}):
        terms = [term for term in time_terms if term.clock == clock]
        if all(term.parameter in keys for term in terms):
            return tuple(_term(keys[term.parameter], float(term.unit_ns)) for term in terms)
    return ()


def _term(key: str, unit_ns: float) -> Term:
    return key, unit_ns, constants(WHOLE, int(unit_ns))[0] if unit_ns.is_integer() else None
